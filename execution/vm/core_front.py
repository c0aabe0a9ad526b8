"""
The front of core Python: the source of a function and its constants of generation → the typed tree.

Every CoreError names function and line. What is refused here cannot reach a back end: both may rely on the types.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from copy import deepcopy
from types import FunctionType, ModuleType
from typing import Any, NoReturn

from execution.vm import core_tree as t
from execution.vm.core import (
    Bound,
    CoreError,
    CoreFunction,
    Extern,
    Globals,
    Intrinsic,
    Memory,
    Parameter,
    Table,
    Tag,
    u64,
    unroll,
)
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


def instance(function: CoreFunction[..., Any] | Bound[..., Any], constants: Mapping[str, int]) -> t.Instance:
    """The function with those of the constants that it depends on."""
    if isinstance(function, Bound):
        return instance(function.function, {**constants, **function.constants})
    missing = sorted(name for name in function.parameters() if name not in constants)
    if missing:
        raise CoreError(f"{function.name}: constants {missing} are not given")
    return function, tuple((name, constants[name]) for name in sorted(function.parameters()))


def signature(of: t.Instance) -> tuple[tuple[tuple[str, ValueType], ...], t.Kinds]:
    """Parameters, rows of words expanded to name_0, name_1 …, and result types."""
    function, constants = of
    params: list[tuple[str, ValueType]] = []
    for argument in function.tree.args.args:
        annotation = ast.unparse(argument.annotation) if argument.annotation else ""
        if annotation == "Words":
            count: Any = function.word_counts[argument.arg]
            count = dict(constants)[count.name] if isinstance(count, Parameter) else count
            params += [(f"{argument.arg}_{i}", "i64") for i in range(count)]
        elif annotation in ("i32", "i64"):
            params.append((argument.arg, annotation))
        else:
            raise CoreError(f"{function.name}: parameter {argument.arg} is i32, i64 or Words, not {annotation!r}")
    text = ast.unparse(function.tree.returns) if function.tree.returns else "None"
    text = text.removeprefix("tuple[").removesuffix("]")
    results = () if text == "None" else tuple(text.split(", "))
    if any(kind not in ("i32", "i64") for kind in results):
        raise CoreError(f"{function.name}: results are i32 or i64, not {text!r}")
    return tuple(params), results


def translate(of: t.Instance) -> t.Function:
    """The typed tree of one instance."""
    return _Front(of).function()


def _wrapped(value: int, kind: ValueType) -> int:
    bits = 32 if kind == "i32" else 64
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def _coerce(expression: t.Expression, kind: ValueType) -> t.Expression:
    if isinstance(expression, t.Const) and not expression.kind:
        return t.Const(kind, _wrapped(expression.value, kind))
    return expression


def _to_i32(expression: t.Expression) -> t.Expression:
    expression = _coerce(expression, "i32")
    if t.kinds_of(expression) == ("i32",):
        return expression
    return t.Operation(("i32",), "i32.wrap_i64", (expression,))


def _to_i64(expression: t.Expression, extend: str) -> t.Expression:
    expression = _coerce(expression, "i64")
    if t.kinds_of(expression) == ("i64",):
        return expression
    return t.Operation(("i64",), f"i64.extend_i32_{extend}", (expression,))


class _Rename(ast.NodeTransformer):
    """Puts a prefix before a function's parameters and locals."""

    def __init__(self, prefix: str, tree: ast.FunctionDef) -> None:
        self._prefix = prefix
        stores = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        self._renamed = stores | {argument.arg for argument in tree.args.args}

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if node.id in self._renamed:
            node.id = self._prefix + node.id
        return node

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.arg = self._prefix + node.arg
        return node


