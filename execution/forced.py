"""
Transactions that the settlement chain forces into a block: which of them may run.

They run in a batch of their own before all others, in the order of the inbox, so whoever executes the block runs them
by the opening alone and nobody can leave one out. What cannot run is taken in without effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from genesis.chain import Forced, InboxEntry, SignedTransaction, Transaction, decode
from genesis.errors import Invalid
from genesis.spec import ChainSpec


def forced_transactions(inbox: Sequence[InboxEntry], spec: ChainSpec) -> tuple[SignedTransaction, ...]:
    """
    The forced transactions among a block's inbox entries that decode, are calls, and are of this chain and its fees.

    Raises:
        Invalid: "too_many_forced", for a block that takes in more than fit the batch.
    """
    entries = [entry for entry in inbox if isinstance(entry, Forced)]
    if len(entries) > spec.forced_block_max:
        raise Invalid(
            f"A block takes in at most {spec.forced_block_max} forced transactions, not {len(entries)}.",
            "too_many_forced",
        )
    decoded = [_decoded(entry.raw) for entry in entries]
    return tuple(signed for signed in decoded if signed is not None and _may_run(signed, spec))


def within_block(inbox: Sequence[InboxEntry], spec: ChainSpec) -> Sequence[InboxEntry]:
    """As many of the next entries as one block takes in."""
    forced = 0
    for at, entry in enumerate(inbox[: spec.inbox_block_max]):
        forced += isinstance(entry, Forced)
        if forced > spec.forced_block_max:
            return inbox[:at]
    return inbox[: spec.inbox_block_max]


def _decoded(raw: bytes) -> SignedTransaction | None:
    try:
        return decode(raw)
    except Invalid:
        return None


def _may_run(signed: SignedTransaction, spec: ChainSpec) -> bool:
    """What the mempool checks of others and the kernel does not; programs and upgrades need a compiler before."""
    t = signed.transaction
    return isinstance(t, Transaction) and t.chain == spec.chain_id and t.fee >= spec.fee_min
