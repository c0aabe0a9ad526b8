"""A snapshot from peers: each piece proven before it is kept, liars banned, and never half a state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import trio

from execution.standard import standard_plan
from execution.vm.machine import Machine
from genesis import codec
from genesis.errors import Invalid, Unavailable
from genesis.membership import ValidatorSet
from genesis.merkle import SUBTREE_PAGES
from genesis.spec import genesis_hash
from node.engine import on_engine_stack
from node.recovery import Recovered, recover
from node.store import PAGE_BYTES, Note, Pages, Store
from node.sync import wire
from node.sync.download import PEERS_MAX, Download
from node.sync.joining import Joining
from node.sync.leap import Leap, Leaps
from node.sync.serving import PIN_IDLE_S, PIN_S, PINS_MAX, Snapshots
from node.sync_meter import SyncMeter
from p2p.memory import Hub, open_memory_network
from p2p.network import Handler, Network, Peer
from tests.node.recovery_script import TEST_SPEC, script
from tests.node.test_recovery import genesis_root, live

SETS = (ValidatorSet(0, 0, TEST_SPEC.stakes),)
(ME,) = TEST_SPEC.stakes
META = codec.encode((3, 1, b"", (), ()))
Lie = Callable[[bytes, bytes], bytes]
"""Question and honest answer → what is answered instead."""


def open_store(folder: Path) -> Store:
    return Store(folder, genesis_hash(TEST_SPEC, genesis_root()))


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of a chain that has run the whole script."""
    script()  # made beforehand, for it compiles in a loop of its own
    folder = tmp_path_factory.mktemp("origin")
    trio.run(live, folder)
    return folder


