"""
Programs as source text: a library of types and functions, and up to four programs that call those before them.

Small on purpose: the compilers of a case take most of its time, and a difference hardly ever needs much text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from execution.compiler import types as t
from execution.lang import __all__ as words_of_the_language
from node.fuzz.dice import Dice
from node.fuzz.expressions import name_of
from node.fuzz.shape import Container, Method, Scope, Shape
from node.fuzz.statements import Lines, Statements, indent
from node.fuzz.values import SCALARS, constant

LIBRARY = "lib.py"
PROGRAMS_MAX = 4
KEY_WORDS_MAX, VALUE_WORDS_MAX, STRUCT_WORDS_MAX, EVENT_WORDS_MAX = 6, 14, 14, 40
COSTLY_CHANCES: dict[t.Type, float] = {t.DECIMAL: 0.04, t.BYTES32: 0.3}
TUPLE_ITEM_WORDS_MAX = ROW_ITEM_WORDS_MAX = 3
ORDERABLE = (t.INT, t.DECIMAL, t.DECIMAL, t.TIMESTAMP, t.DURATION, t.BOOL, t.ASSET)
SPECIAL = (t.ProgramType, t.ArrayType)
"""Flat types that are no local's: only fields have them here."""
_NAME = re.compile(r"[A-Za-z_]\w*")
ORDERS = ("", "", "", '(order="cancel")', '(order="post_only")')


@dataclass(frozen=True, slots=True)
class Written:
    """files: path → text. shapes: of the programs, in the order of deployment; their files are `path_of`."""

    files: dict[str, str]
    shapes: tuple[Shape, ...]


