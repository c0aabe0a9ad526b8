"""
Transactions as the kernel reads them: one packed record each, joined into the input of a batch.

The host touches bytes, not values: packed arguments are copied as the client signed them. What only the ABI knows,
how many words an entry takes and gives, stands beside its selector; arguments of another length are marked for the
kernel to reject.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

from execution.executor import Query
from execution.vm.kernel import places
from genesis.chain import AnyTransaction, SignedTransaction, Transaction, UpgradeTransaction
from genesis.errors import Invalid

Shapes = Mapping[bytes, tuple[int, int]]
"""Program address ‖ selector → argument words, result words."""

_HEAD = struct.Struct("<q20s4x20s4x8q")
_CALL = struct.Struct("<20s4x4sHHq")
_WORD = 8
_UNKNOWN = (0, 0)
_ANNOUNCEMENT = struct.Struct("<24s I H H q 20s4x 8s")
_ANNOUNCED_WORDS = 4
_KERNEL_TARGET = b"\xff" * 24

assert _HEAD.size == places.TX_HEADER and _CALL.size == places.CALL_HEADER


def pack_call(program: bytes, selector: bytes, arguments: bytes, gas: int, shapes: Shapes) -> bytes:
    """One call: header, then the argument words; none for arguments that do not fit the entry."""
    words, results = shapes.get(program + selector, _UNKNOWN)
    if len(arguments) != words * _WORD and program + selector in shapes:
        return _CALL.pack(program, selector, places.CALL_MALFORMED, results, gas)
    return _CALL.pack(program, selector, words, results, gas) + arguments[: words * _WORD]


def pack_announcement(signed: SignedTransaction, program: bytes) -> bytes:
    """The one call of an upgrade: its target is no account's, so that no other transaction can announce."""
    return _ANNOUNCEMENT.pack(_KERNEL_TARGET, 0, _ANNOUNCED_WORDS, 0, 0, program, signed.id[:_WORD])


def intrinsic_gas(transaction: AnyTransaction, gas: Mapping[str, int]) -> int:
    """Gas taken before anything runs; a deployment pays for the bytes of source that every validator compiles."""
    if isinstance(transaction, Transaction):
        return gas["transaction_base"]
    size = sum(len(path) + len(text.encode()) for path, text in transaction.files)
    return gas["transaction_base"] + gas["deploy_base"] + gas["deploy_byte"] * size


def pack_transaction(signed: SignedTransaction, shapes: Shapes, gas: Mapping[str, int]) -> bytes:
    """The record of one transaction; a deployment is one without calls, an upgrade one with its announcement."""
    t = signed.transaction
    calls, flags = [], 0
    if isinstance(t, Transaction):
        calls = [pack_call(c.program, c.selector, c.arguments, c.gas, shapes) for c in t.calls]
        flags = places.TX_ATOMIC if t.atomic else 0
    elif isinstance(t, UpgradeTransaction):
        calls, flags = [pack_announcement(signed, t.program)], places.TX_ATOMIC
    body = b"".join(calls)
    head = _HEAD.pack(
        _HEAD.size + len(body), t.account, signed.signer, t.lane, t.sequence, t.expiry, t.gas, t.fee, flags, len(calls),
        intrinsic_gas(t, gas),
    )  # fmt: skip
    return head + body


def pack_batch(records: Sequence[bytes]) -> bytes:
    """Raises Invalid when the batch does not fit the kernel's input; cut it smaller."""
    packed = b"".join(records)
    if len(packed) > places.IO_INPUT_END or len(records) > places.TRANSACTIONS_MAX:
        raise Invalid(
            f"A batch has at most {places.TRANSACTIONS_MAX} transactions, {places.IO_INPUT_END} bytes packed; "
            f"this one has {len(records)} of {len(packed)}.",
            "batch_too_large",
        )
    return packed


def pack_query(query: Query, shapes: Shapes) -> bytes:
    """A view call; one whose arguments do not fit asks for an entry that does not exist."""
    selector = query.selector.to_bytes(_SELECTOR_BYTES, "little")
    words, _ = shapes.get(query.program + selector, _UNKNOWN)
    if len(query.arguments) != words * _WORD:
        return _CALL.pack(query.program, _NO_SELECTOR, 0, 0, query.gas)
    return pack_call(query.program, selector, query.arguments, query.gas, shapes)


_SELECTOR_BYTES = 4
_NO_SELECTOR = b"\xff\xff\xff\xff"


def pack_address(address: bytes) -> tuple[int, int, int]:
    """The three words of an account, signed."""
    a, b, c = struct.unpack("<3q", address.ljust(24, b"\x00"))
    return a, b, c
