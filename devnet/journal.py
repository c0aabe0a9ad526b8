"""
A client's journal: what nodes have told of its transactions, and whether it holds.

*Executed* is a word of the node that leads, and may come to nothing when it falls. *Certified* is a quorum's word: it
may never be lost or changed, on any node.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import trio

from devnet.trader import EXPIRY_MS
from genesis.chain import Receipt
from genesis.crypto import keccak256
from genesis.errors import Invalid, TenorError, Unavailable
from genesis.receipt import Stage
from node.client import Client, connect

LOOK_S = 0.5
"""How long what was told as executed waits before it is looked for."""
ANSWER_S = 5.0
GIVE_UP_S = 1.2 * EXPIRY_MS / 1_000
"""What all nodes say is not certified so long after it was told as executed has come to nothing: it has expired."""
SETTLE_S = 600.0
ASKED_AT_ONCE = 16
"""Receipts asked of a node together: one by one, those of half an hour take as long."""
CERTIFIED = ("certified", "posted", "final")


@dataclass(slots=True)
class Found:
    """
    lost, changed: of certified receipts; both must be 0. unasked: no node answered for them. words: of each lost or
    changed one, who said what.
    """

    lost: int = 0
    changed: int = 0
    unasked: int = 0
    words: list[str] = field(default_factory=list)


class Told(NamedTuple):
    """What a node told of a certified receipt. digest: of its bytes, for there are hundreds of thousands."""

    node: int
    height: int
    stage: Stage
    digest: bytes


@dataclass(slots=True)
class Journal:
    """
    executed: how many receipts were told. reverted: of them, certified otherwise than told, or never. certified: what
    a node told as certified, by transaction.
    """

    urls: Sequence[str]
    executed: int = 0
    reverted: int = 0
    certified: dict[bytes, Told] = field(default_factory=dict)
    _told: dict[bytes, tuple[float, Receipt]] = field(default_factory=dict)
    _denied: dict[bytes, set[int]] = field(default_factory=dict)
    _turn: int = 0

    def hear(self, receipt: Receipt) -> None:
        """An agent was told of its transaction."""
        self.executed += 1
        self._told[receipt.transaction] = (trio.current_time(), receipt)

    async def run(self) -> None:
        """Look for what was told until it is certified; one node after another, those that do not answer left out."""
        while True:
            await self.look()
            await trio.sleep(LOOK_S)

    async def look(self) -> None:
        """Once through all that waits, the oldest first, at one node."""
        self._turn = (self._turn + 1) % len(self.urls)
        asked_s = trio.current_time() - LOOK_S
        due = [(identity, *told) for identity, told in self._told.items() if told[0] < asked_s][::-1]
        with trio.move_on_after(ANSWER_S):
            try:
                async with connect(self.urls[self._turn]) as client, trio.open_nursery() as nursery:
                    for _ in range(ASKED_AT_ONCE):
                        nursery.start_soon(self._look_for_some, client, due)
            except* (TenorError, OSError):
                pass

    async def settle(self) -> int:
        """Until nothing waits, SETTLE_S at most; how many receipts nobody has been asked for by then."""
        with trio.move_on_after(SETTLE_S):
            while self._told:
                await self.look()
        return len(self._told)

    async def _look_for_some(self, client: Client, due: list[tuple[bytes, float, Receipt]]) -> None:
        while due:
            await self._look_for(client, *due.pop())

    async def _look_for(self, client: Client, identity: bytes, since_s: float, told: Receipt) -> None:
        receipt, answered = None, True
        try:
            receipt = await client.receipt(identity)
        except Unavailable:  # it waits, or the node does not say
            answered = False
        except Invalid as error:
            answered = error.code == "not_found"
        if receipt is not None and receipt.stage in CERTIFIED:
            self.certified[identity] = _told(self._turn, receipt)
            self.reverted += (receipt.status, receipt.results) != (told.status, told.results)
        elif since_s + GIVE_UP_S > trio.current_time() or not answered or not self._is_denied(identity):
            return
        else:
            self.reverted += 1
        self._told.pop(identity, None)
        self._denied.pop(identity, None)

    def _is_denied(self, identity: bytes) -> bool:
        """Whether all nodes have said by now that it is not certified: one may be behind the others."""
        by = self._denied.setdefault(identity, set())
        by.add(self._turn)
        return len(by) == len(self.urls)

    async def check(self) -> Found:
        """Ask again for everything certified: each receipt at one of the nodes, all nodes in turn."""
        found = Found()
        rows = list(self.certified.items())
        async with trio.open_nursery() as nursery:
            for number, url in enumerate(self.urls):
                nursery.start_soon(self._check_all, number, url, rows[number :: len(self.urls)], found)
        return found

    async def _check_all(self, number: int, url: str, rows: list[tuple[bytes, Told]], found: Found) -> None:
        found.unasked += len(rows)
        try:
            async with connect(url) as client, trio.open_nursery() as nursery:
                for _ in range(ASKED_AT_ONCE):
                    nursery.start_soon(self._check_some, client, number, rows, found)
        except* (TenorError, OSError):
            pass

    async def _check_some(self, client: Client, number: int, rows: list[tuple[bytes, Told]], found: Found) -> None:
        while rows:
            await self._check(client, number, *rows.pop(), found)
            found.unasked -= 1

    async def _check(self, client: Client, number: int, identity: bytes, told: Told, found: Found) -> None:
        now = None
        with suppress(Invalid):
            now = _told(number, await client.receipt(identity))
        lost = now is None or now.stage not in CERTIFIED
        changed = now is not None and not lost and now.digest != told.digest
        found.lost += lost
        found.changed += changed
        if lost or changed:
            found.words.append(f"0x{identity.hex()} was {_said(told)}, and {_said(now) if now else 'unknown'} later")


def _told(node: int, receipt: Receipt) -> Told:
    return Told(node, receipt.height, receipt.stage, keccak256(receipt.encode()))


def _said(told: Told) -> str:
    return f"{told.stage} at height {told.height} (node {told.node})"
