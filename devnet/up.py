"""
`tenor devnet`: settlement, node, gateway, price feed and agents, in one command, on this machine.

    folder → node process ─┐
    settlement file ───────┼─ market listed → agents funded and trading → N blocks → last withdrawal paid → audit
    price feed ────────────┘

The node is a process as any operator's; what trades here uses its public interface and the settlement chain, no other
way in. At the end a second process replays every stored block from genesis.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import trio

from devnet import agents
from devnet.agents import ROLES, Prices, Role, Stage
from devnet.feeds import Model, Tick, replay
from devnet.funding import Cashier
from devnet.market import REPORTER_KEYS, listing_calls, market_for
from devnet.process import NodeProcess, fork_nodes
from devnet.trader import Trader
from devnet.view import View
from genesis.crypto import keccak256
from genesis.devkeys import development_key
from genesis.errors import Unavailable
from genesis.presets import parse_spec
from genesis.spec import ChainSpec
from node.client import Client
from node.config import DEFAULT_PORT
from node.localnet import chain_text, write_folders
from settlement.contract import Terms
from settlement.local import open_local

SETTLEMENT_BLOCK_MS = 500
CAST: tuple[Role, ...] = ("maker",) * 5 + ("taker",) * 6 + ("gambler",)
MAKER_FUNDS, TAKER_FUNDS, GAMBLER_NOTIONAL = 2_000_000, 1_000_000, 500_000
FEE = 1_000_000_000
END_S = 120.0
"""What is waited after the last block for the last withdrawal to be paid."""
WITHDRAW_AT_BLOCK = 8
PAY_S = 0.5
SHOWN_AT_ONCE = 20
"""How many of the blocks sealed while nobody watched are shown: before the first push, or while a node was away."""


@dataclass(frozen=True, slots=True)
class Options:
    """
    validators: each a process of its own. blocks: 0 runs until interrupted. keep: the folder to use and leave, None
    for one that is removed.
    """

    blocks: int = 0
    seed: int = 7
    feed: Path | None = None
    speed: int = 1_000
    keep: Path | None = None
    port: int = DEFAULT_PORT
    json: bool = False
    validators: int = 1


def run(options: Options, started: float) -> int:
    """
    Run the devnet; return the exit code: 0, or 1 when it did not end well within its limit.

    Args:
        started: time.time() when the command began.
    """
    folder = options.keep or Path(tempfile.mkdtemp(prefix="tenor-devnet-"))
    try:
        devnet = _Devnet(options, folder, started)
        configs = write_folders(folder, options.validators, devnet.ports, SETTLEMENT_BLOCK_MS)
        return trio.run(devnet.run, fork_nodes(configs))
    finally:
        if options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)


class _Devnet:
    def __init__(self, options: Options, folder: Path, started: float) -> None:
        self.options, self.folder, self.started = options, folder, started
        self.spec: ChainSpec = parse_spec(chain_text(options.validators))
        self.ports = range(options.port, options.port + options.validators)
        self.urls = [f"ws://127.0.0.1:{port}/ws" for port in self.ports]
        self.market = market_for(options.feed)
        self.ticks = self._ticks()
        self.prices = Prices(next(self.ticks))
        self.view = View(self.market.name, options.json)
        self.first_block_ms = 0
        self.height = 0
        self.withdrawn = trio.Event()

    async def run(self, nodes: Sequence[NodeProcess]) -> int:
        terms = Terms.of(self.spec)
        async with open_local(self.folder / "settlement.sqlite", terms, SETTLEMENT_BLOCK_MS) as settlement:
            cashier = Cashier(settlement)
            try:
                async with trio.open_nursery() as nursery:
                    for node in nodes:
                        nursery.start_soon(node.run)
                    ended = await self._trade(nursery, cashier)
                    await _stop(nodes)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await _stop(nodes)
            posted = (await settlement.committed()).height
            final = await self._final(settlement, posted)
        report = await self._audit(nodes[0].folder)
        summary = {
            **report,
            "deposits_made": cashier.deposits,
            "withdrawals_paid": len(cashier.paid),
            "posted_height": posted,
            "final_height": final,
            "first_block_ms": self.first_block_ms,
            "restarts": sum(node.restarts for node in nodes),
            "validators": self.options.validators,
            "seed": self.options.seed,
        }
        good = ended and report["conserved"] and report["replay_equal"]
        self.view.finish(summary, good)
        return 0 if good else 1

    # Trading

    async def _trade(self, nursery: trio.Nursery, cashier: Cashier) -> bool:
        """List the market, fund and start the agents, and wait for the end; whether it came within the limit."""
        watcher = self._trader(development_key(0))
        reached = trio.Event()
        listed = trio.Event()
        nursery.start_soon(watcher.keep, lambda: self._watch(watcher.client, reached))
        nursery.start_soon(self._list_market, listed)
        await listed.wait()
        nursery.start_soon(self._play_feed)
        traders = [(role, self._trader(_agent_key(number), number)) for number, role in enumerate(CAST)]
        async with trio.open_nursery() as playing:
            for number, (role, trader) in enumerate(traders):
                playing.start_soon(self._play, number, role, trader, cashier)
            await self._end(reached)
            playing.cancel_scope.cancel()
        return not self.options.blocks or await self._settle([trader for _, trader in traders], cashier)

    async def _list_market(self, listed: trio.Event) -> None:
        admin = self._trader(development_key(1))

        async def work() -> None:
            if await admin.view("exchange", "market_count") == 0:
                await admin.must(*listing_calls(admin.programs, self.market))
            listed.set()

        await admin.keep(work)
        async with trio.open_nursery() as nursery:
            for key in REPORTER_KEYS:
                reporter = self._trader(development_key(key))
                nursery.start_soon(self._report, reporter)

    async def _report(self, reporter: Trader) -> None:
        await reporter.keep(lambda: agents.report(reporter, self.prices))

    async def _play(self, number: int, role: Role, trader: Trader, cashier: Cashier) -> None:
        source = random.Random(f"{self.options.seed}/{number}")
        stake = int(GAMBLER_NOTIONAL * self.market.initial_rate)
        funds = {"maker": MAKER_FUNDS, "taker": TAKER_FUNDS, "gambler": stake}[role]

        async def work() -> None:
            if await trader.view("clearing", "cash", trader.address) == 0:
                await cashier.fund(trader, funds)
            async with trio.open_nursery() as nursery:
                if role == "taker" and CAST.index("taker") == number:
                    nursery.start_soon(self._withdraw, trader, cashier)
                nursery.start_soon(ROLES[role], Stage(trader, self.market, self.prices, source))

        await trader.keep(work)

    async def _withdraw(self, trader: Trader, cashier: Cashier) -> None:
        """Withdraw once, then claim what has become final."""
        while self.height < WITHDRAW_AT_BLOCK:
            await trio.sleep(PAY_S)
        if not self.withdrawn.is_set():
            cashier.owed.add(trader.address)
            await agents.withdraw_some(trader)
            self.withdrawn.set()
        while True:
            await cashier.pay_out(trader)
            await trio.sleep(PAY_S)

    async def _settle(self, traders: list[Trader], cashier: Cashier) -> bool:
        """Wait until every withdrawal is paid."""
        with trio.move_on_after(END_S):
            for trader in traders:
                while trader.address in cashier.owed:
                    await trader.keep(partial(cashier.pay_out, trader))
                    await trio.sleep(PAY_S)
            return True
        self.view.warn(f"the last withdrawal was not paid within {END_S:.0f} s")
        return False

    # Watching

    async def _watch(self, client: Client, reached: trio.Event) -> None:
        async with client.subscribe("blocks") as blocks, client.subscribe("events") as events, trio.open_nursery() as n:
            n.start_soon(self.view.follow_events, events)
            self.view.welcome(self.urls[0], self.spec, await client.chain_info())
            async for note in blocks:
                newest = note.result["height"]
                for height in range(min(newest, max(self.height + 1, newest + 1 - SHOWN_AT_ONCE)), newest + 1):
                    self.view.block(await client.block(height), await client.chain_info(), self.prices.price)
                self.height = newest
                if self.first_block_ms == 0:
                    self.first_block_ms = await self._first_block(client)
                if self.options.blocks and self.height >= self.options.blocks:
                    reached.set()
        raise Unavailable("the node's pushes ended")

    async def _first_block(self, client: Client) -> int:
        """Milliseconds from the command's start to the first block's own time, its sealing included."""
        block = await client.block(1)
        return int(block["time_ms"]) + self.spec.block_time_ms - int(self.started * 1_000)

    async def _end(self, reached: trio.Event) -> None:
        if self.options.blocks:
            await reached.wait()
        else:
            await self.view.interrupted()

    # Prices

    def _ticks(self) -> Iterator[Tick]:
        if self.options.feed is None:
            return Model().ticks(self.options.seed)
        return replay(self.options.feed, self.options.speed)

    async def _play_feed(self) -> None:
        """Play the ticks in their time; at the end of a recorded file its last price stays."""
        begun = trio.current_time()
        for tick in self.ticks:
            await trio.sleep_until(begun + tick.after_ms / 1000)
            self.prices.last = tick

    # The end

    async def _final(self, settlement: Any, posted: int) -> int:
        height = posted
        while height > 0 and await settlement.standing(height) != "final":
            height -= self.spec.commitment_blocks
        return max(height, 0)

    async def _audit(self, folder: Path) -> dict[str, Any]:
        """Replay a node's blocks in a second process."""
        self.view.progress("replaying every block from genesis in a second process")
        command = [sys.executable, "-m", "node.audit", str(folder), "--json"]
        done = await trio.run_process(command, capture_stdout=True, check=False, stdin=subprocess.DEVNULL)
        lines = done.stdout.decode().splitlines()
        if not lines:
            raise Unavailable(f"The audit ended with code {done.returncode} and said nothing; its log above says why.")
        report: dict[str, Any] = json.loads(lines[-1])
        return report

    def _trader(self, key: bytes, number: int = 0) -> Trader:
        """An account that speaks to one of the nodes."""
        return Trader(key, self.urls[number % len(self.urls)], self.spec.chain_id, FEE)


async def _stop(nodes: Sequence[NodeProcess]) -> None:
    async with trio.open_nursery() as nursery:
        for node in nodes:
            nursery.start_soon(node.stop)


def _agent_key(number: int) -> bytes:
    """An agent's private key: published like the development keys, and worth as little."""
    return keccak256(f"tenor devnet agent {number}".encode())


def main_started() -> float:
    """When this process began, in seconds since 1970; what imports took is counted."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - (up - ticks / os.sysconf("SC_CLK_TCK"))
