"""
Straight-line patterns of the gas bench: arithmetic, mathematics, digests, sequences, structs, branches.

Every entry is a loop whose body is one statement, UNROLLED times, so that the loop itself hardly counts. A result is
taken back into its operand (`x = x + (op(x) - w)`, w being op(x)), so what is measured is latency, the dearest a
program can make an operation.
"""

from __future__ import annotations

from dataclasses import dataclass

RAW = 10**18
UNROLLED = 8
INTS = (7, 3, 4_611_686_018_427_387_903)
DECIMALS = (1_234567890123456789, 987654321098765432, 3_141592653589793238)
WIDE = (12_345_678_901 * RAW + 234567890123456789, 1_987_654_321 * RAW + 123456789123456789, 7 * 10**9 * RAW + 13)


@dataclass(frozen=True, slots=True)
class Operation:
    """statement: the body of the loop. before: statements in front of it. Operands: ints a, b, c; decimals x, y, z."""

    name: str
    statement: str
    before: str = ""
    ints: tuple[int, int, int] = INTS
    decimals: tuple[int, int, int] = DECIMALS
    unrolled: int = UNROLLED
    also: tuple[tuple[str, tuple[int, int, int]], ...] = ()
    """Further decimals to call the same entry with, by what they are."""


def _decimal(name: str, expression: str, **more: object) -> Operation:
    before = f"w = {expression}"
    return Operation(name, f"x = x + ({expression} - w)", before, **more)  # type: ignore[arg-type]


_SMALL_WIDE = ((WIDE[0], DECIMALS[1], DECIMALS[2]), (DECIMALS[0], WIDE[1], DECIMALS[2]))
_WIDE = (("wide", WIDE),)
_DIVISORS = (("wide", (WIDE[0], 3 * RAW + 1, WIDE[2])), ("by_wide", WIDE), ("large", (10**38, 7 * RAW, WIDE[2])))

ARITHMETIC = (
    Operation("int_add", "a = a + b"),
    Operation("int_sub", "a = a - b"),
    Operation("int_mul", "a = a * b", ints=(7, 1, 0)),
    Operation("int_floordiv", "a = c - a // b"),
    Operation("int_mod", "a = c - a % b", ints=(7, 2_147_483_647, INTS[2])),
    Operation("int_floordiv_constant", "a = c - a // 1000"),
    Operation("int_mod_constant", "a = c - a % 1000003"),
    Operation("int_neg", "a = -a"),
    Operation("int_abs", "a = abs(a) - b"),
    Operation("int_min_max", "a = max(min(a, b), c - a)"),
    Operation("int_compare", "a = a + (1 if a < b else 2)"),
    Operation("int_order", "a = a + (1 if a <= b else 2 if a >= c else 3)"),
    Operation("int_if", "if a != b:\n    a = a + 1", ints=(0, -1, 0)),
    Operation("bools", "k = not k and a < b or k and a != c", before="k = a == b"),
    Operation("branch", "a = (a * 1103515245 + 12345) % 2147483648\nif a > 1073741824:\n    b = b + 1"),
    Operation("int_to_decimal", "x = x + Decimal(a)"),
    Operation("decimal_add", "x = x + y"),
    Operation("decimal_sub", "x = x - y"),
    Operation("decimal_neg", "x = -x"),
    Operation("decimal_abs", "x = abs(x) - y"),
    Operation("decimal_min_max", "x = max(min(x, y), z - x)"),
    Operation("decimal_compare", "x = x + (y if x < z else z)"),
    Operation("decimal_order", "x = x + (y if x <= z else z if x >= y or x > z else y)"),
    Operation("decimal_same", "x = x + (y if x == z else z)"),
    Operation("decimal_equal", "if x != z:\n    x = x + y"),
    Operation("decimal_of_int", "x = x + a"),
    _decimal("decimal_mul", "x * y", also=_WIDE),
    _decimal("decimal_mul_up", "mul_up(x, y)", also=_WIDE),
    _decimal("decimal_mul_down", "mul_down(x, y)", also=_WIDE),
    _decimal("decimal_div", "x / y", also=_DIVISORS),
    _decimal("decimal_div_up", "div_up(x, y)", also=_DIVISORS),
    _decimal("decimal_div_down", "div_down(x, y)", also=_DIVISORS),
    _decimal("decimal_mul_div", "mul_div(x, y, z)", also=_WIDE),
    _decimal("decimal_mul_div_up", "mul_div_up(x, y, z)", also=_WIDE),
    _decimal("decimal_mul_div_down", "mul_div_down(x, y, z)", also=_WIDE),
    _decimal("decimal_floordiv", "x // y", also=_DIVISORS),
    _decimal("decimal_mod", "x % y", also=_DIVISORS),
    _decimal("int_div", "a / b"),
    Operation("decimal_floor", "x = x + (x.floor() - b)", "b = x.floor()", also=_WIDE),
    Operation("decimal_ceil", "x = x + (x.ceil() - b)", "b = x.ceil()", also=_WIDE),
    Operation("decimal_round", "x = x + (x.round() - b)", "b = x.round()", also=_WIDE),
)  # fmt: skip

