"""
Blocks: header, body, and the proposer's signature over the header; on the wire canonical msgpack.

The body hangs on the header by `body_root`, which binds batches, inbox entries and deployments, so that a block
checks and replays without the settlement chain. Results hang on it by the roots computed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto, merkle
from genesis.errors import Invalid
from genesis.header import Header
from genesis.settling import InboxEntry, inbox_entry
from genesis.transaction import SignedTransaction
from genesis.transaction import decode as decode_transaction

BLOCK_BYTES_MAX = 64 * 1024 * 1024
WASM_BYTES_MAX = 4 * 1024 * 1024
ABI_BYTES_MAX = 1024 * 1024
COMPILER_BYTES_MAX = 64


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

    address: `program_address` of the deploying transaction. deployer: its signer. name, arguments, admin: as in
    DeployTransaction, so that activation needs no look back. compiler: version. ir_hash: SHA-256 of the IR's text
    form. abi: canonical JSON. The source stands in the transaction.
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
    """
    Everything execution needs: batches in order, deployments recorded, and inbox entries, taken in before the first
    batch: deposits credited, forced transactions run.
    """

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
        batches, inbox, deployments = (
            codec.expect_array(m, None, "A body's part") for m in codec.expect_array(members, 3, "A body")
        )
        return cls(tuple(map(_batch, batches)), tuple(map(inbox_entry, inbox)), tuple(map(Deployment.of, deployments)))


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
            raise Invalid(
                f"Block {block.header.height} is not signed by the proposer its header names.", "wrong_proposer"
            )
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
    """
    Return the list root over events (program number, event number, packed fields): u32 ‖ u32 ‖ fields, big-endian
    numbers.
    """
    return merkle.list_root(event_item(*event) for event in events)


def event_item(program: int, event: int, data: bytes) -> bytes:
    """One item of the events root's list."""
    return program.to_bytes(4, "big") + event.to_bytes(4, "big") + data


def _batch(transactions: object) -> Batch:
    members = codec.expect_array(transactions, None, "A batch")
    if any(type(raw) is not bytes for raw in members):
        raise Invalid("A batch is an array of transactions' wire bytes.", "malformed")
    return Batch(members)
