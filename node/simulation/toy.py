"""
The chain's content in the simulation: real blocks whose transactions are any bytes, and whose state is a hash of them.

A state root is the hash over all transactions since genesis, so a block comes out as its header says on its own parent
only, and a liar's block with a wrong root is found out by running it.
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Draft:
    """What its leader decides of a block. validators: version of the set that certifies it."""

    view: int
    proposer: bytes
    time_ms: int
    anchor: int
    validators: int


def header_of(draft: Draft, parent: Link, body: Body, state: bytes) -> Header:
    """state: the root of the parent's state."""
    none, d = crypto.ZERO_HASH, draft
    return Header(
        HEADER_VERSION, parent.height + 1, d.time_ms, 0, parent.hash, d.view, d.proposer, d.validators, d.anchor, none,
        0, body.root(), none, none, none, none, apply(state, body), 0,
    )  # fmt: skip


def comes_out(block: Block, parent: Link, state: bytes) -> bool:
    """Whether a block says what running it on its parent's state gives."""
    header = block.header
    draft = Draft(header.view, header.proposer, header.time_ms, header.anchor_number, header.validators)
    later = header.time_ms > parent.time_ms and header.anchor_number >= parent.anchor
    return later and header == header_of(draft, parent, block.body, state)
