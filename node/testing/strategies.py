"""
hypothesis strategies for the values of the language.

    @given(size=strategies.decimals(min_value="0.1", max_value=100), who=strategies.accounts())
    @given(order=strategies.values(Order))                     # any type: struct, enum, Optional, Array[Decimal, 4] …
    @given(arguments=strategies.arguments(Counter, "add"))     # of an entry, as a tuple

Numbers lean to the edges of their ranges: that is where overflow and rounding live.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from execution.lang.decimal import DECIMAL, SCALE, Decimal
from execution.lang.entries import entry_of
from execution.lang.feeds import Feed
from execution.lang.kinds import BOOL, INT, INT_MAX, INT_MIN, NONE, Kind, OptionalKind, TupleKind, kind_of
from execution.lang.program import Program, ProgramRef
from execution.lang.rejection import Reason
from execution.lang.sequences import SequenceKind
from execution.lang.struct import Enum, EnumKind, Struct, StructKind, kinds_of
from execution.lang.values import (
    ACCOUNT_BYTES,
    SYMBOL_BYTES_MAX,
    Account,
    Asset,
    Bytes32,
    Duration,
    Symbol,
    Timestamp,
)

RAW_MIN, RAW_MAX = -(1 << 127), (1 << 127) - 1
BYTES32_BYTES = 32
EDGES = (0, 1, -1)


def integers(min_value: int = INT_MIN, max_value: int = INT_MAX) -> SearchStrategy[int]:
    """Signed 64-bit words within bounds."""
    edges = [edge for edge in (*EDGES, min_value, max_value) if min_value <= edge <= max_value]
    return st.sampled_from(edges) | st.integers(min_value, max_value)


def booleans() -> SearchStrategy[bool]:
    return st.booleans()


def decimals(
    min_value: Decimal | int | str | None = None, max_value: Decimal | int | str | None = None, places: int = 18
) -> SearchStrategy[Decimal]:
    """
    Decimals within bounds, with at most so many places; without bounds the whole range of 128 bits.

    Raises:
        ValueError: there is none within the bounds.
    """
    unit = 10 ** (18 - places)
    low = -(-_raw(min_value, RAW_MIN) // unit)
    high = _raw(max_value, RAW_MAX) // unit
    if low > high:
        raise ValueError(f"no Decimal with {places} places lies between {min_value} and {max_value}")
    edges = [edge for edge in (*EDGES, SCALE // unit, -SCALE // unit, low, high) if low <= edge <= high]
    counts = st.sampled_from(edges) | st.integers(max(low, -(10**9)), min(high, 10**9)) if _near(low, high) else None
    anything = st.sampled_from(edges) | st.integers(low, high)
    return (anything if counts is None else anything | counts).map(lambda count: Decimal.from_raw(count * unit))


def _near(low: int, high: int) -> bool:
    return low <= 10**9 and high >= -(10**9)


def _raw(value: Decimal | int | str | None, otherwise: int) -> int:
    if value is None:
        return otherwise
    return (value if isinstance(value, Decimal) else Decimal(value)).raw


def accounts() -> SearchStrategy[Account]:
    """A few that come again and again, and any other 20 bytes."""
    few = st.integers(0, 3).map(Account.numbered)
    return few | st.binary(min_size=ACCOUNT_BYTES, max_size=ACCOUNT_BYTES).map(Account)


def assets(count: int = 4) -> SearchStrategy[Asset]:
    """Indices below count."""
    return st.integers(0, count - 1).map(Asset)


def feeds(count: int = 4) -> SearchStrategy[Feed]:
    """Indices below count."""
    return st.integers(0, count - 1).map(Feed)


def symbols() -> SearchStrategy[Symbol]:
    """Up to 16 printable ASCII characters."""
    return st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=SYMBOL_BYTES_MAX).map(Symbol)


def bytes32s() -> SearchStrategy[Bytes32]:
    return st.binary(min_size=BYTES32_BYTES, max_size=BYTES32_BYTES).map(Bytes32)


def timestamps(min_ms: int = 0, max_ms: int = 1 << 53) -> SearchStrategy[Timestamp]:
    """Milliseconds since 1970, within bounds."""
    return integers(min_ms, max_ms).map(Timestamp)


def durations(min_ms: int = -(1 << 53), max_ms: int = 1 << 53) -> SearchStrategy[Duration]:
    return integers(min_ms, max_ms).map(Duration)


def enums(cls: type[Enum]) -> SearchStrategy[Any]:
    """Members of the enum."""
    return st.sampled_from(list(cls))


def structs(cls: type[Struct], **members: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Values of the struct; members: strategies for some, the others are of their types."""
    drawn = {name: members[name] if name in members else of_kind(kind) for name, kind in kinds_of(cls).items()}
    return st.builds(cls, **drawn)


def values(annotation: Any) -> SearchStrategy[Any]:
    """Values of a type, written as in a program. TypeError for what the language does not have, and for containers."""
    return of_kind(kind_of(annotation))


def arguments(program: type[Program], entry: str) -> SearchStrategy[tuple[Any, ...]]:
    """Arguments of an entry, in order."""
    return st.tuples(*(of_kind(kind) for kind in entry_of(program, entry).parameters.values()))


SIMPLE: dict[type, SearchStrategy[Any]] = {
    Account: accounts(),
    Asset: assets(),
    Feed: feeds(),
    Symbol: symbols(),
    Bytes32: bytes32s(),
    Timestamp: timestamps(),
    Duration: durations(),
    Reason: integers().map(Reason),
    ProgramRef: accounts(),
}


def of_kind(kind: Kind) -> SearchStrategy[Any]:
    """Values that the kind takes."""
    match kind:
        case OptionalKind(inner):
            return st.none() | of_kind(inner)
        case TupleKind(members):
            return st.tuples(*map(of_kind, members))
        case StructKind():
            return structs(kind.cls)
        case EnumKind():
            return enums(kind.cls)
        case SequenceKind():
            return _sequences(kind)
    if kind is INT:
        return integers()
    if kind is BOOL:
        return booleans()
    if kind is DECIMAL:
        return decimals()
    if kind is NONE:
        return st.none()
    cls = getattr(kind, "cls", None)
    if cls not in SIMPLE:
        raise TypeError(f"{kind} is storage: it is made by its program, not drawn")
    return SIMPLE[cls]


def _sequences(kind: SequenceKind) -> SearchStrategy[Any]:
    """Arrays full, bounded lists of any length."""
    least = 0 if kind.bounded else kind.count
    items = st.lists(of_kind(kind.item), min_size=least, max_size=kind.count)
    return items.map(lambda drawn: kind.load(tuple(kind.item.plain(value) for value in drawn)))
