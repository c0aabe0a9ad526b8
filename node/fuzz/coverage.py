"""
What the interpreter ran: how often each operation of the IR, by the kind of its operands.

Blocks are counted as they are entered, each with the instructions it holds; what stands behind a failure in a block is
counted with it, so a figure is an upper one by those.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from execution.compiler.ir import (
    CONTEXT,
    OPS,
    SERVICES,
    Block,
    Const,
    Context,
    Gas,
    Instruction,
    Invoke,
    Load,
    Op,
    Reject,
    Runtime,
    Service,
    Store,
    Touch,
)

WANTED_HITS = 100
_PLAIN = ("AtEnd", "CallFunction", "Emit", "If", "Keep", "Leave", "Loop", "Return", "Scope", "ScratchLoad")
_PLAIN_TOO = ("Release", "Reserve", "ScratchStore", "Try")
_MEMORY = ("Load.w", "Load.d", "Load.u32", "Store.w", "Store.d", "Touch.page", "Touch.pages", "Reject")
_INVOKES = ("Invoke.call", "Invoke.call.gas", "Invoke.view", "Invoke.view.gas", "Invoke.view.world")
_KEYS = ("k1", "k2", "k3", "k4", "k5", "k6")
_ORDERED = ("find", "put", "drop", "free", "ceil", "floor", "after", "before", "lowest", "highest", "next", "previous")
_RUNTIME = (
    *(f"map_{name}.{key}" for name in ("find", "put", "drop", "free") for key in _KEYS),
    *(f"omap_{name}.{key}" for name in _ORDERED for key in ("k1", "d")),
    *(f"list_{name}" for name in ("at", "push", "pop", "free")),
    *(f"queue_{name}" for name in ("push", "pop", "next", "free")),
    "sha256",
)
UNIVERSE: tuple[str, ...] = (
    *(name for name in OPS if name != "or.w"),  # no source is lowered to it
    *_PLAIN,
    *_PLAIN_TOO,
    *_MEMORY,
    *_INVOKES,
    *(f"Context.{name}" for name in CONTEXT),
    *(f"Service.{name}" for name in SERVICES),
    *_RUNTIME,
)
"""Everything a program can be lowered to."""


def title(instruction: Instruction) -> str:
    """The name of an instruction with its operands' kind, as UNIVERSE has it."""
    match instruction:
        case Op(name):
            return name
        case Runtime(_, name):
            return ".".join(part for part in name.split(".") if not part.startswith("v"))
        case Load(out, _, _, size):
            return f"Load.{'u32' if size == 4 else out.kind}"
        case Store(_, _, value):
            return f"Store.{value.kind}"
        case Touch(_, _, size):
            return "Touch.page" if size <= 8 else "Touch.pages"
        case Context(_, name):
            return f"Context.{name}"
        case Service(_, name):
            return f"Service.{name}"
        case Reject(Const()) | Reject():
            return "Reject"
        case Invoke():
            suffix = ".world" if instruction.world else ".gas" if instruction.gas is not None else ""
            return f"Invoke.{'view' if instruction.view else 'call'}{suffix}"
        case _:
            return type(instruction).__name__


class Coverage:
    """hits: operation → how often it ran."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self._blocks: list[tuple[tuple[str, ...], list[int]]] = []
        self._kept: list[tuple[tuple[str, ...], list[int]]] = []

    def watch(self, block: Block) -> list[int]:
        """A cell that the interpreter counts up whenever it enters the block."""
        cell = [0]
        titles = tuple(title(instruction) for instruction in block if not isinstance(instruction, Gas))
        if titles:
            self._blocks.append((titles, cell))
        return cell

    def gather(self, keep: bool = False) -> None:
        """Add what has been counted since the last time; the blocks are forgotten, or kept for good."""
        if keep:
            self._kept, self._blocks = self._blocks, []
        for titles, cell in (*self._kept, *self._blocks):
            if cell[0]:
                for name in titles:
                    self.hits[name] += cell[0]
                cell[0] = 0
        self._blocks.clear()


def summary(hits: Counter[str]) -> dict[str, object]:
    """operations: in all. least: hits of the one that ran least. below: those under WANTED_HITS, with their hits."""
    names = sorted({*UNIVERSE, *hits})
    below = {name: hits[name] for name in names if hits[name] < WANTED_HITS}
    return {"operations": len(names), "least": min(hits[name] for name in names), "below": below}


Watch = Callable[[Block], list[int]]
