"""
Loops whose number of turns follows from a counter: what `for … in range(…)` becomes, and `while` loops of that shape.

    loop { …; t = lt.w counter, end; if t {} else { leave }; …; counter = counter + step }

The counter changes in one place only, at the top of the loop's body, so in every turn; the end does not change at all.
"""

from __future__ import annotations

from dataclasses import dataclass

from execution.compiler.bounds_ranges import Interval, Known
from execution.compiler.ir import Block, Const, Gas, If, Leave, Loop, Op, Operand, Reg
from execution.compiler.ir_walk import blocks, walk, writes, written

UP = {"lt.w": 0, "le.w": 1}
DOWN = {"gt.w": 0, "ge.w": 1}


@dataclass(frozen=True, slots=True)
class Counted:
    """
    head: instructions up to and with the test. inclusive: 1 when the end itself is reached. step: not 0.

    to_zero: it counts down while it is not zero, which ends only from above.
    """

    counter: Reg
    end: Operand
    condition: Operand
    head: int
    inclusive: int
    step: int
    to_zero: bool = False

    def turns(self, known: Known) -> int | None:
        """The most turns, None when unknown. known: before the loop."""
        start, end = known.of(self.counter), known.of(self.end)
        if self.step > 0:
            low, high = start[0], end[1]
        else:
            low, high = end[0], start[1]
        if low is None or high is None or (self.to_zero and (start[0] is None or start[0] < 0)):
            return None
        return max(0, -(-(high - low + self.inclusive) // abs(self.step)))

    def interval(self, known: Known) -> Interval:
        """Where the counter is during the loop; one step past the end in its head."""
        start, end = known.of(self.counter), known.of(self.end)
        if self.step > 0:
            past = None if end[1] is None else end[1] + self.step
            return start[0], None if past is None or start[1] is None else max(past, start[1])
        past = None if end[0] is None else end[0] + self.step
        return None if past is None or start[0] is None else min(past, start[0]), start[1]


def counted(loop: Loop) -> Counted | None:
    """The loop as one that counts, or None."""
    for index, one in enumerate(loop.body):
        if isinstance(one, If):
            return _tested(loop.body, index, one)
        if not isinstance(one, (Op, Gas)):
            return None
    return None


def _tested(body: Block, index: int, branch: If) -> Counted | None:
    """A loop whose first branch leaves it unless a comparison holds."""
    if branch.then or len(branch.other) != 1 or not isinstance(branch.other[0], Leave):
        return None
    tests = [one for one in body[:index] if isinstance(one, Op) and one.out[0] == branch.condition]
    if not tests and isinstance(branch.condition, Reg) and _step(body, branch.condition) == -1:
        return Counted(branch.condition, Const(0, "w"), branch.condition, index + 1, 0, -1, to_zero=True)
    if len(tests) != 1 or tests[0].name not in UP | DOWN:
        return None
    test = tests[0]
    counter, end = test.args
    if not isinstance(counter, Reg) or (isinstance(end, Reg) and end in written(body)):
        return None
    step = _step(body, counter)
    upwards = test.name in UP
    if step is None or (step > 0) != upwards:
        return None
    return Counted(counter, end, branch.condition, index + 1, (UP | DOWN)[test.name], step)


def _step(body: Block, counter: Reg) -> int | None:
    """By how much the counter changes in every turn, None unless that is one constant."""
    changes = [one for one in walk(body) if counter in writes(one)]
    top = [number for number, one in enumerate(body) if counter in writes(one)]
    if len(changes) != 1 or len(top) != 1:
        return None
    last = body[top[0]]
    change = last if isinstance(last, Op) else None
    if change is not None and change.name == "copy.w" and isinstance(change.args[0], Reg):
        change = _maker(body[: top[0]], change.args[0])
    if change is None or change.name not in ("add.w", "address.w", "sub.w"):
        return None
    first, second = change.args
    if first != counter or not isinstance(second, Const) or second.value == 0:
        return None
    return -second.value if change.name == "sub.w" else second.value


def _maker(before: Block, register: Reg) -> Op | None:
    """The operation that a register has its value from, None when an inner block may have given it."""
    for one in reversed(before):
        if register in writes(one):
            return one if isinstance(one, Op) else None
        if any(register in written(block) for block in blocks(one)):
            return None
    return None
