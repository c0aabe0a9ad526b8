"""
The storm bench: thousands of hooks due in one block, thousands of levels crossed by one price, on a running node.

A node process of its own with folder, gateway and the devnet's constants, and deployed programs that pay from purses.
In each round all of them are called at one time, then a price jumps over the levels of all. Meanwhile accounts put
orders into the book and cancel them. Told are, of all rounds:

    hooks_due       the most hooks that became due in one block
    crossings       levels that one price crossed, whose handlers all ran
    block_ms_max    the longest from one block's time to the next one's, from before a storm until its last hook ran
    cancel_p99_ms   from sending a cancellation to its receipt, of those sent meanwhile, `cancels` of them
    hooks_s_max     from the time of the hooks, crossings_s_max from the first new price, to the last hook seen to run
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.chain import OrderClass
from genesis.devkeys import development_key
from genesis.errors import Corrupt, Unavailable
from genesis.receipt import Receipt
from genesis.transaction import Call
from node.bench.figures import show
from node.bench.site import RICH, Site, account_keys, open_site
from node.bench.storm_program import HANDLERS, SOURCE
from node.client import Client, connect
from node.programs import DeployedProgram, Programs
from node.wallet import Wallet

FEED = MARKET = 0
PURSE = "10"
LEVELS_WIDTH = 10
"""In dollars: levels of a round begin as far above the price, and are as far apart as they then end."""
JUMP = 3 * LEVELS_WIDTH
CALL_LEVELS = 100
"""That one transaction subscribes; it took up to 1.8 million gas."""
CANCEL_S = 0.05
"""Between an account's cancellation and its next order."""
LOOK_S = 0.2
DRAIN_S = 60.0
"""What is not done by then is told as a failure."""


@dataclass(frozen=True, slots=True)
class Plan:
    """
    In a round every program rings its HANDLERS bells in each of `times` ms, and waits at `levels` levels. accounts:
    that cancel. lead_s: from asking for the hooks to their time.
    """

    programs: int = 50
    times: int = 25
    levels: int = 400
    rounds: int = 3
    accounts: int = 16
    lead_s: float = 5.0

    @property
    def hooks(self) -> int:
        return self.programs * HANDLERS * self.times

    @property
    def crossings(self) -> int:
        return self.programs * self.levels


def main(json: bool) -> int:
    """Measure and print; the exit code."""
    return show(trio.run(measure, Plan()), json)


async def measure(plan: Plan) -> dict[str, Any]:
    """
    All rounds on a fresh chain.

    Raises:
        Unavailable: the node does not start.
        Corrupt: hooks did not run, or a transaction was not done.
    """
    keys = account_keys(plan.accounts)
    with TemporaryDirectory(prefix="tenor-bench-") as folder:
        async with open_site(Path(folder), keys) as site, connect(site.url) as client:
            return await _Bench(plan, site, client).run(keys)


