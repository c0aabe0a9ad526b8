"""
What names mean while a bundle is checked: entities of modules, signatures, interfaces, effects, and the flow of one
function.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace

from execution.compiler.tree import Literal
from execution.compiler.types import Type

LANGUAGE = "execution.lang"
LANGUAGE_TYPES = frozenset({
    "Account", "Array", "Asset", "BoundedList", "Bytes32", "Crossing", "Decimal", "Duration", "Enum", "Event", "Feed",
    "Fill", "List",
    "Map", "OrderedMap", "Optional", "Outcome", "Program", "ProgramRef", "Queue", "Quote", "QuoteStatus", "Reason",
    "Record", "Rejected", "Struct", "Symbol", "Timestamp", "World",
})  # fmt: skip
LANGUAGE_WORDS = LANGUAGE_TYPES | frozenset({
    "DONE", "RETRY", "at_end", "block", "create_like", "emit", "external", "hook", "invariant", "migrate", "publish",
    "reason", "require", "schedule", "subscribe", "unsubscribe", "subscribe_cross", "unsubscribe_cross",
    "subscribe_fills", "unsubscribe_fills", "hears_fills", "report_fill", "resume", "tx", "view", "sha256",
    "div_down", "div_up", "mul_div", "mul_div_down", "mul_div_up", "mul_down", "mul_up",
    "sqrt", "exp", "ln", "log2", "pow", "norm_pdf", "norm_cdf", "norm_inv", "erf",
})  # fmt: skip
PYTHON_WORDS = frozenset({"abs", "bool", "int", "len", "max", "min", "range", "tuple"})


@dataclass(frozen=True, slots=True)
class Word:
    """A name of the language or one of the few of Python's."""

    name: str


@dataclass(frozen=True, slots=True)
class Constant:
    value: Literal


@dataclass(frozen=True, slots=True)
class TypeName:
    """An enum, struct, event or record."""

    type: Type


@dataclass(frozen=True, slots=True)
class ProgramName:
    """A program class; its interface is looked up when it is needed."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: Type
    default: Literal | None


@dataclass(frozen=True, slots=True)
class Signature:
    """
    function: unique name in the compiled module. kind: external, view, hook, invariant, migrate, internal (methods) or
    function.
    """

    name: str
    function: str
    module: str
    parameters: tuple[Parameter, ...]
    result: Type
    kind: str
    order: str
    node: ast.FunctionDef = field(compare=False)

    @property
    def is_method(self) -> bool:
        return self.kind != "function"


@dataclass(frozen=True, slots=True)
class FunctionName:
    signature: Signature


Entity = Word | Constant | TypeName | ProgramName | FunctionName


@dataclass(frozen=True, slots=True)
class Interface:
    """A program class: fields with their state addresses' order, methods by name, those of its bases included."""

    name: str
    module: str
    fields: tuple[tuple[str, Type], ...]
    methods: dict[str, Signature]


@dataclass(slots=True)
class Effects:
    """
    What a function may do, callees included.

    writes: changes anything. kills: borrowable types that may have died. changes: container types whose keys may have
    changed.
    calls: calls another program; uncapped: without a gas cap somewhere. loops: has a loop. frame: registers are counted
    later, in `bounds`.
    """

    writes: bool = False
    kills: set[Type] = field(default_factory=set)
    changes: set[Type] = field(default_factory=set)
    calls: bool = False
    uncapped: bool = False
    loops: bool = False

    def include(self, other: Effects) -> None:
        self.writes |= other.writes
        self.kills |= other.kills
        self.changes |= other.changes
        self.calls |= other.calls
        self.uncapped |= other.uncapped
        self.loops |= other.loops


@dataclass(frozen=True, slots=True)
class Flow:
    """
    What is known at one point of a function, by name.

    assigned: surely assigned. narrowed: Optional locals surely not None. stale: borrows that may dangle, with the line
    that did it.
    """

    reachable: bool = True
    assigned: frozenset[str] = frozenset()
    narrowed: frozenset[str] = frozenset()
    stale: frozenset[tuple[str, int]] = frozenset()

    def narrow(self, names: frozenset[str]) -> Flow:
        return replace(self, narrowed=self.narrowed | (names & self.assigned))

    def widen(self, names: frozenset[str]) -> Flow:
        return replace(self, narrowed=self.narrowed - names)

    def assign(self, name: str, present: bool) -> Flow:
        """After `name = …`; present: the value is surely not None."""
        narrowed = self.narrowed | {name} if present else self.narrowed - {name}
        stale = frozenset(item for item in self.stale if item[0] != name)
        return replace(self, assigned=self.assigned | {name}, narrowed=narrowed, stale=stale)

    def forget(self, name: str) -> Flow:
        return replace(self, assigned=self.assigned - {name}, narrowed=self.narrowed - {name})

    def ended(self) -> Flow:
        return replace(self, reachable=False)

    def join(self, other: Flow) -> Flow:
        """What is known when either path was taken."""
        if not other.reachable:
            return self
        if not self.reachable:
            return other
        stale = _first_lines(self.stale | other.stale) if self.stale != other.stale else self.stale
        return Flow(True, self.assigned & other.assigned, self.narrowed & other.narrowed, stale)


def _first_lines(stale: frozenset[tuple[str, int]]) -> frozenset[tuple[str, int]]:
    """One line for each name: the first, whichever path was walked first."""
    lines: dict[str, int] = {}
    for name, line in stale:
        lines[name] = min(line, lines.get(name, line))
    return frozenset(lines.items())
