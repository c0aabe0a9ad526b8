"""
One account that trades over the node's own interface: signs, numbers its lanes, waits for receipts, connects again.

Sequences of its lanes are microseconds since 1970: they only grow, across restarts of node and trader alike.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from genesis.chain import Call, Receipt, SignedTransaction, Transaction, sign
from genesis.crypto import address_of
from genesis.errors import Invalid, TenorError, Unavailable
from node.client import Client, connect
from node.programs import Programs

TRADE, POST_ONLY, CANCEL = 1, 1 << 30 | 1, 2 << 30 | 1
"""Lanes, by the class in their top bits."""
EXPIRY_MS = 30_000
RECONNECT_S = 0.1

Hear = Callable[[Receipt], None]


class Trader:
    """`client` and `programs` stand while `keep` runs. url: of the node it speaks to."""

    client: Client
    programs: Programs

    def __init__(self, key: bytes, urls: Sequence[str], chain_id: int, fee: int, hear: Hear | None = None) -> None:
        """
        Args:
            urls: of nodes, the first for as long as it answers, then the next. hear: told of every receipt.
        """
        self._hear = hear
        self.key, self.address = key, address_of(key)
        self._urls, self._chain_id, self._fee = deque(urls), chain_id, fee
        self._last = 0

    @property
    def url(self) -> str:
        return self._urls[0]

    async def keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Connect and run `work`; when the node goes away, run it again with the next one that answers."""
        while True:
            try:
                async with connect(self.url) as client:
                    self.client = client
                    self.programs = await Programs.load(client)
                    await work()
                    return
            except* Unavailable:
                self._urls.rotate(-1)
            await trio.sleep(RECONNECT_S)

    async def send(
        self, calls: Sequence[Call], lane: int = TRADE, *, gas: int = 3_000_000, atomic: bool = True
    ) -> Receipt:
        """Sign, send, wait until executed. Raises Invalid when refused, Unavailable when the node is away."""
        receipt = await self.client.send(self._signed(calls, lane, gas, atomic))
        if self._hear is not None:
            self._hear(receipt)
        return receipt

    async def replace_quotes(self, cancel: Call, quotes: Sequence[Call], *, gas: int = 3_000_000) -> None:
        """
        Cancel and quote anew in one frame: both come into one batch, where cancellations run first, so that the book
        is never without these quotes. Raises Invalid or Unavailable when one of the two is refused.
        """
        frame = [self._signed([cancel], CANCEL, gas, True), self._signed(quotes, POST_ONLY, gas, False)]
        for answer in await self.client.send_many(frame):
            if isinstance(answer, TenorError):
                raise answer
            if self._hear is not None:
                self._hear(answer)

    def _signed(self, calls: Sequence[Call], lane: int, gas: int, atomic: bool) -> SignedTransaction:
        self._last = max(self._last + 1, time.time_ns() // 1_000)
        transaction = Transaction(
            chain=self._chain_id, account=self.address, lane=lane, sequence=self._last,
            expiry=time.time_ns() // 1_000_000 + EXPIRY_MS, gas=gas, fee=self._fee, atomic=atomic, calls=tuple(calls),
        )  # fmt: skip
        return sign(transaction, self.key)

    async def must(self, *calls: Call) -> Receipt:
        """Send, and raise Invalid unless everything succeeded."""
        receipt = await self.send(calls)
        if receipt.status != "done":
            raise Invalid(f"transaction 0x{receipt.transaction.hex()} failed: {receipt.reason}", "failed")
        return receipt

    async def view(self, program: str, name: str, *arguments: Any) -> Any:
        """A view's result."""
        return await self.programs[program].view(self.client, name, *arguments)
