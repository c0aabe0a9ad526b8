"""
A devnet of several validators on which something is about to happen: nodes behind wires, agents that trade, their
journal, and a watch over the blocks that each node tells as certified.

    folders, wires → nodes forked → settlement → agents trade ── story ── all level → checks → nodes stopped → audits
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from devnet.cast import Cast
from devnet.feeds import Model
from devnet.funding import Cashier
from devnet.journal import Journal
from devnet.market import MODELLED
from devnet.process import NodeProcess, fork_all, running, stop_all
from devnet.replaying import audited
from devnet.wires import Wires
from genesis.crypto import address_of
from genesis.errors import TenorError, Unavailable
from genesis.presets import parse_spec
from genesis.spec import ChainSpec
from node.client import connect
from node.localnet import chain_text, free_ports, validator_key, write_folders
from settlement.contract import Terms
from settlement.local import open_local

SETTLEMENT_BLOCK_MS = 500
LEVEL_S = 180.0
"""How long a node may take until it votes again, level with the others."""
LEVEL_BLOCKS = 2
LOOK_S = 0.05
ANSWER_S = 3.0
RESTARTS_MAX = 100_000
LOG_FILE = "log"
WORDS_MAX = 20
"""So many lost or changed receipts are told in full."""


@dataclass(slots=True)
class Pulse:
    """
    When blocks were told as certified, by whichever node was first. height: of the newest. longest_s: without one.
    outage_s: the same, while all nodes were killed at once, or had been since the last one.
    """

    height: int = 0
    longest_s: float = 0.0
    outage_s: float = 0.0
    outage: bool = False
    heights: dict[int, int] = field(default_factory=dict)
    _last_s: float | None = None

    def begin(self) -> None:
        """What was before does not count."""
        self.longest_s = self.outage_s = 0.0
        self._last_s = None

    def heard(self, node: int, height: int) -> None:
        self.heights[node] = max(height, self.heights.get(node, 0))
        if height <= self.height:
            return
        now_s = trio.current_time()
        gap_s = now_s - (self._last_s if self._last_s is not None else now_s)
        if self.outage:
            self.outage_s, self.outage = max(self.outage_s, gap_s), False
        else:
            self.longest_s = max(self.longest_s, gap_s)
        self.height, self._last_s = height, now_s

    async def watch(self, node: int, url: str) -> None:
        """Follow a node's blocks, through its deaths."""
        while True:
            try:
                async with connect(url) as client, client.subscribe("blocks") as blocks:
                    async for note in blocks:
                        self.heard(node, note.result["height"])
            except* (Unavailable, OSError):
                pass
            await trio.sleep(LOOK_S)