class Types:
    """The types of one case: made by chance, then used by all of its programs."""

    def __init__(self, dice: Dice) -> None:
        self.dice = dice
        self.enums = [self._enum(number) for number in range(self._few(2))]
        self.structs: list[t.StructType] = []
        for number in range(self._few(2)):
            self.structs.append(t.StructType(f"S{number}", self._members("s", 3, STRUCT_WORDS_MAX)))
        self.wide: t.StructType | None = None
        if dice.odd(0.3):
            other = dice.pick((t.INT, t.SYMBOL, t.ACCOUNT))
            self.wide = t.StructType("Wide", (("a", t.ACCOUNT), ("b", other)))
            self.structs.append(self.wide)

    def _few(self, most: int) -> int:
        return int(self.dice.random() * (most + 1))

    def _enum(self, number: int) -> t.EnumType:
        return t.EnumType(f"E{number}", ("ONE", "TWO", "THREE", "FOUR")[: 1 + int(self.dice.random() * 4)])

    def scalar(self) -> t.Type:
        return self.dice.weighed([(scalar.weight, of) for of, scalar in SCALARS.items()])

    def flat(self, words: int = VALUE_WORDS_MAX) -> t.Type:
        """Any flat type of at most so many words."""
        for _ in range(8):
            of = self._any()
            if t.words(of) <= words:
                return of
        return t.INT

    def _any(self) -> t.Type:
        named: list[t.Type] = [*self.enums, *self.structs, t.QUOTE_STATUS]
        match int(self.dice.random() * 10):
            case 0:
                return t.OptionalType(self.dice.pick(named) if self.dice.odd(0.3) else self.scalar())
            case 1 | 2:
                return self.dice.pick(named)
            case 3 if self.dice.odd(0.3):
                return t.QUOTE
        return self.scalar()

    def _members(self, prefix: str, most: int, words: int) -> tuple[tuple[str, t.Type], ...]:
        count = 1 + self._few(most - 1)
        return tuple((f"{prefix}{number}", self.flat(words // count)) for number in range(count))

    def event(self, number: int) -> t.StructType:
        return t.StructType(f"Ev{number}", self._members("m", 3, EVENT_WORDS_MAX), True)

    def key(self, ordered: bool) -> t.Type:
        if self.wide is not None and not ordered and self.dice.odd(0.6):
            return self.wide
        orderable: list[t.Type] = [*ORDERABLE, *self.enums]
        return self.dice.pick(orderable) if ordered else self.flat(KEY_WORDS_MAX)

    def container(self, records: list[t.RecordType], depth: int = 0) -> Container:
        value: t.Type = self.flat()
        if depth == 0 and self.dice.odd(0.2):
            return self.row() if self.dice.odd(0.6) else t.QueueType(value)
        if depth == 0 and self.dice.odd(0.25):
            value = self.dice.pick(records) if records and self.dice.odd(0.6) else self.container(records, 1)
        if self.dice.odd(0.3):
            return t.ListType(value)
        ordered = self.dice.odd(0.4)
        return t.MapType(self.key(ordered), value, ordered)

    def row(self) -> t.ArrayType:
        return t.ArrayType(self.flat(ROW_ITEM_WORDS_MAX), 1 + int(self.dice.random() * 4), self.dice.odd(0.5))

    def record(self, number: int) -> t.RecordType:
        """Flat members, and a container now and then."""
        members: list[tuple[str, t.Type]] = [(f"f{at}", self.flat(6)) for at in range(1 + self._few(2))]
        if self.dice.odd(0.35):
            members.append(("inner", self.container([], 1)))
        return t.RecordType(f"R{number}", tuple(members))


def written(dice: Dice) -> Written:
    """A case's sources."""
    types = Types(dice)
    shapes: list[Shape] = []
    files = {LIBRARY: _library(types)}
    for number in range(1 + int(dice.random() * PROGRAMS_MAX)):
        writer = _Writer(dice, types, number, shapes)
        files[path_of(writer.shape)] = writer.text()
        shapes.append(writer.shape)
    return Written(files, tuple(shapes))


def path_of(shape: Shape) -> str:
    return f"{shape.name.lower()}.py"


def _library(types: Types) -> str:
    lines: Lines = []
    for enum in types.enums:
        lines += [f"class {enum.name}(Enum):"]
        lines += [f"    {member} = {number}" for number, member in enumerate(enum.members)] + [""]
    for struct in types.structs:
        lines += _class("Struct", struct)
    return _text("Types of a case.", lines)


def _text(title: str, lines: Lines) -> str:
    """A module: docstring, what it uses of the language, its lines."""
    used = set(_NAME.findall("\n".join(lines))) & set(words_of_the_language)
    names = sorted(used)
    imports = [f"from execution.lang import {', '.join(names[at : at + 12])}" for at in range(0, len(names), 12)]
    return "\n".join([f'"""{title}"""', "", *imports, *lines]) + "\n"


def _class(base: str, of: t.StructType | t.RecordType) -> Lines:
    return [f"class {of.name}({base}):", *(f"    {name}: {kind}" for name, kind in of.fields), ""]


class _Writer:
    """Writes one program."""

    def __init__(self, dice: Dice, types: Types, number: int, before: list[Shape]) -> None:
        self.dice, self.types, self.number = dice, types, number
        costly = frozenset(of for of, chance in COSTLY_CHANCES.items() if dice.odd(chance))
        self.shape = Shape(f"P{number}", costly=costly)
        self.records: list[t.RecordType] = []
        self.imported = before
        self.bodies: list[Lines] = []
        self.functions: list[Lines] = []
        nowhere = Scope(Method("", "create", (), t.NONE, True))
        self.statements = Statements(dice, self.shape, nowhere)

    def text(self) -> str:
        self._declare()
        self._optionals()
        self._write_constants()
        self._write_methods()
        return _text(f"Program {self.number} of a case.", self._module())

    # ---- declarations

    def _declare(self) -> None:
        dice, shape, types = self.dice, self.shape, self.types
        self.records = [types.record(number) for number in range(int(dice.random() * 1.6))]
        for number in range(dice.weighed(((5, 0), (5, 1), (0.7, 2)))):
            shape.fields[f"c{number}"] = types.container(self.records)
        for number in range(1 + int(dice.random() * 3)):
            shape.fields[f"x{number}"] = types.flat(8)
        for number, other in enumerate(dice.sample(self.imported, min(len(self.imported), int(dice.random() * 3)))):
            shape.fields[f"ref{number}"] = t.ProgramType(other.name, other.name.lower())
            shape.refs[f"ref{number}"] = other
        shape.events = [types.event(number) for number in range(int(dice.random() * 2.5))]
        flats = [types.flat() for _ in range(3)]
        flats += [of for of in shape.fields.values() if t.is_flat(of) and not isinstance(of, SPECIAL)]
        flats += [t.INT, t.DECIMAL, t.BOOL]
        for _, kind in shape.containers():
            flats += [of for of in _held(kind) if t.is_flat(of)]
            if isinstance(kind, t.ListType):
                flats.append(t.OptionalType(t.INT))
            if isinstance(kind, t.QueueType) and _optional(kind.item):
                flats.append(t.OptionalType(kind.item))
            if isinstance(kind, t.MapType) and kind.ordered and _optional(kind.key):
                flats.append(t.OptionalType(kind.key))
        shape.flats = list(dict.fromkeys(flats))

    def _optionals(self) -> None:
        """`maybe_…`: the source of an Optional where there is no other."""
        wanted = {of for of in self._all_types() if isinstance(of, t.OptionalType)}
        for of in sorted(wanted, key=str):
            name = f"maybe_{name_of(of.item)}"
            parameters = (("here", t.BOOL), ("value", of.item))
            self.shape.methods.append(Method(name, "function", parameters, of, False))
            head = f"def {name}(here: bool, value: {of.item}) -> {of}:"
            self.functions.append([head, "    return value if here else None", ""])

    def _all_types(self) -> list[t.Type]:
        """Everything an expression may be wanted of."""
        found: list[t.Type] = list(self.shape.flats)
        waiting: list[t.Type] = [*self.shape.fields.values(), *self.shape.flats, *self.shape.events]
        for other in self.shape.refs.values():
            waiting += [of for method in other.methods for _, of in method.parameters]
        while waiting:
            of = waiting.pop()
            found.append(of)
            waiting += _held(of)
            if isinstance(of, t.QueueType) and _optional(of.item):
                found.append(t.OptionalType(of.item))
            if isinstance(of, t.MapType):  # what get, first and their like give
                found += [t.OptionalType(item) for item in (of.key, of.value) if _optional(item)]
        return found

    def _write_constants(self) -> None:
        for number in range(int(self.dice.random() * 2.5)):
            of = self.dice.pick(self.shape.flats)
            if not isinstance(of, (t.OptionalType, t.ProgramType)):
                self.shape.constants[f"K{number}"] = of

    # ---- methods

    def _write_methods(self) -> None:
        dice = self.dice
        for number in range(int(dice.random() * 1.5)):
            self._function(f"g{number}")
        if dice.odd(0.3):
            self._method(f"done{self.number}", "handler", (("account", t.ACCOUNT),), t.NONE, True)
        if dice.odd(0.25):
            self._method("on_price", "hook", (("quote", t.QUOTE),), t.OUTCOME, True)
        if dice.odd(0.15):
            self._method("on_fill", "hook", (("fill", t.FILL),), t.OUTCOME, True)
        if dice.odd(0.25):
            self._method("on_time", "hook", (("due", t.TIMESTAMP),), t.OUTCOME, True)
        for number in range(int(dice.random() * 2.5)):
            result = self._result(tuples=True)
            self._method(f"h{number}", "internal", self._parameters(), result, dice.odd(0.6))
        for number in range(1 + int(dice.random() * 2.5)):
            self._method(f"do{number}", "external", self._parameters(), self._result(tuples=dice.odd(0.1)), True)
        for number in range(int(dice.random() * 1.8)):
            result = self._result()
            self._method(f"see{number}", "view", self._parameters(), t.INT if result == t.NONE else result, False)
        for number in range(int(dice.random() * 1.3)):
            self._invariant(f"holds{number}")

    def _parameters(self) -> tuple[tuple[str, t.Type], ...]:
        return tuple((f"a{number}", self._flat()) for number in range(int(self.dice.random() * 3.5)))

    def _flat(self) -> t.Type:
        return self.dice.pick(self.shape.flats) if self.dice.odd(0.7) else self.types.scalar()

    def _result(self, tuples: bool = False) -> t.Type:
        if tuples and self.dice.odd(0.3):
            small = [of for of in self.shape.flats if t.words(of) <= TUPLE_ITEM_WORDS_MAX]
            return t.TupleType((self.dice.pick(small), self.dice.pick(small)))
        return t.NONE if self.dice.odd(0.25) else self._flat()

    def _function(self, name: str) -> None:
        method = Method(name, "function", self._parameters(), self.dice.pick(self.shape.flats), False)
        self.functions.append([self._head(method, ""), *indent(self._body(method, False)), ""])
        self.shape.methods.append(method)

    def _method(
        self, name: str, kind: str, parameters: tuple[tuple[str, t.Type], ...], result: t.Type, writes: bool
    ) -> None:
        method = Method(name, kind, parameters, result, writes)
        decorator = {"view": ["@view"], "hook": ["@hook"]}.get(kind, [])
        if kind == "external":
            decorator = [f"@external{self.dice.pick(ORDERS)}"]
        body = self._body(method, True)
        self.bodies.append([*decorator, self._head(method, "self"), *indent(body), ""])
        self.shape.methods.append(method)

    def _invariant(self, name: str) -> None:
        """Holds in most blocks, so that most calls go through."""
        method = Method(name, "invariant", (), t.BOOL, False)
        self.statements.scope = Scope(method, pure=True)
        begun = f"return block.height % 4 != {int(self.dice.random() * 4)} or "
        holds = self.statements.retried(lambda depth: begun + self.statements.of(t.BOOL, min(depth, 2)))
        self.bodies.append(["@invariant", self._head(method, "self"), f"    {holds}", ""])
        self.shape.methods.append(method)

    def _head(self, method: Method, first: str) -> str:
        parameters = [first] if first else []
        parameters += [f"{name}: {of}" for name, of in method.parameters]
        return f"def {method.name}({', '.join(parameters)}) -> {method.result}:"

    def _body(self, method: Method, owner: bool) -> Lines:
        scope = Scope(method, dict(method.parameters), owner=owner)
        scope.targets = {name: of for name, of in method.parameters if not isinstance(of, t.OptionalType)}
        size = 1 + int(self.dice.random() * (2.9 if owner else 1.5))
        return self.statements.body(scope, size)

    # ---- the module

    def _module(self) -> Lines:
        shape = self.shape
        lines: Lines = []
        named = [of.name for of in self.types.enums] + [of.name for of in self.types.structs]
        lines += [f"from lib import {', '.join(named)}"] if named else []
        lines += [f"from {other.name.lower()} import {other.name}" for other in dict.fromkeys(_once(shape))]
        lines += [""]
        for name, of in shape.constants.items():
            annotated = f": {of}" if self.dice.odd(0.5) else ""
            lines += [f"{name}{annotated} = {constant(self.dice, of)}"]
        lines += [line for event in shape.events for line in _class("Event", event)]
        lines += [line for record in self.records for line in _class("Record", record)]
        lines += [line for function in self.functions for line in function]
        lines += [f"class {shape.name}(Program):"]
        lines += [f"    {name}: {of}" for name, of in shape.fields.items()] + [""]
        return lines + indent([line for body in (self._create(), *self.bodies) for line in body])

    def _create(self) -> Lines:
        """Sets the references; the address may be any."""
        if not self.shape.refs:
            return []
        head = ", ".join(f"{name}: {self.shape.fields[name]}" for name in self.shape.refs)
        return [f"def create(self, {head}) -> None:", *(f"    self.{name} = {name}" for name in self.shape.refs), ""]


def _once(shape: Shape) -> list[_Named]:
    return [_Named(other.name) for other in shape.refs.values()]


@dataclass(frozen=True, slots=True)
class _Named:
    name: str


def _optional(of: t.Type) -> bool:
    return t.is_flat(of) and not isinstance(of, t.OptionalType)


def _held(of: t.Type) -> list[t.Type]:
    """Types inside a type."""
    match of:
        case t.MapType(key, value, _):
            return [key, value]
        case t.ListType(item) | t.QueueType(item) | t.OptionalType(item) | t.ArrayType(item):
            return [item]
        case t.StructType(_, fields) | t.RecordType(_, fields):
            return [kind for _, kind in fields]
        case t.TupleType(items):
            return list(items)
    return []
