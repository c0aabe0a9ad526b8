"""
Transfers at a steady rate, spread over accounts and nodes; who is refused asks the next node.

Ten accounts that genesis made pay one of them, each in one lane: the chain's state stays as large as it was, and what a
node holds in memory should, too. Blocks and their index grow, on disk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import trio

from devnet.trader import RECONNECT_S, Hear, Trader
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import Call
from node.client import connect
from node.programs import Programs

RICH = range(6, 16)
"""Development keys that have money from genesis on."""
WAITING_MAX = 200
"""Transactions of one sender that have no answer yet; beyond it, it waits."""
AMOUNT = "0.01"


@dataclass(slots=True)
class Load:
    """
    rate: transactions a second, of all senders together. sent: how many so far. errors: of them, by the refusal's code;
    "unavailable": no node took them.
    """

    spec: ChainSpec
    urls: Sequence[str]
    rate: float
    hear: Hear
    sent: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            for number, key in enumerate(RICH):
                nursery.start_soon(self._send, number, key)

    async def _send(self, number: int, key: int) -> None:
        turn, limit = number, trio.CapacityLimiter(WAITING_MAX)
        while True:
            url = self.urls[turn % len(self.urls)]
            trader = Trader(development_key(key), [url], self.spec.chain_id, self.spec.fee_min, self.hear)
            try:
                async with connect(url) as trader.client, trio.open_nursery() as nursery:
                    trader.programs = await Programs.load(trader.client)
                    call = trader.programs["bank"].call("transfer", 0, development_address(RICH[0]), AMOUNT)
                    next_s = trio.current_time()
                    while True:
                        await limit.acquire_on_behalf_of(borrower := object())
                        nursery.start_soon(self._one, trader, call, limit, borrower)
                        next_s = max(next_s + len(RICH) / self.rate, trio.current_time())
                        await trio.sleep_until(next_s)
            except* (Unavailable, OSError):
                turn += 1
            await trio.sleep(RECONNECT_S)

    async def _one(self, trader: Trader, call: Call, limit: trio.CapacityLimiter, borrower: object) -> None:
        self.sent += 1
        try:
            await trader.send([call], gas=300_000)
        except Invalid as error:
            self.errors[error.code] += 1
        except Unavailable:
            self.errors["unavailable"] += 1
            raise
        finally:
            limit.release_on_behalf_of(borrower)
