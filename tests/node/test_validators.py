"""Four whole nodes on one network in memory: they certify one chain, take turns, and none of them is needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.chain import Receipt
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec, Validator
from node.app import Ready, run_node
from node.client import Client, connect
from node.config import Config
from node.consensus.doors import Signer
from node.consensus.signer import KeySigner, Successive
from node.life import Place
from node.lives import Lives
from node.programs import Programs
from p2p.memory import Hub, Weather, open_memory_network
from tests.node.running import SPEC, config_of, transaction

COUNT = 4
KEYS = (0, 12, 13, 14)
FOUR = replace(
    SPEC,
    block_time_ms=150,
    validators=tuple(Validator(development_address(key), 1) for key in KEYS),
)


@dataclass(slots=True)
class Member:
    """A node; scope ends it at once, as a power cut would end its process; ended: its folder is free again."""

    ready: Ready
    scope: trio.CancelScope
    client: Client
    ended: trio.Event


class Town:
    """
    keys: of all who may ever live here; the first COUNT of them begin. flags: of every node's configuration. lasting:
    numbers of those that begin again by themselves, as a process does; lasting_first: from the start; lives: of these.
    """

    flags: Mapping[str, str] = {}
    lasting_first: frozenset[int] = frozenset()

    def __init__(
        self, folder: Path, hub: Hub, nursery: trio.Nursery, spec: ChainSpec, keys: tuple[int, ...] = KEYS
    ) -> None:
        self.folder, self.hub, self.nursery, self.spec, self.keys = folder, hub, nursery, spec, keys
        self.members: dict[int, Member] = {}
        self.lasting = set(self.lasting_first)
        self.lives: dict[int, Lives] = {}
        self.failed: dict[int, BaseException] = {}
        """Nodes whose disk or engine has ended them, and how."""
        self.sequence = 0
        self.next_keys: dict[int, int] = {}
        """By number: the key that it goes on under."""
        self.known = set(range(COUNT))
        """Numbers of those whom everybody is told of."""

    async def start(self, number: int) -> Member:
        self.known.add(number)
        member: Member = await self.nursery.start(self._live, number)
        return member

    async def _live(self, number: int, task_status: trio.TaskStatus[Member]) -> None:
        settlement = str(self.folder / "settlement.sqlite")
        config = config_of(self.folder / str(number), settlement__file=settlement, **self.flags)
        place = Place(self.hub.join(f"v{number}"), self._others(number), self._news(number))
        ended = trio.Event()
        with trio.CancelScope() as scope:
            try:
                async with trio.open_nursery() as nursery:
                    ready = await nursery.start(self._run, number, config, place)
                    async with connect(f"ws://127.0.0.1:{ready.port}/ws") as client:
                        self.members[number] = member = Member(ready, scope, client, ended)
                        task_status.started(member)
                        await trio.sleep_forever()
            except BaseException:
                if number not in self.failed:
                    raise
        ended.set()

    async def _run(self, number: int, config: Config, place: Place, task_status: trio.TaskStatus[Ready]) -> None:
        """A node that ends itself leaves the network at once, as its process would."""

        @asynccontextmanager
        async def enter() -> AsyncIterator[Place]:
            yield place if self.lives[number].count == 0 else replace(place, network=self.hub.join(f"v{number}"))
            self.hub.crash(f"v{number}")

        try:
            if number in self.lasting:
                self.lives[number] = Lives(config, self.spec, self._signer(number), enter)
                await self.lives[number].run(task_status)
            else:
                await run_node(config, self.spec, self._signer(number), place, task_status=task_status)
        except Corrupt as error:
            self.failed[number] = error
            self.hub.crash(f"v{number}")
            raise

    def _signer(self, number: int) -> Signer:
        signer = KeySigner(development_key(self.keys[number]))
        if number not in self.next_keys:
            return signer
        return Successive(signer, KeySigner(development_key(self.next_keys[number])))

    def _others(self, number: int) -> dict[bytes, str]:
        keys = [(self.keys[other], other) for other in self.known] + [(key, at) for at, key in self.next_keys.items()]
        return {development_address(key): f"v{other}" for key, other in keys if other != number}

    def _news(self, number: int) -> Callable[[], Awaitable[dict[bytes, str] | None]]:
        told = self._others(number)

        async def news() -> dict[bytes, str] | None:
            nonlocal told
            before, told = told, self._others(number)
            return told if told != before else None

        return news

    async def kill(self, number: int) -> None:
        self.hub.crash(f"v{number}")
        member = self.members.pop(number)
        member.scope.cancel()
        await member.ended.wait()

    def left(self, number: int) -> bool:
        """Whether a node has ended, and is no more in the network."""
        return f"v{number}" not in self.hub._nodes

    async def height(self, number: int) -> int:
        return int((await self.members[number].client.chain_info())["height"])

    async def grown(self, number: int, blocks: int) -> None:
        """Wait until a node has so many certified blocks more."""
        wanted = await self.height(number) + blocks
        while await self.height(number) < wanted:
            await trio.sleep(0.02)

    async def level(self) -> None:
        """All have a block of one height, and it is the same."""
        height = min([await self.height(number) for number in self.members])
        hashes = {(await member.client.block(height))["hash"] for member in self.members.values()}
        assert len(hashes) == 1

    async def pay(self, number: int, key: int = 6) -> Receipt:
        """A transfer sent to one node; others learn of its sequence with the block, so it is counted here."""
        return await self.pay_through(self.members[number].client, key)

    async def pay_through(self, client: Client, key: int = 6) -> Receipt:
        programs = await Programs.load(client)
        call = programs["bank"].call("transfer", 0, development_address(7), "1")
        sequence, self.sequence = self.sequence, self.sequence + 1
        return await client.send(transaction(key, [call], sequence=sequence))

    async def leader(self) -> int:
        block = await next(iter(self.members.values())).client.block()
        return [f"0x{development_address(key).hex()}" for key in self.keys].index(block["proposer"])


@asynccontextmanager
async def town(
    folder: Path, weather: Weather, spec: ChainSpec = FOUR, keys: tuple[int, ...] = KEYS
) -> AsyncIterator[Town]:
    async with open_memory_network(1, weather) as hub, trio.open_nursery() as nursery:
        found = Town(folder, hub, nursery, spec, keys)
        async with trio.open_nursery() as starting:
            for number in range(COUNT):
                starting.start_soon(found.start, number)
        yield found
        for number in [one for one in found.members if not found.left(one)]:
            hub.crash(f"v{number}")
        nursery.cancel_scope.cancel()


def play(
    folder: Path, test: Callable[[Town], Awaitable[Any]], spec: ChainSpec = FOUR, keys: tuple[int, ...] = KEYS
) -> None:
    async def main() -> None:
        with trio.fail_after(240):
            async with town(folder, Weather(latency_s=0.002, jitter_s=0.002), spec, keys) as found:
                await test(found)

    trio.run(main)


@pytest.mark.slow
def test_four_nodes_certify_one_chain_and_take_transactions_anywhere(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        await town.grown(0, 5)
        for number in range(COUNT):
            receipt = await town.pay(number)
            assert receipt.status == "done"
        await town.grown(0, 3)
        await town.level()
        balances = [await m.client.account(development_address(7)) for m in town.members.values()]
        assert len({str(one["balances"]) for one in balances}) == 1

    play(tmp_path, test)


@pytest.mark.slow
def test_a_dead_leader_is_replaced_and_comes_back(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        await town.grown(0, 3)
        await town.pay(1)
        await town.grown(1, 3)  # certified: what a leader alone has run may go with it
        dead = await town.leader()
        await town.kill(dead)
        other = next(iter(town.members))
        await town.grown(other, 5)
        assert await town.leader() != dead
        assert (await town.pay(other)).status == "done"
        await town.start(dead)
        await town.grown(dead, 5)
        assert (await town.pay(dead)).status == "done"
        await town.level()

    play(tmp_path, test)


@pytest.mark.slow
def test_a_validator_that_was_cut_off_begins_again_from_a_snapshot_and_votes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_often(monkeypatch)
    monkeypatch.setattr(Town, "flags", {"sequencer__checkpoint_blocks": "8", "sync__keep_blocks": "4"})

    async def test(town: Town) -> None:
        await town.kill(3)
        town.lasting.add(3)
        port = (await town.start(3)).ready.port
        await town.grown(3, 2)
        town.hub.partition([["v0", "v1", "v2"], ["v3"]])
        monkeypatch.setattr("node.sync.pruning.PEERS_BLOCKS", 4)
        for other in (0, 1, 2):
            while not await pruned(town.members[other].client, await town.height(3) + 2):
                await trio.sleep(0.05)
        monkeypatch.setattr("node.sync.pruning.PEERS_BLOCKS", 1 << 20)  # what follows upon the snapshot stays
        town.hub.heal()
        while town.lives[3].count < 2:
            await trio.sleep(0.02)
        async with connect(f"ws://127.0.0.1:{port}/ws") as again:
            while not (await again.consensus())["votes"]:
                await trio.sleep(0.02)
            await town.kill(0)
            height = (await town.members[1].client.chain_info())["height"]
            while (await again.chain_info())["height"] < height + 3:
                await trio.sleep(0.02)
            assert (await again.consensus())["sync"]["pieces"] > 0, "of a snapshot; and the others need its votes now"

    play(tmp_path, test)


def look_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """What to prune, and whether the others are far ahead."""
    monkeypatch.setattr("node.sync.pruning.GLANCE_S", 0.2)
    monkeypatch.setattr("node.sync.leap.LOOK_S", 0.2)


async def pruned(client: Client, height: int) -> bool:
    try:
        await client.block(height)
    except Invalid as error:
        return error.code == "pruned"
    return False


@pytest.mark.slow
def test_what_a_dead_leader_had_run_is_run_by_the_next(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        await town.grown(0, 3)
        dead = await town.leader()
        told = await town.pay(dead)
        await trio.sleep(0.05)  # the others have heard of it; few know it as certified
        await town.kill(dead)
        other = next(iter(town.members))
        await town.grown(other, 3)
        again = await town.members[other].client.receipt(told.transaction)
        assert again.encode() == told.encode()

    play(tmp_path, test)


def all_well(views: list[dict[str, Any]]) -> bool:
    """Every node votes, is connected to all, and names the same leader."""
    assert all(view["votes"] == (view["why"] == "") for view in views)
    good = all(view["votes"] for view in views) and len({view["leader"] for view in views}) == 1
    return good and all(one["connected"] for view in views for one in view["validators"])


@pytest.mark.slow
def test_every_node_says_who_leads_and_whether_it_votes(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        await town.grown(0, 2)
        while not all_well([await member.client.consensus() for member in town.members.values()]):
            await trio.sleep(0.02)
        await town.kill(3)
        while not (
            away := [one for one in (await town.members[0].client.consensus())["validators"] if not one["connected"]]
        ):
            await trio.sleep(0.02)
        assert [one["address"] for one in away] == ["0x" + development_address(KEYS[3]).hex()]

    play(tmp_path, test)


@pytest.mark.slow
def test_leases_end_and_nothing_is_reverted(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        receipts = [await town.pay(number % COUNT) for number in range(12)]
        await town.grown(0, 20)  # four leases of five views
        blocks = [await town.members[0].client.block(height) for height in range(1, await town.height(0) + 1)]
        assert len({block["proposer"] for block in blocks}) == COUNT
        for receipt in receipts:
            again = await town.members[2].client.receipt(receipt.transaction)
            assert (again.height, again.status) == (receipt.height, "done")

    play(tmp_path, test, replace(FOUR, lease_views=5))
