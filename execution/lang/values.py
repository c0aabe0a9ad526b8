"""
The small values: who (Account), what (Asset, Symbol), when (Timestamp, Duration), and digests (Bytes32).

All are immutable and compared by value. Times count milliseconds in signed 64 bits; their arithmetic is checked and
refuses with "overflow". An Asset is an index in the bank. A program's address is an Account.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, overload

from execution.lang.decimal import floor_ratio, word
from execution.lang.kinds import Kind, ValueKind, load_int
from genesis.derived import derived_address

ACCOUNT_BYTES = 20
SYMBOL_BYTES_MAX = 16
BYTES32_BYTES = 32
HEX32 = re.compile(r"0x[0-9a-fA-F]{64}")
KERNEL_NUMBER = 1


@dataclass(frozen=True, slots=True)
class Account:
    """20 bytes: an Ethereum address, or a program's."""

    data: bytes

    def __post_init__(self) -> None:
        if len(self.data) != ACCOUNT_BYTES:
            raise ValueError(f"an account has {ACCOUNT_BYTES} bytes, not {len(self.data)}")

    @staticmethod
    def zero() -> Account:
        return Account(bytes(ACCOUNT_BYTES))

    @staticmethod
    def kernel() -> Account:
        """The sender of what only the kernel may call."""
        return Account.numbered(KERNEL_NUMBER)

    @staticmethod
    def numbered(number: int) -> Account:
        """The account whose 20 bytes are this number, most significant first."""
        return Account(number.to_bytes(ACCOUNT_BYTES, "big"))

    @staticmethod
    def derived(owner: Account, number: int) -> Account:
        """An address that belongs to the owner under this number: nobody has its key, no other pair leads to it."""
        return Account(derived_address(owner.data, word(number)))

    @staticmethod
    def of(program: Any) -> Account:
        """The address of a program reference, as its `me`."""
        account: Account = program.me
        return account

    def __repr__(self) -> str:
        return f"Account(0x{self.data.hex()})"

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("account", Account, Account.zero(), lambda value: value.data, Account)


@dataclass(frozen=True, slots=True)
class Asset:
    """index: place in the bank's register; 0 is the fee asset."""

    index: int

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("asset", Asset, Asset(0), lambda value: value.index, lambda plain: Asset(load_int(plain)))


@dataclass(frozen=True, slots=True)
class Symbol:
    """At most 16 printable ASCII characters; a constant."""

    text: str

    def __post_init__(self) -> None:
        if len(self.text) > SYMBOL_BYTES_MAX or not self.text.isascii() or not self.text.isprintable():
            raise ValueError(f"a symbol has at most {SYMBOL_BYTES_MAX} printable ASCII characters, not {self.text!r}")

    def __str__(self) -> str:
        return self.text

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("symbol", Symbol, Symbol(""), lambda value: value.text, Symbol)


@dataclass(frozen=True, slots=True, init=False)
class Bytes32:
    """32 bytes: a digest, or an identity from elsewhere. Written `Bytes32("0x…")` with 64 hexadecimal digits."""

    data: bytes

    def __init__(self, value: str | bytes) -> None:
        if isinstance(value, str):
            if not HEX32.fullmatch(value):
                raise ValueError(f"a Bytes32 is written 0x and {2 * BYTES32_BYTES} hexadecimal digits, not {value!r}")
            value = bytes.fromhex(value[2:])
        if len(value) != BYTES32_BYTES:
            raise ValueError(f"a Bytes32 has {BYTES32_BYTES} bytes, not {len(value)}")
        object.__setattr__(self, "data", bytes(value))

    @staticmethod
    def zero() -> Bytes32:
        return Bytes32(bytes(BYTES32_BYTES))

    def __repr__(self) -> str:
        return f'Bytes32("0x{self.data.hex()}")'

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind("bytes32", Bytes32, Bytes32.zero(), lambda value: value.data, Bytes32)


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """ms: milliseconds, may be negative."""

    ms: int

    @staticmethod
    def milliseconds(count: int) -> Duration:
        return Duration(count)

    @staticmethod
    def seconds(count: int) -> Duration:
        return Duration(word(count * 1_000))

    @staticmethod
    def minutes(count: int) -> Duration:
        return Duration(word(count * 60_000))

    @staticmethod
    def hours(count: int) -> Duration:
        return Duration(word(count * 3_600_000))

    @staticmethod
    def days(count: int) -> Duration:
        return Duration(word(count * 86_400_000))

    def __add__(self, other: Duration) -> Duration:
        return Duration(word(self.ms + other.ms)) if type(other) is Duration else NotImplemented

    def __sub__(self, other: Duration) -> Duration:
        return Duration(word(self.ms - other.ms)) if type(other) is Duration else NotImplemented

    def __mul__(self, count: int) -> Duration:
        return Duration(word(self.ms * count)) if type(count) is int else NotImplemented

    __rmul__ = __mul__

    @overload
    def __floordiv__(self, other: int) -> Duration: ...
    @overload
    def __floordiv__(self, other: Duration) -> int: ...
    def __floordiv__(self, other: Duration | int) -> Duration | int:
        if type(other) is Duration:
            return word(floor_ratio(self.ms, other.ms))
        return Duration(word(floor_ratio(self.ms, other))) if type(other) is int else NotImplemented

    def __mod__(self, other: Duration) -> Duration:
        if type(other) is not Duration:
            return NotImplemented
        return Duration(self.ms - floor_ratio(self.ms, other.ms) * other.ms)

    def __neg__(self) -> Duration:
        return Duration(word(-self.ms))

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind(
            "duration", Duration, Duration(0), lambda value: value.ms, lambda plain: Duration(load_int(plain))
        )


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """ms: milliseconds since 1970."""

    ms: int

    def __add__(self, other: Duration) -> Timestamp:
        return Timestamp(word(self.ms + other.ms)) if type(other) is Duration else NotImplemented

    @overload
    def __sub__(self, other: Timestamp) -> Duration: ...
    @overload
    def __sub__(self, other: Duration) -> Timestamp: ...
    def __sub__(self, other: Timestamp | Duration) -> Timestamp | Duration:
        if type(other) is Timestamp:
            return Duration(word(self.ms - other.ms))
        return Timestamp(word(self.ms - other.ms)) if type(other) is Duration else NotImplemented

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return ValueKind(
            "timestamp", Timestamp, Timestamp(0), lambda value: value.ms, lambda plain: Timestamp(load_int(plain))
        )
