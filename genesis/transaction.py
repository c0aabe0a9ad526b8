"""
Transactions: what an account signs, and how it stands on the wire.

On the wire: one raw byte `kind`, then the canonical msgpack array of the fields below in their order; the signed form
has the signature as one more member at the end. The id, which is also what is signed, is keccak256(TAG ‖ unsigned
wire bytes). Kinds 0x00–0x04 and ≥ 0xc0 stay Ethereum's own. Values that break a bound of the format cannot be built;
bounds that a chain chooses (gas, fee minimum, lanes per signer) stand in `ChainSpec` and are checked by mempool and
kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, ClassVar, TypeVar

from genesis import codec, crypto
from genesis.errors import Invalid

TRANSACTION_TAG = b"\x19Tenor transaction v1\n"
"""0x19 opens no RLP transaction, and "T" is no version of EIP-191: this signature means nothing anywhere else."""
PROGRAM_TAG = b"\x19Tenor program v1\n"

KIND_CALLS = 0x20
KIND_DEPLOY = 0x21
KIND_UPGRADE = 0x22
KINDS_WITH_SOURCE = (KIND_DEPLOY, KIND_UPGRADE)

RAW_BYTES_MAX = 128 * 1024
CALLS_MAX = 256
ARGUMENT_BYTES_MAX = 4096
SELECTOR_BYTES = 4
NAME_BYTES_MAX = 64
FILES_MAX = 32
PATH_BYTES_MAX = 128
WORD_BITS = 63
"""Most integers must fit a signed 64-bit word of the language."""
GAS_BITS = 32


_Frozen = TypeVar("_Frozen", bound="Call | Transaction")


class OrderClass(IntEnum):
    """Top two bits of a lane. A later phase of the batch has the smaller number: cancel runs first."""

    TRADE = 0
    POST_ONLY = 1
    CANCEL = 2

    @property
    def rank(self) -> int:
        """0 cancel, 1 post_only, 2 trade; an entry is reachable when its rank ≤ the transaction's."""
        return 2 - self.value


def order_class(lane: int) -> OrderClass:
    """Return the class that the top two bits of a u32 lane name. Raises Invalid "bad_lane" for 3."""
    bits = lane >> 30
    if bits > 2:
        raise Invalid(f"Lane {lane} has top bits 3; they are 0 trade, 1 post_only or 2 cancel.", "bad_lane")
    return OrderClass(bits)


