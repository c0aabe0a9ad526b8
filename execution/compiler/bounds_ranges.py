"""
What is known of the words in a function's registers while its bound is computed: intervals, and comparisons that hold.

An end that is not known is None. Everything here may be forgotten at any time; what stays is true on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from execution.compiler.ir import Const, Op, Operand, Reg

Interval = tuple[int | None, int | None]
Test = tuple[str, Operand, Operand]
Pick = Callable[[int, int], int]
UNKNOWN: Interval = (None, None)
TRUTH: Interval = (0, 1)
COMPARISONS = {"lt.w": "ge.w", "le.w": "gt.w", "gt.w": "le.w", "ge.w": "lt.w"}
"""Each with the one that holds when it does not."""


@dataclass(slots=True)
class Known:
    """intervals: by register. tests: comparisons that hold when a truth register is 1; of a single one, only then."""

    intervals: dict[int, Interval] = field(default_factory=dict)
    tests: dict[int, tuple[Test, ...]] = field(default_factory=dict)

    def copy(self) -> Known:
        return Known(dict(self.intervals), dict(self.tests))

    def of(self, operand: Operand) -> Interval:
        if isinstance(operand, Const):
            return operand.value, operand.value
        return self.intervals.get(operand.number, UNKNOWN)

    def set(self, register: int, interval: Interval) -> None:
        self.forget((register,))
        if interval != UNKNOWN:
            self.intervals[register] = interval

    def forget(self, registers: Iterable[int]) -> None:
        for register in registers:
            self.intervals.pop(register, None)
            self.tests.pop(register, None)
            for test, comparisons in list(self.tests.items()):
                operands = [operand for _, a, b in comparisons for operand in (a, b)]
                if any(isinstance(operand, Reg) and operand.number == register for operand in operands):
                    del self.tests[test]

    def note(self, op: Op) -> None:
        """After an operation."""
        interval = _result(op, [self.of(arg) for arg in op.args])
        copied = self.tests_of(op.args[0]) if op.name == "copy.w" else ()
        self.forget(out.number for out in op.out)
        if interval != UNKNOWN and op.out[0].kind == "w":
            self.intervals[op.out[0].number] = interval
        if copied:
            self.tests[op.out[0].number] = copied
        if op.name in COMPARISONS and op.out[0] not in op.args:
            self.tests[op.out[0].number] = ((op.name, op.args[0], op.args[1]),)

    def assume(self, condition: Operand, holds: bool) -> None:
        """A condition turned out so."""
        if not isinstance(condition, Reg) or condition.number not in self.tests:
            return
        tests = self.tests[condition.number]
        if len(tests) == 1:
            for register in [register for register, same in self.tests.items() if same == tests]:
                self.intervals[register] = (int(holds), int(holds))
        if holds or len(tests) == 1:
            for name, a, b in tests:
                self._compare(name if holds else COMPARISONS[name], a, b)

    def _compare(self, name: str, a: Operand, b: Operand) -> None:
        """A comparison holds."""
        strict = 1 if name in ("lt.w", "gt.w") else 0
        small, large = (a, b) if name in ("lt.w", "le.w") else (b, a)
        self._narrow(small, (None, _moved(self.of(large)[1], -strict)))
        self._narrow(large, (_moved(self.of(small)[0], strict), None))

    def _narrow(self, operand: Operand, within: Interval) -> None:
        if isinstance(operand, Reg):
            low, high = self.of(operand)
            self.intervals[operand.number] = (_both(max, low, within[0]), _both(min, high, within[1]))

    def tests_of(self, condition: Operand) -> tuple[Test, ...]:
        return self.tests.get(condition.number, ()) if isinstance(condition, Reg) else ()

    def meet(self, other: Known, tested: tuple[Test, ...]) -> None:
        """
        What is true whichever of the two happened; tested: what had to hold for this one to happen.

        A truth that is 0 in the other is 1 only after this one: so `a and b` keeps both comparisons.
        """
        both = {
            register: (*tests, *(tested or tests))  # two or more: it may be 0 although they hold
            for register, tests in self.tests.items()
            if other.intervals.get(register) == (0, 0)
        }
        self.intervals = {
            register: (
                _either(min, one[0], other.intervals[register][0]),
                _either(max, one[1], other.intervals[register][1]),
            )
            for register, one in self.intervals.items()
            if register in other.intervals
        }
        self.tests = {key: test for key, test in self.tests.items() if other.tests.get(key) == test} | both


def _moved(end: int | None, by: int) -> int | None:
    return None if end is None else end + by


def _both(pick: Pick, a: int | None, b: int | None) -> int | None:
    """Two truths about one end."""
    return b if a is None else a if b is None else pick(a, b)


def _either(pick: Pick, a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else pick(a, b)


def _result(op: Op, args: list[Interval]) -> Interval:
    match op.name, args:
        case "copy.w", [one]:
            return one
        case (("add.w" | "address.w"), [(low, high), (least, most)]):
            return _sum(low, least), _sum(high, most)
        case "sub.w", [(low, high), (least, most)]:
            return _difference(low, most), _difference(high, least)
        case "min.w", [(low, high), (least, most)]:
            return _either(min, low, least), _both(min, high, most)
        case "max.w", [(low, high), (least, most)]:
            return _both(max, low, least), _either(max, high, most)
        case "mod.w", [_, (least, most)] if least is not None and most is not None and least > 0:
            return 0, most - 1
        case "floordiv.w", [(low, high), (least, most)] if (
            low is not None and low >= 0 and least is not None and least > 0
        ):
            return 0, high
        case (("not.w" | "and.w" | "or.w"), _):
            return TRUTH
        case name, _ if name.partition(".")[0] in ("eq", "ne", "lt", "le", "gt", "ge"):
            return TRUTH
    return UNKNOWN


def _sum(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a + b


def _difference(a: int | None, b: int | None) -> int | None:
    return None if a is None or b is None else a - b
