"""
Statements: bodies of methods, as lines of source text.

Every local has a name of its own and is forgotten after the block that made it, so that it is surely assigned where it
is read. Borrows live in blocks of their own, in which nothing is removed. Loops are bounded by small constants, and
what grows in a loop is guarded by the container's length.
"""

from __future__ import annotations

from collections.abc import Callable

from execution.compiler import types as t
from node.fuzz.expressions import DEPTH, Expressions
from node.fuzz.rules import AUGMENTED
from node.fuzz.shape import Container, Scope, held
from node.fuzz.values import REASONS, constant

LINE_MAX = 170
TURNS_MAX = 4
GROWTH_MAX = 12
BLOCK_DEPTH_MAX = 3
WALK_COST = 8
"""Entries that a container is assumed to have."""
Lines = list[str]


class TooLong(Exception):
    """A line outgrew LINE_MAX; try again."""


def fitting(lines: Lines) -> Lines:
    """Lines that leave room for the indentation of a method's body; TooLong when one does not."""
    for line in lines:
        if len(line) > LINE_MAX:
            raise TooLong(line)
    return lines


def indent(lines: Lines) -> Lines:
    return ["    " + line for line in lines]


class Statements(Expressions):
    """Writes the body of one function at a time; `count` numbers its locals."""

    count: int = 0

    def fresh(self, prefix: str = "v") -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def body(self, scope: Scope, size: int) -> Lines:
        """The whole body of a function, ending in its result."""
        self.count = 0
        lines = self.block(scope, size)
        if scope.method.result != t.NONE:
            self.scope = scope
            lines.append(self.retried(lambda depth: f"return {self.result(scope.method.result, depth)}"))
        return lines or ["pass"]

    def result(self, of: t.Type, depth: int) -> str:
        if isinstance(of, t.TupleType):
            return ", ".join(self.given(item, depth - 1) for item in of.items)
        return self.given(of, depth)

    def block(self, scope: Scope, size: int) -> Lines:
        """Statements in order; each sees what those before it made."""
        lines: Lines = []
        for _ in range(size):
            self.scope = scope
            if scope.fits(1):
                scope.spend(1)
                lines += self.statement(scope)
        self.scope = scope
        return lines

    def inside(self, scope: Scope, size: int = 0, **changes: object) -> Lines:
        """The lines of an inner block."""
        before = self.scope
        lines = self.block(scope.inner(**changes), size or 1 + int(self.dice.random() * 1.7))
        self.scope = before
        return indent(lines or ["pass"])

    def retried(self, make: Callable[[int], str]) -> str:
        """A line that fits: simpler and simpler until it does."""
        for depth in (DEPTH, 2, 2, 1, 1, 0, 0, 0, 0):
            line = make(depth)
            if len(line) <= LINE_MAX - 4 * 8:
                return line
        raise TooLong(line)

    def statement(self, scope: Scope) -> Lines:
        options = self._plain(scope)
        if scope.depth < BLOCK_DEPTH_MAX:
            options += self._nesting(scope)
        for _ in range(6):
            count, values, targets = self.count, dict(scope.values), dict(scope.targets)
            try:
                return fitting(self.dice.weighed(options)(scope))
            except TooLong:
                self.count, scope.values, scope.targets = count, values, targets
                self.scope = scope
        return ["pass"]

    def _plain(self, scope: Scope) -> list[tuple[float, Callable[[Scope], Lines]]]:
        options: list[tuple[float, Callable[[Scope], Lines]]] = [(4, self.local), (2, self.reassign)]
        if not scope.owner:
            return options
        options += [(0.8, self.refuse)]
        if scope.method.writes:
            options += [(5, self.store), (1.2, self.announce), (1, self.call_for_effect), (1.5, self.ask_for_effect)]
            options += [(0.1, self.let_go_on)]
            kinds = {method.kind for method in self.shape.methods}
            options += [(0.8, self.later)] if "handler" in kinds else []
            options += [(1.5, self.listen)] if "hook" in kinds else []
            if self.shape.containers():
                options += [(7, self.change)]
        if self.ordered():
            options += [(1, self.look)]
        if scope.looping:
            options += [(0.5, self.stop)]
        if scope.depth == 0 or not scope.looping:
            options += [(0.3, self.leave)]
        return options

    def _nesting(self, scope: Scope) -> list[tuple[float, Callable[[Scope], Lines]]]:
        options: list[tuple[float, Callable[[Scope], Lines]]] = [(2, self.branch), (1, self.count_loop)]
        options += [(0.5, self.while_loop), (0.8, self.match), (0.7, self.narrow)]
        if scope.owner and self.shape.containers():
            options += [(1.3, self.walk)]
            if scope.method.writes and not scope.pure:
                options += [(2, self.borrow)]
        if scope.owner and self.shape.refs:
            options += [(2.5, self.tolerate)]
        return options

    # ---- locals

    def local(self, scope: Scope) -> Lines:
        of = self.dice.pick(self.shape.flats)
        pairs = [m for m in self.shape.methods if isinstance(m.result, t.TupleType) and self.callable_here(m)]
        if pairs and self.dice.odd(0.3):
            return self._unpack(scope)
        name = self.fresh()
        if isinstance(of, t.OptionalType):
            return [self._optional(scope, name, of)]
        if self.dice.odd(0.2):
            line = self.retried(lambda depth: f"{name}: {of} = {self.given(of, depth)}")
        else:
            line = self.retried(lambda depth: f"{name} = {self.of(of, depth)}")
        scope.learn(name, of, True)
        return [line]

    def _optional(self, scope: Scope, name: str, of: t.OptionalType) -> str:
        """A local that may be None; one that is given a value surely is not, and reads as that value."""
        if self.dice.odd(0.2):
            line = self.retried(lambda depth: f"{name}: {of} = {self.leaf(of.item)}")
            scope.learn(name, of.item)
            return line
        line = self.retried(lambda depth: f"{name}: {of} = {self.maybe(of, depth)}")
        scope.learn(name, of, True)
        return line

    def maybe(self, of: t.OptionalType, depth: int) -> str:
        return "None" if self.dice.odd(0.15) else self.of(of, depth)

    def _unpack(self, scope: Scope) -> Lines:
        pairs = [m for m in self.shape.methods if isinstance(m.result, t.TupleType) and self.callable_here(m)]
        method = self.dice.pick(pairs)
        assert isinstance(method.result, t.TupleType)
        names = [self.fresh() for _ in method.result.items]
        line = self.retried(lambda depth: f"{', '.join(names)} = {self.call(method, depth)}")
        for name, of in zip(names, method.result.items, strict=True):
            scope.learn(name, of, True)
        return [line]

    def reassign(self, scope: Scope) -> Lines:
        if not scope.targets:
            return self.local(scope)
        name = self.dice.pick(sorted(scope.targets))
        of = scope.targets[name]
        if of in AUGMENTED and self.dice.odd(0.6):
            return [self.augmented(name, of)]
        if isinstance(of, t.OptionalType):
            return [self.retried(lambda depth: f"{name} = {self.maybe(of, depth)}")]
        return [self.retried(lambda depth: f"{name} = {self.of(of, depth)}")]

    def augmented(self, target: str, of: t.Type, depth_max: int = DEPTH) -> str:
        operator, hole = self.dice.pick(AUGMENTED[of])
        return self.retried(lambda depth: f"{target} {operator} {self.hole(hole, min(depth, depth_max))}")

    def ordered(self) -> list[tuple[str, t.MapType]]:
        """Ordered maps whose keys an Optional may hold."""
        maps = [(path, of) for path, of in self.shape.containers() if isinstance(of, t.MapType) and of.ordered]
        return [(path, of) for path, of in maps if not isinstance(of.key, t.OptionalType)]

    def look(self, scope: Scope) -> Lines:
        """A key of an ordered map: at an end, or beside another."""
        path, kind = self.dice.pick(self.ordered())
        end = self.dice.pick(("first", "last", "after", "before", "ceiling", "floor"))
        beside = "" if end in ("first", "last") else self.key(kind.key)
        name, of = self.fresh(), t.OptionalType(kind.key)
        line = self.retried(lambda depth: f"{name}: {of} = {path}.{end}({beside})")
        scope.learn(name, of, True)
        return [line]

    # ---- state

    def store(self, scope: Scope) -> Lines:
        fields = [(f"self.{name}", of) for name, of in self.shape.fields.items() if t.is_flat(of)]
        fields = [(path, of) for path, of in fields if not isinstance(of, t.ArrayType)]
        fields = [(path, of) for path, of in fields if not isinstance(of, t.ProgramType)]
        if not fields:
            return self.local(scope)
        path, of = self.dice.pick(fields)
        return [self.put(path, of)]

    def put(self, path: str, of: t.Type) -> str:
        """A store to a field or a member of a record."""
        if of in AUGMENTED and self.dice.odd(0.5):
            return self.augmented(path, of)
        return self.retried(lambda depth: f"{path} = {self.given(of, depth)}")

    def change(self, scope: Scope) -> Lines:
        path, kind = self.dice.pick(self.shape.containers())
        return self.changed(scope, path, kind, 2)

    def changed(self, scope: Scope, path: str, kind: Container, depth: int) -> Lines:
        """One change of a container; depth: of the keys."""
        match kind:
            case t.MapType():
                lines = self._map(path, kind, depth)
            case t.ListType():
                lines = self._list_change(path, kind, depth)
            case t.QueueType():
                lines = self._queue_change(path, kind, depth)
            case t.ArrayType():
                lines = self._row_change(path, kind, depth)
        guarded = scope.loops > 1 or self.dice.odd(0.1)
        return [f"if len({path}) < {GROWTH_MAX}:", *indent(lines)] if guarded else lines

    def _list_change(self, path: str, kind: t.ListType, depth: int) -> Lines:
        item = kind.item
        if not t.is_flat(item):
            if self.dice.odd(0.15) and not self.scope.pure:
                return [f"{path}.pop()"]
            return [f"{path}.add()"]
        match int(self.dice.random() * 6):
            case 0 | 1 | 2:
                return [self.retried(lambda d: f"{path}.append({self.given(item, min(d, depth))})")]
            case 3:
                return [
                    self.retried(lambda d: f"{path}[{self.index(path, kind, 1)}] = {self.given(item, min(d, depth))}")
                ]
            case 4 if item in AUGMENTED:
                return [self.augmented(f"{path}[{self.index(path, kind, 1)}]", item, depth)]
            case _:
                return [self.dice.pick((f"{path}.pop()", f"{path}.pop()", f"{path}.clear()"))]

    def put_at(self, path: str, kind: Container, depth: int) -> str:
        """`path[index] = value`."""
        return self.retried(lambda d: f"{path}[{self.index(path, kind, 1)}] = {self.given(held(kind), min(d, depth))}")

    def _queue_change(self, path: str, kind: t.QueueType, depth: int) -> Lines:
        if self.dice.odd(0.6):
            return [self.retried(lambda d: f"{path}.push({self.given(kind.item, min(d, depth))})")]
        return [self.dice.pick((f"{path}.pop()", f"{path}.pop()", f"{path}.clear()"))]

    def _row_change(self, path: str, kind: t.ArrayType, depth: int) -> Lines:
        """Of an Array or a BoundedList that is a field."""
        item = kind.item
        match int(self.dice.random() * 5):
            case 0 if kind.bounded:
                return [self.dice.pick((f"{path}.pop()", f"{path}.clear()"))]
            case 1 | 2 if kind.bounded:
                return [self.retried(lambda d: f"{path}.append({self.given(item, min(d, depth))})")]
            case 3 if item in AUGMENTED:
                return [self.augmented(f"{path}[{self.index(path, kind, 1)}]", item, depth)]
            case 4:
                return [f"{path} = {constant(self.dice, kind)}"]
            case _:
                return [
                    self.retried(lambda d: f"{path}[{self.index(path, kind, 1)}] = {self.given(item, min(d, depth))}")
                ]

    def _map(self, path: str, kind: t.MapType, depth: int) -> Lines:
        value = kind.value
        if not t.is_flat(value):
            return self._nested_map(path, kind)
        match int(self.dice.random() * 8):
            case 0 | 1 | 2 | 3:
                key = self.key(kind.key)
                return [self.retried(lambda d: f"{path}[{key}] = {self.given(value, min(d, depth))}")]
            case 4 if value in AUGMENTED:
                return [self.augmented(f"{path}[{self.key(kind.key)}]", value, depth)]
            case 5 if value in AUGMENTED:
                key = constant(self.dice, kind.key, True)
                return [f"if {key} in {path}:", "    " + self.augmented(f"{path}[{key}]", value, depth)]
            case 6:
                key = constant(self.dice, kind.key, True)
                return [f"if {key} in {path}:", f"    {self.dice.pick((f'del {path}[{key}]', f'{path}.pop({key})'))}"]
            case _:
                key = self.key(kind.key)
                options = (f"del {path}[{key}]", f"{path}.pop({key})", f"{path}.clear()")
                return [self.dice.pick(options)]

    def _nested_map(self, path: str, kind: t.MapType) -> Lines:
        key = self.key(kind.key)
        if self.dice.odd(0.1) and not self.scope.pure:
            return [f"{path}.clear()"]
        if self.dice.odd(0.3) and not self.scope.pure:
            known = constant(self.dice, kind.key, True)
            return (
                [f"if {known} in {path}:", f"    del {path}[{known}]"] if self.dice.odd(0.6) else [f"del {path}[{key}]"]
            )
        return [f"{path}.{self.dice.pick(('obtain', 'obtain', 'obtain', 'create'))}({key})"]

    def borrow(self, scope: Scope) -> Lines:
        """A record or nested container reached and filled."""
        nested = [(path, of) for path, of in self.shape.containers() if not t.is_flat(held(of))]
        if not nested:
            return self.change(scope)
        path, of = self.dice.pick(nested)
        name = self.fresh("r")
        if not isinstance(of, t.MapType):
            made = f"{path}.add()" if self.dice.odd(0.5) else f"{path}[{self.index(path, of, 1)}]"
        else:
            key = self.key(of.key)
            made = self.dice.weighed(
                ((6, f"{path}.obtain({key})"), (1, f"{path}.create({key})"), (2, f"{path}[{key}]"))
            )
        inner = scope.inner(pure=True)
        self.scope = inner
        lines = [f"{name} = {made}", *self.filled(inner, name, held(of))]
        self.scope = scope
        if scope.loops > 1:
            return [f"if len({path}) < {GROWTH_MAX}:", *indent(lines)]
        return lines

    def filled(self, scope: Scope, name: str, of: t.Type) -> Lines:
        """What is done with a borrow."""
        lines: Lines = []
        if isinstance(of, t.RecordType):
            for member, kind in of.fields:
                if t.is_flat(kind) and not isinstance(kind, t.ArrayType):
                    scope.learn(f"{name}.{member}", kind)
            for member, kind in self.dice.sample(of.fields, min(len(of.fields), 1 + int(self.dice.random() * 3))):
                if isinstance(kind, Container):
                    lines += self.changed(scope, f"{name}.{member}", kind, 1)
                    lines += self._walked(scope, f"{name}.{member}", kind) if self.dice.odd(0.2) else []
                else:
                    lines.append(self.put(f"{name}.{member}", kind))
        elif isinstance(of, Container):
            for _ in range(1 + int(self.dice.random() * 2)):
                lines += self.changed(scope, name, of, 1)
            lines += self._walked(scope, name, of) if self.dice.odd(0.4) else []
        return lines

    # ---- control

    def branch(self, scope: Scope) -> Lines:
        lines = [self.retried(lambda depth: f"if {self.of(t.BOOL, min(depth, 2))}:"), *self.inside(scope)]
        if self.dice.odd(0.25):
            lines += [self.retried(lambda depth: f"elif {self.of(t.BOOL, min(depth, 2))}:"), *self.inside(scope)]
        if self.dice.odd(0.5):
            lines += ["else:", *self.inside(scope)]
        return lines

    def narrow(self, scope: Scope) -> Lines:
        """An Optional local, used where it is surely there."""
        items = [of for of in self.shape.flats if isinstance(of, t.OptionalType)]
        if not items:
            return self.branch(scope)
        of = self.dice.pick(items)
        name = self.fresh()
        lines = [self.retried(lambda depth: f"{name}: {of} = {self.of(of, depth)}")]
        values = {**scope.values, name: of.item}
        if self.dice.odd(0.3):
            condition = self.retried(lambda depth: f"if {name} is not None and {self.of(t.BOOL, depth - 1)}:")
        else:
            condition = f"if {name} is not None:"
        lines += [condition, *self.inside(scope, values=values)]
        scope.learn(name, of)
        if self.dice.odd(0.3):
            lines += ["else:", *self.inside(scope)]
        return lines

    def count_loop(self, scope: Scope) -> Lines:
        if not scope.fits(TURNS_MAX):
            return self.local(scope)
        name, turns = self.fresh("i"), 1 + int(self.dice.random() * TURNS_MAX)
        bounds = self.dice.pick((
            f"{turns}", f"{self.leaf(t.INT)} % {turns}", f"{turns}, 0, -1", f"2, {turns} + 2",
            f"{turns}, {self.leaf(t.INT)} % 3, -1", f"{self.leaf(t.INT)} % 3, {turns}",
        ))  # fmt: skip
        inside = self.inside(
            scope,
            values={**scope.values, name: t.INT},
            loops=scope.loops * TURNS_MAX,
            looping=True,
        )
        return [f"for {name} in range({bounds}):", *inside]

    def while_loop(self, scope: Scope) -> Lines:
        if not scope.fits(TURNS_MAX):
            return self.local(scope)
        name, turns = self.fresh("n"), 1 + int(self.dice.random() * TURNS_MAX)
        values = {**scope.values, name: t.INT}
        inside = self.inside(scope, values=values, loops=scope.loops * TURNS_MAX, looping=True)
        if self.dice.odd(0.3):
            head = ["while True:", f"    {name} += 1", f"    if {name} > {turns}:", "        break"]
        else:
            condition = self.retried(lambda depth: f"while {name} < {turns} and {self.of(t.BOOL, min(depth, 1))}:")
            head = [condition, f"    {name} += 1"]
        return [f"{name} = 0", *head, *inside]

    def walk(self, scope: Scope) -> Lines:
        if not scope.fits(2 * WALK_COST):
            return self.local(scope)
        path, kind = self.dice.pick(self.shape.containers())
        return self._walked(scope, path, kind)

    def _walked(self, scope: Scope, path: str, kind: Container) -> Lines:
        """A loop over a container; what it holds is a local, records and containers as borrows."""
        inside = held(kind)
        name, values, pure = self.fresh("e"), dict(scope.values), scope.pure
        if not isinstance(kind, t.MapType):
            bounded = isinstance(kind, t.ArrayType) and kind.bounded
            head = f"for {name} in {path}{'.copy()' if bounded else ''}:"
            pure |= not t.is_flat(inside)
            self._take(values, name, inside)
        elif self.dice.odd(0.5):
            key = self.fresh("k")
            head = f"for {key}, {name} in {path}.items():"
            values[key] = kind.key
            pure |= not t.is_flat(inside)
            self._take(values, name, inside)
        else:
            descending = kind.ordered and self.dice.odd(0.5)
            head = f"for {name} in {path}{'.descending()' if descending else ''}:"
            values[name] = kind.key
        loops = scope.loops * WALK_COST
        return [head, *self.inside(scope, values=values, pure=pure, loops=loops, looping=True)]

    @staticmethod
    def _take(values: dict[str, t.Type], name: str, held: t.Type) -> None:
        if t.is_flat(held):
            values[name] = held
        elif isinstance(held, t.RecordType):
            values.update({f"{name}.{member}": kind for member, kind in held.fields if t.is_flat(kind)})
        else:
            values[f"len({name})"] = t.INT

    def match(self, scope: Scope) -> Lines:
        enums = [of for of in self.shape.flats if isinstance(of, t.EnumType)]
        if not enums:
            return self.branch(scope)
        of = self.dice.pick(enums)
        lines = [self.retried(lambda depth: f"match {self.of(of, min(depth, 2))}:")]
        left = self.dice.sample(of.members, len(of.members))
        while left:
            if self.dice.odd(0.3):
                named, left = ["_"], []
            else:
                count = 1 + (len(left) > 1 and self.dice.odd(0.3))
                named, left = [f"{of.name}.{member}" for member in left[:count]], left[count:]
            lines += [f"    case {' | '.join(named)}:", *indent(self.inside(scope))]
        return lines

    # ---- failure, and leaving early

    def refuse(self, _: Scope) -> Lines:
        why = self.dice.pick(REASONS)
        if self.dice.odd(0.7):
            return [self.retried(lambda depth: f'require({self.likely(depth)}, "{why}")')]
        return [self.retried(lambda depth: f"if not {self.likely(depth)}:"), f'    raise Rejected("{why}")']

    def likely(self, depth: int) -> str:
        """A condition that mostly holds."""
        return f"({self.of(t.BOOL, depth - 1)} or {self.of(t.INT, 0)} % 8 != {int(self.dice.random() * 8)})"

    def stop(self, _: Scope) -> Lines:
        condition = self.retried(lambda depth: f"if {self.of(t.BOOL, min(depth, 2))}:")
        return [condition, f"    {self.dice.pick(('break', 'continue'))}"]

    def leave(self, scope: Scope) -> Lines:
        condition = self.retried(lambda depth: f"if {self.of(t.BOOL, min(depth, 2))}:")
        of = scope.method.result
        back = "return" if of == t.NONE else self.retried(lambda depth: f"return {self.result(of, min(depth, 2))}")
        return [condition, f"    {back}"]

    # ---- effects

    def announce(self, scope: Scope) -> Lines:
        if not self.shape.events:
            return self.local(scope)
        event = self.dice.pick(self.shape.events)
        return [self.retried(lambda depth: f"emit({self._constructed(event, min(depth, 2))})")]

    def call_for_effect(self, scope: Scope) -> Lines:
        methods = [m for m in self.shape.methods if m.kind != "function" and self.callable_here(m)]
        if not methods:
            return self.local(scope)
        method = self.dice.pick(methods)
        return [self.retried(lambda depth: self.call(method, depth))]

    def ask_for_effect(self, scope: Scope) -> Lines:
        """A call of another program, its result kept or not."""
        found = [(ref, m) for ref, other in self.shape.refs.items() for m in other.methods if self.reachable(m)]
        if not found:
            return self.local(scope)
        ref, method = self.dice.pick(found)
        call = self.retried(lambda depth: self.ask(ref, method, depth))
        if method.result == t.NONE or isinstance(method.result, t.TupleType) or self.dice.odd(0.3):
            return [call]
        name = self.fresh()
        scope.learn(name, method.result, True)
        return [f"{name} = {call}"]

    def tolerate(self, scope: Scope) -> Lines:
        found = [(r, m) for r, other in self.shape.refs.items() for m in other.methods if self.reachable(m)]
        if not found:
            return self.local(scope)
        inner = scope.inner(capped=True)
        before = self.block(inner, int(self.dice.random() * 2))
        self.scope = inner
        asked = self.ask_for_effect(inner)
        if asked and ".ask" not in asked[0] and "gas=" not in asked[0]:
            self.scope = scope
            return self.branch(scope)
        after = self.block(inner, int(self.dice.random() * 2))
        if self.dice.odd(0.25):  # out of the `try`, past the keeping of its savepoint
            after += self.stop(inner) if scope.looping else self.leave(inner)
        name = self.fresh("why")
        handler = self.inside(scope, values={**scope.values, f"{name}.reason": t.REASON})
        if self.dice.odd(0.15):
            self.scope = scope
            handler += [f"    if {self.leaf(t.BOOL)}:", f"        raise Rejected({name}.reason)"]
        return ["try:", *indent([*before, *asked, *after]), f"except Rejected as {name}:", *handler]

    def later(self, scope: Scope) -> Lines:
        handlers = [m for m in self.shape.methods if m.kind == "handler"]
        if scope.method.kind == "handler":
            return self.local(scope)
        handler = self.dice.pick(handlers)
        scope.spend(handler.cost)
        return [self.retried(lambda depth: f"at_end(self.{handler.name}, {self.of(t.ACCOUNT, min(depth, 1))})")]

    def hear(self, handler: str) -> str:
        """A subscription to prices or to a level, or the end of one."""
        name = self.dice.pick(("subscribe", "subscribe", "unsubscribe", "subscribe_cross", "unsubscribe_cross"))
        feed = constant(self.dice, t.FEED)
        if name == "subscribe_cross":
            side = self.dice.pick(("above", "below"))
            return f"{name}({feed}, self.{handler}, {side}={self.of(t.DECIMAL, 1)})"
        if name == "unsubscribe_cross":
            return f"{name}({1 + int(self.dice.random() * 6)})"
        return f"{name}({feed}, self.{handler})"

    def trade(self, handler: str) -> str:
        """A program is its own venue: it listens to itself, and tells itself of fills."""
        told = f"self.me, {self.of(t.INT, 0)}, 7, {self.of(t.BOOL, 0)}"
        numbers = ", ".join(constant(self.dice, t.DECIMAL) for _ in range(3))
        return self.dice.pick((
            f"subscribe_fills(self.me, self.{handler})", f"subscribe_fills({self.of(t.ACCOUNT, 1)}, self.{handler})",
            f"report_fill({told}, {numbers})", f"report_fill({told}, {numbers})", "unsubscribe_fills(self.me)",
        ))  # fmt: skip

    def let_go_on(self, _: Scope) -> Lines:
        """What a bank does; where none is pinned, anybody may."""
        return [self.retried(lambda depth: f"resume({self.of(t.ACCOUNT, min(depth, 1))})")]

    def listen(self, scope: Scope) -> Lines:
        hooks = [m for m in self.shape.methods if m.kind == "hook"]
        if scope.method.kind == "hook":
            return self.local(scope)
        handler = self.dice.pick(hooks)
        if handler.parameters[0][1] == t.QUOTE:
            return [self.hear(handler.name)]
        if handler.parameters[0][1] == t.FILL:
            return [self.trade(handler.name)]
        after = self.dice.pick(("block.time", "block.time + Duration(500)", "block.time + Duration.seconds(1)"))
        if self.dice.odd(0.1):
            after = self.of(t.TIMESTAMP, 1)
        return [f"schedule({after}, self.{handler.name})"]
