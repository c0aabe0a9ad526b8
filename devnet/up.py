"""
`tenor devnet`: settlement, nodes, gateways, price feed and agents, in one command, on this machine.

    folder → node processes ─┐
    settlement file ─────────┼─ market listed → agents funded and trading → N blocks → last withdrawal paid → audit
    price feed ──────────────┘

A node is a process as any operator's; what trades here uses its public interface and the settlement chain, no other
way in. At the end a second process replays every stored block from genesis.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from devnet.cast import END_S, Cast
from devnet.feeds import Model, Tick, replay
from devnet.funding import Cashier
from devnet.kept import SETTLEMENT_FILE, Kept, keep
from devnet.market import market_for
from devnet.process import NodeProcess, fork_nodes, running, stop_all
from devnet.replaying import audited
from devnet.trader import Trader
from devnet.view import View
from genesis.devkeys import development_key
from genesis.errors import Unavailable
from genesis.presets import parse_spec
from genesis.spec import ChainSpec
from node.client import Client
from node.localnet import chain_text, check_free, write_folders
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local

SETTLEMENT_BLOCK_MS = 500
SHOWN_AT_ONCE = 20
"""Of blocks sealed while nobody watched, so many of the newest are shown."""


@dataclass(frozen=True, slots=True)
class Options:
    """blocks: so many more; 0 runs until interrupted. folder: to use and leave, None for one that is removed."""

    blocks: int = 0
    folder: Path | None = None
    json: bool = False


def run(kept: Kept, options: Options, started: float) -> int:
    """
    Run a devnet, or let it go on; return the exit code: 0, or 1 when it did not end well within its limit.

    Args:
        started: time.time() when the command began.

    Raises:
        Invalid: the feed does not read. Unavailable: a port is taken, or a node ended by itself.
    """
    next(ticks_of(kept), None)  # a feed that does not read is told before anything has started
    check_free(kept.ports)
    folder = options.folder or Path(tempfile.mkdtemp(prefix="tenor-devnet-"))
    try:
        devnet = _Devnet(kept, options, folder, started)
        devnet.view.starting(kept.validators, folder)
        configs = write_folders(folder, kept.validators, kept.ports, SETTLEMENT_BLOCK_MS)
        return trio.run(devnet.run, fork_nodes(configs))
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


def ticks_of(kept: Kept) -> Iterator[Tick]:
    return Model().ticks(kept.seed) if kept.feed_path is None else replay(kept.feed_path, kept.speed)


class _Devnet:
    def __init__(self, kept: Kept, options: Options, folder: Path, started: float) -> None:
        self.kept, self.options, self.folder, self.started = kept, options, folder, started
        self.spec: ChainSpec = parse_spec(chain_text(kept.validators))
        self.urls = [f"ws://127.0.0.1:{port}/ws" for port in kept.ports]
        self.market = market_for(kept.feed_path)
        self.ticks = ticks_of(kept)
        self.view = View(self.market.name, options.json)
        self.first_block_ms = 0
        self.over = trio.Event()
        """Once the last block wanted is there, or somebody has pressed Ctrl-C."""
        self.asked = False

    async def run(self, nodes: Sequence[NodeProcess]) -> int:
        """Until its end; once asked to end also until the audit is done, asked twice at once. The exit code."""
        code = 1
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._hear, signals, nursery.cancel_scope)
                code = await self._run(nodes)
                nursery.cancel_scope.cancel()
        return code

    async def _hear(self, signals: AsyncIterator[int], scope: trio.CancelScope) -> None:
        await anext(signals)
        self.view.progress("ending: nodes seal their block and leave; once more to end at once")
        self.asked = True
        self.over.set()
        await anext(signals)
        scope.cancel()

    async def _run(self, nodes: Sequence[NodeProcess]) -> int:
        terms = Terms.of(self.spec)
        async with open_local(self.folder / SETTLEMENT_FILE, terms, SETTLEMENT_BLOCK_MS) as settlement:
            cashier = Cashier(settlement)
            self.cast = Cast(
                self.spec, self.urls, self.market, self.ticks, self.kept.seed, cashier, self.kept.fed_ms
            )  # fmt: skip
            self.cast.height = self.kept.height
            self._remember()
            async with running(nodes) as nursery:
                ended = await self._trade(nursery)
                await stop_all(nodes)
            posted = (await settlement.committed()).height
            final = await self._final(settlement, posted)
        if self.first_block_ms == 0 and self.asked:
            self.view.warn("ended before its first block")
            return 1
        self.view.progress("replaying every block from genesis in a second process")
        report = await audited(nodes[0].folder)
        summary = {
            **report,
            "deposits_made": len(cashier.deposited),
            "withdrawals_paid": len(cashier.paid),
            "posted_height": posted,
            "final_height": final,
            "first_block_ms": self.first_block_ms,
            "restarts": sum(node.restarts for node in nodes),
            "validators": self.kept.validators,
            "seed": self.kept.seed,
        }
        good = ended and report["conserved"] and report["replay_equal"]
        self.view.finish(summary, good)
        return 0 if good else 1

    async def _trade(self, nursery: trio.Nursery) -> bool:
        """Trade to the end; whether it came within the limit."""
        watcher = self.cast.trader(development_key(0))
        nursery.start_soon(watcher.keep, lambda: self._watch(watcher))
        async with trio.open_nursery() as playing:
            playing.start_soon(self.cast.play)
            await self.over.wait()
            playing.cancel_scope.cancel()
        self._remember()
        if self.asked or await self.cast.settle():
            return True
        self.view.warn(f"the last withdrawal was not paid within {END_S:.0f} s")
        return False

    async def _watch(self, watcher: Trader) -> None:
        client, cast, last = watcher.client, self.cast, self.kept.height + self.options.blocks
        async with client.subscribe("blocks") as blocks, client.subscribe("events") as events, trio.open_nursery() as n:
            n.start_soon(self.view.follow_events, events)
            self.view.welcome(watcher.url, self.urls, self.spec, await client.chain_info())
            async for note in blocks:
                newest = note.result["height"]
                if self.first_block_ms == 0:
                    self.first_block_ms = await self._first_block(client, newest)
                for height in range(min(newest, max(cast.height + 1, newest + 1 - SHOWN_AT_ONCE)), newest + 1):
                    self.view.block(await client.block(height), await client.chain_info(), cast.prices.price)
                cast.height = newest
                self._remember()
                if self.options.blocks and newest >= last:
                    self.over.set()
        raise Unavailable("the node's pushes ended")

    def _remember(self) -> None:
        keep(self.folder, replace(self.kept, fed_ms=self.cast.fed_ms, height=self.cast.height))

    async def _first_block(self, client: Client, newest: int) -> int:
        """Milliseconds from the command's start to the time of the first block since, its sealing included; 0: none."""
        started_ms = int(self.started * 1_000)
        for height in range(self.kept.height + 1, newest + 1):
            time_ms = int((await client.block(height))["time_ms"])
            if time_ms >= started_ms:
                return time_ms + self.spec.block_time_ms - started_ms
        return 0

    async def _final(self, settlement: LocalSettlement, posted: int) -> int:
        height = posted
        while height > 0 and await settlement.standing(height) != "final":
            height -= self.spec.commitment_blocks
        return max(height, 0)


def main_started() -> float:
    """When this process began, in seconds since 1970; what imports took is counted."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    up = float(Path("/proc/uptime").read_text().split()[0])
    return time.time() - (up - ticks / os.sysconf("SC_CLK_TCK"))
