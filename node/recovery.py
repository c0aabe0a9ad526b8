"""
Back to where the stored chain ends: checkpoint, then the blocks since. What was open is taken up by the sequencer.

Also the heart of an audit: replay every stored block from genesis and compare. Each step checks what it finds against
what was signed; a difference is Corrupt and names the height.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from execution.executor import CheckpointChunk, Executor, Sealed
from genesis import chain, codec
from genesis.chain import Block, Body, Certificate, Deployment, Header, Withdrawal
from genesis.crypto import ZERO_HASH
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec, genesis_hash
from node.line import run_block
from node.open_block import Anchor, decode_results
from node.store import Store, StoredBlock
from node.tip import Tip

HEADER_ROW_BYTES_MAX = 64 * 1024

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Recovered:
    """
    tip: the newest stored block. replayed: blocks run again. checkpoint: height of the one on disk.
    """

    tip: Tip
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
    return Recovered(tip, last + 1 - start, checkpoint[0] if checkpoint else None)


def replay_block(
    spec: ChainSpec, executor: Executor, tip: Tip, block: Block, inspect: Callable[[Block, Sealed], None] | None = None
) -> Tip:
    """Run one stored block and compare everything its header says. Raises Corrupt on any difference."""
    try:
        executed = run_block(spec, executor, tip, block, None)
    except Invalid as error:
        raise Corrupt(f"block {block.header.height} does not replay: {error}") from error
    if inspect is not None:
        inspect(block, executed.sealed)
    return executed.tip


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
