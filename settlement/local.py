"""
`local`: a settlement chain in one SQLite file, nothing to install; for the devnet, for tests, for a machine without a
network.

Durable (every change is synced), shared by any number of processes, with the contract's own rules, block time,
confirmation depth, and a challenge window. Reorganisations, outages and money come on request. It keeps the promises
of `adapter`; what it does not do is be a second party: who can write the file can write anything into it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import trio

from genesis.chain import Commitment, InboxEntry, Withdrawal, WithdrawalProof
from genesis.errors import Unavailable
from genesis.membership import ValidatorSet
from settlement.actions import Action, Activate, Force
from settlement.adapter import Committed, Head, Poster, Reorganisation, Standing
from settlement.contract import Terms
from settlement.local_audit import audit
from settlement.local_chain import LocalChain
from settlement.local_fees import COIN
from settlement.local_tables import Tables, sqlite_errors

Clock = Callable[[], int]
"""Milliseconds that only grow, the same for all processes that share a file."""

_Result = TypeVar("_Result")


def wall_clock_ms() -> int:
    """Milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class LocalSettlement:
    """
    Both sides of the door, and the controls of a test chain: `fund`, `reorganise`, `set_outage`, `set_fees`, `audit`.
    """

    def __init__(
        self, tables: Tables, terms: Terms, block_time_ms: int | None, clock: Clock, poster: bytes | None
    ) -> None:
        self._tables = tables
        self._poster = poster
        self._clock = clock
        self._chain = LocalChain(tables, terms, block_time_ms)
        self._writer = trio.CapacityLimiter(1)

    async def begin(self) -> None:
        """Create the chain in an empty file, or check an old one; `open_local` calls this."""
        now_ms = self._clock()
        await self._thread(lambda: self._chain.begin(now_ms))

    async def submit(self, commitment: Commitment) -> bytes:
        return await self._reached(lambda: self._chain.books.post_commitment(commitment, self._tip(), self._poster))

    async def standing(self, posting: bytes | int) -> Standing:
        return await self._reached(lambda: self._chain.books.standing(posting, self._tip()))

    async def committed(self) -> Committed:
        return await self._reached(self._chain.books.committed)

    async def head(self, confirmations: int = 0) -> Head:
        return await self._reached(lambda: self._chain.head(confirmations))

    async def inbox(self, from_index: int, up_to: int) -> tuple[InboxEntry, ...]:
        return await self._reached(lambda: self._chain.books.inbox(from_index, up_to))

    async def validator_sets(self, from_version: int, up_to: int) -> tuple[ValidatorSet, ...]:
        return await self._reached(lambda: self._chain.books.validators.sets(from_version, up_to))

    async def pending_validators(self) -> Mapping[bytes, int]:
        return await self._reached(self._chain.books.validators.pending)

    async def activate(self, ready: Activate) -> bytes:
        return await self.act(ready.key, ready, b"")

    async def reorganisations(self, since: Head) -> Reorganisation | None:
        return await self._reached(lambda: self._chain.reorganisation(since))

    async def quote_fee(self, commitment_bytes: int) -> int:
        return await self._reached(lambda: self._chain.books.fees.quote(commitment_bytes))

    async def poster(self) -> Poster | None:
        def ask() -> Poster | None:
            if self._poster is None or not self._chain.books.fees.on:
                return None
            return Poster(self._poster, self._tables.balance(self._poster, COIN))

        return await self._reached(ask)

    async def deposit(self, account: bytes, asset: int, amount: int, nonce: bytes) -> bytes:
        return await self._reached(lambda: self._chain.books.post_deposit(account, asset, amount, nonce))

    async def withdraw(self, withdrawal: Withdrawal, proof: WithdrawalProof) -> bytes:
        return await self._reached(lambda: self._chain.books.post_withdrawal(withdrawal, proof, self._tip()))

    async def act(self, sender: bytes, action: Force | Action, nonce: bytes) -> bytes:
        return await self._reached(lambda: self._chain.books.post_action(sender, action, nonce, self._tip()))

    async def balance(self, account: bytes, asset: int) -> int:
        return await self._reached(lambda: self._tables.balance(account, asset))

    async def fund(self, account: bytes, asset: int, amount: int) -> None:
        """Give an account money on this chain, raw 10⁻¹⁸; COIN is the asset of the chain's own coin."""
        await self._advanced(lambda: self._chain.books.fund(account, asset, amount))

    async def reorganise(self, depth: int) -> Head:
        """
        Replace the last `depth` blocks; returns the new tip. Raises Invalid "too_deep" beyond the challenge window.
        """
        return await self._advanced(lambda: self._chain.reorganise(depth))

    async def set_outage(self, on: bool) -> None:
        """From now on (until off) every method of the door raises Unavailable, in all processes; blocks go on."""
        await self._advanced(lambda: self._tables.set_meta("outage", int(on)))

    async def set_fees(self, on: bool) -> None:
        """From now on (until off) posting costs `quote_fee`, taken from whoever posts, in all processes."""
        await self._advanced(lambda: self._chain.books.fees.switch(on))

    async def audit(self) -> dict[int, int]:
        """Return what is locked per asset, recomputed from every posting. Raises Corrupt when it is not conserved."""
        books = self._chain.books
        return await self._advanced(lambda: audit(self._tables, books.validators, books.fees))

    async def close(self) -> None:
        await trio.to_thread.run_sync(self._tables.close, limiter=self._writer)

    def _tip(self) -> int:
        return self._chain.head(0).settlement_height

    async def _reached(self, work: Callable[[], _Result]) -> _Result:
        def guarded() -> _Result:
            if self._tables.meta("outage"):
                raise Unavailable("The settlement chain cannot be reached (an outage was asked for); try again later.")
            return work()

        return await self._advanced(guarded)

    async def _advanced(self, work: Callable[[], _Result]) -> _Result:
        now_ms = self._clock()

        def after_blocks() -> _Result:
            self._chain.advance(now_ms)
            return work()

        return await self._thread(after_blocks)

    async def _thread(self, work: Callable[[], _Result]) -> _Result:
        """Run in a transaction on a thread, one at a time in this process."""

        def run() -> _Result:
            with sqlite_errors(), self._tables.transaction():
                return work()

        return await trio.to_thread.run_sync(run, limiter=self._writer)


@asynccontextmanager
async def open_local(
    path: Path,
    terms: Terms,
    block_time_ms: int | None = None,
    clock: Clock = wall_clock_ms,
    poster: bytes | None = None,
) -> AsyncIterator[LocalSettlement]:
    """
    Open the chain in a file, made when missing.

    Args:
        block_time_ms: between its blocks; None is what the file has, or BLOCK_TIME_MS in a new one.
        poster: account that pays for what is posted here; None of who posts nothing.

    Raises:
        Invalid: "wrong_chain" when the file has other terms, or was begun by a later release. Unavailable, Corrupt: the
        file cannot be used.
    """
    with sqlite_errors():
        tables = await trio.to_thread.run_sync(Tables, path)
    settlement = LocalSettlement(tables, terms, block_time_ms, clock, poster)
    try:
        await settlement.begin()
        yield settlement
    finally:
        with trio.CancelScope(shield=True):
            await settlement.close()
