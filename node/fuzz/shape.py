"""
What the generator knows while it writes: the shape of a program, and what is in scope at one point of a function.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from execution.compiler import types as t

Container = t.MapType | t.ListType | t.QueueType | t.ArrayType
"""What is changed in place and walked through; an Array or BoundedList is a value too."""
COST_MAX = 600
"""Statements that one call of a method may run, as estimated; keeps gas and the slow legs within bounds."""


def held(kind: Container) -> t.Type:
    """What a place of the container holds."""
    return kind.value if isinstance(kind, t.MapType) else kind.item


@dataclass(slots=True)
class Method:
    """
    kind: external, view, hook, create, invariant, internal, handler (of at_end) or function (of the module).

    writes: changes something. uncapped: calls another program without a gas cap. cost: statements it may run.
    """

    name: str
    kind: str
    parameters: tuple[tuple[str, t.Type], ...]
    result: t.Type
    writes: bool
    uncapped: bool = False
    cost: int = 1


@dataclass(slots=True)
class Shape:
    """
    One program: everything a body may name. refs: fields that refer to another program, with its shape. costly: types
    whose values it makes by `rules.COSTLY`, too.
    """

    name: str
    fields: dict[str, t.Type] = field(default_factory=dict)
    methods: list[Method] = field(default_factory=list)
    constants: dict[str, t.Type] = field(default_factory=dict)
    flats: list[t.Type] = field(default_factory=list)
    events: list[t.StructType] = field(default_factory=list)
    refs: dict[str, Shape] = field(default_factory=dict)
    costly: frozenset[t.Type] = frozenset()

    def containers(self) -> list[tuple[str, Container]]:
        return [(f"self.{name}", of) for name, of in self.fields.items() if isinstance(of, Container)]


@dataclass(slots=True)
class Scope:
    """
    values: what may be read here, by its text. targets: locals that may be assigned. pure: no calls of own methods and
    nothing that removes storage, since a borrow is alive. capped: inside `try`, where calls are capped. loops: how
    often this point runs in one call. owner: of a method, not a function of the module.
    """

    method: Method
    values: dict[str, t.Type] = field(default_factory=dict)
    targets: dict[str, t.Type] = field(default_factory=dict)
    pure: bool = False
    capped: bool = False
    loops: int = 1
    looping: bool = False
    depth: int = 0
    owner: bool = True

    def inner(self, **changes: object) -> Scope:
        """The scope of a block: what it adds is forgotten after it."""
        made = replace(self, values=dict(self.values), targets=dict(self.targets), depth=self.depth + 1)
        for name, value in changes.items():
            setattr(made, name, value)
        return made

    def fits(self, cost: int) -> bool:
        """Whether the method may run so many statements more at this point."""
        return self.method.cost + cost * self.loops <= COST_MAX

    def spend(self, cost: int) -> None:
        self.method.cost += cost * self.loops

    def learn(self, text: str, of: t.Type, target: bool = False) -> None:
        self.values[text] = of
        if target:
            self.targets[text] = of
