"""
Random modules of the IR, well formed by construction: `module(seed)` always gives the same one.

Every operation, every instruction, loops with a bound, savepoints nested and left early. Numbers are mostly small,
sometimes at the edges of their range, so that about half the runs end well and the rest fail in every way there is.
"""

from __future__ import annotations

from random import Random

from execution.compiler.ir import (
    CONTEXT,
    OPS,
    SERVICES,
    AtEnd,
    Block,
    CallFunction,
    Const,
    Context,
    Emit,
    Entry,
    Function,
    If,
    Instruction,
    Invoke,
    Keep,
    Kind,
    Leave,
    Load,
    Loop,
    Module,
    Op,
    Operand,
    Reg,
    Reject,
    Release,
    Reserve,
    Return,
    Runtime,
    Scope,
    ScratchLoad,
    ScratchStore,
    Service,
    Store,
    Touch,
    Try,
)
from execution.compiler.write_compare import TRUTHS
from execution.vm.layout import FIRST
from execution.vm.runtime.sha256 import WORK_BYTES

HEAP = 8192
MAPS = 128  # four container headers stand here: a map, an ordered map, a list, a queue
FIELDS = 640
CONTAINERS = ("map", "omap", "list", "queue")
ENTRIES = 12
LEAVES = 4
WORDS, DECIMALS = 10, 6  # registers that random instructions use
DEPTH_MAX = 3
ONE = 10**18
EDGES_W = (0, 1, -1, 2, 7, 100, -100, 2**31, 2**62, -(2**63), 2**63 - 1)
EDGES_D = (0, ONE, -ONE, 1, -1, ONE // 2, 3 * ONE, 10**25, -(10**25) + 7, 2**64, -(2**64), 2**127 - 1, -(2**127))
NAMES = sorted(OPS)


class Generator:
    """Writes one function after another; `leaves` are the functions that later ones may call."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.leaves: list[Function] = []
        self.registers: list[Kind] = []
        self.first = 0
        self.label = 0

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def new(self, kind: Kind) -> Reg:
        self.registers.append(kind)
        return Reg(len(self.registers) - 1, kind)

    def reg(self, kind: Kind) -> Reg:
        offset = self.random.randrange(WORDS) if kind == "w" else WORDS + self.random.randrange(DECIMALS)
        return Reg(self.first + offset, kind)

    def operand(self, kind: Kind) -> Operand:
        if self.chance(0.6):
            return self.reg(kind)
        if self.chance(0.25):
            return Const(self.random.choice(EDGES_W if kind == "w" else EDGES_D), kind)
        value = self.random.randrange(-50, 50)
        return Const(value if kind == "w" else value * ONE // self.random.choice((1, 7, 64)), kind)

    def operands(self, kinds: tuple[Kind, ...]) -> tuple[Operand, ...]:
        return tuple(self.operand(kind) for kind in kinds)

    def outs(self, kinds: tuple[Kind, ...]) -> tuple[Reg, ...]:
        found: list[Reg] = []
        while len(found) < len(kinds):
            reg = self.reg(kinds[len(found)])
            found += [reg] if reg not in found else []
        return tuple(found)

    # Instructions

    def op(self) -> list[Instruction]:
        name = self.random.choice(NAMES)
        args, outs = OPS[name]
        return [Op(name, self.outs(outs), self.operands(args), self.random.randrange(200))]

    def address(self, size: int) -> tuple[list[Instruction], Operand, int]:
        """A place in the fields, aligned; known, or computed from a register."""
        if self.chance(0.5):
            return [], Const(self.random.randrange(FIELDS // 8, (HEAP - size) // 8) * 8, "w"), 0
        index, place = self.new("w"), self.new("w")
        offset = self.random.randrange(0, 60) * 8
        slots = (HEAP - FIELDS - size - offset) // 8
        return (
            [
                Op("mod.w", (index,), (self.reg("w"), Const(slots, "w"))),
                Op("mul.w", (index,), (index, Const(8, "w"))),
                Op("address.w", (place,), (index, Const(FIELDS, "w"))),
            ],
            place,
            offset,
        )

    def memory(self) -> list[Instruction]:
        kind: Kind = self.random.choice(("w", "d"))
        size = 16 if kind == "d" else self.random.choice((4, 8))
        touched = self.random.choice((size, 16, 40, 1024, 1500))
        before, address, offset = self.address(max(size, touched))
        if self.chance(0.4):
            return [*before, Load(self.reg(kind), address, offset, size)]
        touch = Touch(address, offset, max(size, touched))
        return [*before, touch, Store(address, offset, self.operand(kind), size)]

    def scratch(self) -> list[Instruction]:
        kind: Kind = self.random.choice(("w", "d"))
        place = Const(2048 + 8 * self.random.randrange(60), "w")
        if self.chance(0.5):
            return [ScratchLoad(self.reg(kind), place, 8)]
        return [ScratchStore(place, 8, self.operand(kind))]

    def kernel(self) -> list[Instruction]:
        match self.random.randrange(6):
            case 0:
                name = self.random.choice(sorted(CONTEXT))
                return [Context(self.outs(CONTEXT[name]), name)]
            case 1:
                return [Emit(self.random.randrange(9), self.operands(self.kinds(5)))]
            case 2:
                a, b, c = self.operands(("w", "w", "w"))
                return [AtEnd(self.random.randrange(2**32), (a, b, c))]
            case 3:
                name = self.random.choice(sorted(SERVICES))
                args, outs = SERVICES[name]
                return [Service(self.outs(outs), name, self.operands(args))]
        return [self.invoke()]

    def invoke(self) -> Instruction:
        a, b, c = self.operands(("w", "w", "w"))
        gas = self.operand("w") if self.chance(0.5) else None
        view = self.chance(0.5)
        world = self.operands(("w", "d", "d", "w")) if view and self.chance(0.5) else ()
        selector = self.random.choice((7, 8, 2**32 - 1))
        outs = self.outs(self.kinds(4)) if self.chance(0.7) else ()
        return Invoke(outs, (a, b, c), selector, self.operands(self.kinds(4)), gas, world, view)

    def container(self) -> list[Instruction]:
        """One use of a container with a small key; what is found is read, changed or taken out."""
        key, entry = self.new("w"), self.new("w")
        small = Op("mod.w", (key,), (self.reg("w"), Const(40, "w")))
        name = self.random.choice(CONTAINERS)
        header = Const(MAPS + 128 * CONTAINERS.index(name), "w")
        if name == "queue":
            return self.queue(header, entry)
        if name == "list":
            step = self.random.choice(("push", "pop", "at", "at"))
            args = (header, key) if step == "at" else (header,)
            call = Runtime((entry,), f"list_{step}.v2", args)
            return [small, call] if step == "pop" else [small, call, *self.use(entry, 0)]
        step = self.random.choice(("put", "put", "find", "drop", "ceil" if name == "omap" else "find"))
        call = Runtime((entry,), f"{name}_{step}.k1.v3", (header, key))
        if step == "drop":
            return [small, call, Op("copy.w", (self.reg("w"),), (entry,))]
        return [small, call, If(entry, tuple(self.use(entry, 24)), ())]

    def queue(self, header: Const, entry: Reg) -> list[Instruction]:
        step = self.random.choice(("push", "push", "pop", "next"))
        if step == "push":
            return [Runtime((entry,), "queue_push.v2", (header,)), *self.use(entry, 0)]
        if step == "pop":
            return [Runtime((entry,), "queue_pop.v2", (header,))]
        following = If(entry, (Runtime((self.reg("w"),), "queue_next.v2", (header, entry)),), ())
        return [Load(entry, header, FIRST), following]

    def stack(self) -> list[Instruction]:
        """Scratch of its own, written, read and sometimes hashed in place."""
        base, size = self.new("w"), 8 * self.random.randrange(6, 20)
        found: list[Instruction] = [Reserve(base, size + 64 + WORK_BYTES)]
        found += [ScratchStore(base, 8 * i, self.operand("w")) for i in range(size // 8)]
        if self.chance(0.5):
            found.append(Runtime((), "sha256", (base, Const(size, "w"))))
        found.append(ScratchLoad(self.reg("d"), base, 8 * self.random.randrange(3)))
        return [*found, Release(base)]

    def use(self, entry: Reg, offset: int) -> list[Instruction]:
        read = Load(self.reg("d"), entry, offset, 16)
        return [read, Touch(entry, offset, 16), Store(entry, offset, self.operand("d"), 16)]

    def kinds(self, most: int) -> tuple[Kind, ...]:
        return tuple(self.random.choice(("w", "d")) for _ in range(self.random.randrange(most)))

    def call(self) -> list[Instruction]:
        if not self.leaves:
            return self.op()
        leaf = self.random.choice(self.leaves)
        return [CallFunction(self.outs(leaf.results), leaf.name, self.operands(tuple(p.kind for p in leaf.params)))]

    # Control

    def block(self, depth: int, labels: tuple[tuple[int, int], ...], tries: int, length: int = 6) -> Block:
        """labels: the scopes around, each with the Try bodies around it; tries: the Try bodies around this block."""
        found: list[Instruction] = []
        for _ in range(self.random.randrange(1, length)):
            found += self.statement(depth, labels, tries)
        if depth and self.chance(0.12):
            found += self.ending(labels, tries)
        return tuple(found)

    def ending(self, labels: tuple[tuple[int, int], ...], tries: int) -> list[Instruction]:
        if self.chance(0.2):
            return [Reject(self.operand("w"))]
        if labels and self.chance(0.8):
            label, outside = self.random.choice(labels)
            return [*[Keep()] * (tries - outside), Leave(label)]
        return [*[Keep()] * tries, Return(())]

    def statement(self, depth: int, labels: tuple[tuple[int, int], ...], tries: int) -> list[Instruction]:
        op, memory, kernel = self.op, self.memory, self.kernel
        containers = (self.container, self.container, self.stack)
        plain = self.random.choice((op, op, op, memory, memory, self.scratch, kernel, self.call, *containers))
        if depth >= DEPTH_MAX or self.chance(0.7):
            return plain()
        match self.random.randrange(4):
            case 0:
                return self.branch(depth, labels, tries)
            case 1:
                return self.loop(depth, labels, tries)
            case 2:
                self.label += 1
                return [Scope(label := self.label, self.block(depth + 1, (*labels, (label, tries)), tries))]
        body = self.block(depth + 1, labels, tries + 1)
        return [Try(body, self.reg("w"), self.block(depth + 1, labels, tries))]

    def branch(self, depth: int, labels: tuple[tuple[int, int], ...], tries: int) -> list[Instruction]:
        found: list[Instruction] = []
        condition: Operand = self.reg("w")
        if self.chance(0.7):
            name = self.random.choice(sorted(TRUTHS))
            condition = self.new("w")
            found = [Op(name, (condition,), self.operands(OPS[name][0]))]
        other = self.block(depth + 1, labels, tries) if self.chance(0.5) else ()
        return [*found, If(condition, self.block(depth + 1, labels, tries), other)]

    def loop(self, depth: int, labels: tuple[tuple[int, int], ...], tries: int) -> list[Instruction]:
        """Counts a register of its own down from a small number."""
        self.label += 1
        label, left, over = self.label, self.new("w"), self.new("w")
        inside = (*labels, (label, tries))
        head = (
            Op("le.w", (over,), (left, Const(0, "w"))),
            If(over, (Leave(label),), ()),
            Op("sub.w", (left,), (left, Const(1, "w"))),
        )
        body = self.block(depth + 1, inside, tries)
        return [
            Op("copy.w", (left,), (Const(self.random.randrange(1, 5), "w"),)),
            Scope(label, (Loop((*head, *body)),)),
        ]

    # Functions

    def leaf(self, number: int) -> Function:
        """A straight line: most are tiny enough to be inlined."""
        kinds = self.kinds(4)
        self.registers = list(kinds)
        self.first = len(kinds)
        params = tuple(Reg(i, kind) for i, kind in enumerate(kinds))
        used: list[Kind] = ["w"] * WORDS + ["d"] * DECIMALS
        self.registers += used
        body: list[Instruction] = []
        for param in params:
            body.append(Op(f"copy.{param.kind}", (self.reg(param.kind),), (param,)))
        for _ in range(self.random.randrange(1, 5)):
            body += self.op()
        results = self.kinds(4)
        body.append(Return(self.operands(results)))
        return Function(f"leaf{number}", params, results, tuple(self.registers), tuple(body))

    def entry(self, number: int) -> Function:
        self.registers = ["w", *["w"] * WORDS, *["d"] * DECIMALS]
        self.first = 1
        args = Reg(0, "w")
        head: list[Instruction] = [ScratchLoad(Reg(1 + i, "w"), args, 8 * i) for i in range(4)]
        head += [ScratchLoad(Reg(1 + WORDS + i, "d"), args, 32 + 16 * i) for i in range(3)]
        body = self.block(0, (), 0, 14)
        tail: list[Instruction] = [ScratchStore(args, 8 * i, Reg(1 + i, "w")) for i in range(WORDS)]
        tail += [ScratchStore(args, 8 * WORDS + 16 * i, Reg(1 + WORDS + i, "d")) for i in range(DECIMALS)]
        return Function(f"entry{number}", (args,), (), tuple(self.registers), (*head, *body, *tail))


def module(seed: int) -> Module:
    """A module of LEAVES leaf functions and ENTRIES entries; selectors are spread over all 32 bits."""
    generator = Generator(seed)
    for number in range(LEAVES):
        generator.leaves = [*generator.leaves, generator.leaf(number)]
    functions = [generator.entry(number) for number in range(ENTRIES)]
    entries = tuple(
        Entry(1 + number * 0x1234_5678 % 2**32, function.name, number % 3, number % 5 == 4, False)
        for number, function in enumerate(functions)
    )
    return Module(f"random{seed}", (*generator.leaves, *functions), entries, HEAP)


def arguments(random: Random) -> bytes:
    """Packed arguments: four words, three decimals."""
    words = [random.choice(EDGES_W) if random.random() < 0.2 else random.randrange(-40, 40) for _ in range(4)]
    decimals = [
        random.choice(EDGES_D) if random.random() < 0.2 else random.randrange(-40 * ONE, 40 * ONE) for _ in range(3)
    ]
    return b"".join(v.to_bytes(8, "little", signed=True) for v in words) + b"".join(
        v.to_bytes(16, "little", signed=True) for v in decimals
    )