_TAIL = (("tail", (6 * RAW + 123456789, RAW, RAW)), ("negative", (-3 * RAW - 987654321, RAW, RAW)))
_LARGE = (("large", (10**36 + 7, 0, 0)), ("small", (12345, 0, 0)))

MATHEMATICS = (
    _decimal("sqrt", "sqrt(x)", also=_LARGE),
    _decimal("exp", "exp(x)", also=(("large", (40 * RAW + 123456789, 0, 0)), ("negative", (-20 * RAW - 1, 0, 0)))),
    _decimal("ln", "ln(x)", also=_LARGE),
    _decimal("log2", "log2(x)", also=_LARGE),
    _decimal("pow", "pow(x, y)", also=(("large", (70 * RAW + 1, 10 * RAW + 12345, 0)),)),
    _decimal("norm_pdf", "norm_pdf(x)", also=_TAIL),
    _decimal("norm_cdf", "norm_cdf(x)", also=_TAIL),
    _decimal("erf", "erf(x)", also=_TAIL),
    _decimal("norm_inv", "norm_inv(x)", decimals=(RAW // 3, 0, 0), also=(("tail", (10**6, 0, 0)),)),
)  # fmt: skip

_ROW = "values: Array[int, 128] = Array()"
_POINT = "point = Point(a, b, x)"

SEQUENCES = (
    Operation("array_read", "a = values[a]", "values: Array[int, 64] = Array()\nvalues[0] = 5", ints=(0, 0, 0)),
    Operation("array_write", "values[a] = b\na = values[0]", "values: Array[int, 64] = Array()", ints=(1, 2, 3)),
    Operation("array_copy", "row = values.copy()\nvalues[a] = row[0] + 1", _ROW, unrolled=2),
    Operation(
        "array_equal", "values[a] = values[a] + (1 if row == values else 0)",
        _ROW + "\nrow: Array[int, 128] = Array()", unrolled=2,
    ),
    Operation("array_field", "self.row[a] = b\nb = self.row[0] + 1", ints=(5, 2, 3)),
    Operation("bounded_list", "stack.append(a)\na = stack.pop()", "stack: BoundedList[int, 64] = BoundedList()"),
    Operation("bounded_field", "self.stack.append(a)\na = self.stack.pop()"),
    Operation("struct_replace", "point = point.replace(x=point.y, y=point.x + a)", _POINT, ints=(0, 1, 2)),
    Operation("struct_field", "self.point = self.point.replace(x=self.point.y + a)"),
    Operation("points_differ", "a = a + (1 if point != self.point else 2)", _POINT),
    Operation("large_struct_field", "large = self.large\nself.large = large.replace(a=large.b)", unrolled=2),
    Operation("function", "a = self.further(a, b)"),
    Operation("fields", "self.number = self.number + a"),
    Operation("decimal_field", "self.amount = self.amount + y"),
    Operation("context", "a = a + block.height - block.height"),
    Operation("sender", "k = tx.sender == self.me", "k = a == b"),
    Operation("sha256_word", "d = sha256(d)", "d = sha256(a)", unrolled=2),
    Operation("sha256_large", "d = sha256(d, values)", "values: Array[int, 124] = Array()\nd = sha256(a)", unrolled=1),
)  # fmt: skip

HEAD = '''"""Operations in loops."""

from execution.lang import (
    Array, BoundedList, Bytes32, Decimal, Program, Struct, block, div_down, div_up, erf, exp, external, ln, log2,
    mul_div, mul_div_down, mul_div_up, mul_down, mul_up, norm_cdf, norm_inv, norm_pdf, pow, sha256, sqrt, tx,
)


class Point(Struct):
    x: int
    y: int
    z: Decimal


class Large(Struct):
{large}


class Desk(Program):
    number: int
    amount: Decimal
    point: Point
    large: Large
    row: Array[int, 64]
    stack: BoundedList[int, 64]

    def further(self, a: int, b: int) -> int:
        for turn in range(1):
            if a > b:
                return a - b
            a = a + b
        return a
'''
_ENTRY = """
    @external
    def {name}(self, turns: int, a: int, b: int, c: int, x: Decimal, y: Decimal, z: Decimal) -> Decimal:
{before}
        for turn in range(turns):
{body}
        return x + a + b{more}
"""


def source(operations: tuple[Operation, ...]) -> str:
    """A program with an entry for each of the operations."""
    used = HEAD.format(large="\n".join(f"    {name}: int" for name in "abcdefghijklmnopqrstuvwxyzABCDEF"))
    return used + "".join(_entry(operation) for operation in operations)


def _entry(of: Operation) -> str:
    body = "\n".join([of.statement] * of.unrolled)
    more = " + (1 if k else 0)" if of.name in ("bools", "sender") else ""
    return _ENTRY.format(name=of.name, before=_indented(of.before or "pass", 8), body=_indented(body, 12), more=more)


def _indented(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.split("\n"))


GROUPS = (ARITHMETIC, MATHEMATICS, SEQUENCES)