@dataclass(frozen=True, slots=True)
class Call:
    """program: address. selector: 4 bytes. arguments: packed words, ≤ 4 KiB. gas: cap of this call, 0 is none."""

    program: bytes
    selector: bytes
    arguments: bytes
    gas: int = 0

    def __post_init__(self) -> None:
        codec.check_bytes(self.program, crypto.ADDRESS_BYTES, "A call's program")
        codec.check_bytes(self.selector, SELECTOR_BYTES, "A call's selector")
        codec.check_uint(self.gas, GAS_BITS, "A call's gas cap")
        _check_arguments(self.arguments, "A call's arguments")


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    Calls of one account under one signature.

    chain: chain id. account: who acts; the signer is it or its agent. lane: u32, lanes belong to the signer, top bits
    are the order class. sequence: number in the lane. expiry: last block time in ms. gas: units at most. fee: price
    per gas, raw 10⁻¹⁸ of the fee asset. atomic: one failing call undoes all. calls: 1 to CALLS_MAX.
    """

    chain: int
    account: bytes
    lane: int
    sequence: int
    expiry: int
    gas: int
    fee: int
    atomic: bool
    calls: tuple[Call, ...]

    kind: ClassVar[int] = KIND_CALLS

    def __post_init__(self) -> None:
        _check_head(self)
        if type(self.atomic) is not bool:
            raise Invalid("atomic is true or false.", "malformed")
        if not 1 <= len(self.calls) <= CALLS_MAX:
            raise Invalid(f"A transaction has 1 to {CALLS_MAX} calls, not {len(self.calls)}.", "malformed")

    def fields(self) -> tuple[Any, ...]:
        """Members of the unsigned wire array."""
        calls = tuple((call.program, call.selector, call.arguments, call.gas) for call in self.calls)
        return (*_head(self), self.atomic, calls)


@dataclass(frozen=True, slots=True)
class DeployTransaction:
    """
    A program's source, to become a program some blocks later. Head fields as in Transaction.

    name: of the program, ASCII; the file that defines it is `<name>.py`, or the only one. files: (path, text) ordered
    by path, paths unique. arguments: packed arguments of `create`. admin: address, or b"" for a program that nobody can
    ever upgrade.
    """

    chain: int
    account: bytes
    lane: int
    sequence: int
    expiry: int
    gas: int
    fee: int
    name: str
    files: tuple[tuple[str, str], ...]
    arguments: bytes
    admin: bytes = b""

    kind: ClassVar[int] = KIND_DEPLOY

    def __post_init__(self) -> None:
        _check_head(self)
        _check_source(self, "create")
        if self.admin != b"":
            codec.check_bytes(self.admin, crypto.ADDRESS_BYTES, "An admin, unless empty,")

    def fields(self) -> tuple[Any, ...]:
        """Members of the unsigned wire array."""
        return (*_head(self), self.name, self.files, self.arguments, self.admin)


@dataclass(frozen=True, slots=True)
class UpgradeTransaction:
    """
    A next version of a program, announced by its admin; it runs when its code is recorded and the time-lock has passed.

    Head fields as in Transaction, name and files as in DeployTransaction. program: address. arguments: packed
    arguments of the method marked @migrate.
    """

    chain: int
    account: bytes
    lane: int
    sequence: int
    expiry: int
    gas: int
    fee: int
    program: bytes
    name: str
    files: tuple[tuple[str, str], ...]
    arguments: bytes

    kind: ClassVar[int] = KIND_UPGRADE

    def __post_init__(self) -> None:
        _check_head(self)
        codec.check_bytes(self.program, crypto.ADDRESS_BYTES, "The program to upgrade")
        _check_source(self, "migrate")

    def fields(self) -> tuple[Any, ...]:
        """Members of the unsigned wire array."""
        return (*_head(self), self.program, self.name, self.files, self.arguments)


SourceTransaction = DeployTransaction | UpgradeTransaction
AnyTransaction = Transaction | DeployTransaction | UpgradeTransaction


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """
    A transaction whose signature has been recovered. Built by `sign`, `decode` and `unsigned`.

    signer: 20-byte address recovered. id: what was signed. raw: the wire bytes.
    """

    transaction: AnyTransaction
    signature: bytes
    signer: bytes
    id: bytes
    raw: bytes


def transaction_id(transaction: AnyTransaction) -> bytes:
    """Return keccak256(TRANSACTION_TAG ‖ unsigned wire bytes): the id, and the digest that is signed."""
    return crypto.keccak256(TRANSACTION_TAG + unsigned_bytes(transaction))


def unsigned_bytes(transaction: AnyTransaction) -> bytes:
    """Return the wire bytes without signature."""
    return bytes((transaction.kind,)) + codec.encode(transaction.fields())


def sign(transaction: AnyTransaction, private_key: bytes) -> SignedTransaction:
    """Sign with a 32-byte key. Raises Invalid "too_large" beyond RAW_BYTES_MAX, "bad_key"."""
    identity = transaction_id(transaction)
    return _assemble(transaction, crypto.sign(identity, private_key), crypto.address_of(private_key), identity)


def unsigned(transaction: AnyTransaction, signer: bytes) -> SignedTransaction:
    """Stand in for a signed transaction in a simulation: signer as given, signature all zero. Never decodes."""
    return _assemble(transaction, bytes(crypto.SIGNATURE_BYTES), signer, transaction_id(transaction))


def decode(raw: bytes) -> SignedTransaction:
    """
    Decode wire bytes and recover the signer (70 µs, most of it outside the GIL).

    Raises:
        Invalid: "too_large", "unknown_kind", "malformed", "too_deep", "non_canonical", "bad_lane" or "bad_signature".
    """
    if len(raw) > RAW_BYTES_MAX:
        raise Invalid(f"A transaction has at most {RAW_BYTES_MAX} bytes; this one has {len(raw)}.", "too_large")
    kind = raw[0] if raw else None
    if kind not in _BUILDERS:
        raise Invalid(
            f"A transaction opens with kind 0x20 (calls), 0x21 (deployment) or 0x22 (upgrade), not {raw[:1].hex()!r}.",
            "unknown_kind",
        )
    build, length = _BUILDERS[kind]
    members = codec.decode_array(raw[1:], length + 1, RAW_BYTES_MAX, "A signed transaction", depth_max=3)
    transaction = build(members[:-1])
    signature = members[-1]
    codec.check_bytes(signature, crypto.SIGNATURE_BYTES, "A signature")
    identity = _identity(raw, length)
    return SignedTransaction(transaction, signature, crypto.recover(identity, signature), identity, raw)


def decode_trusted(raw: bytes, signer: bytes, identity: bytes = b"") -> SignedTransaction:
    """
    Decode wire bytes that this node itself has decoded before (gateway to core, own store): no recovery, no canonical
    check, no bounds (4 µs).

    signer, identity: what `decode` found; the id is computed when left out.
    """
    members = codec.decode_trusted(raw[1:])
    build, length = _BUILDERS[raw[0]]
    transaction = _trust_calls(members) if raw[0] == KIND_CALLS else build(members[:-1])
    return SignedTransaction(transaction, members[-1], signer, identity or _identity(raw, length), raw)


def program_address(deployer: bytes, lane: int, sequence: int) -> bytes:
    """
    Return the address of the program that a deployment creates.

        keccak256(PROGRAM_TAG ‖ deployer ‖ lane u32 ‖ sequence u64)[12:], big-endian

    deployer is the *signer*, for lanes belong to signers: two agents of one account never collide.
    """
    return crypto.keccak256(PROGRAM_TAG + deployer + lane.to_bytes(4, "big") + sequence.to_bytes(8, "big"))[12:]


def _assemble(transaction: AnyTransaction, signature: bytes, signer: bytes, identity: bytes) -> SignedTransaction:
    raw = bytes((transaction.kind,)) + codec.encode((*transaction.fields(), signature))
    if len(raw) > RAW_BYTES_MAX:
        raise Invalid(f"A transaction has at most {RAW_BYTES_MAX} bytes; this one would have {len(raw)}.", "too_large")
    return SignedTransaction(transaction, signature, signer, identity, raw)


def _identity(raw: bytes, length: int) -> bytes:
    """Canonical bytes, so the unsigned form is the same array with a head of one member less and without its last."""
    return crypto.keccak256(TRANSACTION_TAG + raw[:1] + bytes((0x90 + length,)) + raw[2 : -crypto.SIGNATURE_BYTES - 2])


def _head(transaction: AnyTransaction) -> tuple[Any, ...]:
    t = transaction
    return (t.chain, t.account, t.lane, t.sequence, t.expiry, t.gas, t.fee)


def _check_head(transaction: AnyTransaction) -> None:
    codec.check_uint(transaction.chain, WORD_BITS, "chain")
    codec.check_bytes(transaction.account, crypto.ADDRESS_BYTES, "account")
    codec.check_uint(transaction.lane, 32, "lane")
    order_class(transaction.lane)
    codec.check_uint(transaction.sequence, WORD_BITS, "sequence")
    codec.check_uint(transaction.expiry, WORD_BITS, "expiry")
    codec.check_uint(transaction.gas, GAS_BITS, "gas")
    codec.check_uint(transaction.fee, WORD_BITS, "fee")


def _check_source(transaction: SourceTransaction, method: str) -> None:
    """Name, files and the arguments of the method that runs first."""
    codec.check_text(transaction.name, NAME_BYTES_MAX, "A program's name")
    if not 1 <= len(transaction.files) <= FILES_MAX:
        raise Invalid(f"A deployment has 1 to {FILES_MAX} files, not {len(transaction.files)}.", "malformed")
    for path, text in transaction.files:
        codec.check_text(path, PATH_BYTES_MAX, "A file's path")
        codec.check_text(text, RAW_BYTES_MAX, "A file's text")
    paths = [path for path, _ in transaction.files]
    if sorted(set(paths)) != paths:
        raise Invalid("Files are ordered by path, each path once.", "malformed")
    _check_arguments(transaction.arguments, f"The arguments of {method}")


def _check_arguments(arguments: object, what: str) -> None:
    if type(arguments) is not bytes or len(arguments) > ARGUMENT_BYTES_MAX:
        raise Invalid(f"{what} are at most {ARGUMENT_BYTES_MAX} bytes.", "malformed")


def _build_calls(members: tuple[Any, ...]) -> Transaction:
    calls = codec.expect_array(members[8], None, "calls")
    chain, account, lane, sequence, expiry, gas, fee, atomic = members[:8]
    built = tuple(Call(*codec.expect_array(call, 4, "A call")) for call in calls)
    return Transaction(chain, account, lane, sequence, expiry, gas, fee, atomic, built)


def _trust_calls(members: tuple[Any, ...]) -> Transaction:
    """As _build_calls, past the checks of the constructors."""
    calls = tuple(_unchecked(Call, call) for call in members[8])
    return _unchecked(Transaction, (*members[:8], calls))


def _unchecked(kind: type[_Frozen], members: tuple[Any, ...]) -> _Frozen:
    made = object.__new__(kind)
    for name, value in zip(kind.__slots__, members, strict=True):
        _set(made, name, value)
    return made


_set = object.__setattr__


def _build_deploy(members: tuple[Any, ...]) -> DeployTransaction:
    files = codec.expect_array(members[8], None, "files")
    for file in files:
        codec.expect_array(file, 2, "A file")
    return DeployTransaction(*members)


def _build_upgrade(members: tuple[Any, ...]) -> UpgradeTransaction:
    files = codec.expect_array(members[9], None, "files")
    for file in files:
        codec.expect_array(file, 2, "A file")
    return UpgradeTransaction(*members)


_BUILDERS: dict[int | None, tuple[Callable[[tuple[Any, ...]], AnyTransaction], int]] = {
    KIND_CALLS: (_build_calls, 9),
    KIND_DEPLOY: (_build_deploy, 11),
    KIND_UPGRADE: (_build_upgrade, 11),
}
