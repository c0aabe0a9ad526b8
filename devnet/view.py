"""
What the devnet shows: a line a block, trades and settlement stages as they come; with --json one object at the end.

Progress goes to stderr, so that stdout's last line is the result alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import trio
from rich.console import Console

from genesis.devkeys import COUNT, development_address, development_key
from genesis.spec import ChainSpec
from node.client import Notification

FIRST_TRADER_KEY = 6


class View:
    def __init__(self, market: str, as_json: bool) -> None:
        self._market, self._json = market, as_json
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._fills = self._liquidations = 0
        self._welcomed = False

    def starting(self, validators: int, folder: Path) -> None:
        self.progress(f"starting {validators} validator{'s' if validators > 1 else ''} in {folder}")

    def welcome(self, url: str, urls: Sequence[str], spec: ChainSpec, info: dict[str, Any]) -> None:
        """
        Args:
            url: of the node whose blocks are shown. urls: of all.
        """
        if self._welcomed:
            self._console.print(f"[yellow]a node went away[/]; on with the one at {url}, height {info['height']}")
            return
        self._welcomed = True
        lines = [f"[bold]Tenor devnet[/] chain {spec.chain_id}, JSON-RPC at {_http(urls[0])} and {urls[0]}"]
        if others := ", ".join(map(_http, urls[1:])):
            lines.append(f"{len(urls)} validators; the others at {others}")
        lines.append("Funded development keys (published, worth nothing):")
        lines += [
            f"  {index:2} 0x{development_address(index).hex()}  0x{development_key(index).hex()}"
            for index in range(FIRST_TRADER_KEY, COUNT)
        ]
        self._console.print("\n".join(lines))  # at once: the nodes, too, say that they run

    async def follow_events(self, events: trio.MemoryReceiveChannel[Notification]) -> None:
        async for note in events:
            for event in note.result:
                self._fills += event["event"] == "Filled"
                if event["event"] == "Liquidated":
                    self._liquidations += 1
                    closed, absorbed = event["closed"], event["absorbed"]
                    self._console.print(
                        f"  [red]liquidated[/] {event['account']}: {closed} closed, {absorbed} absorbed"
                    )

    def block(self, block: dict[str, Any], info: dict[str, Any], price: Decimal) -> None:
        self._console.print(
            f"block {block['height']:5}  {block['transaction_count']:4} tx  {block['gas_used'] / 1e6:6.1f} Mgas  "
            f"{self._market} {price}  fills {self._fills}  posted {info['posted_height']}  final {info['final_height']}"
        )

    def progress(self, text: str) -> None:
        self._console.print(f"[dim]{text}[/]")

    def warn(self, text: str) -> None:
        self._console.print(f"[yellow]{text}[/]")

    def finish(self, summary: dict[str, Any], good: bool) -> None:
        """The result: one JSON object on stdout's last line, or a table for people."""
        if self._json:
            sys.stdout.write(json.dumps(summary) + "\n")
            sys.stdout.flush()
            return
        for name, value in summary.items():
            self._console.print(f"  {name:20} {value}")
        self._console.print("[green]all good[/]" if good else "[red]not as it should be[/]")


def _http(url: str) -> str:
    return url.replace("ws:", "http:").removesuffix("/ws")
