"""
Proofs that validators contradicted themselves, kept for good: whoever submits one to settlement is paid for it.

A few of each validator are enough, since the first one takes its stake. Bounded, so that who has nothing to lose any
more fills no disk.
"""

from __future__ import annotations

from genesis import codec
from genesis.errors import Corrupt, Invalid
from node.consensus.accusation import Accusation
from node.store import Store

CURSOR = "evidence"
ROWS_BYTES_MAX = 16 << 20
OF_ONE_MAX = 4
"""Accusations of one validator and kind."""
EVIDENCE_MAX = 1_024


def stored_evidence(store: Store) -> tuple[Accusation, ...]:
    """All that is kept, oldest first. Raises Corrupt."""
    row = store.cursor(CURSOR)
    if row is None:
        return ()
    try:
        rows = codec.expect_array(codec.decode(row, ROWS_BYTES_MAX), None, "Evidence")
        return tuple(map(Accusation.of, rows))
    except Invalid as error:
        raise Corrupt(f"the stored evidence does not decode: {error}") from error


def keep_evidence(store: Store, accusation: Accusation) -> bool:
    """Write it, synced; False when it is known, or enough are. One call at a time."""
    known = stored_evidence(store)
    alike = [one for one in known if (one.validator, one.kind) == (accusation.validator, accusation.kind)]
    if len(alike) >= OF_ONE_MAX or len(known) >= EVIDENCE_MAX or any(one.view == accusation.view for one in alike):
        return False
    store.put_cursors({CURSOR: codec.encode(tuple(one.fields() for one in (*known, accusation)))})
    return True
