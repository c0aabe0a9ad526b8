"""
Inlining of WASM functions: a call of a small function becomes its body, in a block of its own.

The engine's compiler works function by function, and a call costs as much as ten instructions: what is called all the
time, a page's mark, a list's place, a decimal's sign, is written out instead. What a program does stays the same to
the bit: the block gives what the function gave, `return` leaves the block, locals begin at zero. Bodies written out
side by side share locals, so that a frame is never larger than those of the deepest chain of calls were together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

ValueType = str  # "i32" or "i64"
Instruction = tuple[Any, ...]

INLINED_MAX = 250
"""Instructions of a function that is written out wherever it is called."""
INLINED_ONCE_MAX = 3_000
"""The same where only one call of it is left in the module."""
FUNCTION_MAX = 10_000
"""Instructions of a function into which nothing more is written: compiling takes more than linear time."""

_OPENING = frozenset({"block", "loop", "if", "try_table"})
_LOCAL = frozenset({"local.get", "local.set", "local.tee"})


@dataclass(frozen=True, slots=True)
class Body:
    """
    A function: its type, its locals after the parameters, its instructions without the last `end`.

    apart: it is never written out where it is called, so that what it does seldom takes no registers from what its
    callers do always.
    """

    params: tuple[ValueType, ...]
    results: tuple[ValueType, ...]
    local_types: tuple[ValueType, ...]
    code: tuple[Instruction, ...]
    apart: bool = False


BlockType = Callable[[tuple[ValueType, ...]], object]
"""The block type that gives these results, as instructions have it."""


def inline_calls(bodies: Sequence[Body], imported: int, block_type: BlockType) -> list[Body]:
    """
    The same functions, small ones written out where they are called. Indices stay.

    Args:
        imported: the index of the first body.
    """
    calls = Counter(i[1] for body in bodies for i in body.code if i[0] == "call")
    found: dict[int, Body] = {}
    for index in _callees_first(bodies, imported):
        body = bodies[index - imported]
        found[index] = _Writer(body, found, calls, block_type).write()
    return [found[imported + place] for place in range(len(bodies))]


def _callees_first(bodies: Sequence[Body], imported: int) -> list[int]:
    """Indices of the bodies, callees before callers; in a circle of calls some caller comes first."""
    order: list[int] = []
    state: dict[int, bool] = {}
    for root in range(imported, imported + len(bodies)):
        pending = [(root, False)]
        while pending:
            index, done = pending.pop()
            if done:
                order.append(index)
            elif index not in state:
                state[index] = True
                pending.append((index, True))
                callees = dict.fromkeys(i[1] for i in bodies[index - imported].code if i[0] == "call")
                pending += [(callee, False) for callee in callees if isinstance(callee, int) and callee >= imported]
    return order


class _Writer:
    """Rewrites one function. Locals of bodies written out stand behind its own, by type."""

    def __init__(self, body: Body, written: dict[int, Body], calls: Counter[object], block_type: BlockType) -> None:
        self._body, self._written, self._calls, self._block_type = body, written, calls, block_type
        self._own = len(body.params) + len(body.local_types)
        self._shared: dict[ValueType, list[int]] = {}
        self._more: list[ValueType] = []

    def write(self) -> Body:
        out: list[Instruction] = []
        for instruction in self._body.code:
            callee = self._written.get(instruction[1]) if instruction[0] == "call" else None
            if callee is not None and self._fits(callee, instruction[1], len(out)):
                self._write_out(callee, out)
            else:
                out.append(instruction)
        body = self._body
        return Body(body.params, body.results, (*body.local_types, *self._more), tuple(out), body.apart)

    def _fits(self, callee: Body, index: object, size: int) -> bool:
        if callee.apart:
            return False
        most = INLINED_ONCE_MAX if self._calls[index] == 1 else INLINED_MAX
        return len(callee.code) <= most and size + len(callee.code) + len(self._body.code) <= FUNCTION_MAX

    def _write_out(self, callee: Body, out: list[Instruction]) -> None:
        places = self._places((*callee.params, *callee.local_types))
        count = len(callee.params)
        out += [("local.set", place) for place in reversed(places[:count])]
        for place, kind in zip(places[count:], callee.local_types, strict=True):
            out += [(f"{kind}.const", 0), ("local.set", place)]
        out.append(("block", self._block_type(callee.results)))
        depth = 0
        for instruction in callee.code:
            name = instruction[0]
            if name in _LOCAL:
                out.append((name, places[instruction[1]]))
            elif name == "return":
                out.append(("br", depth))
            else:
                depth += (name in _OPENING) - (name == "end")
                out.append(instruction)
        out.append(("end",))

    def _places(self, kinds: Sequence[ValueType]) -> list[int]:
        """A local for each kind, none twice; the same ones for the next body."""
        taken: Counter[ValueType] = Counter()
        places = []
        for kind in kinds:
            shared = self._shared.setdefault(kind, [])
            if taken[kind] == len(shared):
                shared.append(self._own + len(self._more))
                self._more.append(kind)
            places.append(shared[taken[kind]])
            taken[kind] += 1
        return places