def state(store: Store) -> dict[tuple[int, int], bytes]:
    """Every page that is not all zeros."""
    found = {}
    for row in store.pages():
        for at in range(0, len(row.data), PAGE_BYTES):
            page = row.data[at : at + PAGE_BYTES]
            if page.strip(b"\x00"):
                found[row.program, row.first_page + at // PAGE_BYTES] = page
    return found


def recovered(store: Store) -> Recovered:
    machine = Machine(standard_plan)
    return on_engine_stack(lambda: recover(TEST_SPEC, store, machine, machine.genesis(TEST_SPEC), lambda *_: None))


class Liar:
    """A network whose answers of one protocol are others."""

    def __init__(self, network: Network, protocol: str, lie: Lie) -> None:
        self._network, self._protocol, self._lie = network, protocol, lie
        self.told = 0

    def serve(self, protocol: str, handler: Handler) -> None:
        async def answer(peer: Peer, payload: bytes) -> bytes:
            honest = await handler(peer, payload)
            if protocol != self._protocol:
                return honest
            lied = self._lie(payload, honest)
            self.told += lied != honest
            return lied

        self._network.serve(protocol, answer)


class Town:
    """One origin, served by several peers, and a store that lacks everything."""

    def __init__(self, hub: Hub, source: Store, store: Store) -> None:
        self._hub, self.source, self.store = hub, source, store
        self.network = hub.join("me")
        self.peers: list[Peer] = []

    def serve(self, name: Peer, nursery: trio.Nursery, protocol: str = "", lie: Lie | None = None) -> Liar | None:
        network = self._hub.join(name)
        liar = None if lie is None else Liar(network, protocol, lie)
        snapshots = Snapshots(self.source, liar or network)  # type: ignore[arg-type]
        snapshots.serve()
        nursery.start_soon(snapshots.run)
        self.peers.append(name)
        return liar

    async def download(self) -> None:
        """Whatever is offered."""
        offers = [wire.Offer.decode(await self.network.request(peer, wire.OFFER, b"", 5)) for peer in self.peers]
        height = offers[0].heights[0]
        await Download(TEST_SPEC, self.store, self.network, SETS, height, offers[0].fingerprint, self.peers).run()


def play(origin: Path, folder: Path, test: Callable[[Town, trio.Nursery], Awaitable[None]]) -> None:
    async def main() -> None:
        with open_store(origin) as source, open_store(folder) as store:
            async with open_memory_network() as hub, trio.open_nursery() as nursery:
                await test(Town(hub, source, store), nursery)
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_a_snapshot_is_the_state_and_the_chain_goes_on_from_it(origin: Path, tmp_path: Path) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        town.serve("a", nursery)
        town.serve("b", nursery)
        await town.download()
        height, meta = town.source.checkpoint() or (0, b"")
        assert town.store.checkpoint() == (height, meta)
        assert town.store.head() == height and 1 < town.store.first() <= height
        assert state(town.store) == state(town.source), "page by page the same"
        for row in town.store.blocks(town.store.first(), height):
            (own,) = town.source.blocks(row.height, row.height)
            assert row == own

    play(origin, tmp_path, test)
    with open_store(tmp_path) as store, open_store(origin) as source:
        tip = recovered(store).tip
        header = source.header(tip.height)
        assert header is not None and tip.header is not None
        assert codec.decode(header, 1 << 16)[0] == tip.header.fields()  # type: ignore[index]
        store.put(list(source.blocks(tip.height + 1, source.head() or 0)))
        assert recovered(store).tip.hash == recovered(source).tip.hash


def flipped(at: int) -> Lie:
    """One bit of the answer is another."""

    def lie(_: bytes, honest: bytes) -> bytes:
        place = min(at, len(honest) - 1)
        return honest[:place] + bytes((honest[place] ^ 1,)) + honest[place + 1 :]

    return lie


def of_kind(kind: int, lie: Lie) -> Lie:
    """Lies about one kind of piece only."""

    def about(question: bytes, honest: bytes) -> bytes:
        return lie(question, honest) if wire.decode_numbers(question, 4)[1] == kind else honest

    return about


LIES: dict[str, tuple[str, Lie]] = {
    "a page": (wire.PAGES, flipped(5_000)),
    "which pages": (wire.PAGES, flipped(0)),
    "pages of zeros": (wire.PAGES, lambda *_: bytes(32)),
    "nothing": (wire.PAGES, lambda *_: b""),
    "too much": (wire.PAGES, lambda _, honest: honest + b"more"),
    "hashes": (wire.PART, of_kind(wire.TREES, flipped(40))),
    "code": (wire.PART, of_kind(wire.META, flipped(30_000))),
    "a name": (wire.PART, of_kind(wire.META, lambda _, honest: honest.replace(b"transfer", b"transfex"))),
    "a block": (wire.PART, of_kind(wire.BLOCK, flipped(100))),
    "results": (wire.PART, of_kind(wire.BLOCK, flipped(1 << 30))),
    "no block": (wire.PART, of_kind(wire.BLOCK, lambda *_: wire.encode_part(b"\x93\x01\x02\x03", 0))),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_piece_that_lies_bans_its_bearer_and_comes_from_another(origin: Path, tmp_path: Path, lie: str) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        liar = town.serve("liar", nursery, *LIES[lie])
        town.serve("honest", nursery)
        await town.download()
        assert liar is not None and liar.told > 0
        assert town.network.statistics().bans == 1
        assert state(town.store) == state(town.source)

    play(origin, tmp_path, test)


def part(size: int, piece: bytes) -> Lie:
    return lambda *_: codec.encode((size, piece))


STALLS: dict[str, Lie] = {
    "byte by byte": part(1 << 20, b"x"),
    "without an end": part(1 << 62, bytes(wire.PART_BYTES_MAX)),
    "nothing at all": part(0, b""),
    "another size each time": lambda question, _: codec.encode(
        ((3 << 20) + wire.decode_numbers(question, 4)[3], bytes(wire.PART_BYTES_MAX))
    ),
}


@pytest.mark.parametrize("kind", [wire.META, wire.TREES, wire.BLOCK])
@pytest.mark.parametrize("stall", STALLS)
def test_who_brings_something_without_an_end_is_left_out_at_once(
    origin: Path, tmp_path: Path, stall: str, kind: int
) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        liar = town.serve("liar", nursery, wire.PART, of_kind(kind, STALLS[stall]))
        town.serve("honest", nursery)
        await town.download()
        assert liar is not None and 1 <= liar.told <= 2
        assert state(town.store) == state(town.source)

    play(origin, tmp_path, test)


def test_more_liars_than_are_asked_at_a_time_hold_up_nothing(origin: Path, tmp_path: Path) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        for number in range(PEERS_MAX + 1):
            town.serve(f"liar {number}", nursery, *LIES["a page"])
        town.serve("honest", nursery)
        await town.download()
        assert town.network.statistics().bans == PEERS_MAX + 1
        assert state(town.store) == state(town.source)

    play(origin, tmp_path, test)


def test_who_fails_with_one_height_is_asked_for_no_other(origin: Path, tmp_path: Path) -> None:
    """A validator may offer sixteen; what it does not have of the first is reason enough."""
    asked: list[bytes] = []

    def note(question: bytes, honest: bytes) -> bytes:
        asked.append(question)
        return wire.encode_part(b"\x93\x01\x02\x03", 0)

    async def test(town: Town, nursery: trio.Nursery) -> None:
        town.serve("liar", nursery, wire.PART, note)
        height, _ = town.source.checkpoint() or (0, b"")
        joining = Joining(TEST_SPEC, town.store, town.network, {ME: "liar"}, SyncMeter())
        offer = wire.Offer.decode(await town.network.request("liar", wire.OFFER, b"", 5))
        joining.offers = {ME: replace(offer, heights=(height, *range(height - 1, 0, -1))[: wire.HEIGHTS_MAX])}
        assert len(joining.worth(1)) > 1
        assert not await joining.take_snapshot(SETS, 1)
        assert len(asked) == 1

    play(origin, tmp_path, test)


def test_liars_alone_leave_the_store_as_it_was(origin: Path, tmp_path: Path) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        town.store.put_cursors({"mine": b"stays"})
        town.serve("liar", nursery, *LIES["a page"])
        with pytest.raises(Unavailable, match="by no peer"):
            await town.download()

    play(origin, tmp_path, test)
    with open_store(tmp_path) as store:
        assert (store.head(), store.first(), store.checkpoint(), list(store.pages())) == (None, 1, None, [])
        assert store.cursor("mine") == b"stays"


class Killed(BaseException):
    """As SIGKILL ends a process: nothing after it happens."""


class MortalStore(Store):
    """Ends at its n-th write."""

    left = 1 << 30

    @contextmanager
    def _write(self, what: str, sync: bool = False) -> Iterator[object]:
        self.left -= 1
        if self.left < 0:
            raise Killed
        with super()._write(what, sync) as batch:
            yield batch


@asynccontextmanager
async def mortal(folder: Path, writes: int) -> AsyncIterator[MortalStore]:
    with MortalStore(folder, genesis_hash(TEST_SPEC, genesis_root())) as store:
        store.left = writes
        yield store


@pytest.mark.parametrize("writes", [1, 5, "commit", "swept"])
def test_killed_anywhere_it_is_as_before_or_whole(origin: Path, tmp_path: Path, writes: int | str) -> None:
    """On top of a chain of its own, so that what is there before has to go, too."""
    trio.run(partial(live, tmp_path, blocks=3))
    with open_store(tmp_path) as store:
        before = (store.head(), store.checkpoint(), state(store))

    async def attempt(at: int) -> int:
        with open_store(origin) as source:  # outlives who reads it
            async with mortal(tmp_path, at) as store, open_memory_network() as hub, trio.open_nursery() as nursery:
                town = Town(hub, source, store)
                town.serve("a", nursery)
                await town.download()
                nursery.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await trio.sleep(0)
        return at - store.left

    if isinstance(writes, str):
        copy = tmp_path.with_name(tmp_path.name + "-copy")
        count = _writes_of(origin, tmp_path, copy)
        writes = count - 3 if writes == "commit" else count - 1
    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(attempt, writes)
    assert caught.value.subgroup(Killed) is not None
    with open_store(tmp_path) as store, open_store(origin) as source:
        whole = (source.checkpoint() or (0, b""))[0], source.checkpoint(), state(source)
        found = (store.head(), store.checkpoint(), state(store))
        assert found in (before, whole)
    trio.run(attempt, 1 << 30)
    with open_store(tmp_path) as store, open_store(origin) as source:
        assert recovered(store).tip.height == (source.checkpoint() or (0, b""))[0]


@pytest.mark.parametrize("harm", [False, True])
def test_killed_amid_it_goes_on_with_what_it_has(origin: Path, tmp_path: Path, harm: bool) -> None:
    """harm: some of what was gathered is not what belongs there when the node starts again."""
    asked: list[bytes] = []

    def note(question: bytes, honest: bytes) -> bytes:
        asked.append(question)
        return honest

    async def attempt(writes: int) -> None:
        with open_store(origin) as source:  # outlives who reads it
            async with mortal(tmp_path, writes) as store, open_memory_network() as hub, trio.open_nursery() as nursery:
                town = Town(hub, source, store)
                town.serve("a", nursery, wire.PAGES, note)
                await town.download()
                assert state(store) == state(source), "and nothing else"
                nursery.cancel_scope.cancel()

    with pytest.raises(BaseExceptionGroup):
        trio.run(attempt, 5)
    with open_store(tmp_path) as store:
        assert store.checkpoint() is None and not list(store.pages()), "none of it counts yet"
        gathered = {(program, first) for program, first, _ in store.gathered(SUBTREE_PAGES)}
        assert len(gathered) >= 3
        program, first = lost = min(gathered)
        if harm:
            store.add_pages(program, {first + 1: b"h" * PAGE_BYTES})
            store.add_pages(77, {3: b"h" * PAGE_BYTES})
            gathered.remove(lost)
    asked.clear()
    trio.run(attempt, 1 << 30)
    again = {(program, number * SUBTREE_PAGES) for _, program, number in (wire.decode_numbers(q, 3) for q in asked)}
    assert again and not again & gathered, "each piece comes once"
    assert (lost in again) is harm


def test_a_checkpoint_of_its_own_forgets_what_was_gathered(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        store.begin_snapshot()
        store.add_pages(1, {5: b"o" * PAGE_BYTES})
    with Store(tmp_path, b"g" * 32) as store:
        store.begin_snapshot()
        assert [at[:2] for at in store.gathered(SUBTREE_PAGES)] == [(1, 0)]
        store.put_checkpoint(4, META, [Pages(0, 0, b"m" * PAGE_BYTES)], b"trees")
        assert not list(store.gathered(SUBTREE_PAGES))
        assert [(one.program, one.first_page) for one in store.pages()] == [(0, 0)]


def _writes_of(origin: Path, folder: Path, copy: Path) -> int:
    """How many writes an undisturbed snapshot takes on a copy of the folder."""
    import shutil

    shutil.copytree(folder, copy)

    async def main() -> int:
        with open_store(origin) as source:  # outlives who reads it
            async with mortal(copy, 1 << 30) as store, open_memory_network() as hub, trio.open_nursery() as nursery:
                town = Town(hub, source, store)
                town.serve("a", nursery)
                await town.download()
                nursery.cancel_scope.cancel()
        return (1 << 30) - store.left

    return trio.run(main)


def test_votes_above_the_snapshot_are_not_forgotten(origin: Path, tmp_path: Path) -> None:
    async def test(town: Town, nursery: trio.Nursery) -> None:
        town.store.put([], [Note(1, 0, b"old"), Note(1 << 40, 0, b"said")])
        town.store.append_batch(1, 0, b"logged")
        town.serve("a", nursery)
        await town.download()
        assert town.store.notes() == (Note(1 << 40, 0, b"said"),)
        assert town.store.logged() == ()

    play(origin, tmp_path, test)


# Serving


async def offered(me: Network) -> tuple[int, ...]:
    return wire.Offer.decode(await me.request("a", wire.OFFER, b"", 5)).heights


def serving_alone(store: Store, test: Callable[[Network, Snapshots], Awaitable[None]]) -> None:
    async def main() -> None:
        async with open_memory_network() as hub, trio.open_nursery() as nursery:
            me, network = hub.join("me"), hub.join("a")
            snapshots = Snapshots(store, network)
            snapshots.serve()
            await nursery.start(snapshots.run)
            await test(me, snapshots)
            nursery.cancel_scope.cancel()

    trio.run(main)


def test_what_is_read_stays_though_the_store_goes_on_and_goes_when_nobody_reads(tmp_path: Path) -> None:
    async def test(me: Network, snapshots: Snapshots) -> None:
        store.put_checkpoint(4, META, [Pages(0, 0, b"old" + bytes(PAGE_BYTES - 3))], b"trees")
        assert await offered(me) == (4,)
        store.put_checkpoint(8, META, [Pages(0, 0, b"new" + bytes(PAGE_BYTES - 3))], b"trees")
        assert await offered(me) == (8, 4)
        answers = [await me.request("a", wire.PAGES, wire.encode_numbers(height, 0, 0), 5) for height in (4, 8)]
        assert [wire.decode_pages(answer, 0)[0][:3] for answer in answers] == [b"old", b"new"]
        for pin in snapshots._pins.values():
            pin.read_s -= PIN_IDLE_S + 1
        snapshots._let_go(PIN_IDLE_S)
        with pytest.raises(Invalid, match="not here any more"):
            await me.request("a", wire.PAGES, wire.encode_numbers(4, 0, 0), 5)

    with Store(tmp_path, b"g" * 32) as store:
        serving_alone(store, test)


def test_few_checkpoints_are_pinned_and_none_for_ever(tmp_path: Path) -> None:
    async def test(me: Network, snapshots: Snapshots) -> None:
        for height in range(1, 6):
            store.put_checkpoint(height, META, (), b"trees")
            heights = await offered(me)
        assert heights == (PINS_MAX, 1), "those that may be read are kept, not the newest"
        for pin in snapshots._pins.values():
            pin.since_s -= PIN_S + 1
        snapshots._let_go(PIN_IDLE_S)
        assert await offered(me) == (5,)

    with Store(tmp_path, b"g" * 32) as store:
        serving_alone(store, test)


# Whether to take one


def joining(offers: Sequence[wire.Offer], store: Store, stakes: Sequence[int] = (1, 1, 1, 1)) -> Joining:
    peers = {bytes((n,)) * 20: f"v{n}" for n in range(len(stakes))}
    found = Joining(TEST_SPEC, store, None, peers, SyncMeter())  # type: ignore[arg-type]
    found.offers = {bytes((n,)) * 20: offer for n, offer in enumerate(offers)}
    return found


class Away:
    """A settlement chain that nobody reaches."""

    async def head(self, confirmations: int) -> None:
        raise Unavailable("not now")


@dataclass(frozen=True, slots=True)
class Lagging:
    """A life that says whether it lags."""

    peers: dict[bytes, str]
    behind: bool = True

    def lags(self) -> bool:
        return self.behind


FAR: dict[str, tuple[Lie, int, int, bool, bool]] = {
    "far ahead": (lambda _, honest: honest, 1, 1 << 30, True, True),
    "not far enough": (lambda _, honest: honest, 1 << 20, 1 << 30, True, False),
    "stuck": (lambda _, honest: honest, 1 << 20, 2, True, True),
    "level": (lambda _, honest: honest, 1, 2, False, False),
    "a lie": (lambda _, honest: replace(wire.Offer.decode(honest), heights=(1 << 40,)).encode(), 1, 2, True, False),
}
"""What is offered, how far behind a node that starts takes a snapshot, looks until stuck, whether it lags, begins."""


@pytest.mark.parametrize("case", FAR)
def test_a_node_that_runs_begins_again_for_a_certified_height_far_ahead_alone(
    origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    lie, behind_blocks, stuck_looks, lags, begins = FAR[case]
    monkeypatch.setattr("node.sync.leap.STUCK_LOOKS", stuck_looks)
    monkeypatch.setattr("node.sync.leap.RUNS_ANYWAY", 2)
    monkeypatch.setattr("node.sync.leap.LOOK_S", 0.02)

    async def test(town: Town, nursery: trio.Nursery) -> None:
        town.serve("a", nursery, wire.OFFER, lie)
        leaps = Leaps()
        life = Lagging({ME: "a"}, lags)
        leap = Leap(TEST_SPEC, town.store, town.network, Away(), behind_blocks, life, leaps, SyncMeter())  # type: ignore[arg-type]
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as inside:
                inside.start_soon(leap.wait_due)
                if not begins:
                    await trio.sleep(1)
                    scope.cancel()
        assert leaps.due is begins
        assert not begins or leaps.not_before_s > trio.current_time() + 10, "and not again soon"

    play(origin, tmp_path, test)


@pytest.mark.parametrize(
    ("heights", "first", "wanted"), [((9,), 1, False), ((100,), 1, True), ((9,), 5, True), ((), 5, False)]
)
def test_a_snapshot_is_taken_when_far_behind_or_when_blocks_are_pruned(
    tmp_path: Path, heights: tuple[int, ...], first: int, wanted: bool
) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        offers = [wire.Offer(first, 120, b"f" * 32, heights)] * 2
        assert bool(joining(offers, store).worth(50)) is wanted


def test_the_code_is_what_more_than_a_third_of_the_stake_names(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        stakes = {bytes((n,)) * 20: 1 for n in range(4)}
        one, other = wire.Offer(1, 9, b"1" * 32, (8,)), wire.Offer(1, 9, b"2" * 32, (8,))
        assert joining([one], store)._vouched(stakes) is None
        assert joining([one, other, other], store)._vouched(stakes) == b"2" * 32


def test_how_far_the_others_are_is_what_more_than_a_third_of_the_stake_says(tmp_path: Path) -> None:
    with Store(tmp_path, b"g" * 32) as store:
        stakes = {bytes((n,)) * 20: 1 for n in range(4)}
        liar, honest, late = (wire.Offer(1, head, b"f" * 32, ()) for head in (1 << 40, 90, 80))
        assert joining([liar, honest, late], store)._head(stakes) == 90
        assert joining([liar], store)._head(stakes) == 0, "nobody else has said anything"
