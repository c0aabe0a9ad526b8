"""
Operations of OPS as WASM: short ones inline, with their overflow test; the rest are calls of the runtime's arithmetic.

A sum overflows when both operands' signs differ from its own; a difference, when the operands' signs differ and the
result's is not the left one's; a word product, when its high word is not the sign of its low word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from execution.compiler.ir import Const, Op, Operand
from execution.compiler.write_body import HALF, Body
from execution.compiler.write_compare import TRUTHS, write_truth

ONE = 10**18
SIGN_SHIFT = 63

Inline = Callable[[Body, tuple[Operand, ...]], None]


def write_op(body: Body, op: Op) -> None:
    """Append the operation and assign its results."""
    if op.name in TRUTHS:
        write_truth(body, op.name, op.args)
        body.add("i64.extend_i32_u")
    elif not needs_call(op):
        INLINE[op.name](body, op.args)
    else:
        for arg in op.args:
            body.push(arg)
        body.add(("call", body.names.runtime[op.name]))
    body.pop(*op.out)


def needs_call(op: Op) -> bool:
    """Whether `write_op` calls the runtime for it."""
    if op.name in ("floordiv.w", "mod.w"):
        return not _is_positive(op.args[1])
    return op.name not in INLINE and op.name not in TRUTHS


def _is_positive(operand: Operand) -> bool:
    return isinstance(operand, Const) and operand.value > 0


def _copy(body: Body, args: tuple[Operand, ...]) -> None:
    body.push(args[0])


def _binary(instruction: str) -> Inline:
    def write(body: Body, args: tuple[Operand, ...]) -> None:
        body.low(args[0])
        body.low(args[1])
        body.add(instruction)

    return write


def _add_words(body: Body, args: tuple[Operand, ...]) -> None:
    left, right = args if isinstance(args[1], Const) else (args[1], args[0])
    result = body.temporary("low")
    _binary("i64.add")(body, args)
    body.set(result)
    if isinstance(right, Const):
        body.get(result)
        body.low(left)
        body.add("i64.lt_s" if right.value >= 0 else "i64.gt_s")
    else:
        for operand in args:
            body.low(operand)
            body.get(result)
            body.add("i64.xor")
        body.add("i64.and")
        _negative(body)
    body.overflow_if()
    body.get(result)


def _sub_words(body: Body, args: tuple[Operand, ...]) -> None:
    left, right = args
    result = body.temporary("low")
    _binary("i64.sub")(body, args)
    body.set(result)
    if isinstance(right, Const):
        body.get(result)
        body.low(left)
        body.add("i64.gt_s" if right.value >= 0 else "i64.lt_s")
    else:
        body.low(left)
        body.low(right)
        body.add("i64.xor")
        body.low(left)
        body.get(result)
        body.add("i64.xor", "i64.and")
        _negative(body)
    body.overflow_if()
    body.get(result)


def _negative(body: Body) -> None:
    body.const(0)
    body.add("i64.lt_s")


def _mul_words(body: Body, args: tuple[Operand, ...]) -> None:
    low, high = body.temporary("low"), body.temporary("high")
    body.low(args[0])
    body.low(args[1])
    body.add("i64.mul_wide_s")
    body.set(high)
    body.tee(low)
    body.const(SIGN_SHIFT)
    body.add("i64.shr_s")
    body.get(high)
    body.add("i64.ne")
    body.overflow_if()
    body.get(low)


def _floordiv_positive(body: Body, args: tuple[Operand, ...]) -> None:
    """Divisor a positive literal: the quotient towards zero, less one when the remainder is negative."""
    _binary("i64.div_s")(body, args)
    _binary("i64.rem_s")(body, args)
    body.const(SIGN_SHIFT)
    body.add("i64.shr_s", "i64.add")


def _mod_positive(body: Body, args: tuple[Operand, ...]) -> None:
    rest = body.temporary("low")
    _binary("i64.rem_s")(body, args)
    body.tee(rest)
    body.get(rest)
    body.const(SIGN_SHIFT)
    body.add("i64.shr_s")
    body.low(args[1])
    body.add("i64.and", "i64.add")


def _negate_word(body: Body, args: tuple[Operand, ...]) -> None:
    _fail_on_least(body, args[0])
    body.const(0)
    body.low(args[0])
    body.add("i64.sub")


def _abs_word(body: Body, args: tuple[Operand, ...]) -> None:
    _fail_on_least(body, args[0])
    body.low(args[0])
    body.const(0)
    body.low(args[0])
    body.add("i64.sub")
    body.low(args[0])
    body.const(0)
    body.add("i64.ge_s", "select")


def _fail_on_least(body: Body, operand: Operand) -> None:
    body.low(operand)
    body.const(-HALF)
    body.add("i64.eq")
    body.overflow_if()


def _choose(truth: str) -> Inline:
    """The left operand where the comparison holds, else the right one."""

    def write(body: Body, args: tuple[Operand, ...]) -> None:
        pushes = (body.low, body.high) if args[0].kind == "d" else (body.low,)
        for push in pushes:
            push(args[0])
            push(args[1])
            write_truth(body, truth, args)
            body.add("select")

    return write


def _sum_decimals(instruction: str) -> Inline:
    """Sum or difference of decimals with its overflow test."""

    def write(body: Body, args: tuple[Operand, ...]) -> None:
        left, right = args
        low, high = body.temporary("low"), body.temporary("high")
        body.push(left)
        body.push(right)
        body.add(instruction)
        body.set(high)
        body.set(low)
        body.high(left)
        if instruction == "i64.add128":
            body.get(high)
        else:
            body.high(right)
        body.add("i64.xor")
        body.high(right if instruction == "i64.add128" else left)
        body.get(high)
        body.add("i64.xor", "i64.and")
        _negative(body)
        body.overflow_if()
        body.get(low)
        body.get(high)

    return write


def _negate_decimal(body: Body, args: tuple[Operand, ...]) -> None:
    low, high = body.temporary("low"), body.temporary("high")
    body.const(0)
    body.const(0)
    body.push(args[0])
    body.add("i64.sub128")
    body.set(high)
    body.set(low)
    body.high(args[0])
    body.get(high)
    body.add("i64.and")
    _negative(body)
    body.overflow_if()
    body.get(low)
    body.get(high)


def _abs_decimal(body: Body, args: tuple[Operand, ...]) -> None:
    """(a ^ s) − s with s the sign of a, in both words."""
    low, high, sign = body.temporary("low"), body.temporary("high"), body.temporary("sign")
    body.high(args[0])
    body.const(SIGN_SHIFT)
    body.add("i64.shr_s")
    body.set(sign)
    for push in (body.low, body.high):
        push(args[0])
        body.get(sign)
        body.add("i64.xor")
    body.get(sign)
    body.get(sign)
    body.add("i64.sub128")
    body.set(high)
    body.set(low)
    body.get(high)
    _negative(body)
    body.overflow_if()
    body.get(low)
    body.get(high)


def _to_decimal(body: Body, args: tuple[Operand, ...]) -> None:
    body.low(args[0])
    body.const(ONE)
    body.add("i64.mul_wide_s")


def _low(body: Body, args: tuple[Operand, ...]) -> None:
    body.low(args[0])


def _high(body: Body, args: tuple[Operand, ...]) -> None:
    body.high(args[0])


def _join(body: Body, args: tuple[Operand, ...]) -> None:
    body.low(args[0])
    body.low(args[1])


INLINE: Mapping[str, Inline] = MappingProxyType(
    {
        "copy.w": _copy,
        "copy.d": _copy,
        "add.w": _add_words,
        "sub.w": _sub_words,
        "mul.w": _mul_words,
        "floordiv.w": _floordiv_positive,
        "mod.w": _mod_positive,
        "neg.w": _negate_word,
        "abs.w": _abs_word,
        "min.w": _choose("le.w"),
        "max.w": _choose("ge.w"),
        "address.w": _binary("i64.add"),
        "add.d": _sum_decimals("i64.add128"),
        "sub.d": _sum_decimals("i64.sub128"),
        "neg.d": _negate_decimal,
        "abs.d": _abs_decimal,
        "min.d": _choose("le.d"),
        "max.d": _choose("ge.d"),
        "to_d.w": _to_decimal,
        "low.d": _low,
        "high.d": _high,
        "join.d": _join,
        "and.w": _binary("i64.and"),
        "or.w": _binary("i64.or"),
    }
)
