"""
Decimal: a signed number with 18 places in 128 bits, exact to the last place or refused.

A value is an integer `raw` counting 10⁻¹⁸, −2¹²⁷ ≤ raw < 2¹²⁷; intermediates are unbounded (256 bits suffice). `*`
and `/` round half to even, `//` and `%` are Python's floor. It mixes with int, which converts exactly, and never with
float. Rounding functions stand in `rounding`.
"""

from __future__ import annotations

import re

from execution.lang.kinds import INT_MAX, INT_MIN, Kind, ValueKind
from execution.lang.rejection import DIVISION_BY_ZERO, OVERFLOW, Rejected

PLACES = 18
SCALE: int = 10**PLACES
RAW_MIN = -(1 << 127)
RAW_MAX = (1 << 127) - 1

_TEXT = re.compile(r"(-?)([0-9]+)(?:\.([0-9]{1,18}))?", re.ASCII)


def floor_ratio(numerator: int, denominator: int) -> int:
    """⌊numerator / denominator⌋; Rejected "division by zero"."""
    if denominator == 0:
        raise Rejected(DIVISION_BY_ZERO)
    return numerator // denominator


def ceil_ratio(numerator: int, denominator: int) -> int:
    """⌈numerator / denominator⌉; Rejected "division by zero"."""
    return -floor_ratio(-numerator, denominator)


def even_ratio(numerator: int, denominator: int) -> int:
    """numerator / denominator rounded to the nearest integer, ties to even; Rejected "division by zero"."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient = floor_ratio(numerator, denominator)
    twice = 2 * (numerator - quotient * denominator)
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient


def word(value: int) -> int:
    """The value if it fits a signed 64-bit word, else Rejected "overflow"."""
    if not INT_MIN <= value <= INT_MAX:
        raise Rejected(OVERFLOW)
    return value


def parse(text: str) -> int:
    """Raw value of a constant such as "-0.05": at most 18 places, no exponent. ValueError otherwise."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f'Decimal("{text}"): write digits with at most {PLACES} places, such as "0.05"')
    sign, whole, places = found.groups()
    raw = int(whole) * SCALE + int((places or "").ljust(PLACES, "0"))
    raw = -raw if sign else raw
    if not RAW_MIN <= raw <= RAW_MAX:
        raise ValueError(f'Decimal("{text}") does not fit 128 bits at {PLACES} places')
    return raw


class Decimal:
    """Build from a text constant or an int; `Decimal.from_raw` takes the count of 10⁻¹⁸."""

    __slots__ = ("_raw",)
    _raw: int

    def __init__(self, value: str | int) -> None:
        if isinstance(value, str):
            self._raw = parse(value)
        elif type(value) is int:
            self._raw = checked(value * SCALE)
        else:
            raise TypeError(f"Decimal takes a text or an int, not {value!r}")

    @staticmethod
    def from_raw(raw: int) -> Decimal:
        """Rejected "overflow" beyond 128 bits."""
        made = object.__new__(Decimal)
        made._raw = checked(raw)
        return made

    @property
    def raw(self) -> int:
        """Count of 10⁻¹⁸."""
        return self._raw

    def __add__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(self._raw + right)

    __radd__ = __add__

    def __sub__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(self._raw - right)

    def __rsub__(self, other: Decimal | int) -> Decimal:
        left = raw_of(other)
        return NotImplemented if left is None else Decimal.from_raw(left - self._raw)

    def __mul__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(even_ratio(self._raw * right, SCALE))

    __rmul__ = __mul__

    def __truediv__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(even_ratio(self._raw * SCALE, right))

    def __rtruediv__(self, other: Decimal | int) -> Decimal:
        left = raw_of(other)
        return NotImplemented if left is None else Decimal.from_raw(even_ratio(left * SCALE, self._raw))

    def __floordiv__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(floor_ratio(self._raw, right) * SCALE)

    def __rfloordiv__(self, other: Decimal | int) -> Decimal:
        left = raw_of(other)
        return NotImplemented if left is None else Decimal.from_raw(floor_ratio(left, self._raw) * SCALE)

    def __mod__(self, other: Decimal | int) -> Decimal:
        right = raw_of(other)
        return NotImplemented if right is None else Decimal.from_raw(_modulo(self._raw, right))

    def __rmod__(self, other: Decimal | int) -> Decimal:
        left = raw_of(other)
        return NotImplemented if left is None else Decimal.from_raw(_modulo(left, self._raw))

    def __neg__(self) -> Decimal:
        return Decimal.from_raw(-self._raw)

    def __abs__(self) -> Decimal:
        return Decimal.from_raw(abs(self._raw))

    def __eq__(self, other: object) -> bool:
        right = raw_of(other)
        return NotImplemented if right is None else self._raw == right

    def __lt__(self, other: Decimal | int) -> bool:
        right = raw_of(other)
        return NotImplemented if right is None else self._raw < right

    def __le__(self, other: Decimal | int) -> bool:
        right = raw_of(other)
        return NotImplemented if right is None else self._raw <= right

    def __gt__(self, other: Decimal | int) -> bool:
        right = raw_of(other)
        return NotImplemented if right is None else self._raw > right

    def __ge__(self, other: Decimal | int) -> bool:
        right = raw_of(other)
        return NotImplemented if right is None else self._raw >= right

    def __hash__(self) -> int:
        whole, rest = divmod(self._raw, SCALE)
        return hash((whole, rest)) if rest else hash(whole)

    def __bool__(self) -> bool:
        raise TypeError("a Decimal is not a condition; compare it with 0")

    def __str__(self) -> str:
        whole, rest = divmod(abs(self._raw), SCALE)
        places = f".{rest:0{PLACES}d}".rstrip("0") if rest else ""
        return f"{'-' if self._raw < 0 else ''}{whole}{places}"

    def __repr__(self) -> str:
        return f'Decimal("{self}")'

    def floor(self) -> int:
        """Towards −∞; Rejected "overflow" beyond 64 bits, as for `ceil` and `round`."""
        return word(self._raw // SCALE)

    def ceil(self) -> int:
        """Towards +∞."""
        return word(ceil_ratio(self._raw, SCALE))

    def round(self) -> int:
        """To the nearest integer, ties to even."""
        return word(even_ratio(self._raw, SCALE))

    @classmethod
    def __kind__(cls, _arguments: tuple[object, ...]) -> Kind:
        return DECIMAL


def checked(raw: int) -> int:
    """The raw value if it fits 128 bits, else Rejected "overflow"."""
    if not RAW_MIN <= raw <= RAW_MAX:
        raise Rejected(OVERFLOW)
    return raw


def raw_of(value: object) -> int | None:
    """The raw value of a Decimal or an int; None for anything else (bool included)."""
    if type(value) is Decimal:
        return value._raw
    return value * SCALE if type(value) is int else None


def _modulo(left: int, right: int) -> int:
    if right == 0:
        raise Rejected(DIVISION_BY_ZERO)
    return left % right


class DecimalKind(ValueKind):
    """An int converts exactly."""

    def coerce(self, value: object) -> Decimal:
        if type(value) is int:
            return Decimal(value)
        if type(value) is not Decimal:
            raise TypeError(f"expected Decimal, got {value!r}")
        return value


def _load(plain: object) -> Decimal:
    if not isinstance(plain, int) or not RAW_MIN <= plain <= RAW_MAX:
        raise ValueError(f"{plain!r} does not fit 128 bits")
    return Decimal.from_raw(plain)


DECIMAL = DecimalKind("decimal", Decimal, Decimal(0), lambda value: value.raw, _load)
