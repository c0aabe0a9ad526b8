"""
A chain under attack: a running node, honest makers, takers and reporters, and hostile accounts that have deployed what
lies in `programs/`, drive it by transactions, hooks and reads, all at once, for some seconds.

What is seen is written down as evidence (`Evidence`); the truths are looked up in it by `test_siege.py`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trio

from devnet.trader import CANCEL, POST_ONLY, TRADE, Trader
from execution.lang import Decimal
from genesis.chain import Call, Receipt
from genesis.devkeys import development_address, development_key
from genesis.errors import TenorError
from genesis.presets import load_preset
from genesis.spec import genesis_address
from node.client import Client, connect
from node.programs import Programs
from node.wallet import Wallet
from tests.hostile import sources
from tests.hostile.cases import ATTACKS, Attack
from tests.hostile.cases import CREATED as IN_PROCESS
from tests.hostile.grinding import ground_times
from tests.node.running import ADMIN, Node, report, running

SPEC = load_preset("devnet")
STORM_S = 12.0
DEADLINE_S = 200.0
"""For deployments, storm and all; nothing is expected to take as long."""
MAKER, TAKER, OWNER, BYSTANDER = 6, 7, 8, 15
HOSTILE = (9, 10, 11, 12, 13, 14)
HONEST = (MAKER, TAKER, OWNER, BYSTANDER)
LISTENER = "price_listener"
UNBOUNDED_READS = {f"gateway__read_{what}_per_s": "1000000000" for what in ("gas", "gas_address")}
"""Attackers have many addresses; what the limit for one would spare the node is not counted on."""
READERS = 4
QUOTES = 4
IN_FLIGHT = 3  # transactions of a hostile account
POCKET = "1"
PURSE = str(Decimal.from_raw(20 * SPEC.gas_hook_max * SPEC.fee_min))
LISTENER_PURSE = "1"

Values = tuple[Any, ...]

GENESIS = ("bank", "oracle", "clearing", "exchange")
INSTRUMENTS = ("value_loops", "value_rejects", "value_extreme", "value_riskless", "value_calls_back", "value_writes")
TRADING = ("cancel_sniper", "wash_trader", "extreme_quoter", "liquidator")
CREATED: dict[str, Values] = {
    **IN_PROCESS,
    **dict.fromkeys(INSTRUMENTS[:5], ("@clearing", 0)),
    **dict.fromkeys(TRADING, ("@exchange", "@bank", "@clearing")),
    "foreign_payer": ("@clearing",),
    "create_writer": (400,),
}
IN_PROCESS_ALONE = {
    "overflow_edge",
    "array_bounds",
    "iterate_and_change",
    "odd_times",
    "world_dependent",
    "consent_drain",
    "writing_view",
    "bank_lookalike",
    "unknown_targets",
    "fat_arguments",
}
"""Attacks on a program's own arithmetic and on rules that a node cannot bend: a chain in process shows them exactly."""
OTHER_LIMITS = {"event_flood"}
"""Where the chain in process has other bounds than the devnet."""
NEVER_THERE = ("create_burner", "create_refuser")
"""Deployed and paid for like the others, they refuse to exist."""
MAX = SPEC.gas_transaction_max
FAR = 1 << 40
_HEAVY: tuple[tuple[str, str, Values], ...] = (
    ("burn_all", "attack", ()),
    ("spin_free", "attack", (FAR,)),
    ("sha_loop", "attack", (FAR,)),
    ("math_worst", "attack", (FAR,)),
    ("wide_division", "attack", (FAR,)),
    ("catch_for_ever", "attack", ("@face",)),
    ("callee_burns", "attack", ("@face", 4_500_000)),
    ("savepoint_tower", "attack", ("@face", FAR)),
    ("map_bloat", "attack", (600,)),
    ("map_bloat", "attack", (FAR,)),
    ("list_bloat", "attack", (2_000,)),
    ("queue_breathing", "attack", (1_500, 8)),
    ("descending_keys", "attack", (900,)),
    ("zigzag_keys", "attack", (1_200,)),
    ("nested_bloat", "attack", (150,)),
    ("undone_growth", "relay", ("@undone_growth_2", FAR)),
    ("churn", "attack", (800,)),
    ("vanishing_events", "relay", ("@vanishing_events_2", 1_000)),
    ("fat_events", "attack", (1_000,)),
    ("event_flood", "attack", (1_025,)),
    ("event_flood", "attack", (1_000,)),
    ("at_end_flood", "attack", (3_000,)),
    ("dust_sower", "attack", (150,)),
    ("sub_account_mill", "attack", (150,)),
    ("hook_burner", "attack", ()),
    ("hook_failer", "attack", ()),
    ("hook_retrier", "attack", ()),
    ("purse_emptier", "attack", ()),
    ("hook_storm", "attack", (1_000,)),
    ("same_millisecond", "attack", (1_000,)),
    ("hydra", "attack", ()),
    ("chosen_times", "attack", ("!times",)),
    ("event_hook", "attack", ()),
    ("writing_hook", "attack", ()),
    ("subscriber_flood", "attack", (0,)),
    ("feed_squatter", "attack", (5, 100)),
    ("reenter_from_hook", "attack", ("@echo",)),
    ("undone_withdrawal", "relay", ("@undone_withdrawal_2", 1)),
    ("create_writer", "attack", ()),
    ("create_burner", "attack", ()),
    ("create_refuser", "attack", ()),
    ("foreign_payer", "attack", (0,)),
    ("foreign_payer", "attack", (2,)),
    ("foreign_payer", "attack", (5,)),
    ("value_riskless", "pay", (0, "100000000", "100000000")),
    ("value_riskless", "pay", (0, "-1", "1")),
    ("value_rejects", "finish", (1, "1")),
    ("value_extreme", "finish", (0, "1")),
    ("cancel_sniper", "attack", ()),
    ("wash_trader", "attack", (4, "99.5")),
    *(("extreme_quoter", "attack", (which,)) for which in range(6)),
    ("liquidator", "attack", ("#maker",)),
)