@dataclass(slots=True)
class _Bench:
    """blocks: time of each block of a storm, in order, storm by storm. cancels: seconds that each took in a storm."""

    plan: Plan
    site: Site
    client: Client
    storms: list[DeployedProgram] = field(default_factory=list)
    wallets: list[Wallet] = field(default_factory=list)
    storming: bool = False
    cancels: list[float] = field(default_factory=list)
    block_ms: list[int] = field(default_factory=list)
    due: list[int] = field(default_factory=list)
    hooks_s: list[float] = field(default_factory=list)
    crossings_s: list[float] = field(default_factory=list)

    async def run(self, keys: Sequence[bytes]) -> dict[str, Any]:
        info = await self.client.chain_info()
        self.wallets = [await Wallet.open(self.client, development_key(key)) for key in RICH]
        await self._deploy()
        async with trio.open_nursery() as nursery:
            for key in keys:
                nursery.start_soon(self._cancel, key)
            for turn in range(self.plan.rounds):
                await self._hooks(self.plan.hooks * (turn + 1))
                await self._crossings(self.plan.crossings * (turn + 1))
                _tell(f"round {turn + 1}: {self.due[-1]} hooks due in a block, done after {self.hooks_s[-1]} s; "
                      f"crossings after {self.crossings_s[-1]} s; longest block {max(self.block_ms)} ms")  # fmt: skip
            nursery.cancel_scope.cancel()
        return {
            "hooks_due": max(self.due),
            "crossings": self.plan.crossings,
            "block_ms_max": max(self.block_ms),
            "block_time_ms": info["block_time_ms"],
            "cancel_p99_ms": round(sorted(self.cancels)[len(self.cancels) * 99 // 100] * 1e3, 1),
            "cancels": len(self.cancels),
            "hooks_s_max": max(self.hooks_s),
            "crossings_s_max": max(self.crossings_s),
            "rounds": self.plan.rounds,
        }

    # ---- before

    async def _deploy(self) -> None:
        """The storm's programs, and money in their purses."""
        addresses: list[bytes] = []

        async def deploy(number: int, wallet: Wallet) -> None:
            for _ in range(number, self.plan.programs, len(self.wallets)):
                signed = await wallet.sign_deployment("storm", {"storm.py": SOURCE}, b"")
                receipt = await wallet.send_signed(signed)
                _check(receipt)
                assert receipt.created is not None
                addresses.append(receipt.created)

        async with trio.open_nursery() as nursery:
            for number, wallet in enumerate(self.wallets):
                nursery.start_soon(deploy, number, wallet)
        _tell(f"{len(addresses)} programs deployed")
        with trio.move_on_after(DRAIN_S):
            while not {one["address"] for one in await self.client.programs()} >= {f"0x{a.hex()}" for a in addresses}:
                await trio.sleep(LOOK_S)
        programs = await Programs.load(self.client)
        self.storms = [programs[address] for address in addresses]
        await self._each(lambda storm: self.site.programs["bank"].call("fund_gas", storm.address, PURSE))

    async def _each(self, call: Callable[[DeployedProgram], Call]) -> None:
        """A transaction for each program, the wallets side by side."""

        async def send(number: int, wallet: Wallet) -> None:
            for storm in self.storms[number :: len(self.wallets)]:
                receipt = await wallet.send(call(storm), gas=5_000_000)
                _check(receipt)

        async with trio.open_nursery() as nursery:
            for number, wallet in enumerate(self.wallets):
                nursery.start_soon(send, number, wallet)

    # ---- storms

    async def _hooks(self, goal: int) -> None:
        """All programs' hooks at one time."""
        start_ms = time.time_ns() // 1_000_000 + round(self.plan.lead_s * 1e3)
        await self._each(lambda storm: storm.call("ring", start_ms, self.plan.times))
        if time.time_ns() // 1_000_000 >= start_ms:
            raise Unavailable("The node took longer to be asked for the hooks than there was time to; measure again.")
        await trio.sleep(start_ms / 1e3 - time.time() - 2 * LOOK_S)
        times = await self._storm(lambda: self._done("count_rung", goal))
        self.hooks_s.append(round(time.time() - start_ms / 1e3, 1))
        dues = range(start_ms, start_ms + self.plan.times)
        self.due.append(max(sum(a < due <= b for due in dues) for a, b in pairwise(times))
                        * self.plan.programs * HANDLERS)  # fmt: skip

    async def _crossings(self, goal: int) -> None:
        """One price beyond the levels of all, which share a ladder of equal steps."""
        step = LEVELS_WIDTH / self.plan.crossings
        places = {storm.address: place * self.plan.levels for place, storm in enumerate(self.storms)}

        def wait(storm: DeployedProgram, first: int) -> Call:
            lowest = self.site.price + LEVELS_WIDTH + (places[storm.address] + first) * step
            return storm.call("wait", FEED, f"{lowest:.6f}", f"{step:.6f}", min(CALL_LEVELS, self.plan.levels - first))

        for first in range(0, self.plan.levels, CALL_LEVELS):
            await self._each(partial(wait, first=first))

        async def jump() -> None:
            self.site.price += JUMP
            await self._done("count_crossed", goal)

        begun = time.time()
        await self._storm(jump)
        self.crossings_s.append(round(time.time() - begun, 1))

    async def _storm(self, work: Callable[[], Awaitable[None]]) -> list[int]:
        """Do it, while cancellations count; times of blocks from the last stored before to the one behind, in ms."""
        before = await self._height()
        self.storming = True
        await work()
        self.storming = False
        after = await self._height() + 2  # what has run may still be in an open block
        while await self._height() < after:
            await trio.sleep(LOOK_S)
        times = [(await self.client.block(height))["time_ms"] for height in range(before, after + 1)]
        self.block_ms += [b - a for a, b in pairwise(times)]
        return times

    async def _height(self) -> int:
        height: int = (await self.client.chain_info())["height"]
        return height

    async def _done(self, view: str, goal: int) -> None:
        """Wait until so many hooks have run, of all programs and rounds."""
        counts: list[int] = []

        async def count(storm: DeployedProgram) -> None:
            counts.append(await storm.view(self.client, view))

        with trio.move_on_after(DRAIN_S):
            while sum(counts) != goal:
                await trio.sleep(LOOK_S)
                counts.clear()
                async with trio.open_nursery() as nursery:
                    for storm in self.storms:
                        nursery.start_soon(count, storm)
            return
        raise Corrupt(f"{sum(counts)} of {goal} hooks ran within {DRAIN_S:.0f} s.")

    # ---- meanwhile

    async def _cancel(self, key: bytes) -> None:
        """Two orders far from the price, cancelled, again and again."""
        exchange = self.site.programs["exchange"]
        async with connect(self.site.url) as client:
            wallet = await Wallet.open(client, key)
            while True:
                low = str(self.site.price * 9 // 10)
                posts = [exchange.call("post", MARKET, "BUY", low, "0.01", number) for number in range(2)]
                receipt = await wallet.send(*posts, order=OrderClass.POST_ONLY)
                _check(receipt)
                sent, counts = time.perf_counter(), self.storming
                receipt = await wallet.send(exchange.call("cancel_all", MARKET, 100), order=OrderClass.CANCEL)
                _check(receipt)
                if counts:
                    self.cancels.append(time.perf_counter() - sent)
                await trio.sleep(CANCEL_S)


def _check(receipt: Receipt) -> None:
    if receipt.status != "done":
        raise Corrupt(f"A transaction of the bench was not done: {receipt.reason or receipt.status}.")


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
