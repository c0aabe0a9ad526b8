"""
The types of the language, their words and their names in the ABI.

A flat type has a fixed number of 64-bit words and lives in registers; containers and records live in storage and are
handled by address. Two types are the same when they are equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from execution.compiler.ir import Kind

SCALARS: dict[str, tuple[Kind, ...]] = {
    "none": (),
    "bool": ("w",),
    "int": ("w",),
    "decimal": ("d",),
    "account": ("w", "w", "w"),
    "asset": ("w",),
    "timestamp": ("w",),
    "duration": ("w",),
    "symbol": ("w", "w"),
    "feed": ("w",),
    "reason": ("w",),
    "bytes32": ("w", "w", "w", "w"),
}
SHOWN = {
    "none": "None", "bool": "bool", "int": "int", "decimal": "Decimal", "account": "Account", "asset": "Asset",
    "timestamp": "Timestamp", "duration": "Duration", "symbol": "Symbol", "feed": "Feed", "reason": "Reason",
    "bytes32": "Bytes32",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scalar:
    """One of SCALARS."""

    name: str

    def __str__(self) -> str:
        return SHOWN[self.name]


@dataclass(frozen=True, slots=True)
class EnumType:
    """Members are numbered 0, 1, … in order."""

    name: str
    members: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class StructType:
    """A frozen value of named flat members; an event when `event`."""

    name: str
    fields: tuple[tuple[str, Type], ...]
    event: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class OptionalType:
    item: Type

    def __str__(self) -> str:
        return f"Optional[{self.item}]"


@dataclass(frozen=True, slots=True)
class ArrayType:
    """`count` flat values in a row; bounded: at most so many, behind a word that counts them, the rest zeros."""

    item: Type
    count: int
    bounded: bool

    def __str__(self) -> str:
        return f"{'BoundedList' if self.bounded else 'Array'}[{self.item}, {self.count}]"


@dataclass(frozen=True, slots=True)
class TupleType:
    """Several results of an internal function; never stored."""

    items: tuple[Type, ...]

    def __str__(self) -> str:
        return f"tuple[{', '.join(str(item) for item in self.items)}]"


@dataclass(frozen=True, slots=True)
class ProgramType:
    """A reference to another program through the interface of a program class; three words of account."""

    name: str
    module: str

    def __str__(self) -> str:
        return f"ProgramRef[{self.name}]"


@dataclass(frozen=True, slots=True)
class RecordType:
    """A mutable storage node: the value of a container's entry, reached by borrow."""

    name: str
    fields: tuple[tuple[str, Type], ...] = field(hash=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class MapType:
    key: Type
    value: Type
    ordered: bool

    def __str__(self) -> str:
        return f"{'OrderedMap' if self.ordered else 'Map'}[{self.key}, {self.value}]"


@dataclass(frozen=True, slots=True)
class ListType:
    item: Type

    def __str__(self) -> str:
        return f"List[{self.item}]"


@dataclass(frozen=True, slots=True)
class QueueType:
    """First in, first out; values are flat."""

    item: Type

    def __str__(self) -> str:
        return f"Queue[{self.item}]"


Container = MapType | ListType | QueueType
CONTAINERS = (MapType, ListType, QueueType)
Type = (
    Scalar | EnumType | StructType | OptionalType | ArrayType | TupleType | ProgramType | RecordType | MapType
    | ListType | QueueType
)  # fmt: skip

NONE, BOOL, INT, DECIMAL = Scalar("none"), Scalar("bool"), Scalar("int"), Scalar("decimal")
ACCOUNT, ASSET, TIMESTAMP, DURATION = Scalar("account"), Scalar("asset"), Scalar("timestamp"), Scalar("duration")
SYMBOL, FEED, REASON, BYTES32 = Scalar("symbol"), Scalar("feed"), Scalar("reason"), Scalar("bytes32")

QUOTE_STATUS = EnumType("QuoteStatus", ("MISSING", "FRESH", "STALE", "HALTED"))
OUTCOME = EnumType("Outcome", ("DONE", "RETRY"))
QUOTE = StructType(
    "Quote",
    (("feed", FEED), ("price", DECIMAL), ("confidence", DECIMAL), ("time", TIMESTAMP), ("status", QUOTE_STATUS)),
)
CROSSING = StructType("Crossing", (("quote", QUOTE), ("number", INT), ("level", DECIMAL)))
FILL = StructType(
    "Fill",
    (
        ("venue", ACCOUNT), ("market", INT), ("order", INT), ("bought", BOOL), ("price", DECIMAL), ("size", DECIMAL),
        ("fee", DECIMAL), ("missed", INT),
    ),
)  # fmt: skip
HANDED = (QUOTE, CROSSING, TIMESTAMP, FILL)  # what hooks are given
WORLD = StructType("World", (("number", INT), ("price", DECIMAL), ("volatility", DECIMAL), ("shift", DURATION)))


def is_flat(kind: Type) -> bool:
    """Whether values of the type are copied by value and may be stored."""
    return not isinstance(kind, (RecordType, MapType, ListType, QueueType, TupleType)) and kind != NONE


def is_borrow(kind: Type) -> bool:
    """Whether values of the type are addresses into storage."""
    return isinstance(kind, (RecordType, MapType, ListType, QueueType))


def kinds(of: Type) -> tuple[Kind, ...]:
    """Register kinds a value is flattened into; a borrow is one word, its address."""
    match of:
        case Scalar(name):
            return SCALARS[name]
        case EnumType() | RecordType() | MapType() | ListType() | QueueType():
            return ("w",)
        case ProgramType():
            return ("w", "w", "w")
        case OptionalType(item):
            return ("w", *kinds(item))
        case ArrayType(item, count, bounded):
            length: tuple[Kind, ...] = ("w",) if bounded else ()
            return length + kinds(item) * count
        case StructType(_, fields):
            return tuple(kind for _, member in fields for kind in kinds(member))
        case TupleType(items):
            return tuple(kind for item in items for kind in kinds(item))


def words(of: Type) -> int:
    """64-bit words of the packed image of a flat value."""
    if isinstance(of, ArrayType):
        return of.bounded + of.count * words(of.item)
    return sum(2 if kind == "d" else 1 for kind in kinds(of))


def abi_name(of: Type) -> str:
    """Name of a flat type in selectors: "decimal", "(account,int)", "int?"."""
    match of:
        case Scalar(name):
            return name
        case EnumType():
            return "int"
        case ProgramType():
            return "account"
        case OptionalType(item):
            return abi_name(item) + "?"
        case ArrayType(item, count, bounded):
            return f"{abi_name(item)}[{'..' if bounded else ''}{count}]"
        case StructType(_, fields):
            return f"({','.join(abi_name(member) for _, member in fields)})"
        case _:
            raise AssertionError(f"{of} never crosses the border of a program")


def in_memory(of: Type) -> bool:
    """Whether locals of the type live in scratch: a sequence is somewhere in it, and is indexed by address."""
    match of:
        case ArrayType():
            return True
        case OptionalType(item):
            return in_memory(item)
        case StructType(_, fields):
            return any(in_memory(member) for _, member in fields)
        case _:
            return False


def value_of(container: Container) -> Type:
    """What an entry of the container holds."""
    return container.value if isinstance(container, MapType) else container.item


def inside(of: Type) -> frozenset[Type]:
    """Borrowable types that die with a value of the type: itself, and whatever is nested in it."""
    if isinstance(of, RecordType):
        return frozenset({of}).union(*(inside(member) for _, member in of.fields))
    if isinstance(of, CONTAINERS):
        return frozenset({of}) | inside(value_of(of))
    return frozenset()
