"""
Blocks: header, body, and the proposer's signature over the header.

The header's hash and signature are over fixed-width big-endian fields (a settlement contract rebuilds them with one `concat`); the block as a
whole travels as canonical msgpack. Body and results hang on the header by roots: `body_root` binds batches, inbox entries and deployments,
so that a block checks and replays without the settlement chain. Parent of block 1 is the spec's hash.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto, merkle
from genesis.errors import Invalid
from genesis.settling import InboxEntry, Withdrawal
from genesis.transaction import SignedTransaction
from genesis.transaction import decode as decode_transaction

BLOCK_TAG = b"\x19Tenor block v1\n"
HEADER_VERSION = 1
BLOCK_BYTES_MAX = 64 * 1024 * 1024
WASM_BYTES_MAX = 4 * 1024 * 1024
ABI_BYTES_MAX = 1024 * 1024
COMPILER_BYTES_MAX = 64

_WIDTHS = (4, 8, 8, 8, 32, 8, 20, 8, 8, 32, 8, 32, 32, 32, 32, 32, 32, 8)


@dataclass(frozen=True, slots=True)
class Header:
    """
    What a block is. Fields in hashing order, with their width in bytes.

    version 4, height 8 (from 1), time_ms 8, gap_ms 8 (of an outage before this block, else 0), parent 32 (hash), view 8, proposer 20,
    validators 8 (version of the set), anchor_number 8 and anchor_hash 32 (settlement block whose deposits are read), inbox_count 8
    (entries consumed over the chain's life, this block included), body_root, receipts_root, events_root, withdrawals_root, claims_root,
    state_root 32 each, gas_used 8. withdrawals_root is over all withdrawals since the commitment span of this height began
    (`commitment_span`), so that the certificate of a span's last block vouches for the commitment's tree.
    """

    version: int
    height: int
    time_ms: int
    gap_ms: int
    parent: bytes
    view: int
    proposer: bytes
    validators: int
    anchor_number: int
    anchor_hash: bytes
    inbox_count: int
    body_root: bytes
    receipts_root: bytes
    events_root: bytes
    withdrawals_root: bytes
    claims_root: bytes
    state_root: bytes
    gas_used: int

    def __post_init__(self) -> None:
        for name, width, value in zip(self.__slots__, _WIDTHS, self.fields(), strict=True):
            if width > 8 or name == "proposer":
                codec.check_bytes(value, width, f"A header's {name}")
            else:
                codec.check_uint(value, min(width * 8, 63), f"A header's {name}")

    def fields(self) -> tuple[Any, ...]:
        return (
            self.version, self.height, self.time_ms, self.gap_ms, self.parent, self.view, self.proposer, self.validators,
            self.anchor_number, self.anchor_hash, self.inbox_count, self.body_root, self.receipts_root, self.events_root,
            self.withdrawals_root, self.claims_root, self.state_root, self.gas_used,
        )  # fmt: skip

    def fixed_bytes(self) -> bytes:
        """Return the fields at their fixed widths, 350 bytes: what is hashed and signed."""
        pairs = zip(_WIDTHS, self.fields(), strict=True)
        return b"".join(value if isinstance(value, bytes) else value.to_bytes(width, "big") for width, value in pairs)

    def hash(self) -> bytes:
        """Return SHA-256 of the fixed-width fields: the block's hash."""
        return crypto.sha256(self.fixed_bytes())

    def proposal_digest(self) -> bytes:
        """Return what the proposer signs: keccak256(BLOCK_TAG ‖ fixed-width fields)."""
        return crypto.keccak256(BLOCK_TAG + self.fixed_bytes())

    @classmethod
    def of(cls, members: object) -> Header:
        return cls(*codec.expect_array(members, len(_WIDTHS), "A header"))


@dataclass(frozen=True, slots=True)
class Batch:
    """Signed transactions as wire bytes, in the leader's order; one call into the engine."""

    transactions: tuple[bytes, ...]

    def root(self) -> bytes:
        """Return the list root over the wire bytes."""
        return merkle.list_root(self.transactions)

    def open(self) -> tuple[SignedTransaction, ...]:
        """Decode and recover every transaction (70 µs each). Raises Invalid."""
        return tuple(decode_transaction(raw) for raw in self.transactions)


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    A program recorded in a block; active `deployment_delay_blocks` later.

    address: `program_address` of the deploying transaction. deployer: its signer. name, arguments, admin: as in DeployTransaction, so
    that activation needs no look back. compiler: version. ir_hash: SHA-256 of the IR's text form. abi: canonical JSON.
    The source stands in the transaction.
    """

    address: bytes
    transaction_id: bytes
    deployer: bytes
    name: str
    arguments: bytes
    admin: bytes
    compiler: str
    ir_hash: bytes
    wasm: bytes
    abi: str

    def __post_init__(self) -> None:
        codec.check_bytes(self.address, crypto.ADDRESS_BYTES, "A deployment's address")
        codec.check_bytes(self.transaction_id, crypto.HASH_BYTES, "A deployment's transaction")
        codec.check_bytes(self.deployer, crypto.ADDRESS_BYTES, "A deployment's deployer")
        codec.check_text(self.compiler, COMPILER_BYTES_MAX, "A compiler's version")
        codec.check_bytes(self.ir_hash, crypto.HASH_BYTES, "A deployment's IR hash")
        codec.check_text(self.abi, ABI_BYTES_MAX, "An ABI")
        if type(self.wasm) is not bytes or len(self.wasm) > WASM_BYTES_MAX:
            raise Invalid(f"A program's WASM has at most {WASM_BYTES_MAX} bytes.", "too_large")

    def fields(self) -> tuple[Any, ...]:
        return (
            self.address, self.transaction_id, self.deployer, self.name, self.arguments, self.admin, self.compiler,
            self.ir_hash, self.wasm, self.abi,
        )  # fmt: skip

    def code_hash(self) -> bytes:
        """Return SHA-256 of the WASM, as it stands in the program's leaf of the state tree."""
        return crypto.sha256(self.wasm)

    @classmethod
    def of(cls, members: object) -> Deployment:
        return cls(*codec.expect_array(members, 10, "A deployment"))


@dataclass(frozen=True, slots=True)
class Body:
    """Everything execution needs: batches in order, inbox entries credited before the first, deployments recorded."""

    batches: tuple[Batch, ...]
    inbox: tuple[InboxEntry, ...] = ()
    deployments: tuple[Deployment, ...] = ()

    def root(self) -> bytes:
        """Return the list root over: inbox entries' root, deployments' root, then each batch's root."""
        inbox = merkle.list_root(codec.encode(entry.fields()) for entry in self.inbox)
        deployments = merkle.list_root(codec.encode(deployment.fields()) for deployment in self.deployments)
        return merkle.list_root((inbox, deployments, *(batch.root() for batch in self.batches)))

    def fields(self) -> tuple[Any, ...]:
        batches = tuple(batch.transactions for batch in self.batches)
        return (batches, tuple(e.fields() for e in self.inbox), tuple(d.fields() for d in self.deployments))

    @classmethod
    def of(cls, members: object) -> Body:
        batches, inbox, deployments = (codec.expect_array(m, None, "A body's part") for m in codec.expect_array(members, 3, "A body"))
        return cls(tuple(map(_batch, batches)), tuple(map(InboxEntry.of, inbox)), tuple(map(Deployment.of, deployments)))


@dataclass(frozen=True, slots=True)
class Block:
    """signature: the proposer's, over `header.proposal_digest()`."""

    header: Header
    body: Body
    signature: bytes

    def hash(self) -> bytes:
        return self.header.hash()

    def encode(self) -> bytes:
        """Canonical msgpack of [header, body, signature]."""
        return codec.encode((self.header.fields(), self.body.fields(), self.signature))

    @classmethod
    def decode(cls, data: bytes) -> Block:
        """
        Decode, and check that header, body and signature belong together.

        Raises:
            Invalid: codec's codes, "bad_signature", "wrong_proposer" or "wrong_body".
        """
        header, body, signature = codec.decode_array(data, 3, BLOCK_BYTES_MAX, "A block", depth_max=5)
        block = cls(Header.of(header), Body.of(body), signature)
        codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A proposer's signature")
        if crypto.recover(block.header.proposal_digest(), signature) != block.header.proposer:
            raise Invalid(f"Block {block.header.height} is not signed by the proposer its header names.", "wrong_proposer")
        if block.body.root() != block.header.body_root:
            raise Invalid(f"The body of block {block.header.height} is not the one its header names.", "wrong_body")
        return block


def sign_block(header: Header, body: Body, private_key: bytes) -> Block:
    """Sign as proposer; header and body must belong together."""
    assert header.body_root == body.root(), "the header names another body"
    assert header.proposer == crypto.address_of(private_key), "the header names another proposer"
    return Block(header, body, crypto.sign(header.proposal_digest(), private_key))


def receipts_root(encoded: Iterable[bytes]) -> bytes:
    """Return the list root over `Receipt.encode()` of all transactions, in the leader's order."""
    return merkle.list_root(encoded)


def events_root(events: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Return the list root over events (program number, event number, packed fields): u32 ‖ u32 ‖ fields, big-endian numbers."""
    return merkle.list_root(program.to_bytes(4, "big") + event.to_bytes(4, "big") + data for program, event, data in events)


def withdrawals_root(withdrawals: Iterable[Withdrawal]) -> bytes:
    """Return the list root over all withdrawals of a commitment span so far, in order of index."""
    return merkle.list_root(withdrawal.leaf_bytes() for withdrawal in withdrawals)


def commitment_span(height: int, commitment_blocks: int) -> tuple[int, int]:
    """Return first and last height of the commitment that covers `height` ≥ 1: 1 … B, B + 1 … 2 B, and so on."""
    first = (height - 1) // commitment_blocks * commitment_blocks + 1
    return first, first + commitment_blocks - 1


def _batch(transactions: object) -> Batch:
    members = codec.expect_array(transactions, None, "A batch")
    if any(type(raw) is not bytes for raw in members):
        raise Invalid("A batch is an array of transactions' wire bytes.", "malformed")
    return Batch(members)
