"""
Values at the border: packed words ↔ plain data ↔ values a client likes.

Plain data: int for every single word (bool 0 or 1, enum its number, times in ms), Decimal its raw count of 10⁻¹⁸,
Account 20 bytes, Bytes32 32 bytes, Symbol str, Optional None or the value, struct, tuple, Array and BoundedList a
tuple. Client values: Decimal, Account and Bytes32 of the language, bool, dict for a struct, list for an Array or
BoundedList; on the way in also str for a Decimal, hex text for an Account or Bytes32, an enum member, Timestamp and
its like.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi, AbiEntry
from execution.lang.decimal import Decimal
from execution.lang.rejection import Rejected
from execution.lang.values import Account, Bytes32
from genesis.errors import Invalid

Plain = Any  # int | bytes | str | None | tuple[Plain, ...]
WORD = 8
SIGNED = range(-(2**63), 2**63)
DECIMALS = range(-(2**127), 2**127)


def pack(entry: AbiEntry, args: Sequence[Any]) -> bytes:
    """
    Packed arguments of an entry from client values.

    Raises:
        Invalid: their number or types do not fit.
    """
    if len(args) != len(entry.parameters):
        names = ", ".join(name for name, _ in entry.parameters)
        raise Invalid(
            f"{entry.name} takes {len(entry.parameters)} arguments ({names}), not {len(args)}", "bad_argument"
        )
    plain = [to_plain(of, arg, name) for (name, of), arg in zip(entry.parameters, args, strict=True)]
    return b"".join(image(of, value) for (_, of), value in zip(entry.parameters, plain, strict=True))


def pack_plain(types: Sequence[t.Type], values: Sequence[Plain]) -> bytes:
    """Packed words of plain values."""
    return b"".join(image(of, value) for of, value in zip(types, values, strict=True))


def unpack_arguments(entry: AbiEntry, data: bytes) -> dict[str, Any]:
    """Client values of packed arguments, by parameter; Invalid when they are no image."""
    values = unpack_plain([of for _, of in entry.parameters], data)
    return {name: friendly(of, value) for (name, of), value in zip(entry.parameters, values, strict=True)}


def plain_result(entry: AbiEntry, data: bytes) -> Plain:
    """What an entry returned, as plain data; None for nothing. Further bytes are not looked at."""
    return None if entry.result == t.NONE else read(entry.result, data[: WORD * t.words(entry.result)])


def unpack_result(entry: AbiEntry, data: bytes) -> Any:
    """What an entry returned, as a client value."""
    return friendly(entry.result, plain_result(entry, data))


def plain_event(abi: Abi, number: int, data: bytes) -> tuple[str, Plain]:
    """(name, members) of an event as plain data."""
    event = abi.events[number]
    return event.name, read(event, data[: WORD * t.words(event)])


def unpack_event(abi: Abi, number: int, data: bytes) -> tuple[str, dict[str, Any]]:
    """(name, members by name) of an event as client values."""
    name, plain = plain_event(abi, number, data)
    members: dict[str, Any] = friendly(abi.events[number], plain)
    return name, members


# Packed words ↔ plain data


def image(of: t.Type, value: Plain) -> bytes:
    """The packed image of a plain value; ValueError or OverflowError when it is none of the type's."""
    match of:
        case t.Scalar("none"):
            return b""
        case t.Scalar("decimal"):
            return int(value).to_bytes(16, "little", signed=True)
        case t.Scalar("account") | t.ProgramType():
            return bytes(value) + bytes(4)
        case t.Scalar("symbol"):
            return str(value).encode("ascii").ljust(16, b"\0")
        case t.Scalar("bytes32"):
            return bytes(value)
        case t.ArrayType(item, _, bounded):
            packed = b"".join(image(item, member) for member in value)
            return ((_word(len(value)) if bounded else b"") + packed).ljust(WORD * t.words(of), b"\0")
        case t.OptionalType(item):
            return bytes(WORD + WORD * t.words(item)) if value is None else _word(1) + image(item, value)
        case t.StructType(_, fields):
            return b"".join(image(kind, member) for (_, kind), member in zip(fields, value, strict=True))
        case t.TupleType(items):
            return b"".join(image(kind, member) for kind, member in zip(items, value, strict=True))
        case _:
            return _word(int(value))


def _word(value: int) -> bytes:
    return value.to_bytes(WORD, "little", signed=True)


def unpack_plain(types: Sequence[t.Type], data: bytes) -> list[Plain]:
    """Plain values of packed words."""
    if len(data) != WORD * sum(t.words(of) for of in types):
        raise Invalid(f"{len(data)} bytes where {WORD * sum(t.words(of) for of in types)} are expected", "bad_argument")
    values, at = [], 0
    for of in types:
        values.append(read(of, data[at : at + WORD * t.words(of)]))
        at += WORD * t.words(of)
    return values