class _Front:
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

    def function(self) -> t.Function:
        body = self._block(self._function.tree.body)
        if self._results and t.falls_through(body):
            self._fail(self._function.tree, "control can reach the end without a return")
        given = {name for name, _ in self._params}
        local_kinds = tuple((name, kind) for name, kind in self._kinds.items() if name not in given)
        return t.Function(self._function.name, self._params, self._results, local_kinds, body)

    def _fail(self, node: ast.AST, what: str) -> NoReturn:
        raise CoreError(f"{self._function.name}, line {getattr(node, 'lineno', '?')}: {what}")

    # Statements

    def _block(self, statements: list[ast.stmt]) -> t.Block:
        out: list[t.Statement] = []
        for statement in statements:
            out += self._statement(statement)
        return tuple(out)

    def _statement(self, node: ast.stmt) -> list[t.Statement]:
        match node:
            case ast.Expr(ast.Constant(str())) | ast.Pass():
                return []
            case ast.Expr(value):
                return [self._expression_statement(value)]
            case ast.Assign([target], ast.Call(called) as value) if self._is_inlined(called):
                return self._inline(target, value)
            case ast.Assign([target], value):
                return [self._assign(target, value)]
            case ast.AnnAssign(ast.Name(name), ast.Name(kind), value) if value and kind in ("i32", "i64"):
                return [self._set(name, _coerce(self._expression(value), kind), node)]
            case ast.AugAssign(target, operator, value):
                source = ast.copy_location(ast.parse(ast.unparse(target), mode="eval").body, node)
                return [self._assign(target, ast.copy_location(ast.BinOp(source, operator, value), node))]
            case ast.If():
                return self._if(node)
            case ast.While():
                return [self._while(node)]
            case ast.For():
                return self._for(node)
            case ast.Break() | ast.Continue():
                if not self._loops or self._loops[-1] == "unroll":
                    self._fail(node, "break and continue stand in a loop that is not unrolled")
                return [t.Jump("break" if isinstance(node, ast.Break) else "continue")]
            case ast.Return(value):
                return [self._return(node, value)]
            case ast.Raise(ast.Call(name, arguments)):
                tag = self._tag(name)
                values = tuple(_coerce(self._expression(argument), "i64") for argument in arguments)
                return [t.Throw(tag, values)]
            case ast.Try():
                return [self._try(node)]
        self._fail(node, f"{type(node).__name__} is not core Python")

    def _expression_statement(self, node: ast.expr) -> t.Statement:
        called = self._resolve(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(called, Intrinsic) and called.name.startswith("store"):
            memory, address, value = node.args
            place, offset = self._address(address)
            stored = _to_i64(self._expression(value), "u")
            return t.Store(int(called.name.removeprefix("store")), self._memory(memory), place, offset, stored)
        return t.Do(self._expression(node))

    def _assign(self, target: ast.expr, value: ast.expr) -> t.Statement:
        match target:
            case ast.Name(name):
                return self._set(name, self._expression(value), target)
            case ast.Attribute(ast.Name(), name):
                declared = self._resolve(target.value)
                if not isinstance(declared, Globals):
                    self._fail(target, "only attributes of Globals are assigned")
                kind = declared.kinds[name]
                return t.SetGlobal(name, self._checked(_coerce(self._expression(value), kind), kind, target))
            case ast.Tuple(elements):
                values = value.elts if isinstance(value, ast.Tuple) else [value]
                expressions = [self._expression(item) for item in values]
                names = [element.id if isinstance(element, ast.Name) else "" for element in elements]
                if len(expressions) == len(names):
                    expressions = [_coerce(e, self._kinds.get(name, "i64")) for e, name in zip(expressions, names)]
                kinds = [kind for expression in expressions for kind in t.kinds_of(expression)]
                if len(kinds) != len(names) or "" in names:
                    self._fail(target, f"{len(kinds)} values for {len(names)} names")
                for name, kind in zip(names, kinds):
                    self._declare(name, kind, target)
                return t.Assign(tuple(names), tuple(expressions))
        self._fail(target, "this cannot be assigned")

    def _is_inlined(self, node: ast.expr) -> bool:
        called = self._resolve(node)
        return isinstance(called, CoreFunction) and called.inlined

    def _inline(self, target: ast.expr, call: ast.Call) -> list[t.Statement]:
        """The called function's statements, its locals renamed, and its results assigned to the target."""
        called = self._resolve(call.func)
        self._inlines += 1
        tree = _Rename(f"{called.name}{self._inlines}_", called.tree).visit(deepcopy(called.tree))
        params = [argument.arg for argument in tree.args.args]
        _, kinds = zip(*signature(instance(called, self._constants))[0])
        out: list[t.Statement] = [t.Assign(tuple(params), self._arguments(call, kinds))]
        self._kinds.update(zip(params, kinds))
        outer, self._names = self._names, called.names
        out += self._block(tree.body[:-1])
        if not isinstance(tree.body[-1], ast.Return) or tree.body[-1].value is None:
            self._fail(call, f"{called.name} does not end in a return")
        finish = self._assign(target, tree.body[-1].value)
        self._names = outer
        return [*out, finish]

    def _set(self, name: str, value: t.Expression, node: ast.AST) -> t.Assign:
        value = _coerce(value, self._kinds.get(name, "i64"))
        kinds = t.kinds_of(value)
        if len(kinds) != 1:
            self._fail(node, f"{name} takes one value, not {len(kinds)}")
        self._declare(name, kinds[0], node)
        return t.Assign((name,), (value,))

    def _declare(self, name: str, kind: ValueType, node: ast.AST) -> None:
        if name in self._unrolled or name in self._rows:
            self._fail(node, f"{name} is a constant")
        if self._kinds.setdefault(name, kind) != kind:
            self._fail(node, f"{name} is {self._kinds[name]}, the value is {kind}")

    def _if(self, node: ast.If) -> list[t.Statement]:
        condition = self._condition(node.test)
        if isinstance(condition, t.Const):
            return list(self._block(node.body if condition.value else node.orelse))
        return [t.If(condition, self._block(node.body), self._block(node.orelse))]

    def _while(self, node: ast.While) -> t.Statement:
        condition = self._condition(node.test)
        if isinstance(condition, t.Const) and not condition.value:
            self._fail(node, "the loop never runs")
        return t.While(None if isinstance(condition, t.Const) else condition, self._loop(node.body, "while"), ())

    def _loop(self, body: list[ast.stmt], kind: str) -> t.Block:
        self._loops.append(kind)
        block = self._block(body)
        self._loops.pop()
        return block

    def _for(self, node: ast.For) -> list[t.Statement]:
        if not (isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Call)) or node.orelse:
            self._fail(node, "a for loop runs over range(…) or unroll(…)")
        name, arguments = node.target.id, [self._expression(argument) for argument in node.iter.args]
        if isinstance(node.iter.func, ast.Name) and node.iter.func.id == "range":
            start = t.Const("i64", 0) if len(arguments) == 1 else _coerce(arguments[0], "i64")
            stop = _coerce(arguments[-1], "i64")
            first = self._set(name, start, node)
            step = self._set(name, t.Operation(("i64",), "i64.add", (t.Get("i64", name), t.Const("i64", 1))), node)
            test = t.Operation(("i32",), "i64.lt_s", (t.Get("i64", name), stop))
            return [first, t.While(test, self._loop(node.body, "for"), (step,))]
        if self._resolve(node.iter.func) is not unroll or not isinstance(arguments[0], t.Const):
            self._fail(node, "a for loop runs over range(…) or unroll(constant)")
        out: list[t.Statement] = []
        for i in range(arguments[0].value):
            self._unrolled[name] = i
            out += self._loop(node.body, "unroll")
        self._unrolled.pop(name, None)
        return out

    def _return(self, node: ast.AST, value: ast.expr | None) -> t.Return:
        items = [] if value is None else value.elts if isinstance(value, ast.Tuple) else [value]
        values = [self._expression(item) for item in items]
        if len(values) == len(self._results):
            values = [_coerce(item, kind) for item, kind in zip(values, self._results)]
        kinds = tuple(kind for item in values for kind in t.kinds_of(item))
        if kinds != self._results:
            self._fail(node, f"returns {kinds}, the function says {self._results}")
        return t.Return(tuple(values))

    def _tag(self, node: ast.expr) -> type[Tag]:
        tag = self._resolve(node)
        if not (isinstance(tag, type) and issubclass(tag, Tag)):
            self._fail(node, "only a Tag is raised or caught")
        return tag

    def _try(self, node: ast.Try) -> t.Try:
        if node.orelse or node.finalbody:
            self._fail(node, "try has neither else nor finally")
        body = self._block(node.body)
        handlers = []
        for handler in node.handlers:
            if handler.type is None:
                self._fail(handler, "except names a tag")
            tag, local = self._tag(handler.type), ""
            if tag.parameters:
                local = f"{handler.name or 'caught'}_value"
                self._declare(local, tag.parameters[0], handler)
            if handler.name:
                self._caught[handler.name] = local
            handlers.append(t.Handler(tag, local, self._block(handler.body)))
        return t.Try(body, tuple(handlers))

    # Expressions

    def _resolve(self, node: ast.expr) -> Any:
        """What a name outside the function's locals means; None when it means nothing."""
        if isinstance(node, ast.Attribute):
            owner = self._resolve(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType) else None
        return self._names.get(node.id) if isinstance(node, ast.Name) else None

    def _memory(self, node: ast.expr) -> str:
        memory = self._resolve(node)
        if not isinstance(memory, Memory):
            self._fail(node, f"{ast.unparse(node)} is not a Memory")
        return memory.name

    def _checked(self, value: t.Expression, kind: ValueType, node: ast.AST) -> t.Expression:
        if t.kinds_of(value) != (kind,):
            self._fail(node, f"needs {kind}, this is {t.kinds_of(value)}")
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
        return _to_i32(expression), offset

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
                    self._fail(node, "a row of words is indexed by a constant")
                local = f"{row}_{position.value}"
                if local not in self._kinds:
                    self._fail(node, f"{row} has no word {position.value}")
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
        self._fail(node, f"{ast.unparse(node)} is not core Python")

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
        self._fail(node, f"{ast.unparse(node)} is neither a local nor a constant")

    def _attribute(self, node: ast.Attribute) -> t.Expression:
        owner = self._resolve(node.value)
        if isinstance(owner, Globals):
            if node.attr not in owner.kinds:
                self._fail(node, f"there is no global {node.attr}")
            return t.GetGlobal(owner.kinds[node.attr], node.attr)
        return self._constant(node, getattr(owner, node.attr, None))

    def _operands(self, node: ast.AST, first: t.Expression, second: t.Expression) -> tuple[t.Expression, t.Expression]:
        """Both with one type, which an untyped constant takes from the other."""
        if isinstance(first, t.Const) and not first.kind:
            first = _coerce(first, t.kinds_of(second)[0])
        if t.kinds_of(first)[:1]:
            second = _coerce(second, t.kinds_of(first)[0])
        if t.kinds_of(first) != t.kinds_of(second) or len(t.kinds_of(first)) != 1:
            self._fail(node, f"operands are {t.kinds_of(first)} and {t.kinds_of(second)}")
        return first, second

    def _binary(self, node: ast.AST, left: ast.expr, operator: ast.operator, right: ast.expr) -> t.Expression:
        first, second = self._expression(left), self._expression(right)
        if isinstance(first, t.Const) and isinstance(second, t.Const) and not (first.kind or second.kind):
            return t.Const("", _fold(operator, first.value, second.value))
        if type(operator) not in _BINARY:
            self._fail(node, f"{type(operator).__name__} is not core Python; see div_u, div_s")
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
            return _to_i32(value) if node.func.id == "i32" else _to_i64(value, "s")
        called = self._resolve(node.func)
        if called is u64:
            return _to_i64(self._expression(node.args[0]), "u")
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
        self._fail(node, f"{ast.unparse(node.func)} cannot be called here")

    def _arguments(self, node: ast.Call, kinds: t.Kinds) -> tuple[t.Expression, ...]:
        values: list[t.Expression] = []
        for argument in node.args:
            if isinstance(argument, ast.Name) and argument.id in self._rows:
                values += [t.Get("i64", name) for name, _ in self._params if name.startswith(f"{argument.id}_")]
            else:
                values.append(self._expression(argument))
        if len(values) == len(kinds):
            values = [_coerce(value, kind) for value, kind in zip(values, kinds)]
        given = tuple(kind for value in values for kind in t.kinds_of(value))
        if given != kinds:
            self._fail(node, f"{ast.unparse(node.func)} takes {kinds}, given {given}")
        return tuple(values)

    def _intrinsic(self, node: ast.Call, name: str) -> t.Expression:
        if name.startswith("load"):
            place, offset = self._address(node.args[1])
            return t.Load(int(name.removeprefix("load")), self._memory(node.args[0]), place, offset)
        if name in ("copy", "fill"):
            count = 2 if name == "copy" else 1
            memories = tuple(self._memory(argument) for argument in node.args[:count])
            numbers = tuple(_to_i32(self._expression(argument)) for argument in node.args[count:])
            return t.Operation((), f"memory.{name}", numbers, memories)
        if name in ("grow", "size"):
            memories = (self._memory(node.args[0]),)
            pages = tuple(_to_i32(self._expression(argument)) for argument in node.args[1:])
            return _to_i64(t.Operation(("i32",), f"memory.{name}", pages, memories), "s")
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
