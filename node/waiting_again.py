"""Transactions of blocks that are no more wait again, before all that came since."""

from __future__ import annotations

from dataclasses import dataclass

from execution.executor import Executor
from genesis.chain import Deployment, Receipt, SignedTransaction
from genesis.errors import Invalid, Unavailable
from genesis.transaction import KINDS_WITH_SOURCE
from node.engine import EngineThread
from node.mempool import LaneKey, Mempool, Pending


@dataclass(frozen=True, slots=True)
class GivenUp:
    """What blocks held that are no more, in their order; work: what compiling a deployment gave."""

    transactions: tuple[tuple[SignedTransaction, Deployment | None], ...]
    receipts: tuple[Receipt, ...]


async def put_back(
    mempool: Mempool, engine: EngineThread, executor: Executor, given_up: GivenUp, now_ms: int
) -> tuple[int, int]:
    """
    Let what was given up wait again, before all that came since; return how many do, and how many cannot run any more.

    Nothing executes meanwhile, so that lanes asked for stay as they are.
    """
    again = [Pending(signed, _nobody, work) for signed, work in given_up.transactions]
    known: dict[LaneKey, int] = {}
    while keys := {pending.key for pending in (*again, *mempool.waiting())} - known.keys():
        asked = list(keys)
        known |= zip(asked, await engine.run(executor.sequences, asked), strict=True)
    late = mempool.empty()
    mempool.learn(list(known), list(known.values()))
    refused = sum(_is_uncompiled(pending) or not _let_in(mempool, pending, now_ms) for pending in again)
    for pending in late:
        _let_in(mempool, pending, now_ms)
    return len(again) - refused, refused


def _let_in(mempool: Mempool, pending: Pending, now_ms: int) -> bool:
    try:
        if _is_uncompiled(pending):
            mempool.hold(pending, now_ms)
        else:
            mempool.admit(pending, now_ms)
    except (Invalid, Unavailable) as error:
        pending.done(error)
        return False
    return True


def _is_uncompiled(pending: Pending) -> bool:
    """Of what was given up: a deployment that failed, whose work no block recorded; nobody would compile it again."""
    return pending.signed.transaction.kind in KINDS_WITH_SOURCE and pending.work is None


def _nobody(_: object) -> None:
    """Who sent it was answered long ago."""
