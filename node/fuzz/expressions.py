"""
Expressions of a wanted type: from the table of rules, and from what the program at hand offers.

`of` gives exactly the type; `given` what converts to it, for places that convert (arguments, members, stores). Keys of
nested containers and indexes stay small, so that a line does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from execution.compiler import types as t
from node.fuzz.dice import Dice
from node.fuzz.rules import COSTLY, HOLES, NUMBER, PURE_LEAVES, RULES, SMALL, Rule
from node.fuzz.shape import Container, Method, Scope, Shape, held
from node.fuzz.values import constant

DEPTH = 3
GAS_CAP = 1_000_000
"""More than any call of the first program takes; three times as much for each program that may call those before."""
Maker = Callable[[int], str]


class Expressions:
    """Of one program. `scope` is set by whoever writes statements."""

    def __init__(self, dice: Dice, shape: Shape, scope: Scope) -> None:
        self.dice, self.shape, self.scope = dice, shape, scope

    # ---- the two questions

    def of(self, of: t.Type, depth: int = DEPTH) -> str:
        """An expression of exactly this flat type."""
        if depth <= 0 or self.dice.odd(0.3):
            return self.leaf(of)
        options = self._options(of)
        return self.dice.weighed(options)(depth - 1) if options else self.leaf(of)

    def given(self, of: t.Type, depth: int = DEPTH) -> str:
        """An expression that converts to the type where one is expected."""
        if of == t.DECIMAL and self.dice.odd(0.2):
            return self.of(t.INT, depth)
        if isinstance(of, t.OptionalType):
            if self.dice.odd(0.2):
                return "None"
            if self.dice.odd(0.6):
                return self.given(of.item, depth)
        return self.of(of, depth)

    def key(self, of: t.Type, depth: int = 1) -> str:
        """A key: mostly one of few."""
        return constant(self.dice, of, True) if self.dice.odd(0.5) else self.given(of, depth)

    def leaf(self, of: t.Type) -> str:
        if of == t.BOOL and self.dice.odd(0.7):
            return f"({self.leaf(t.INT)} {self.dice.pick(('<', '>=', '==', '!='))} {int(self.dice.random() * 6) - 1})"
        known = self._leaves(of)
        if known and self.dice.odd(0.75):
            return self.dice.pick(known)
        if strict(of):
            return constant(self.dice, of)
        if known:
            return self.dice.pick(known)
        return self._made(of)

    # ---- what is at hand

    def _leaves(self, of: t.Type) -> list[str]:
        found = [text for text, kind in self.scope.values.items() if kind == of]
        found += [text for kind, texts in PURE_LEAVES.items() if kind == of for text in texts]
        found += [name for name, kind in self.shape.constants.items() if kind == of]
        for text, kind in self._structs():
            found += [f"{text}.{name}" for name, member in kind.fields if member == of]
        if self.scope.owner:
            found += [f"self.{name}" for name, kind in self.shape.fields.items() if kind == of]
        return found

    def _structs(self) -> list[tuple[str, t.StructType]]:
        found = [(text, kind) for text, kind in self.scope.values.items() if isinstance(kind, t.StructType)]
        if self.scope.owner:
            fields = self.shape.fields.items()
            found += [(f"self.{name}", kind) for name, kind in fields if isinstance(kind, t.StructType)]
        return found

    def _made(self, of: t.Type) -> str:
        """A value whose constant has not exactly its type: an Optional, or a struct that holds one."""
        if isinstance(of, t.StructType):
            return self._constructed(of, 0)
        assert isinstance(of, t.OptionalType), of
        known = [m for m in self.shape.methods if m.name == f"maybe_{name_of(of.item)}"]
        assert known, f"no source of {of}"
        return f"{known[0].name}({self.of(t.BOOL, 0)}, {self.given(of.item, 0)})"

    def _constructed(self, of: t.StructType, depth: int) -> str:
        items = [(name, self.given(kind, depth - 1)) for name, kind in of.fields]
        if self.dice.odd(0.3) and of.name not in ("World", "Quote", "Fill"):
            items = self.dice.sample(items, len(items))
            return f"{of.name}({', '.join(f'{name}={value}' for name, value in items)})"
        return f"{of.name}({', '.join(value for _, value in items)})"

    # ---- what can be made

    def _options(self, of: t.Type) -> list[tuple[float, Maker]]:
        options: list[tuple[float, Maker]] = []
        rules = [rule for rule in RULES.get(of, ()) if self.scope.owner or "self." not in "".join(rule.texts)]
        if rules:
            options.append((6, lambda depth: self.fill(self.dice.pick(rules), depth)))
        if of in self.shape.costly:
            options.append((3, lambda depth: self.fill(self.dice.pick(COSTLY[of]), depth)))
        options.append((0.6, lambda depth: self._choice(of, depth)))
        if isinstance(of, t.StructType):
            options.append((2, lambda depth: self._constructed(of, depth)))
            options.append((1, lambda depth: self._replaced(of, depth)))
        if of == t.BOOL:
            options.append((2, self._equality))
        options += [(1.2, maker) for maker in self._calls(of)]
        if self.scope.owner:
            weight = 4 if isinstance(of, t.OptionalType) else 0.7 if of == t.INT else 1.5
            options += [(weight, maker) for maker in self._reads(of)]
        return options

    def fill(self, rule: Rule, depth: int) -> str:
        out = rule.texts[0]
        for hole, text in zip(rule.holes, rule.texts[1:], strict=True):
            out += self.hole(hole, depth) + text
        return out

    def hole(self, hole: str, depth: int) -> str:
        if hole == NUMBER:
            return self.given(t.DECIMAL, depth)
        if hole == SMALL:
            return str(self.dice.pick((1, 2, 3, 5, 7, 10, -2, -3, 100)))
        return self.of(HOLES[hole], depth)

    def _choice(self, of: t.Type, depth: int) -> str:
        return f"({self.of(of, depth - 1)} if {self.of(t.BOOL, depth - 1)} else {self.of(of, depth - 1)})"

    def _replaced(self, of: t.StructType, depth: int) -> str:
        fields = self.dice.sample(of.fields, 1 + int(self.dice.random() * min(2, len(of.fields))))
        changes = ", ".join(f"{name}={self.given(kind, depth - 1)}" for name, kind in fields)
        return f"{self.of(of, depth - 1)}.replace({changes})"

    def _equality(self, depth: int) -> str:
        of = self.dice.pick(self.shape.flats)
        return f"({self.of(of, depth - 1)} {self.dice.pick(('==', '!='))} {self.of(of, depth - 1)})"

    def _reads(self, of: t.Type) -> list[Maker]:
        """What containers of the program hold."""
        makers: list[Maker] = []
        for path, kind in self.shape.containers():
            makers += self.reads_of(path, kind, of)
        if of == t.BOOL:
            fields = [name for name, kind in self.shape.fields.items() if isinstance(kind, t.OptionalType)]
            makers += [lambda _, name=name: f"(self.{name} is not None)" for name in fields]  # type: ignore[misc]
        return makers

    def reads_of(self, path: str, kind: Container, of: t.Type) -> list[Maker]:
        makers: list[Maker] = []
        inside = held(kind)
        if inside == of and not isinstance(kind, t.QueueType):
            makers.append(lambda depth: self.item(path, kind, depth))
            if isinstance(kind, t.MapType):
                makers.append(lambda depth: f"{path}.get({self.key(kind.key)}, {self.given(of, depth - 1)})")
        if isinstance(inside, (t.StructType, t.RecordType)) and not isinstance(kind, t.QueueType):
            names = [name for name, member in inside.fields if member == of]
            makers += [
                lambda depth, name=name: f"{self.item(path, kind, depth)}.{name}"  # type: ignore[misc]
                for name in names
            ]
        if of == t.INT:
            makers.append(lambda _: f"len({path})")
        if isinstance(kind, t.ListType) and of == t.OptionalType(t.INT):
            makers.append(lambda _: f"{path}.first()")
            makers.append(lambda depth: f"{path}.after({self.of(t.INT, min(depth, 1))})")
        if isinstance(kind, t.QueueType) and of == t.OptionalType(kind.item):
            makers.append(lambda _: f"{path}.first()")
        if isinstance(kind, t.MapType):
            makers += self._map_reads(path, kind, of)
        return makers

    def _map_reads(self, path: str, kind: t.MapType, of: t.Type) -> list[Maker]:
        makers: list[Maker] = []
        if of == t.BOOL:
            makers.append(lambda _: f"({self.key(kind.key)} {self.dice.pick(('in', 'not in'))} {path})")
        if of == t.OptionalType(kind.key) and not isinstance(kind.key, t.OptionalType):
            makers.append(lambda _: f"{path}.{self.dice.pick(('first', 'last'))}()")
            near = ("after", "before", *(("ceiling", "floor") if kind.ordered else ()))
            makers.append(lambda _: f"{path}.{self.dice.pick(near)}({self.key(kind.key)})")
        flat = t.is_flat(kind.value) and not isinstance(kind.value, t.OptionalType)
        if flat and of == t.OptionalType(kind.value):
            makers.append(lambda _: f"{path}.get({self.key(kind.key)})")
        return makers

    def item(self, path: str, kind: Container, depth: int) -> str:
        """`path[key]`; an index that is mostly inside."""
        if not isinstance(kind, t.MapType):
            return f"{path}[{self.index(path, kind, depth)}]"
        return f"{path}[{self.key(kind.key, min(depth, 1))}]"

    def index(self, path: str, kind: Container, depth: int) -> str:
        if isinstance(kind, t.ArrayType):  # what is known to lie outside does not compile
            inside = f"{self.leaf(t.INT)} % {kind.count}" if self.dice.odd(0.5) else ""
            return inside or f"(block.height + {int(self.dice.random() * 4)}) % {kind.count + self.dice.odd(0.1)}"
        if self.dice.odd(0.5):
            return f"{self.leaf(t.INT)} % max(len({path}), 1)"
        return str(int(self.dice.random() * 3)) if self.dice.odd(0.6) else self.of(t.INT, min(depth, 1))

    # ---- calls

    def _calls(self, of: t.Type) -> list[Maker]:
        methods = [method for method in self.shape.methods if method.result == of and self.callable_here(method)]
        makers: list[Maker] = [partial(self.call, method) for method in methods]
        if self.scope.owner:
            for ref, other in self.shape.refs.items():
                asked = [method for method in other.methods if method.result == of and self.reachable(method)]
                makers += [partial(self.ask, ref, method) for method in asked]
        return makers

    def callable_here(self, method: Method) -> bool:
        scope = self.scope
        if scope.method.kind == "invariant":  # whatever loops or calls programs is refused there
            return method.name.startswith("maybe_")
        if method.kind == "function":
            return scope.fits(method.cost)
        allowed = not method.writes or (scope.method.writes and not scope.pure)
        capped = not (scope.capped and method.uncapped)
        inside = scope.owner and not scope.pure and method.kind in ("internal", "external", "view")
        return inside and allowed and capped and scope.fits(method.cost)

    def call(self, method: Method, depth: int) -> str:
        self.scope.spend(method.cost)
        self.scope.method.uncapped |= method.uncapped
        owner = "" if method.kind == "function" else "self."
        return f"{owner}{method.name}({self.arguments(method, depth)})"

    def arguments(self, method: Method, depth: int) -> str:
        given = [(name, self.given(of, min(depth - 1, 1))) for name, of in method.parameters]
        if self.dice.odd(0.15):
            given = self.dice.sample(given, len(given))
            return ", ".join(f"{name}={value}" for name, value in given)
        return ", ".join(value for _, value in given)

    def reachable(self, method: Method) -> bool:
        """Whether an entry of another program may be called here."""
        allowed = method.kind == "view" or (method.kind == "external" and self.scope.method.writes)
        return allowed and self.scope.method.kind != "invariant" and self.scope.fits(method.cost + 10)

    def ask(self, ref: str, method: Method, depth: int) -> str:
        """A call of another program; now and then without gas, or in a world."""
        self.scope.spend(method.cost + 10)
        arguments = [self.arguments(method, depth)] if method.parameters else []
        if self.scope.capped or self.dice.odd(0.2):
            cap = GAS_CAP * 3 ** int(self.shape.refs[ref].name[1:])
            arguments.append(f"gas={self.dice.weighed(((12, cap), (1, 0), (1, -5)))}")
        else:
            self.scope.method.uncapped = True
        if method.kind == "view" and self.dice.odd(0.3):
            factor, shift = self.of(t.DECIMAL, 0), self.of(t.DURATION, 0)
            arguments.append(f"world=World({int(self.dice.random() * 4)}, {factor}, {factor}, {shift})")
        return f"self.{ref}.{method.name}({', '.join(arguments)})"


def strict(of: t.Type) -> bool:
    """Whether a constant of the type has exactly it: an Optional's has not."""
    return not isinstance(of, t.OptionalType)


def name_of(of: t.Type) -> str:
    return str(of).lower().replace("[", "_").replace("]", "")
