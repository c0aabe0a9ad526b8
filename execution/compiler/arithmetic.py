"""
Operators: which operation of ir.OPS two typed operands mean, and the folding of constant ones.
"""

from __future__ import annotations

import ast

from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.context import Context
from execution.compiler.fold import NotConstant, fold_operation

NAMES: dict[type[ast.operator], str] = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv", ast.Mod: "mod",
}  # fmt: skip
SYMBOLS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "floordiv": "//", "mod": "%"}
TIMES: dict[tuple[t.Type, str, t.Type], t.Type] = {
    (t.TIMESTAMP, "add", t.DURATION): t.TIMESTAMP,
    (t.TIMESTAMP, "sub", t.DURATION): t.TIMESTAMP,
    (t.TIMESTAMP, "sub", t.TIMESTAMP): t.DURATION,
    (t.DURATION, "add", t.DURATION): t.DURATION,
    (t.DURATION, "sub", t.DURATION): t.DURATION,
    (t.DURATION, "mul", t.INT): t.DURATION,
    (t.INT, "mul", t.DURATION): t.DURATION,
    (t.DURATION, "floordiv", t.INT): t.DURATION,
    (t.DURATION, "floordiv", t.DURATION): t.INT,
    (t.DURATION, "mod", t.DURATION): t.DURATION,
}
COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge",
}  # fmt: skip
ORDERED = (t.INT, t.DECIMAL, t.TIMESTAMP, t.DURATION)
NUMBERS = (t.INT, t.DECIMAL)


def operation(of: t.Type, name: str, args: tuple[tree.Expression, ...], line: int) -> tree.Expression:
    """An operation, folded when all operands are literals and it does not reject."""
    literals = [arg.values[0] for arg in args if isinstance(arg, tree.Literal)]
    if len(literals) == len(args):
        try:
            return tree.Literal(of, (fold_operation(name, tuple(literals)),))
        except NotConstant:
            return tree.Operation(of, name, args, line)
    return tree.Operation(of, name, args, line)


def suffix(of: t.Type) -> str:
    return "d" if of == t.DECIMAL else "w"


def binary(
    context: Context, node: ast.AST, operator: ast.operator, left: tree.Expression, right: tree.Expression
) -> tree.Expression:
    """`left operator right`; numbers mix, times have their own table."""
    line = getattr(node, "lineno", 0)
    if isinstance(operator, ast.Pow):
        return _power(context, node, left, right)
    name = NAMES[type(operator)]
    if left.type in NUMBERS and right.type in NUMBERS:
        if left.type == right.type == t.INT:
            if name == "div":
                return operation(t.DECIMAL, "div_int.w", (left, right), line)
            return operation(t.INT, f"{name}.w", (left, right), line)
        args = (context.convert(left, t.DECIMAL, node), context.convert(right, t.DECIMAL, node))
        return operation(t.DECIMAL, f"{name}.d", args, line)
    result = TIMES.get((left.type, name, right.type))
    if result is None:
        instead = "test `is not None` first" if isinstance(left.type, t.OptionalType) else _converted(left, right)
        raise context.error(node, f"`{SYMBOLS[name]}` is not defined for {left.type} and {right.type}", instead)
    return operation(result, f"{name}.w", (left, right), line)


def _converted(left: tree.Expression, right: tree.Expression) -> str:
    """How two types that do not go together can be made to."""
    pair = {left.type, right.type}
    if t.QUOTE in pair:
        return "take the quote's price: `quote.price`"
    if pair & {t.TIMESTAMP, t.DURATION} and t.INT in pair:
        return "write Duration.milliseconds(…), or take `.ms`"
    return "convert one side"


def _power(context: Context, node: ast.AST, left: tree.Expression, right: tree.Expression) -> tree.Expression:
    if isinstance(left, tree.Literal) and isinstance(right, tree.Literal) and left.type == right.type == t.INT:
        exponent = right.values[0]
        value = left.values[0] ** exponent if 0 <= exponent < 64 else 2**63
        if -(2**63) <= value < 2**63:
            return tree.Literal(t.INT, (value,))
    raise context.error(
        node, "`**` takes two constant integers and fits 64 bits", "write x * x, sqrt(x), or pow(x, y) of Decimals"
    )


def negate(context: Context, node: ast.AST, value: tree.Expression) -> tree.Expression:
    if value.type not in (t.INT, t.DECIMAL, t.DURATION):
        raise context.error(node, f"`-` is not defined for {value.type}", "use a number or a Duration")
    return operation(value.type, f"neg.{suffix(value.type)}", (value,), getattr(node, "lineno", 0))


def compare(
    context: Context, node: ast.AST, operator: ast.cmpop, left: tree.Expression, right: tree.Expression
) -> tree.Expression:
    """One comparison; equality of any flat type, order of numbers and times."""
    name, line = COMPARISONS[type(operator)], getattr(node, "lineno", 0)
    if left.type in NUMBERS and right.type in NUMBERS and left.type != right.type:
        left, right = context.convert(left, t.DECIMAL, node), context.convert(right, t.DECIMAL, node)
    if left.type != right.type:
        if t.NONE in (left.type, right.type):
            raise context.error(node, "None is not compared with `==`", "write `is None` or `is not None`")
        raise context.error(node, f"{left.type} is never equal to {right.type}", "compare values of the same type")
    if not t.is_flat(left.type):
        raise context.error(node, f"{left.type} is not compared", "compare its members")
    if name not in ("eq", "ne") and left.type not in ORDERED:
        raise context.error(node, f"{left.type} has no order", "compare with == or !=")
    registers = t.kinds(left.type)
    if len(registers) == 1:  # a struct of one Decimal too is compared as one
        return operation(t.BOOL, f"{name}.{registers[0]}", (left, right), line)
    return tree.Equal(t.BOOL, left, right, name == "ne", line)
