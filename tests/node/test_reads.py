"""Reads: gathered into few trips, dear ones in turn, and never more of them than there is room for."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from genesis.errors import Unavailable
from node import rpc_codes
from node.config import GatewayConfig
from node.gateway import reads as reads_module
from node.gateway.caps import ADDRESSES_MAX, Caps, OverLimit
from node.gateway.frames import CALLS
from node.gateway.reads import DEAR_AT_ONCE, DEAR_WAITING_MAX, OUT_OF_GAS, TRIP_CALLS_MAX, TRIP_GAS, Reads
from node.gateway.turnstile import Turnstile
from node.programs import Programs
from tests.node import stage
from tests.node.command import tenor
from tests.node.running import SPEC, Node, running
from tests.node.stage import playing

LIMITS = GatewayConfig(
    read_calls_per_s=100, read_calls_address_per_s=10, read_gas_per_s=2_000_000, read_gas_address_per_s=1_000_000
)
PLENTY = GatewayConfig(read_calls_per_s=10**6, read_calls_address_per_s=10**6, read_gas_per_s=10**12)
HERE, THERE = "192.0.2.1", "192.0.2.2"
SPIN = '''
"""A view that takes as long as one likes."""

from execution.lang import Program, view


class Spin(Program):
    turns: int

    @view
    def spin(self, count: int) -> int:
        total = 0
        for turn in range(count):
            total += turn * turn
        return total
'''


# Caps


class Clock:
    def __init__(self) -> None:
        self.now_s = 50.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def caps(clock: Clock) -> Caps:
    return Caps(LIMITS, clock)


def refused(told: OverLimit | None) -> OverLimit:
    assert told is not None
    return told


def test_an_address_has_a_seconds_worth_and_is_told_when_there_is_more(caps: Caps, clock: Clock) -> None:
    for _ in range(10):
        assert caps.ask(HERE) is None
    told = refused(caps.ask(HERE))
    assert (told.limit, str(told)) == (10, "The limit is 10 reads a second from one address; ask again in 101 ms.")
    assert caps.ask(THERE) is None
    clock.now_s += told.retry_ms / 1000
    assert caps.ask(HERE) is None
    refused(caps.ask(HERE))


def test_all_addresses_together_have_a_limit_too(caps: Caps) -> None:
    for number in range(100):
        assert caps.ask(f"192.0.2.{number}") is None
    assert refused(caps.ask("192.0.2.200")).limit == 100


def test_gas_is_paid_afterwards_and_a_debt_is_waited_for(caps: Caps, clock: Clock) -> None:
    assert caps.ask(HERE) is None
    caps.spent(HERE, 1_500_000)
    with pytest.raises(OverLimit) as told:
        caps.go_on(HERE)
    assert (told.value.limit, told.value.retry_ms) == (1_000_000, 501)
    assert refused(caps.ask(HERE)).limit == 1_000_000
    caps.go_on(THERE)
    clock.now_s += 0.501
    caps.go_on(HERE)


def test_a_network_of_ipv6_is_one_address(caps: Caps) -> None:
    for number in range(10):
        assert caps.ask(f"2001:db8::{number:x}") is None
    refused(caps.ask("2001:db8::ffff"))
    assert caps.ask("2001:db8:0:1::1") is None
    assert caps.ask("::ffff:192.0.2.1") is None


def test_few_addresses_are_remembered() -> None:
    caps = Caps(PLENTY)
    for number in range(ADDRESSES_MAX + 10):
        assert caps.ask(str(number)) is None
    assert len(caps._each) == ADDRESSES_MAX


# Trips


class Core:
    """The gateway's end of the link: answers what it holds when it is let; a call's gas is its fourth member."""

    def __init__(self) -> None:
        self.trips: list[list[Any]] = []
        self.simulated: list[str] = []
        self.open = asyncio.Event()
        self.away = False

    async def ask(self, method: str, payload: Any) -> Any:
        if method == "tenor_simulate":
            self.simulated.append(payload["account"])
            await self.open.wait()
            return {"gas_used": 0}
        assert method == CALLS
        self.trips.append(payload)
        await self.open.wait()
        if self.away:
            raise Unavailable("The core went away.")
        return [self.answer(arguments, gas) for _, _, arguments, gas in payload]

    def answer(self, arguments: bytes, gas: int) -> tuple[str, bytes, int]:
        need = TRIP_GAS + 1 if arguments == b"dear" else 10
        enough = gas == 0 or gas >= need
        return ("", arguments, need) if enough else (OUT_OF_GAS, b"", gas)


def play(test: Callable[[Core, Reads], Awaitable[None]], limits: GatewayConfig = PLENTY) -> None:
    async def main() -> None:
        core = Core()
        await test(core, Reads(core, Caps(limits, lambda: 0.0)))  # type: ignore[arg-type]

    asyncio.run(main())


def called(reads: Reads, arguments: bytes, gas: int = 0, address: str = HERE) -> asyncio.Task[Any]:
    async def call() -> Any:
        (answer,) = await reads.calls([(b"p", b"s", arguments, gas)], address)
        return answer

    return asyncio.get_running_loop().create_task(call())


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_what_comes_during_a_trip_gathers_for_the_next_and_the_same_goes_once() -> None:
    async def test(core: Core, reads: Reads) -> None:
        first = called(reads, b"a")
        await settle()
        others = [called(reads, name) for name in (b"b", b"c", b"b", b"a")]
        await settle()
        assert [len(trip) for trip in core.trips] == [1]
        core.open.set()
        answers = [json.loads(answer)["result"] for answer in await asyncio.gather(first, *others)]
        assert answers == ["0x61", "0x62", "0x63", "0x62", "0x61"]
        assert [[call[2] for call in trip] for trip in core.trips] == [[b"a"], [b"b", b"c", b"a"]]

    play(test)


def test_a_trip_has_a_bound_and_an_error_is_everybodys() -> None:
    async def test(core: Core, reads: Reads) -> None:
        tasks = [called(reads, bytes([n % 256, n // 256])) for n in range(TRIP_CALLS_MAX + 3)]
        await settle()
        core.away = True
        core.open.set()
        assert all(isinstance(error, Unavailable) for error in await asyncio.gather(*tasks))
        assert [len(trip) for trip in core.trips] == [TRIP_CALLS_MAX, 3]

    play(test)


def test_a_dear_call_goes_again_alone_with_all_its_gas() -> None:
    async def test(core: Core, reads: Reads) -> None:
        core.open.set()
        dear, cheap, capped = called(reads, b"dear"), called(reads, b"a"), called(reads, b"dear", TRIP_GAS - 1)
        assert json.loads(await dear) == {"reason": "", "result": "0x64656172", "gas_used": TRIP_GAS + 1}
        assert json.loads(await cheap)["gas_used"] == 10
        assert json.loads(await capped)["reason"] == OUT_OF_GAS, "the client's own limit is no reason to go again"
        assert [[call[3] for call in trip] for trip in core.trips] == [[TRIP_GAS, TRIP_GAS, TRIP_GAS - 1], [0]]

    play(test)


def test_simulations_take_turns_by_address_and_their_lines_have_a_bound() -> None:
    async def test(core: Core, reads: Reads) -> None:
        def simulated(address: str) -> asyncio.Task[Any]:
            return asyncio.get_running_loop().create_task(reads.ask("tenor_simulate", {"account": address}, address))

        greedy = [simulated(HERE) for _ in range(DEAR_WAITING_MAX + DEAR_AT_ONCE + 5)]
        await settle()
        modest = simulated(THERE)
        await settle()
        assert core.simulated == [HERE] * DEAR_AT_ONCE
        core.open.set()
        await modest
        assert core.simulated.index(THERE) <= DEAR_AT_ONCE + 1
        told = await asyncio.gather(*greedy, return_exceptions=True)
        assert sum(isinstance(one, OverLimit) for one in told) >= 5

    play(test)


def test_who_has_no_gas_left_is_refused_when_his_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reads_module, "SIMULATION_GAS", LIMITS.read_gas_address_per_s + 1)

    async def test(core: Core, reads: Reads) -> None:
        core.open.set()
        await reads.ask("tenor_simulate", {"account": HERE}, HERE)
        with pytest.raises(OverLimit, match="gas of reads a second from one address"):
            await reads.ask("tenor_simulate", {"account": HERE}, HERE)
        await reads.ask("tenor_simulate", {"account": THERE}, THERE)

    play(test, LIMITS)


# Turns of the event loop


def test_reads_pass_in_order_and_few_in_a_turn_of_the_loop() -> None:
    async def main() -> list[list[int]]:
        turnstile, passed, turns = Turnstile(4), list[int](), list[list[int]]()

        async def message(number: int, count: int) -> None:
            await turnstile.enter(count)
            passed.append(number)

        tasks = [asyncio.create_task(message(number, count)) for number, count in enumerate([2, 2, 3, 9, 1, 1, 1])]
        tasks[4].cancel()
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0)
            if passed:
                turns.append(list(passed))
                passed.clear()
        await turnstile.enter(1)
        return turns

    assert asyncio.run(main()) == [[0, 1], [2, 3], [5, 6]]


# On a whole node


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("reads"), market=False) as running_node:
        yield running_node


def test_dear_and_cheap_views_say_what_they_said_before(
    node: Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "spin.py").write_text(SPIN)
    url = ("--url", node.url.replace("http", "ws") + "/ws", "--json")
    tenor(capsys, "program", "deploy", tmp_path / "spin.py", "--dev-key", "6", *url)

    async def test() -> None:
        programs = await Programs.load(node.client)
        spin = programs["spin"]
        for count in (1, 100, 20_000):
            call = spin.call("spin", count)
            answer = await node.client.call(call.program, call.selector, call.arguments)
            assert int.from_bytes(bytes.fromhex(answer["result"][2:]), "little") == sum(n * n for n in range(count))
            assert (answer["gas_used"] > TRIP_GAS) == (count == 20_000)
        call = spin.call("spin", 10**9)
        answer = await node.client.call(call.program, call.selector, call.arguments)
        assert (answer["reason"], answer["gas_used"]) == (OUT_OF_GAS, SPEC.gas_query_max)

    node.do(test)


def test_above_the_limit_a_client_is_told_what_it_is_and_when_to_come_back(tmp_path: Path) -> None:
    params = ["0x" + "11" * 20]
    requests = [{"jsonrpc": "2.0", "id": n, "method": "tenor_getSequence", "params": params} for n in range(60)]
    with playing(tmp_path, replace(stage.LIMITS, read_calls_address_per_s=5)) as core:
        answered = urllib.request.urlopen(core.url, json.dumps(requests).encode())
        with answered:
            answers = json.loads(answered.read())
    errors = [answer["error"] for answer in answers if "error" in answer]
    assert 0 < len(errors) < len(answers)
    assert {(e["code"], e["data"]["code"], e["data"]["limit"]) for e in errors} == {
        (rpc_codes.OVER_LIMIT, "over_limit", 5)
    }
    assert all(0 < error["data"]["retry_ms"] <= 201 for error in errors)
