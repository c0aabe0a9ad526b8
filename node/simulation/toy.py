"""
The chain's content in the simulation: real blocks whose transactions are any bytes, and whose state is a hash of them.

A state root is the hash over all transactions since genesis, so a block comes out as its header says on its own parent
only, and a liar's block with a wrong root is found out by running it.
"""

from __future__ import annotations

from genesis import crypto
from genesis.chain import Batch, Block, Body, Header
from genesis.header import HEADER_VERSION
from node.consensus.words import Link

CHAIN = 4_242
GENESIS_STATE = crypto.sha256(b"toy state")
GENESIS = Link(0, 0, crypto.sha256(b"toy genesis"), crypto.ZERO_HASH, crypto.ZERO_ADDRESS, 0)


def apply(state: bytes, body: Body) -> bytes:
    """The state root after a block's transactions, in their order."""
    for batch in body.batches:
        for transaction in batch.transactions:
            state = crypto.sha256(state + transaction)
    return crypto.sha256(state)


def body_of(*transactions: bytes) -> Body:
    return Body((Batch(transactions),))


def header_of(view: int, parent: Link, proposer: bytes, time_ms: int, body: Body, state: bytes) -> Header:
    """state: the root of the parent's state."""
    none = crypto.ZERO_HASH
    return Header(
        HEADER_VERSION, parent.height + 1, time_ms, 0, parent.hash, view, proposer, 0, 0, none, 0, body.root(), none,
        none, none, none, apply(state, body), 0,
    )  # fmt: skip


def comes_out(block: Block, parent: Link, state: bytes) -> bool:
    """Whether a block says what running it on its parent's state gives."""
    header = block.header
    mine = header_of(header.view, parent, header.proposer, header.time_ms, block.body, state)
    return header == mine and header.time_ms > parent.time_ms