class Site:
    """Made by `told`, which runs a story on it."""

    def __init__(self, folder: Path, validators: int, seed: int, logs: bool) -> None:
        """logs: whether each node writes its log, from level info on, into its folder; else warnings to stderr."""
        self.folder, self.seed = folder, seed
        self.spec: ChainSpec = parse_spec(chain_text(validators))
        ports = free_ports(validators)
        self.urls = [f"ws://127.0.0.1:{port}/ws" for port in ports]
        configs = write_folders(folder, validators, ports, SETTLEMENT_BLOCK_MS)
        self.wires, lists = Wires.lay(folder, validators)
        self.nodes = [
            NodeProcess(
                config,
                {"network.peers": str(peers)} | ({"node.log_level": "info"} if logs else {}),
                RESTARTS_MAX,
                config.parent / LOG_FILE if logs else None,
            )
            for config, peers in zip(configs, lists, strict=True)
        ]
        self.journal, self.pulse = Journal(self.urls), Pulse()
        self._addresses = [address_of(validator_key(number)) for number in range(validators)]

    async def leader(self) -> int:
        """Whoever leads, as the first node sees it that answers and knows."""
        for url in self.urls:
            with trio.move_on_after(ANSWER_S):
                try:
                    async with connect(url) as client:
                        leader = (await client.consensus())["leader"]
                        if leader is not None:
                            return self._addresses.index(bytes.fromhex(leader[2:]))
                except* (TenorError, OSError):
                    pass
        raise Unavailable("no node says who leads")

    async def until_level(self, number: int) -> None:
        """A node votes, level with the others. Raises Unavailable when it does not within LEVEL_S."""
        why = "it does not answer"
        with trio.move_on_after(LEVEL_S):
            while True:
                try:
                    async with connect(self.urls[number]) as client:
                        why = "the others are ahead"
                        while not await self._is_level(client, number):
                            await trio.sleep(LOOK_S)
                        return
                except* (TenorError, OSError):
                    pass
                await trio.sleep(LOOK_S)
        raise Unavailable(f"Node {number} did not vote level with the others within {LEVEL_S:.0f} s: {why}.")

    async def _is_level(self, client: Any, number: int) -> bool:
        view = await client.consensus()
        best = max(self.pulse.heights.values(), default=0)
        level = view["certified_height"] >= best - LEVEL_BLOCKS
        return bool(view["votes"] and view["counters"]["voted"] and level)

    async def all_level(self) -> None:
        for number in range(len(self.nodes)):
            await self.until_level(number)

    async def all_have(self, height: int) -> None:
        """Every node has told of a certified block of this height, or a later one. Raises Unavailable after LEVEL_S."""
        with trio.move_on_after(LEVEL_S):
            while min(self.pulse.heights[number] for number in range(len(self.nodes))) < height:
                await trio.sleep(LOOK_S)
            return
        raise Unavailable(f"Not every node has block {height} within {LEVEL_S:.0f} s.")

    async def common(self) -> tuple[int, bool]:
        """The height that all nodes have certified, and whether its block and root are the same at all of them."""
        height = min(self.pulse.heights[number] for number in range(len(self.nodes)))
        found = set()
        for url in self.urls:
            async with connect(url) as client:
                block = await client.block(height)
                found.add((block["hash"], block["state_root"]))
        return height, len(found) == 1

    async def run(self, story: Callable[[Site], Awaitable[dict[str, Any]]], trading: bool) -> dict[str, Any]:
        """The story's words, and what the checks say."""
        async with (
            open_local(self.folder / "settlement.sqlite", Terms.of(self.spec), SETTLEMENT_BLOCK_MS) as settlement,
            running(self.nodes) as nursery,
        ):
            await nursery.start(self.wires.run)
            for number, url in enumerate(self.urls):
                nursery.start_soon(self.pulse.watch, number, url)
            await self.all_level()
            async with trio.open_nursery() as playing:
                playing.start_soon(self.journal.run)
                cast = Cast(
                    self.spec, self.urls, MODELLED, Model().ticks(self.seed), self.seed, Cashier(settlement),
                    hear=self.journal.hear,
                )  # fmt: skip
                if trading:
                    playing.start_soon(cast.play)
                said = await story(self)
                playing.cancel_scope.cancel()
            if trading:
                said = {"refused": dict(cast.refused)} | said
            say("all faults are over: checks")
            await self.all_level()
            checks = await self._checks()
            await stop_all(self.nodes)
            nursery.cancel_scope.cancel()
        return said | checks | await self._audits()

    async def _checks(self) -> dict[str, Any]:
        waiting = await self.journal.settle()
        await self.all_have(self.pulse.height)
        found = await self.journal.check()
        for words in found.words[:WORDS_MAX]:
            say(words)
        height, equal = await self.common()
        journal, pulse = self.journal, self.pulse
        return {
            "blocks": height, "roots_equal": equal, "executed_receipts": journal.executed,
            "certified_receipts": len(journal.certified), "lost_receipts": found.lost,
            "changed_receipts": found.changed, "unasked_receipts": found.unasked + waiting,
            "reverted_share": round(journal.reverted / max(1, journal.executed), 5),
            "longest_gap_ms": round(1_000 * pulse.longest_s), "longest_outage_gap_ms": round(1_000 * pulse.outage_s),
            "restarts": sum(node.restarts for node in self.nodes),
        }  # fmt: skip

    async def _audits(self) -> dict[str, Any]:
        say("replaying every node's blocks from genesis")
        reports = [await audited(node.folder) for node in self.nodes]
        return {
            "conserved": all(report["conserved"] for report in reports),
            "replay_equal": all(report["replay_equal"] for report in reports),
            "first_difference": next((r["first_difference"] for r in reports if r["first_difference"]), None),
            "transactions": reports[0]["transactions"], "fills": reports[0]["fills"],
        }  # fmt: skip


def told(
    story: Callable[[Site], Awaitable[dict[str, Any]]],
    validators: int,
    seed: int,
    trading: bool = True,
    keep: Path | None = None,
) -> dict[str, Any]:
    """
    Run a story on a devnet of so many validators.

    Args:
        keep: a folder to make, that stays, with each node's log; None is one that is removed.

    Raises:
        Unavailable: a node ended by itself, or did not come back.
    """
    with nullcontext(str(keep)) if keep else TemporaryDirectory(prefix="tenor-devnet-") as folder:
        site = Site(Path(folder), validators, seed, logs=keep is not None)
        fork_all(site.nodes)
        return trio.run(site.run, story, trading)


def is_good(summary: dict[str, Any]) -> bool:
    """Whether nothing happened that must not."""
    bad = ("lost_receipts", "changed_receipts", "unasked_receipts")
    return all(summary[name] for name in ("roots_equal", "conserved", "replay_equal")) and not any(
        summary[name] for name in bad
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
