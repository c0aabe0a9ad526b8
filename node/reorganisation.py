"""
Going back: when settlement takes back blocks from which deposits were credited, the chain ends at its last block whose
anchor is still there, and grows again from it.

Heights above that are signed a second time, never silently: the new blocks have views above all that were ever
signed, and the store keeps a record of each time (`Rollback`). Commitments of blocks given up name an anchor that is
gone, so no settlement contract can accept them any more. What cannot go back (settlement holds a later block as posted
or final) is Corrupt: the node stops.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, replace

import trio

from execution.executor import Executor
from genesis import codec
from genesis.chain import Deployment, Header, Receipt, SignedTransaction
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec
from node.inbox import is_settled
from node.open_block import Anchor, OpenBlock, decode_results
from node.recovery import Progress, Recovered, initial_tip, recover, stored_block, stored_header, tip_at
from node.store import Store
from node.waiting_again import GivenUp
from settlement.adapter import SettlementAdapter

CURSOR = "rollbacks"
ROWS_BYTES_MAX = 16 << 20


@dataclass(frozen=True, slots=True)
class Rollback:
    """
    Why heights were signed twice. fork: the last block kept. height, hash, view: of the newest block given up; equal
    to the fork's when only an open block was. anchor_number, anchor_hash: settlement's block that is gone.
    """

    fork: int
    height: int
    hash: bytes
    view: int
    anchor_number: int
    anchor_hash: bytes
    time_ms: int


def rollbacks(store: Store) -> tuple[Rollback, ...]:
    """All there were, oldest first. Raises Corrupt."""
    row = store.cursor(CURSOR)
    if row is None:
        return ()
    try:
        rows = codec.expect_array(codec.decode(row, ROWS_BYTES_MAX), None, "Rollbacks")
        return tuple(Rollback(*codec.expect_array(members, 7, "A rollback")) for members in rows)
    except Invalid as error:
        raise Corrupt(f"the record of rollbacks does not decode: {error}") from error


async def fork_height(store: Store, adapter: SettlementAdapter, height: int) -> int:
    """
    The last block up to `height` whose anchor is on the settlement chain.

    Raises:
        Corrupt: settlement holds a commitment of what is behind it as posted or final.
    """
    fork, asked = height, b""
    while fork > 0:
        header = await trio.to_thread.run_sync(_header, store, fork)
        if header.anchor_hash != asked and await is_settled(adapter, _anchor(header)):
            break
        asked = header.anchor_hash
        fork -= 1
    standing = await adapter.standing(fork + 1)
    if standing in ("posted", "final"):
        raise Corrupt(
            f"settlement took back the anchor of block {fork + 1} but holds that block as {standing}: bad_anchor. What "
            "was sealed since cannot be posted."
        )
    return fork


def collect(store: Store, fork: int, open_block: OpenBlock | None) -> GivenUp:
    """Transactions and receipts of the stored blocks above `fork` and of the open one. Raises Corrupt."""
    transactions: list[tuple[SignedTransaction, Deployment | None]] = []
    receipts: list[Receipt] = []
    for row in store.blocks(fork + 1, store.head() or 0):
        block, _ = stored_block(row)
        works = {work.transaction_id: work for work in block.body.deployments}
        transactions += [(one, works.get(one.id)) for batch in block.body.batches for one in batch.open()]
        receipts += decode_results(row.receipts).receipts
    if open_block is not None:
        works = {work.transaction_id: work for work in open_block.deployments}
        transactions += [(one, works.get(one.id)) for batch in open_block.batches for one in batch.open()]
        receipts += open_block.receipts
    return GivenUp(tuple(transactions), tuple(replace(receipt, stage="reverted") for receipt in receipts))


def truncate(store: Store, fork: int, anchor: Anchor, given_up: GivenUp, now_ms: int) -> Rollback:
    """Let the stored chain end at `fork`, and record why."""
    before = rollbacks(store)
    height = store.head() or 0
    header = _header(store, height) if height else None
    view = max([header.view if header else 0, *(one.view for one in before)])
    block_hash = header.hash() if header else bytes(32)
    made = Rollback(fork, height, block_hash, view, anchor.number, anchor.hash, now_ms)
    rows = codec.encode(tuple(astuple(one) for one in (*before, made)))
    store.roll_back(fork, ((r.transaction, r.encode()) for r in given_up.receipts), {CURSOR: rows})
    return made


def state_at(
    spec: ChainSpec, store: Store, executor: Executor, genesis_root: bytes, fork: int, progress: Progress
) -> Recovered:
    """
    Bring the executor, on its thread, to the stored chain's end at `fork`: by images of pages while they are kept, else
    from the checkpoint or from genesis. Raises Corrupt.
    """
    try:
        executor.rollback(fork)
    except Invalid:  # beyond what memory keeps
        return recover(spec, store, executor, executor.genesis(spec), progress)
    checkpoint = store.checkpoint()
    tip = tip_at(spec, store, fork) if fork else initial_tip(spec, genesis_root)
    return Recovered(tip, 0, checkpoint[0] if checkpoint else None)


def _header(store: Store, height: int) -> Header:
    row = store.header(height)
    if row is None:
        raise Corrupt(f"block {height} is not stored")
    return stored_header(row)[0]


def _anchor(header: Header) -> Anchor:
    return Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
