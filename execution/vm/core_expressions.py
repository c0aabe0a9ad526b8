"""
Expressions of core Python → the typed tree. Every CoreError names function and line.
"""

from __future__ import annotations

import ast
from types import FunctionType, ModuleType
from typing import Any

from execution.vm import core_tree as t
from execution.vm.core import Bound, CoreError, CoreFunction, Extern, Globals, Intrinsic, Memory, Parameter, Table, u64
from execution.vm.core_types import coerce, instance, signature, to_i32, to_i64
from execution.wasm import ValueType

OFFSET_MAX = 1 << 16  # constant part of an address that goes into the instruction

_BINARY: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.BitAnd: "and",
    ast.BitOr: "or",
    ast.BitXor: "xor",
    ast.LShift: "shl",
    ast.RShift: "shr_s",
}
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt_s",
    ast.LtE: "le_s",
    ast.Gt: "gt_s",
    ast.GtE: "ge_s",
}
_SAME_KIND = {"shr_u", "div_u", "rem_u", "div_s", "rem_s", "rotl", "clz", "ctz"}
_UNSIGNED = {"lt_u", "le_u", "gt_u", "ge_u"}
_WIDE = {"mul_wide_u", "mul_wide_s", "add128", "sub128"}


class Expressions:
    """The names, constants and types in force at a point of one function, and what an expression means there."""

    def __init__(self, of: t.Instance) -> None:
        self._function, constants = of
        self._constants = dict(constants)
        self._names = self._function.names
        self._params, self._results = signature(of)
        self._kinds: dict[str, ValueType] = dict(self._params)
        self._rows = {a.arg for a in self._function.tree.args.args if ast.unparse(a.annotation or a) == "Words"}
        self._unrolled: dict[str, int] = {}
        self._caught: dict[str, str] = {}
        self._loops: list[str] = []
        self._inlines = 0

    def _error(self, node: ast.AST, what: str) -> CoreError:
        return CoreError(f"{self._function.name}, line {getattr(node, 'lineno', '?')}: {what}")

    def _resolve(self, node: ast.expr) -> Any:
        """What a name outside the function's locals means; None when it means nothing."""
        if isinstance(node, ast.Attribute):
            owner = self._resolve(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
        return self._names.get(node.id) if isinstance(node, ast.Name) else None

    def _memory(self, node: ast.expr) -> str:
        memory = self._resolve(node)
        if not isinstance(memory, Memory):
            raise self._error(node, f"{ast.unparse(node)} is not a Memory")
        return memory.name

    def _checked(self, value: t.Expression, kind: ValueType, node: ast.AST) -> t.Expression:
        if t.kinds_of(value) != (kind,):
            raise self._error(node, f"needs {kind}, this is {t.kinds_of(value)}")
        return value

    def _address(self, node: ast.expr) -> tuple[t.Expression, int]:
        """An i32 and a constant offset."""
        expression, offset = self._expression(node), 0
        while isinstance(expression, t.Operation) and expression.name in ("i64.add", "i32.add"):
            base, constant = expression.args
            if not isinstance(constant, t.Const) or not 0 <= offset + constant.value < OFFSET_MAX:
                break
            if constant.value < 0:
                break
            expression, offset = base, offset + constant.value
        return to_i32(expression), offset

    def _condition(self, node: ast.expr) -> t.Expression:
        """An i32 that is not 0 when the condition holds, or a constant."""
        match node:
            case ast.BoolOp(operator, values):
                result = self._condition(values[-1])
                for value in reversed(values[:-1]):
                    result = self._short_circuit(isinstance(operator, ast.And), self._condition(value), result)
                return result
            case ast.UnaryOp(ast.Not(), value):
                inner = self._condition(value)
                if isinstance(inner, t.Const):
                    return t.Const("i32", int(not inner.value))
                return t.Operation(("i32",), "i32.eqz", (inner,))
        expression = self._expression(node)
        if isinstance(expression, t.Const):
            return t.Const("i32", int(expression.value != 0))
        if t.kinds_of(expression) == ("i64",):
            return t.Operation(("i32",), "i64.ne", (expression, t.Const("i64", 0)))
        return self._checked(expression, "i32", node)

    def _short_circuit(self, conjunction: bool, first: t.Expression, second: t.Expression) -> t.Expression:
        if isinstance(first, t.Const):
            return second if bool(first.value) == conjunction else first
        one, zero = t.Const("i32", 1), t.Const("i32", 0)
        return t.Choose("i32", first, second, zero) if conjunction else t.Choose("i32", first, one, second)

    def _expression(self, node: ast.expr) -> t.Expression:
        match node:
            case ast.Constant(bool(value) | int(value)):
                return t.Const("", int(value))
            case ast.Name(name):
                return self._name(node, name)
            case ast.Attribute(ast.Name(owner), "value") if owner in self._caught:
                local = self._caught[owner]
                return t.Get(self._kinds[local], local)
            case ast.Attribute():
                return self._attribute(node)
            case ast.Subscript(ast.Name(row), index) if row in self._rows:
                position = self._expression(index)
                if not isinstance(position, t.Const):
                    raise self._error(node, "a row of words is indexed by a constant")
                local = f"{row}_{position.value}"
                if local not in self._kinds:
                    raise self._error(node, f"{row} has no word {position.value}")
                return t.Get("i64", local)
            case ast.BinOp(left, operator, right):
                return self._binary(node, left, operator, right)
            case ast.UnaryOp(ast.USub(), operand):
                return self._binary(node, ast.Constant(0), ast.Sub(), operand)
            case ast.UnaryOp(ast.Invert(), operand):
                return self._binary(node, operand, ast.BitXor(), ast.Constant(-1))
            case ast.UnaryOp(ast.Not()) | ast.BoolOp():
                return self._condition(node)
            case ast.Compare(left, [operator], [right]):
                return self._compare(node, left, operator, right)
            case ast.IfExp(test, then, other):
                return self._choice(node, test, then, other)
            case ast.Call():
                return self._call(node)
        raise self._error(node, f"{ast.unparse(node)} is not core Python")

    def _name(self, node: ast.Name, name: str) -> t.Expression:
        if name in self._unrolled:
            return t.Const("", self._unrolled[name])
        if name in self._kinds:
            return t.Get(self._kinds[name], name)
        return self._constant(node, self._names.get(name))

    def _constant(self, node: ast.expr, value: object) -> t.Const:
        if isinstance(value, Parameter):
            return t.Const("", self._constants[value.name])
        if isinstance(value, int):
            return t.Const("", int(value))
        raise self._error(node, f"{ast.unparse(node)} is neither a local nor a constant")

    def _attribute(self, node: ast.Attribute) -> t.Expression:
        owner = self._resolve(node.value)
        if isinstance(owner, Globals):
            if node.attr not in owner.kinds:
                raise self._error(node, f"there is no global {node.attr}")
            return t.GetGlobal(owner.kinds[node.attr], node.attr)
        return self._constant(node, getattr(owner, node.attr, None))

    def _operands(self, node: ast.AST, first: t.Expression, second: t.Expression) -> tuple[t.Expression, t.Expression]:
        """Both with one type, which an untyped constant takes from the other."""
        if isinstance(first, t.Const) and not first.kind:
            first = coerce(first, t.kinds_of(second)[0])
        if t.kinds_of(first)[:1]:
            second = coerce(second, t.kinds_of(first)[0])
        if t.kinds_of(first) != t.kinds_of(second) or len(t.kinds_of(first)) != 1:
            raise self._error(node, f"operands are {t.kinds_of(first)} and {t.kinds_of(second)}")
        return first, second

    def _binary(self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr) -> t.Expression:
        first, second = self._expression(left), self._expression(right)
        if isinstance(first, t.Const) and isinstance(second, t.Const) and not (first.kind or second.kind):
            return t.Const("", _fold(operator, first.value, second.value))
        if type(operator) not in _BINARY:
            raise self._error(node, f"{type(operator).__name__} is not core Python; see div_u, div_s")
        if isinstance(operator, ast.Add) and isinstance(first, t.Const):
            first, second = second, first
        first, second = self._operands(node, first, second)
        kind = t.kinds_of(first)[0]
        return t.Operation((kind,), f"{kind}.{_BINARY[type(operator)]}", (first, second))

    def _compare(self, node: ast.expr, left: ast.expr, operator: ast.cmpop, right: ast.expr) -> t.Expression:
        first, second = self._expression(left), self._expression(right)
        if isinstance(first, t.Const) and isinstance(second, t.Const):
            return t.Const("i32", int(_holds(operator, first.value, second.value)))
        first, second = self._operands(node, first, second)
        kind = t.kinds_of(first)[0]
        if isinstance(operator, ast.Eq) and second == t.Const(kind, 0):
            return t.Operation(("i32",), f"{kind}.eqz", (first,))
        return t.Operation(("i32",), f"{kind}.{_COMPARE[type(operator)]}", (first, second))

    def _choice(self, node: ast.expr, test: ast.expr, then: ast.expr, other: ast.expr) -> t.Expression:
        condition = self._condition(test)
        if isinstance(condition, t.Const):
            return self._expression(then if condition.value else other)
        first, second = self._operands(node, self._expression(then), self._expression(other))
        return t.Choose(t.kinds_of(first)[0], condition, first, second)

    # Calls

    def _call(self, node: ast.Call) -> t.Expression:
        if isinstance(node.func, ast.Name) and node.func.id in ("i32", "i64"):
            value = self._expression(node.args[0])
            return to_i32(value) if node.func.id == "i32" else to_i64(value, "s")
        called = self._resolve(node.func)
        if called is u64:
            return to_i64(self._expression(node.args[0]), "u")
        if isinstance(called, Intrinsic):
            return self._intrinsic(node, called.name)
        if isinstance(called, (CoreFunction, Bound)):
            target = instance(called, self._constants)
            params, results = signature(target)
            return t.Call(results, target, self._arguments(node, tuple(kind for _, kind in params)))
        if isinstance(called, Extern):
            index: t.Kinds = ("i32",) if isinstance(called, Table) else ()
            return t.Call(called.results, called, self._arguments(node, index + called.params))
        if isinstance(called, FunctionType):
            values = [self._expression(argument) for argument in node.args]
            constants = [value.value for value in values if isinstance(value, t.Const)]
            if len(constants) == len(values):
                return t.Const("", int(called(*constants)))
        raise self._error(node, f"{ast.unparse(node.func)} cannot be called here")

    def _arguments(self, node: ast.Call, kinds: t.Kinds) -> tuple[t.Expression, ...]:
        values: list[t.Expression] = []
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in self._rows:
                values += [t.Get("i64", name) for name, _ in self._params if name.startswith(f"{argument.id}_")]
            else:
                values.append(self._expression(argument))
        if len(values) == len(kinds):
            values = [coerce(value, kind) for value, kind in zip(values, kinds)]
        given = tuple(kind for value in values for kind in t.kinds_of(value))
        if given != kinds:
            raise self._error(node, f"{ast.unparse(node.func)} takes {kinds}, given {given}")
        return tuple(values)

    def _intrinsic(self, node: ast.Call, name: str) -> t.Expression:
        if name.startswith("load"):
            place, offset = self._address(node.args[1])
            return t.Load(int(name.removeprefix("load")), self._memory(node.args[0]), place, offset)
        if name in ("copy", "fill"):
            count = 2 if name == "copy" else 1
            memories = tuple(self._memory(argument) for argument in node.args[:count])
            numbers = tuple(to_i32(self._expression(argument)) for argument in node.args[count:])
            return t.Operation((), f"memory.{name}", numbers, memories)
        if name in ("grow", "size"):
            memories = (self._memory(node.args[0]),)
            pages = tuple(to_i32(self._expression(argument)) for argument in node.args[1:])
            return to_i64(t.Operation(("i32",), f"memory.{name}", pages, memories), "s")
        if name == "select":
            condition = self._condition(node.args[0])
            first, second = self._operands(node, *map(self._expression, node.args[1:]))
            return t.Operation(t.kinds_of(first), "select", (first, second, condition))
        if name in _WIDE:
            arguments = self._arguments(node, ("i64",) * (4 if name.endswith("128") else 2))
            return t.Operation(("i64", "i64"), f"i64.{name}", arguments)
        if name == "mul_fold":
            return t.Operation(("i64",), name, self._arguments(node, ("i64", "i64")))
        if len(node.args) == 1:
            return t.Operation(("i64",), f"i64.{name}", self._arguments(node, ("i64",)))
        first, second = self._operands(node, *map(self._expression, node.args))
        kind = t.kinds_of(first)[0]
        assert name in _UNSIGNED or name in _SAME_KIND, f"intrinsic {name} has no meaning"
        return t.Operation(("i32",) if name in _UNSIGNED else (kind,), f"{kind}.{name}", (first, second))


def _fold(operator: ast.operator, left: int, right: int) -> int:
    """A constant, exact: it is wrapped when its type is known."""
    match operator:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.FloorDiv():
            return left // right
        case ast.Mod():
            return left % right
        case ast.LShift():
            return left << right
        case ast.RShift():
            return left >> right
        case ast.BitAnd():
            return left & right
        case ast.BitOr():
            return left | right
        case ast.BitXor():
            return left ^ right
    raise CoreError(f"{type(operator).__name__} of constants")


def _holds(operator: ast.cmpop, left: int, right: int) -> bool:
    match operator:
        case ast.Eq():
            return left == right
        case ast.NotEq():
            return left != right
        case ast.Lt():
            return left < right
        case ast.LtE():
            return left <= right
        case ast.Gt():
            return left > right
        case ast.GtE():
            return left >= right
    raise CoreError(f"{type(operator).__name__} of constants")
