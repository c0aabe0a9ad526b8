"""
The rule book, read as a table of contents: how a block changes the state.

Written in terms of the door, so that a node, an auditor and a back-test go the same way. The chapters:

    a block       opening: deposits credited, recorded programs created     vm/chain.py, vm/deploy.py
                  transactions forced by settlement, a batch of their own   forced.py
                  batches, one call each                                    vm/kernel/batch.py
                  sealing: pages hashed, roots                              vm/state.py
    a batch       hooks of oracle and clearing · cancel · post-only ·
                  hooks of programs · trade                                 vm/kernel/batch.py, hooks.py
    a transaction checks · sequence · fee reserve · calls · fee · receipt   vm/kernel/transaction.py
    a call        program · stack · depth · class · gas · savepoint         vm/kernel/calls.py, frames.py, journal.py
    its end       handlers queued for the end of the outermost call         vm/kernel/outbox.py
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from execution.executor import BatchResult, Executor, Opening, Sealed
from genesis.chain import Block, Deployment, SignedTransaction
from genesis.errors import Invalid


@dataclass(frozen=True, slots=True)
class Replayed:
    """A block executed again: what its batches gave, in order, and its roots."""

    results: tuple[BatchResult, ...]
    sealed: Sealed


def opening_of(block: Block, active: Sequence[Deployment]) -> Opening:
    """What the block's leader fixed when it cut the first batch. active: deployments that become programs in it."""
    header = block.header
    return Opening(header.height, header.time_ms, header.gap_ms, header.parent, block.body.inbox, tuple(active))


def apply_batch(executor: Executor, opening: Opening, batch: Sequence[SignedTransaction]) -> BatchResult:
    """Run a batch; the first of a block opens it."""
    return executor.apply(opening, batch)


def seal_block(executor: Executor) -> Sealed:
    """Close the block: after this its roots stand."""
    return executor.seal()


def replay_block(executor: Executor, block: Block, active: Sequence[Deployment]) -> Replayed:
    """
    Execute a block that somebody else proposed, on the state after its parent; leaves it applied.

    Signatures are recovered again, transaction by transaction. Comparing with the header is `check_roots`.
    """
    opening = opening_of(block, active)
    results = tuple(apply_batch(executor, opening, batch.open()) for batch in block.body.batches)
    return Replayed(results, seal_block(executor))


def check_roots(block: Block, replayed: Replayed) -> None:
    """
    Hold what execution gave against what the header says; a validator votes after this.

    Raises:
        Invalid: "wrong_root": the proposer's engine or ours is at fault, and the block gets no vote from here.
    """
    header, sealed = block.header, replayed.sealed
    pairs: dict[str, tuple[bytes | int, bytes | int]] = {
        "state root": (header.state_root, sealed.state_root),
        "claims root": (header.claims_root, sealed.claims_root),
        "gas used": (header.gas_used, sealed.gas_used),
    }
    for name, (stated, found) in pairs.items():
        if stated != found:
            raise Invalid(
                f"Block {header.height} states {name} {_shown(stated)}; executing it gives {_shown(found)}.",
                "wrong_root",
            )


def _shown(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
