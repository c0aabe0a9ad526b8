"""In which order the transactions of a batch run: by class, within a class as the leader put them."""

from __future__ import annotations

from collections.abc import Sequence

from genesis.chain import SignedTransaction
from genesis.transaction import order_class


def class_rank(signed: SignedTransaction) -> int:
    """0 for a cancellation, 1 post-only, 2 the rest."""
    return order_class(signed.transaction.lane).rank


def running_order(batch: Sequence[SignedTransaction]) -> list[int]:
    """Positions in the batch, the first to run first."""
    return sorted(range(len(batch)), key=lambda at: class_rank(batch[at]))


def first_to_run(batch: Sequence[SignedTransaction], count: int) -> list[int]:
    """Positions of the first `count` to run, in the order they stand: alone they run as they do among all."""
    return sorted(running_order(batch)[:count])
