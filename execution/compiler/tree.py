"""
The typed tree: what `check` makes of accepted source and `lower` turns into IR.

Every expression knows its type; names are resolved to slots, addresses and functions, conversions and narrowing are
explicit, and the order of members is the order of evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.compiler.errors import Source
from execution.compiler.types import ArrayType, Container, Type


@dataclass(frozen=True, slots=True)
class Literal:
    """values: one number for each register of the type; decimals raw."""

    type: Type
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Local:
    type: Type
    slot: int


@dataclass(frozen=True, slots=True)
class Bind:
    """The value, kept in a slot for later as well."""

    type: Type
    slot: int
    value: Expression


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of ir.OPS over one-register values."""

    type: Type
    name: str
    args: tuple[Expression, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Equal:
    """Equality of two values of the same type, register by register."""

    type: Type
    left: Expression
    right: Expression
    negated: bool
    line: int


@dataclass(frozen=True, slots=True)
class Logic:
    """Short-circuit `and` / `or` of two bools."""

    type: Type
    both: bool
    left: Expression
    right: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Choice:
    """`then if test else other`."""

    type: Type
    test: Expression
    then: Expression
    other: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Join:
    """Registers of the items side by side: a struct, a tuple, an optional with its tag."""

    type: Type
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Permute:
    """Items evaluated in source order, joined in the order of `places` (keyword constructors)."""

    type: Type
    items: tuple[Expression, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """Registers [start, …) of a value; as many as the type has."""

    type: Type
    value: Expression
    start: int


@dataclass(frozen=True, slots=True)
class Replace:
    """`value.replace(…)`: (first register, new value) pairs in source order."""

    type: Type
    value: Expression
    changes: tuple[tuple[int, Expression], ...]


@dataclass(frozen=True, slots=True)
class Copy:
    """A sequence no other name stands for: written out, or a copy of another."""

    type: Type
    value: Expression


@dataclass(frozen=True, slots=True)
class Element:
    """
    One value of a sequence; rejects "index out of range". live: the sequence is what it is when the index is known,
    else what it was before.
    """

    type: Type
    sequence: Expression
    index: Expression
    live: bool
    line: int


@dataclass(frozen=True, slots=True)
class TakeLast:
    """`list.pop()` of a BoundedList, a local's or a field's."""

    type: Type
    sequence: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Resize:
    """`list.append(value)`, or `list.clear()` without a value, of a BoundedList; no value itself."""

    type: Type
    sequence: Expression
    value: Expression | None
    line: int


@dataclass(frozen=True, slots=True)
class Digest:
    """SHA-256 of the packed words of the arguments."""

    type: Type
    args: tuple[Expression, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Place:
    """
    A place in state: base address (None: the program's fields) plus an offset. Flat types are loaded, borrows are its
    address. live: a field of the program or of a record, not a part of a value that stands there.
    """

    type: Type
    base: Expression | None
    offset: int
    line: int
    live: bool = False


@dataclass(frozen=True, slots=True)
class Item:
    """
    The value at a key or index: loaded when flat, its address otherwise. mode: find (reject when missing), create,
    obtain.
    """

    type: Type
    container: Expression
    key: Expression
    mode: str
    line: int


@dataclass(frozen=True, slots=True)
class Query:
    """An operation on a container: see `lower_containers`."""

    type: Type
    name: str
    container: Expression
    args: tuple[Expression, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function of the same program."""

    type: Type
    function: str
    args: tuple[Expression, ...]
    line: int


@dataclass(frozen=True, slots=True)
class CallProgram:
    """
    A call of another program. options: (keyword, value) in source order, of gas and world; they follow the arguments
    or mix.
    """

    type: Type
    target: Expression
    selector: int
    args: tuple[Expression, ...]
    order: tuple[int, ...]
    gas: int | None
    world: int | None
    view: bool
    line: int


@dataclass(frozen=True, slots=True)
class Ambient:
    """One value of ir.CONTEXT."""

    type: Type
    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Ask:
    """A kernel service of ir.SERVICES."""

    type: Type
    name: str
    args: tuple[Expression, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Price:
    """Price of a feed; rejects "no price" unless fresh."""

    type: Type
    feed: Expression
    line: int


Expression = (
    Literal | Local | Bind | Operation | Equal | Logic | Choice | Join | Permute | Part | Replace | Place | Item | Query
    | Call
    | CallProgram | Ambient | Ask | Price | Copy | Element | TakeLast | Resize | Digest
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Assign:
    """Registers of the value go to the slots in order (several: a tuple)."""

    slots: tuple[int, ...]
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class StorePlace:
    place: Place
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class StoreItem:
    """`container[key] = value`; value, then container, then key are evaluated."""

    container: Expression
    key: Expression
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class StoreElement:
    """`sequence[index] = value`; value, then index are evaluated."""

    sequence: Expression
    index: Expression
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class WalkSequence:
    """A loop over a sequence. live: turns see what earlier ones wrote; else it is copied first."""

    sequence: Expression
    type: ArrayType
    slot: int
    live: bool
    body: Body
    line: int


@dataclass(frozen=True, slots=True)
class Evaluate:
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Branch:
    test: Expression
    then: Body
    other: Body
    line: int


@dataclass(frozen=True, slots=True)
class While:
    test: Expression
    body: Body
    line: int


@dataclass(frozen=True, slots=True)
class Count:
    """`for slot in range(start, stop)`, downwards when `down`."""

    slot: int
    start: Expression
    stop: Expression
    down: bool
    body: Body
    line: int


@dataclass(frozen=True, slots=True)
class Walk:
    """A loop over a container. key and value: slots or None. guarded: the body may change the container's keys."""

    container: Expression
    type: Container
    key: int | None
    value: int | None
    down: bool
    guarded: bool
    body: Body
    line: int


@dataclass(frozen=True, slots=True)
class Stop:
    """`break` or, when `again`, `continue`."""

    again: bool
    line: int


@dataclass(frozen=True, slots=True)
class Give:
    value: Expression | None
    line: int


@dataclass(frozen=True, slots=True)
class Fail:
    reason: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Announce:
    """Emit an event by its number."""

    event: int
    value: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Later:
    """at_end(self.handler, account)."""

    selector: int
    account: Expression
    line: int


@dataclass(frozen=True, slots=True)
class Tolerate:
    """try … except Rejected: slot takes the reason."""

    body: Body
    slot: int
    handler: Body
    line: int


Statement = (
    Assign | StorePlace | StoreItem | Evaluate | Branch | While | Count | Walk | Stop | Give | Fail | Announce | Later |
    Tolerate | StoreElement | WalkSequence
)  # fmt: skip
Body = tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """slots: types of the locals; parameters are the first. source: the file it stands in."""

    name: str
    source: Source
    parameters: tuple[Type, ...]
    result: Type
    slots: tuple[Type, ...]
    body: Body
    line: int


@dataclass(frozen=True, slots=True)
class Method:
    """An entry: kind external, view or hook (create and at_end handlers are hooks)."""

    name: str
    function: str
    parameters: tuple[tuple[str, Type], ...]
    result: Type
    kind: str
    order: str
    line: int


@dataclass(frozen=True, slots=True)
class Program:
    """
    A checked bundle. reasons: every text it may reject with; enums and structs: those that its ABI mentions.

    guarded: it has invariants, of which the last method, INVARIANTS, checks all.
    """

    name: str
    functions: tuple[Function, ...]
    methods: tuple[Method, ...]
    fields: tuple[tuple[str, Type], ...]
    events: tuple[Type, ...]
    reasons: tuple[str, ...]
    guarded: bool = False
