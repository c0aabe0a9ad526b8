"""
Packed words of the ABI under CPython: what `sha256` hashes, and what a value takes on the wire.

Words of 8 bytes, little-endian; see `compiler.abi_values` for the same from the compiler's types.
"""

from __future__ import annotations

import hashlib
from typing import Any

from execution.lang.kinds import BOOL, INT, NONE, Kind, OptionalKind, Plain, TupleKind, ValueKind
from execution.lang.sequences import SequenceKind
from execution.lang.struct import StructKind, kinds_of
from execution.lang.values import Bytes32

WORD_BYTES = 8
SIZES = {"decimal": 16, "account": 24, "symbol": 16, "bytes32": 32}
HASHED_WORDS_MAX = 128


def packed_bytes(kind: Kind) -> int:
    """Bytes of the packed image of a flat kind's values."""
    match kind:
        case OptionalKind(inner):
            return WORD_BYTES + packed_bytes(inner)
        case TupleKind(members):
            return sum(packed_bytes(member) for member in members)
        case StructKind():
            return sum(packed_bytes(member) for member in kinds_of(kind.cls).values())
        case SequenceKind():
            return WORD_BYTES * kind.bounded + kind.count * packed_bytes(kind.item)
        case _:
            return SIZES.get(kind.abi, WORD_BYTES)


def packed(kind: Kind, plain: Plain) -> bytes:
    """The packed image of a plain value."""
    match kind:
        case OptionalKind(inner):
            return bytes(packed_bytes(kind)) if plain is None else _word(1) + packed(inner, plain)
        case TupleKind(members):
            return b"".join(packed(member, item) for member, item in zip(members, plain, strict=True))
        case StructKind():
            return b"".join(
                packed(member, item) for member, item in zip(kinds_of(kind.cls).values(), plain, strict=True)
            )
        case SequenceKind():
            length = _word(len(plain)) if kind.bounded else b""
            return (length + b"".join(packed(kind.item, item) for item in plain)).ljust(packed_bytes(kind), b"\0")
        case ValueKind(abi="decimal"):
            return int(plain).to_bytes(16, "little", signed=True)
        case ValueKind(abi="symbol"):
            return str(plain).encode("ascii").ljust(16, b"\0")
        case ValueKind(abi="account" | "bytes32"):
            return bytes(plain).ljust(packed_bytes(kind), b"\0")
        case _:
            return _word(int(plain))


def unpacked(kind: Kind, data: bytes) -> Plain:
    """The plain value of a packed image of packed_bytes(kind) bytes. Raises ValueError when it is none of the kind."""
    match kind:
        case OptionalKind(inner):
            tag, body = _number(data[:WORD_BYTES]), data[WORD_BYTES:]
            if tag not in (0, 1) or (tag == 0 and any(body)):
                raise ValueError("neither a value nor its absence")
            return unpacked(inner, body) if tag else None
        case TupleKind(members):
            return _members(members, data)
        case StructKind():
            return _members(tuple(kinds_of(kind.cls).values()), data)
        case SequenceKind():
            return _items(kind, data)
        case ValueKind(abi="decimal"):
            return _number(data)
        case ValueKind(abi="symbol"):
            return data.rstrip(b"\0").decode("ascii")
        case ValueKind(abi="account"):
            if any(data[20:]):
                raise ValueError("padding of an account is zeros")
            return data[:20]
        case ValueKind(abi="bytes32"):
            return data
        case _:
            return _number(data)


def answered(declared: Kind, given: Kind, plain: Plain) -> Plain:
    """
    What an answer of one kind is when it is read as another: the same words, zeros behind a narrower one.

    Raises ValueError when they are no value of the declared kind.
    """
    room = _answer_bytes(declared)
    words = packed(given, plain) if _answer_bytes(given) else b""
    return unpacked(declared, words.ljust(room, b"\0")[:room]) if room else None


def _answer_bytes(kind: Kind) -> int:
    return 0 if kind == NONE else packed_bytes(kind)


def _members(kinds: tuple[Kind, ...], data: bytes) -> Plain:
    found, at = [], 0
    for kind in kinds:
        end = at + packed_bytes(kind)
        found.append(unpacked(kind, data[at:end]))
        at = end
    return tuple(found)


def _items(kind: SequenceKind, data: bytes) -> Plain:
    length = kind.count
    if kind.bounded:
        length, data = _number(data[:WORD_BYTES]), data[WORD_BYTES:]
    size = packed_bytes(kind.item)
    if not 0 <= length <= kind.count or any(data[length * size :]):
        raise ValueError("a list is its items and zeros")
    return tuple(unpacked(kind.item, data[at * size : (at + 1) * size]) for at in range(length))


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def _word(value: int) -> bytes:
    return value.to_bytes(WORD_BYTES, "little", signed=True)


def kind_of_value(value: Any) -> Kind:
    """
    The kind a value shows by itself.

    Raises:
        TypeError: it shows none: None, a sequence whose type was never named, what is no value of the language.
    """
    if type(value) is bool:
        return BOOL
    if type(value) is int:
        return INT
    kind = getattr(value, "_kind", None)
    if isinstance(kind, SequenceKind):
        return kind
    if not hasattr(type(value), "__kind__"):
        raise TypeError(f"{value!r} shows no type of the language; hash a Struct that holds it")
    found: Kind = type(value).__kind__((type(value),))
    return found


def sha256(*values: Any) -> Bytes32:
    """
    SHA-256 of the packed words of flat values, one after the other, and of nothing else.

    Every value takes the words the ABI gives its type (an int one, a Decimal two, an Account three …), so lists of
    types that differ may give the same bytes: put a constant of your own in front to tell purposes apart. At most
    1,024 bytes. An Optional is hashed inside a Struct.
    """
    image = b"".join(packed(kind := kind_of_value(value), kind.plain(value)) for value in values)
    if not values or len(image) > HASHED_WORDS_MAX * WORD_BYTES:
        raise TypeError(f"sha256 takes 1 to {HASHED_WORDS_MAX} words, not {len(image) // WORD_BYTES}")
    return Bytes32(hashlib.sha256(image).digest())
