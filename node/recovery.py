"""
Back to where the node stood: checkpoint, then the blocks since, then the batch log of the open block.

Also the heart of an audit: replay every stored block from genesis and compare. Each step checks what it finds against
what was signed; a difference is Corrupt and names the height.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from execution.executor import CheckpointChunk, Executor, Sealed
from execution.transition import apply_batch, opening_of, seal_block
from execution.vm import upgrade
from genesis import chain, codec
from genesis.chain import Block, Body, Certificate, Deployment, Header, SignedTransaction, Withdrawal
from genesis.crypto import ZERO_HASH
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec, genesis_hash
from node.open_block import Anchor, OpenBlock, decode_results, reopen
from node.sequencer import Tip, advance, span_withdrawals
from node.store import Store, StoredBlock

HEADER_ROW_BYTES_MAX = 64 * 1024

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recovered:
    """
    replayed: blocks run again. open_block: taken up from the batch log, None when none was open. checkpoint: height of
    the checkpoint on disk.
    """

    tip: Tip
    open_block: OpenBlock | None
    replayed: int
    checkpoint: int | None


def stored_header(row: bytes) -> tuple[Header, bytes, Certificate]:
    """Header, proposer's signature and certificate of a stored header row. Raises Corrupt."""
    try:
        members = codec.decode_array(row, 3, HEADER_ROW_BYTES_MAX, "A stored header", depth_max=3)
        header, signature, certificate = members
        return Header.of(header), signature, Certificate.of(certificate)
    except Invalid as error:
        raise Corrupt(f"a stored header does not decode: {error}") from error


def stored_block(row: StoredBlock) -> tuple[Block, Certificate]:
    """Raises Corrupt."""
    header, signature, certificate = stored_header(row.header)
    try:
        body = Body.of(codec.decode(row.body, chain.BLOCK_BYTES_MAX))
    except Invalid as error:
        raise Corrupt(f"the stored body of block {row.height} does not decode: {error}") from error
    return Block(header, body, signature), certificate


def initial_tip(spec: ChainSpec, state_root: bytes) -> Tip:
    """The tip before block 1."""
    return Tip(None, genesis_hash(spec, state_root), 0, Anchor(0, ZERO_HASH, 0), [], {})


def recover(spec: ChainSpec, store: Store, executor: Executor, genesis_root: bytes, progress: Progress) -> Recovered:
    """
    Bring a fresh executor to the store's state; called on the engine's thread.

    Args:
        genesis_root: state root of height 0, which `executor` has just computed.

    Raises:
        Corrupt: a checkpoint or a replayed block gives another root than was signed, or a row does not decode.
    """
    head = store.head()
    checkpoint = store.checkpoint()
    tip, start = initial_tip(spec, genesis_root), 1
    if checkpoint is not None:
        start = checkpoint[0] + 1
        tip = restore_checkpoint(spec, store, executor, *checkpoint)
    last = head or 0
    for row in store.blocks(start, last):
        block, _ = stored_block(row)
        tip = replay_block(spec, executor, tip, block)
        progress(block.header.height, last)
    return Recovered(
        tip,
        reopen(executor, tip.hash, store.batches(last + 1)),
        last + 1 - start,
        checkpoint[0] if checkpoint else None,
    )


def replay_block(
    spec: ChainSpec, executor: Executor, tip: Tip, block: Block, inspect: Callable[[Block, Sealed], None] | None = None
) -> Tip:
    """Run one stored block and compare everything its header says. Raises Corrupt on any difference."""
    height = block.header.height
    opening = opening_of(block, tip.waiting_deployments.get(height, ()))
    anchor = Anchor(block.header.anchor_number, block.header.anchor_hash, block.header.inbox_count)
    again = OpenBlock(opening, anchor)
    try:
        for batch in block.body.batches:
            transactions = batch.open()
            _check_kernels(block, transactions, spec)
            again.add(transactions, block.body.deployments, apply_batch(executor, opening, transactions))
    except Invalid as error:
        raise Corrupt(f"block {height} does not replay: {error}") from error
    again.deployments = list(block.body.deployments)
    sealed = seal_block(executor)
    burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
    withdrawals = span_withdrawals(tip, height, spec, burnt)
    header = again.header(sealed, withdrawals, block.header.proposer, block.header.validators, block.header.view)
    if header != block.header:
        raise Corrupt(f"block {height} does not replay: {_difference(header, block.header)}")
    if inspect is not None:
        inspect(block, sealed)
    return advance(tip, block, withdrawals, spec)


def _check_kernels(block: Block, transactions: Sequence[SignedTransaction], spec: ChainSpec) -> None:
    """A kernel that a block records is the one that the admin signed. Raises Invalid, Corrupt."""
    recorded = {one.transaction_id: one for one in block.body.deployments}
    for signed in transactions:
        found = recorded.get(signed.id) if upgrade.upgrades(signed.transaction) else None
        if found is not None and found != upgrade.deployment_of(signed, spec):
            raise Corrupt(f"block {block.header.height} records another kernel than was signed")


def _difference(again: Header, signed: Header) -> str:
    pairs = zip(Header.__slots__, again.fields(), signed.fields(), strict=True)
    rows = [f"{name} is {_show(new)} again, {_show(old)} was signed" for name, new, old in pairs if new != old]
    return "; ".join(rows)


def _show(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def restore_checkpoint(spec: ChainSpec, store: Store, executor: Executor, height: int, meta: bytes) -> Tip:
    """The executor as it was when the checkpoint was written; what the next block needs to know. Raises Corrupt."""

    def chunks() -> Iterator[CheckpointChunk]:
        for pages in store.pages():
            yield CheckpointChunk(pages.program, pages.first_page, pages.data)

    try:
        root = executor.restore(spec, meta, chunks())
    except Invalid as error:
        raise Corrupt(f"the checkpoint of height {height} cannot be restored: {error}") from error
    row = store.header(height)
    if row is None:
        raise Corrupt(f"the checkpoint is of height {height}, but that block is not stored")
    header, _, _ = stored_header(row)
    if header.state_root != root:
        raise Corrupt(f"the checkpoint of height {height} has root {root.hex()}, signed was {header.state_root.hex()}")
    return tip_at(spec, store, height)


def tip_at(spec: ChainSpec, store: Store, height: int) -> Tip:
    """What the block after the stored one of `height` needs to know. Raises Corrupt."""
    row = store.header(height)
    if row is None:
        raise Corrupt(f"block {height} is not stored")
    header, _, _ = stored_header(row)
    anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
    return Tip(header, header.hash(), header.time_ms, anchor, _span(spec, store, height), _waiting(spec, store, height))


def _span(spec: ChainSpec, store: Store, height: int) -> list[Withdrawal]:
    """Withdrawals of the commitment span of `height`, up to and with it."""
    first, _ = chain.commitment_span(height, spec.commitment_blocks)
    rows = store.blocks(first, height)
    return [withdrawal for row in rows for withdrawal in decode_results(row.receipts).withdrawals]


def _waiting(spec: ChainSpec, store: Store, height: int) -> dict[int, tuple[Deployment, ...]]:
    """Deployments recorded up to `height` and not active yet."""
    rows = store.blocks(max(1, height + 1 - spec.deployment_delay_blocks), height)
    blocks = (stored_block(row)[0] for row in rows)
    return {b.header.height + spec.deployment_delay_blocks: b.body.deployments for b in blocks if b.body.deployments}
