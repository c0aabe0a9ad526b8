"""What a leader has compiled the others compile before its block, as far as one of them may occupy another."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
from trio.testing import MockClock

from execution.vm import upgrade
from genesis.chain import Call, DeployTransaction, SignedTransaction, sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.transaction import RAW_BYTES_MAX
from node.ahead import AHEAD_S, GRACE_S, HEARD_BURST, PROTOCOL, SHARE, SHARE_BURST_S, TELLING_MAX, WAITING_MAX, Ahead
from p2p.memory import Hub, MemoryNetwork, open_memory_network
from p2p.network import Network
from tests.node.running import SPEC, transaction

COMPILE_S = 5.0


def deployment(number: int, name: str = "two", file: str = "two.py") -> SignedTransaction:
    t = DeployTransaction(
        SPEC.chain_id, development_address(6), 0, number, 1 << 50, SPEC.gas_transaction_max, SPEC.fee_min, name,
        ((file, f"# {number}"),), b"", b"",
    )  # fmt: skip
    return sign(t, development_key(6))


FIRST = deployment(0)


@dataclass(slots=True)
class Node:
    """compiled: what it has, in order. unpaid: ids of what its chain would not run. quorum: itself included."""

    network: MemoryNetwork
    ahead: Ahead
    compiled: list[bytes] = field(default_factory=list)
    unpaid: set[bytes] = field(default_factory=set)
    compiles_s: float = COMPILE_S
    checks_s: float = 0.0
    quorum: int = 3

    @classmethod
    def join(cls, hub: Hub, name: str, others: tuple[str, ...]) -> Node:
        network = hub.join(name)

        async def check(signed: SignedTransaction) -> None:
            await trio.sleep(node.checks_s)
            if signed.id in node.unpaid:
                raise Invalid("It cannot pay.", "fee_unpayable")

        async def work(signed: SignedTransaction) -> None:
            await trio.sleep(node.compiles_s)
            node.compiled.append(signed.id)

        def suffice(names: Set[str]) -> bool:
            return len(names) + 1 >= node.quorum

        node = cls(network, Ahead(network, lambda: others, suffice, check, work, trio.CapacityLimiter(1)))
        return node


@dataclass(slots=True)
class Three:
    """a leads; b and c listen to validators. stranger: in the network, and no validator."""

    a: Node
    b: Node
    c: Node
    stranger: Network

    async def asked(self, payload: bytes, of: Network | None = None) -> str:
        """What b says to a, or to whoever else: "" for yes, else the code."""
        try:
            await (of or self.a.network).request("b", PROTOCOL, payload, 10_000.0)
        except (Invalid, Unavailable) as error:
            return error.code if isinstance(error, Invalid) else "unavailable"
        return ""


@asynccontextmanager
async def three() -> AsyncIterator[Three]:
    async with open_memory_network() as hub, trio.open_nursery() as nursery:
        nodes = [Node.join(hub, name, tuple({"a", "b", "c"} - {name})) for name in ("a", "b", "c")]
        for node in nodes:
            await nursery.start(node.ahead.run)
        yield Three(*nodes, hub.join("stranger"))
        nursery.cancel_scope.cancel()


def play(test: Callable[[Three], Awaitable[None]]) -> None:
    async def main() -> None:
        async with three() as town:
            await test(town)

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_deployment_waits_until_the_others_have_compiled_it() -> None:
    async def test(town: Three) -> None:
        began = trio.current_time()
        await town.a.ahead.tell(FIRST)
        assert town.b.compiled == town.c.compiled == [FIRST.id]
        assert trio.current_time() - began < COMPILE_S + 1

    play(test)


def test_it_waits_for_nobody_who_is_away_and_not_for_long_for_who_is_silent() -> None:
    async def test(town: Three) -> None:
        began = trio.current_time()
        town.c.compiles_s = 10 * AHEAD_S
        await town.a.ahead.tell(FIRST)
        assert trio.current_time() - began == AHEAD_S
        town.a.ahead._peers = lambda: ("b", "nobody")
        await town.a.ahead.tell(FIRST)
        assert trio.current_time() - began < AHEAD_S + COMPILE_S + 1

    play(test)


def test_who_is_slower_than_a_quorum_is_waited_for_a_while_and_who_is_silent_no_longer() -> None:
    async def test(town: Three) -> None:
        town.a.quorum, began = 2, trio.current_time()
        town.c.compiles_s = COMPILE_S + GRACE_S / 2
        await town.a.ahead.tell(FIRST)
        assert town.c.compiled == [FIRST.id]
        assert COMPILE_S + GRACE_S / 2 <= trio.current_time() - began < COMPILE_S + GRACE_S
        town.c.compiles_s, began = 10 * AHEAD_S, trio.current_time()
        await town.a.ahead.tell(deployment(1))
        assert abs(trio.current_time() - began - COMPILE_S - GRACE_S) < 1

    play(test)


def test_one_silent_validator_keeps_no_deployment_from_the_others() -> None:
    async def test(town: Three) -> None:
        town.a.quorum, town.b.compiles_s, town.c.compiles_s = 2, 0.5, 10 * AHEAD_S
        async with trio.open_nursery() as nursery:
            for number in range(4 * TELLING_MAX):
                nursery.start_soon(town.a.ahead.tell, deployment(number))
        assert len(town.b.compiled) == 4 * TELLING_MAX

    play(test)


def test_what_was_begun_is_compiled_even_if_whoever_asked_waits_no_longer() -> None:
    async def test(town: Three) -> None:
        town.b.compiles_s = 2 * AHEAD_S
        await town.a.ahead.tell(FIRST)
        assert town.b.compiled == []
        await trio.sleep(2 * AHEAD_S)
        assert town.b.compiled == [FIRST.id]

    play(test)


KERNEL = deployment(1, upgrade.NAME, upgrade.FILE)
UNSIGNED = FIRST.raw[:-1] + b"\xff"
CALLS = transaction(6, [Call(b"p" * 20, b"abcd", b"")]).raw


@pytest.mark.parametrize(
    "payload",
    [bytes(RAW_BYTES_MAX + 1), b"", b"\x21junk", UNSIGNED, CALLS, KERNEL.raw],
    ids=["large", "empty", "shape", "signature", "calls", "kernel"],
)
def test_what_no_honest_validator_sends_is_held_against_its_sender(payload: bytes) -> None:
    async def test(town: Three) -> None:
        assert await town.asked(payload) != ""
        assert town.b.network.statistics().offences == 1 and town.b.compiled == []

    play(test)


def test_nothing_is_compiled_for_strangers_nor_for_who_cannot_pay() -> None:
    async def test(town: Three) -> None:
        assert await town.asked(FIRST.raw, of=town.stranger) == "unavailable"
        town.b.unpaid.add(FIRST.id)
        assert await town.asked(FIRST.raw) == "fee_unpayable"
        assert town.b.compiled == [] and town.b.network.statistics().offences == 0, "the state may have moved on"

    play(test)


def test_a_flood_of_deployments_occupies_a_share_of_the_processor_and_nobody_elses_turn() -> None:
    async def test(town: Three) -> None:
        began, said = trio.current_time(), list[str]()

        async def flood(number: int) -> None:
            said.append(await town.asked(deployment(number).raw))

        async with trio.open_nursery() as nursery:
            for number in range(100):
                if number == WAITING_MAX:
                    nursery.start_soon(town.c.ahead.tell, FIRST)
                nursery.start_soon(flood, number + 1)
                await trio.sleep(1)
        took = trio.current_time() - began
        mine = [one for one in town.b.compiled if one != FIRST.id]
        assert len(mine) * COMPILE_S <= SHARE_BURST_S + SHARE * took + COMPILE_S
        assert said.count("unavailable") > 50
        assert town.b.compiled.index(FIRST.id) <= 4, "c's waited for one of a's at most"
        assert town.b.network.statistics().offences == 0

    play(test)


def test_so_many_of_one_peer_wait_though_all_come_at_once() -> None:
    async def test(town: Three) -> None:
        town.b.checks_s, town.b.compiles_s = 1.0, 0.0
        said = list[str]()

        async def ask(number: int) -> None:
            said.append(await town.asked(deployment(number).raw))

        async with trio.open_nursery() as nursery:
            for number in range(2 * WAITING_MAX):
                nursery.start_soon(ask, number)
        assert said.count("unavailable") == WAITING_MAX and len(town.b.compiled) == WAITING_MAX
        town.b.unpaid.add(FIRST.id)
        for _ in range(2 * WAITING_MAX):
            assert await town.asked(FIRST.raw) == "fee_unpayable", "who is refused waits no more"

    play(test)


def test_more_than_any_leader_takes_in_is_an_offence() -> None:
    async def test(town: Three) -> None:
        town.b.compiles_s = 0
        for number in range(int(HEARD_BURST) + 1):
            assert town.b.network.statistics().offences == 0
            last = await town.asked(deployment(number).raw)
        assert last == "over_limit" and town.b.network.statistics().offences == 1

    play(test)


def test_a_leader_tells_less_than_what_counts_as_a_flood() -> None:
    async def test(town: Three) -> None:
        town.b.compiles_s = town.c.compiles_s = 0
        for number in range(2 * int(HEARD_BURST)):
            await town.a.ahead.tell(deployment(number))
        assert town.b.network.statistics().offences == 0 < len(town.b.compiled) < HEARD_BURST

    play(test)