def light_attacks() -> list[Attack]:
    """Those of the attacks in process whose programs are on the chain, too."""
    return [one for one in ATTACKS if one.program not in IN_PROCESS_ALONE | OTHER_LIMITS]


def storm() -> list[tuple[str, str, Values, int]]:
    """(program, method, values, gas): attacks that also run in process, and some that take all gas there is."""
    light = [(one.program, one.method, one.values, 400_000) for one in light_attacks()]
    return light + [(*one, MAX) for one in _HEAVY]


def deployable() -> list[str]:
    """Names of all programs, second copies included."""
    copies = {one[1:] for *_, values, _ in storm() for one in values if str(one)[:1] == "@"} - set(GENESIS)
    return sorted({*sources.names(), *copies, "face"} - IN_PROCESS_ALONE)


@dataclass(frozen=True, slots=True)
class Cancelled:
    """An honest cancellation. sent: height of the newest block when it was sent. seconds: until its receipt came."""

    receipt: Receipt
    sent: int
    seconds: float


@dataclass(slots=True)
class Evidence:
    """
    deployed: by name. reasons: how a program's attacks came out. ticks: (seconds, height) as the chain grew. heard:
    how often the honest program's hooks ran; prices: how often a price was why. memory: bytes of the process before
    and after the storm. numbers: of the programs deployed.
    """

    folder: Path
    deployed: dict[str, bytes] = field(default_factory=dict)
    reasons: dict[str, set[str]] = field(default_factory=dict)
    cancels: list[Cancelled] = field(default_factory=list)
    ticks: list[tuple[float, int]] = field(default_factory=list)
    reads: int = 0
    heard: int = 0
    prices: int = 0
    memory: tuple[int, int] = (0, 0)
    numbers: dict[str, int] = field(default_factory=dict)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Siege:
    """All that is hostile or honest about one chain; `run` in the node's loop."""

    def __init__(self, node: Node, folder: Path) -> None:
        self.node, self.client = node, node.client
        self.seen = Evidence(folder)
        self._url = node.url.replace("http", "ws") + "/ws"
        self._over = trio.Event()
        self._times: list[int] = []

    async def run(self) -> None:
        await self._deploy()
        await self._equip()
        before = resident_bytes()
        async with trio.open_nursery() as nursery:
            for work in (self._watch, self._reports, self._make, self._take, self._read_flood):
                nursery.start_soon(work)
            for number, key in enumerate(HOSTILE):
                nursery.start_soon(self._attack, key, number)
            await trio.sleep(STORM_S)
            self._over.set()
        self.seen.memory = (before, resident_bytes())
        await self._look()

    # ---- programs

    def _resolved(self, values: Values) -> Values:
        if values == ("!times",):
            return (self._times,)
        return tuple(self._address(one) if isinstance(one, str) and one[:1] in ("@", "#") else one for one in values)

    def _address(self, name: str) -> bytes:
        people = {"#mallory": HOSTILE[0], "#alice": BYSTANDER, "#maker": MAKER}
        if name[0] == "#":
            return development_address(people[name]) if name in people else bytes(19) + b"\x99"
        known = name[1:]
        return genesis_address(known) if known in GENESIS else self.seen.deployed[known]

    async def _deploy(self) -> None:
        """Every program, and a second copy of some, by the hostile accounts in turn; honest ones by theirs."""
        waiting = [name for name in deployable() if name != LISTENER]
        shares = [waiting[start :: len(HOSTILE)] for start in range(len(HOSTILE))]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._deploy_share, OWNER, [LISTENER])
            for key, share in zip(HOSTILE, shares, strict=True):
                nursery.start_soon(self._deploy_share, key, share)
        for _ in range(SPEC.deployment_delay_blocks + 1):
            await self.node.next_block()
        self.node.programs = await Programs.load(self.client)

    async def _deploy_share(self, key: int, names: Sequence[str]) -> None:
        wallet = await Wallet.open(self.client, development_key(key))
        for name in names:
            while True:  # until what it is created with is there
                try:
                    values = self._resolved(CREATED.get(name.removesuffix("_2"), ()))
                    break
                except KeyError:
                    await trio.sleep(0.05)
            packed = sources.arguments(name, values)
            signed = await wallet.sign_deployment(name.removesuffix("_2"), sources.files(name), packed)
            receipt = await wallet.send_signed(signed)
            assert receipt.status == "done" and receipt.created is not None, (name, receipt.reason)
            self.seen.deployed[name] = receipt.created

    def call(self, name: str, method: str, *values: Any) -> Call:
        return sources.call(name, self.seen.deployed[name], method, *self._resolved(values))

    async def _equip(self) -> None:
        """Money for programs and purses; hostile instruments listed by an admin who was talked into it."""
        numbers = [bytes.fromhex(one["address"][2:]) for one in await self.client.programs()]
        ring = sources.compiled("chosen_times").abi.entry("ring")
        self._times = ground_times(1 + numbers.index(self.seen.deployed["chosen_times"]), ring.selector, 64)
        there = {name: where for name, where in self.seen.deployed.items() if name not in NEVER_THERE}
        bank, clearing = self.node.programs[genesis_address("bank")], self.node.programs["clearing"]
        hostile = sorted(set(there) - {LISTENER})
        await self._must(HOSTILE[0], [bank.call("transfer", 0, there[name], POCKET) for name in hostile])
        hooked = [name for name in hostile if has_hooks(name)]
        await self._must(HOSTILE[0], [bank.call("fund_gas", there[name], PURSE) for name in hooked])
        await self._must(OWNER, [bank.call("fund_gas", there[LISTENER], LISTENER_PURSE)])
        await self._must(OWNER, [self.call(LISTENER, "attack", 0), self.call(LISTENER, "wake")])
        await self._must(ADMIN, [clearing.call("list", there[name], 0, 0) for name in INSTRUMENTS])
        await self._must(HOSTILE[0], [self.call(name, "open", "0.5") for name in TRADING])

    async def _must(self, key: int, calls: Sequence[Call]) -> None:
        receipt = await self.node.send(key, *calls, gas=MAX)
        assert receipt.status == "done", receipt.reason

    # ---- the honest

    async def _connected(self, key: int, work: Callable[[Trader], Awaitable[None]]) -> None:
        trader = Trader(development_key(key), [self._url], SPEC.chain_id, SPEC.fee_min)
        await trader.keep(lambda: work(trader))

    async def _watch(self) -> None:
        async with connect(self._url) as client:
            while not self._over.is_set():
                self.seen.ticks.append((time.monotonic(), (await client.chain_info())["height"]))
                await trio.sleep(0.05)

    async def _reports(self) -> None:
        turn = 0
        while not self._over.is_set():
            await report(self.node, str(100 + turn % 3 - 1))
            turn += 1
            await trio.sleep(0.3)

    async def _make(self) -> None:
        """Quotes on both sides, taken back and put anew; each cancellation is written down."""

        async def work(trader: Trader) -> None:
            exchange = trader.programs["exchange"]
            turn = 0
            while not self._over.is_set():
                turn += 1
                quotes = [
                    exchange.call("post", 0, side, str(100 + sign * (1 + step)), "0.01", turn)
                    for side, sign in (("BUY", -2), ("SELL", 2))
                    for step in range(QUOTES)
                ]
                await trader.send(quotes, POST_ONLY, atomic=False)
                await trio.sleep(0.1)
                sent, begun = self.seen.ticks[-1][1] if self.seen.ticks else 0, time.monotonic()
                receipt = await trader.send([exchange.call("cancel_all", 0, 100)], CANCEL)
                self.seen.cancels.append(Cancelled(receipt, sent, time.monotonic() - begun))

        await self._connected(MAKER, work)

    async def _take(self) -> None:
        async def work(trader: Trader) -> None:
            exchange = trader.programs["exchange"]
            turn = 0
            while not self._over.is_set():
                side = "BUY" if turn % 2 else "SELL"
                await trader.send([exchange.call("place", 0, side, "0", "0.001", "MARKET", turn, False)], TRADE)
                turn += 1
                await trio.sleep(0.1)

        await self._connected(TAKER, work)

    # ---- the hostile

    async def _attack(self, key: int, number: int) -> None:
        """Every attack in turn, from another start for each account, several at a time."""
        plan = storm()
        start = number * len(plan) // len(HOSTILE)
        turns = iter(range(start, start + 1_000_000))

        async def work(trader: Trader) -> None:
            async with trio.open_nursery() as nursery:
                for _ in range(IN_FLIGHT):
                    nursery.start_soon(worker, trader)

        async def worker(trader: Trader) -> None:
            while not self._over.is_set():
                program, method, values, gas = plan[next(turns) % len(plan)]
                try:
                    receipt = await trader.send([self.call(program, method, *values)], gas=gas)
                    told = receipt.reason
                except TenorError as refusal:
                    told = getattr(refusal, "code", "unavailable")
                self.seen.reasons.setdefault(program, set()).add(told)

        await self._connected(key, work)

    async def _read_flood(self) -> None:
        """Views without end, asked by many at once."""
        call = self.call("burn_in_view", "look", 0)

        async def reader(client: Client) -> None:
            while not self._over.is_set():
                answer = await client.call(call.program, call.selector, call.arguments)
                assert answer["reason"] == "out of gas"
                self.seen.reads += 1

        async with connect(self._url) as client, trio.open_nursery() as nursery:
            for _ in range(READERS):
                nursery.start_soon(reader, client)

    # ---- afterwards

    async def _look(self) -> None:
        """When all is quiet."""
        await self.node.next_block()
        seen = self.seen
        listener = self.node.programs[seen.deployed[LISTENER]]
        seen.heard = await listener.view(self.client, "count")
        seen.prices = await listener.view(self.client, "count_prices")
        at = {bytes.fromhex(one["address"][2:]): number for number, one in enumerate(await self.client.programs(), 1)}
        seen.numbers = {name: at[where] for name, where in seen.deployed.items() if where in at}


def has_hooks(name: str) -> bool:
    return any(entry.kind == "hook" for entry in sources.compiled(name).abi.entries)


@contextmanager
def besieged(folder: Path) -> Iterator[Evidence]:
    """
    Run the siege on a node in `folder`, and stop it; the evidence is all that is left, and the folder.

    Raises what ended the node, if anything did, else what went wrong with the siege itself.
    """
    failure: list[BaseException] = []
    with running(folder, spec=SPEC, **UNBOUNDED_READS) as node:
        siege = Siege(node, folder)

        async def bounded() -> None:
            with trio.fail_after(DEADLINE_S):
                await siege.run()

        try:
            trio.from_thread.run(bounded, trio_token=node._token)
        except Exception as error:  # noqa: BLE001 - told below, once the node has been heard
            failure.append(error)
    if failure:
        raise failure[0]
    yield siege.seen
