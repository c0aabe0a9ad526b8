"""
The state of checking one function: slots, flow, effects, and the logs that borrow rules need.

Expressions and statements are checked by functions over this context; `check` calls back into the expression checker,
so that the files of the checker form no circle.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass, field

from execution.compiler import limits, suggest, tree
from execution.compiler import types as t
from execution.compiler.errors import CompileError
from execution.compiler.names import UNDEFINED, Bundle, Module
from execution.compiler.scope import PYTHON_WORDS, Effects, Entity, Flow, Interface, Signature

COMPARE = "compare it: `x != 0`"
CONVERSIONS: dict[tuple[t.Type, t.Type], str] = {
    (t.DECIMAL, t.INT): "write .floor(), .ceil() or .round()",
    (t.DURATION, t.INT): "write .ms",
    (t.TIMESTAMP, t.INT): "write .ms",
    (t.INT, t.DURATION): "write Duration.milliseconds(…)",
    (t.INT, t.TIMESTAMP): "write Timestamp(…)",
    (t.INT, t.BOOL): COMPARE,
    (t.DECIMAL, t.BOOL): COMPARE,
    (t.QUOTE, t.DECIMAL): "write .price",
    (t.FEED, t.DECIMAL): "write .price()",
}
"""What makes one type of another, where there is a way."""
CheckExpression = Callable[["Context", ast.expr, t.Type | None], tree.Expression]


@dataclass(slots=True)
class Shared:
    """What all functions of one program share while it is checked."""

    bundle: Bundle
    program: Interface
    offsets: dict[str, int]
    effects_of: Callable[[Signature, Module, ast.AST], Effects]
    check_expression: CheckExpression
    events: list[t.Type] = field(default_factory=list)
    reasons: dict[str, None] = field(default_factory=dict)
    handlers: dict[str, Signature] = field(default_factory=dict)


@dataclass(slots=True)
class LoopExits:
    """Flows that leave a loop by break, and those that go on by continue."""

    breaks: list[Flow] = field(default_factory=list)
    again: list[Flow] = field(default_factory=list)


@dataclass(slots=True)
class Context:
    """
    births: when a borrow was last assigned. uses, killed, changed: logs in order of the text. tolerating: depth of
    `try`.
    refusals: names of caught refusals, which have a reason and are no values themselves.
    borrowed: the expression being checked where it is only looked into. owned: locals that are the one name of a
    sequence; moved: those used as values in this statement; iterated: those that loops run over.
    """

    shared: Shared
    module: Module
    signature: Signature | None
    slots: list[t.Type] = field(default_factory=list)
    words: int = 0
    names: dict[str, int] = field(default_factory=dict)
    flow: Flow = field(default_factory=Flow)
    effects: Effects = field(default_factory=Effects)
    births: dict[str, int] = field(default_factory=dict)
    clock: int = 0
    uses: list[tuple[str, int, ast.AST]] = field(default_factory=list)
    killed: list[tuple[t.Type, int]] = field(default_factory=list)
    changed: list[t.Type] = field(default_factory=list)
    loops: list[LoopExits] = field(default_factory=list)
    tolerating: int = 0
    refusals: set[str] = field(default_factory=set)
    borrowed: ast.expr | None = None
    owned: set[str] = field(default_factory=set)
    moved: set[str] = field(default_factory=set)
    iterated: set[str] = field(default_factory=set)

    def error(self, node: ast.AST, wrong: str, instead: str) -> CompileError:
        return self.module.source.at(node, wrong, instead)

    def check(self, node: ast.expr, expected: t.Type | None = None) -> tree.Expression:
        """An expression; with `expected`, converted to that type or refused."""
        expression = self.shared.check_expression(self, node, expected)
        return expression if expected is None else self.convert(expression, expected, node)

    def borrow(self, node: ast.expr) -> tree.Expression:
        """An expression that is only looked into: indexed, measured, iterated, asked."""
        self.borrowed = node
        return self.shared.check_expression(self, node, None)

    def convert(self, value: tree.Expression, to: t.Type, node: ast.AST) -> tree.Expression:
        """The implicit conversions: int → Decimal, T → Optional[T], None → Optional[T]."""
        if value.type == to:
            return value
        if isinstance(to, t.OptionalType):
            if value.type == t.NONE:
                return tree.Literal(to, (0,) * len(t.kinds(to)))
            inner = self.convert(value, to.item, node)
            return tree.Join(to, (tree.Literal(t.BOOL, (1,)), inner))
        if value.type == t.INT and to == t.DECIMAL:
            if isinstance(value, tree.Literal):
                return tree.Literal(t.DECIMAL, (value.values[0] * 10**18,))
            return tree.Operation(t.DECIMAL, "to_d.w", (value,), getattr(node, "lineno", 0))
        if value.type == t.OptionalType(to):
            raise self.error(node, f"this may be None, {to} is expected", "test `is not None` on a local first")
        instead = CONVERSIONS.get((value.type, to), f"give a value of type {to}")
        raise self.error(node, f"this is of type {value.type}, {to} is expected", instead)

    def find(self, name: str, node: ast.AST) -> Entity:
        if not self.module.knows(name):
            raise self.error(node, f"`{name}` is not defined", self._instead_of(name))
        return self.shared.bundle.find(self.module, name, node)

    def _instead_of(self, name: str) -> str:
        program = self.shared.program
        if name in dict(program.fields) or name in program.methods:
            return f"write self.{name}"
        return suggest.instead_of(name, {*self.module.known(), *self.names}, UNDEFINED)

    # Slots and names

    def new_slot(self, of: t.Type, node: ast.AST) -> int:
        if len(self.slots) >= limits.LOCALS_MAX:
            raise self.error(node, f"the function has more than {limits.LOCALS_MAX} locals", "split it")
        self.words += len(t.kinds(of))
        if self.words > limits.LOCAL_WORDS_MAX:
            raise self.error(node, f"the locals have more than {limits.LOCAL_WORDS_MAX} words", "split the function")
        self.slots.append(of)
        return len(self.slots) - 1

    def declare(self, name: str, of: t.Type, node: ast.AST) -> int:
        """The slot of a local that is being assigned a value of the type; its type never changes."""
        if name == "self" or name in PYTHON_WORDS or name in self.module.definitions or name in self.module.imports:
            raise self.error(node, f"`{name}` has a meaning already", "choose another name for the local")
        if name in self.names and self.slots[self.names[name]] != of:
            before = self.slots[self.names[name]]
            instead = "write Decimal(…)" if (before, of) == (t.DECIMAL, t.INT) else "use another name"
            raise self.error(node, f"`{name}` is of type {before}, not {of}", instead)
        if name not in self.names:
            self.names[name] = self.new_slot(of, node)
        return self.names[name]

    def assigned(self, name: str, present: bool = False) -> None:
        """`name` has just been assigned."""
        self.flow = self.flow.assign(name, present)
        self.clock += 1
        self.births[name] = self.clock

    # Effects

    def write(self, node: ast.AST) -> None:
        """Something changes here; not in a view."""
        self.effects.writes = True
        if self.signature is not None and self.signature.kind == "view":
            raise self.error(node, "a view changes nothing", "make the method @external or internal")
        if self.invariant:
            raise self.error(node, "an invariant changes nothing", "change it where the entry does its work")

    @property
    def invariant(self) -> bool:
        """Whether this is an invariant: it reads the program's own state in a fixed number of steps."""
        return self.signature is not None and self.signature.kind == "invariant"

    def loop(self, node: ast.AST) -> None:
        """A loop begins here; not in an invariant."""
        self.effects.loops = True
        if self.invariant:
            wrong = "an invariant has no loops: it is checked after every call that enters the program"
            raise self.error(node, wrong, "keep a running sum where the values change, and compare that")

    def call_out(self, node: ast.AST) -> None:
        """Another program is called here; not in an invariant."""
        self.effects.calls = True
        if self.invariant:
            raise self.error(node, "an invariant calls no other program", "compare what this program keeps itself")

    def change(self, container: t.Container | t.ArrayType, node: ast.AST) -> None:
        """A key is added to or removed from a container of this type."""
        self.write(node)
        self.effects.changes.add(container)
        self.changed.append(container)

    def kill(self, types: frozenset[t.Type] | set[t.Type], line: int) -> None:
        """Storage of these types may be gone from here on."""
        self.effects.kills |= types
        self.killed += [(of, line) for of in types]
        known = {name for name, _ in self.flow.stale}
        assigned = (name for name in self.flow.assigned if name not in known)
        stale = {(name, line) for name in assigned if self.slots[self.names[name]] in types}
        if stale:
            self.flow = Flow(self.flow.reachable, self.flow.assigned, self.flow.narrowed, self.flow.stale | stale)

    def include(self, effects: Effects, node: ast.AST) -> None:
        """A callee's effects happen here."""
        if effects.writes:
            self.write(node)
        if effects.loops:
            self.loop(node)
        if effects.calls:
            self.call_out(node)
        self.effects.include(effects)
        self.changed += effects.changes
        self.kill(effects.kills, getattr(node, "lineno", 0))

    def hold(self, held: tree.Expression, since: int, node: ast.AST) -> None:
        """Refuse when a borrow computed at `since` (length of the log then) may have died before it is used."""
        if t.is_borrow(held.type) and not is_field(held) and held.type in {of for of, _ in self.killed[since:]}:
            raise self.error(
                node, f"the {held.type} may be deleted within this statement", "delete in a statement of its own"
            )


def is_field(expression: tree.Expression) -> bool:
    """Whether a borrow is of a field of the program itself, which never goes away."""
    return isinstance(expression, tree.Place) and expression.base is None
