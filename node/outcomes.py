"""What has become of transactions, as far as this node knows: receipts of what it has run, and of what it was told."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable

import trio

from genesis.chain import Receipt, SignedTransaction
from genesis.errors import Invalid, Unavailable
from node.open_block import OpenBlock, receipt_in
from node.receipts import Recent
from node.store import Store

TOLD_MAX = 50_000
"""Receipts that another node has told of and no block here has shown; beyond it the oldest are forgotten."""

REFUSED_MAX = 64
REFUSED_S = 5.0
"""Refusals of deployments that are remembered, and how long: ten times as long as who was told "held" waits to ask."""


class Outcomes:
    """waiting: ids of what was received here and has no outcome yet."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.waiting: set[bytes] = set()
        self._recent = Recent()
        self._certified = 0
        """Height of the newest block certified in this life."""
        self._told: OrderedDict[bytes, tuple[Receipt, int]] = OrderedDict()
        """What another node has run and no certified block here has shown yet: its receipt, and when it expires."""
        self._refused: OrderedDict[bytes, tuple[Invalid | Unavailable, float]] = OrderedDict()
        """The newest last, each with when it is forgotten."""

    def executed(self, block: OpenBlock, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._recent.put(receipt.transaction, block.encoded[receipt.position])

    def told(self, signed: SignedTransaction, receipt: Receipt) -> None:
        """Another node says that it has run it; its block may have been certified here before that word came."""
        if receipt.height > self._certified or receipt.transaction not in self._recent:
            self._told[signed.id] = receipt, signed.transaction.expiry
            while len(self._told) > TOLD_MAX:
                self._told.popitem(last=False)

    def certified(self, height: int, receipts: Iterable[Receipt]) -> None:
        """Of what was to be in a block that came without it nothing is known once it has expired."""
        self._certified, now_ms = height, time.time_ns() // 1_000_000
        for receipt in receipts:
            self._told.pop(receipt.transaction, None)
        while self._told:
            told, expiry = next(iter(self._told.values()))
            if told.height > height or expiry > now_ms:
                return
            self._told.popitem(last=False)

    def refused(self, deployment: bytes, reason: Invalid | Unavailable) -> None:
        """Whoever was not kept waiting for its outcome asks again, and must not have it compiled once more."""
        self._refused.pop(deployment, None)
        self._refused[deployment] = reason.with_traceback(None), trio.current_time() + REFUSED_S
        if len(self._refused) > REFUSED_MAX:
            self._refused.popitem(last=False)

    def refusal(self, transaction: bytes) -> Invalid | Unavailable | None:
        """Of a deployment that came to nothing in the last REFUSED_S."""
        reason, until_s = self._refused.get(transaction, (None, 0.0))
        return reason if trio.current_time() < until_s else None

    def reverted(self, receipts: Iterable[Receipt]) -> None:
        for receipt in receipts:
            self._recent.forget(receipt.transaction)

    def recent(self, transaction: bytes) -> Receipt | None:
        """Of a block that was executed here lately."""
        encoded = self._recent.get(transaction)
        return None if encoded is None else Receipt.decode(encoded)

    async def ran(self, transaction: bytes) -> Receipt | None:
        """Of any block that was executed here. Raises Invalid "pruned"."""
        recent = self.recent(transaction)
        if recent is not None:
            return recent
        position = await trio.to_thread.run_sync(self._store.position, transaction)
        if position is None:
            return None
        blob = await trio.to_thread.run_sync(self._store.receipts, position.height)
        if blob is None:
            await trio.to_thread.run_sync(self._store.check_kept, position.height)
        assert blob is not None, "the index names stored blocks only"
        return receipt_in(blob, position.index)

    async def elsewhere(self, transaction: bytes, certified: int) -> Receipt | None:
        """
        Of one that `ran` does not know: "executed" as another node told, or "reverted"; None while it waits.

        Args:
            certified: height of the newest certified block.

        Raises:
            Invalid: "not_found"; "pruned" where it may have been in a block that is.
        """
        told, expiry = self._told.get(transaction, (None, 0))
        if told is not None and told.height > certified:
            return told
        if transaction in self.waiting or expiry > time.time_ns() // 1_000_000:
            return None  # the block it was told to be in came without it; another may run it still
        reverted = await trio.to_thread.run_sync(self._store.reverted, transaction)
        if reverted is not None:
            return Receipt.decode(reverted, "reverted")
        first = await trio.to_thread.run_sync(self._store.first)
        if first > 1:
            message = f"No block from {first} on holds 0x{transaction.hex()}; older ones are pruned here, ask a node "
            raise Invalid(message + "that keeps all.", "pruned")
        raise Invalid(f"Nothing is known here of transaction 0x{transaction.hex()}.", "not_found")