def read(of: t.Type, data: bytes) -> Plain:
    """
    The plain value of a packed image.

    Raises:
        Invalid: the bytes are no image of the type: wrong length, a bool of 2, an account with a pad, …
    """
    if len(data) != WORD * t.words(of):
        raise Invalid(f"{len(data)} bytes are no {of}, which has {WORD * t.words(of)}", "bad_argument")
    match of:
        case t.Scalar("none"):
            return None
        case t.Scalar("decimal"):
            return int.from_bytes(data, "little", signed=True)
        case t.Scalar("account") | t.ProgramType():
            return _require(of, data[:20], data[20:] == bytes(4))
        case t.Scalar("symbol"):
            characters = data.rstrip(b"\0")
            return _require(of, characters.decode("latin-1"), all(32 <= c <= 126 for c in characters))
        case t.OptionalType(item):
            absent = _require(of, data[:WORD] == _word(0), data[:WORD] in (_word(0), _word(1)))
            if absent:
                return _require(of, None, data == bytes(len(data)))
            return read(item, data[WORD:])
        case t.Scalar("bytes32"):
            return data
        case t.ArrayType():
            return _read_sequence(of, data)
        case t.StructType(_, fields):
            return tuple(unpack_plain([kind for _, kind in fields], data))
        case t.TupleType(items):
            return tuple(unpack_plain(items, data))
        case t.EnumType(_, members):
            number = int.from_bytes(data, "little", signed=True)
            return _require(of, number, 0 <= number < len(members))
        case _:
            number = int.from_bytes(data, "little", signed=True)
            return _require(of, number, of != t.BOOL or number in (0, 1))


def _read_sequence(of: t.ArrayType, data: bytes) -> Plain:
    length, places = of.count, data
    if of.bounded:
        length, places = int.from_bytes(data[:WORD], "little", signed=True), data[WORD:]
        _require(of, length, 0 <= length <= of.count)
    there = WORD * t.words(of.item) * length
    return tuple(unpack_plain([of.item] * length, _require(of, places[:there], not any(places[there:]))))


def _require(of: t.Type, value: Plain, valid: bool) -> Plain:
    if not valid:
        raise Invalid(f"the bytes are no {of}", "bad_argument")
    return value


# Plain data ↔ client values


def to_plain(of: t.Type, value: Any, name: str = "value") -> Plain:
    """
    Plain data of a client value.

    Raises:
        Invalid: it does not fit the type; names the parameter.
    """
    try:
        return _to_plain(of, value)
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, Rejected) as error:
        raise Invalid(f"{name}: {value!r} is no {of} ({error})", "bad_argument") from None


def _to_plain(of: t.Type, value: Any) -> Plain:
    match of:
        case t.OptionalType(item):
            return None if value is None else _to_plain(item, value)
        case t.StructType(_, fields):
            return _members(fields, value)
        case t.TupleType(items):
            return tuple(_to_plain(item, member) for item, member in zip(items, value, strict=True))
        case t.Scalar("decimal"):
            return _within(Decimal(value).raw if isinstance(value, (str, int)) else value.raw, DECIMALS)
        case t.Scalar("account") | t.ProgramType():
            return _account(value)
        case t.Scalar("symbol"):
            return _symbol(value)
        case t.Scalar("bytes32"):
            return Bytes32(value).data if isinstance(value, (str, bytes)) else bytes(value.data)
        case t.ArrayType(item, count, bounded):
            members = tuple(_to_plain(item, member) for member in value)
            return _fitting(members, range(count + 1) if bounded else range(count, count + 1))
        case t.EnumType(_, members):
            number = members.index(value) if isinstance(value, str) else int(getattr(value, "value", value))
            return _within(number, range(len(members)))
        case t.Scalar("bool"):
            return _within(int(value), range(2))
        case _:
            if isinstance(value, (float, str, bytes)):
                raise TypeError("an integer is expected")
            for attribute in ("ms", "index", "word"):
                value = getattr(value, attribute, value)
            return _within(int(value), SIGNED)


def _members(fields: tuple[tuple[str, t.Type], ...], value: Any) -> Plain:
    if isinstance(value, Mapping):
        if set(value) != {name for name, _ in fields}:
            raise ValueError(f"its members are {', '.join(name for name, _ in fields)}")
        return tuple(_to_plain(kind, value[name]) for name, kind in fields)
    if isinstance(value, (tuple, list)):
        return tuple(_to_plain(kind, member) for (_, kind), member in zip(fields, value, strict=True))
    return tuple(_to_plain(kind, getattr(value, name)) for name, kind in fields)


def _fitting(members: tuple[Plain, ...], lengths: range) -> tuple[Plain, ...]:
    if len(members) not in lengths:
        raise ValueError(f"{len(members)} values where {lengths[0]} to {lengths[-1]} fit")
    return members


def _within(value: int, bounds: range) -> int:
    if value not in bounds:
        raise ValueError("out of range")
    return value


def _account(value: Any) -> bytes:
    if isinstance(value, str):
        value = bytes.fromhex(value.removeprefix("0x"))
    data = bytes(value) if isinstance(value, (bytes, bytearray)) else bytes(value.data)
    if len(data) != 20:
        raise ValueError("an account has 20 bytes")
    return data


def _symbol(value: Any) -> str:
    text = str(value)
    if len(text) > 16 or not all(" " <= character <= "~" for character in text):
        raise ValueError("a symbol has at most 16 printable ASCII characters")
    return text


def friendly(of: t.Type, plain: Plain) -> Any:
    """The client value of plain data."""
    match of:
        case t.OptionalType(item):
            return None if plain is None else friendly(item, plain)
        case t.StructType(_, fields):
            return {name: friendly(kind, member) for (name, kind), member in zip(fields, plain, strict=True)}
        case t.TupleType(items):
            return tuple(friendly(item, member) for item, member in zip(items, plain, strict=True))
        case t.Scalar("decimal"):
            return Decimal.from_raw(plain)
        case t.Scalar("bytes32"):
            return Bytes32(plain)
        case t.ArrayType(item):
            return [friendly(item, member) for member in plain]
        case t.Scalar("account") | t.ProgramType():
            return Account(plain)
        case t.Scalar("bool"):
            return bool(plain)
        case _:
            return plain
