"""
The front of core Python: the source of a function and its constants of generation → the typed tree.

Every CoreError names function and line. What is refused here cannot reach a back end: both may rely on the types.
"""

from __future__ import annotations

import ast
from copy import deepcopy
from functools import cache

from execution.vm import core_tree as t
from execution.vm.core import CoreFunction, Globals, Intrinsic, Tag, unroll
from execution.vm.core_expressions import Expressions
from execution.vm.core_types import coerce, instance, signature, to_i64
from execution.wasm import ValueType


@cache
def translate(of: t.Instance) -> t.Function:
    """The typed tree of one instance."""
    return _Front(of).function()


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


class _Front(Expressions):
    """Statements of one function."""

    def function(self) -> t.Function:
        body = self._block(self._function.tree.body)
        if self._results and t.falls_through(body):
            raise self._error(self._function.tree, "control can reach the end without a return")
        given = {name for name, _ in self._params}
        local_kinds = tuple((name, kind) for name, kind in self._kinds.items() if name not in given)
        return t.Function(self._function.name, self._params, self._results, local_kinds, body)

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
                return [self._set(name, coerce(self._expression(value), kind), node)]
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
                    raise self._error(node, "break and continue stand in a loop that is not unrolled")
                return [t.Jump("break" if isinstance(node, ast.Break) else "continue")]
            case ast.Return(value):
                return [self._return(node, value)]
            case ast.Raise(ast.Call(name, arguments)):
                tag = self._tag(name)
                values = tuple(coerce(self._expression(argument), "i64") for argument in arguments)
                return [t.Throw(tag, values)]
            case ast.Try():
                return [self._try(node)]
        raise self._error(node, f"{type(node).__name__} is not core Python")

    def _expression_statement(self, node: ast.expr) -> t.Statement:
        called = self._resolve(node.func) if isinstance(node, ast.Call) else None
        if isinstance(node, ast.Call) and isinstance(called, Intrinsic) and called.name.startswith("store"):
            memory, address, value = node.args
            place, offset = self._address(address)
            stored = to_i64(self._expression(value), "u")
            return t.Store(int(called.name.removeprefix("store")), self._memory(memory), place, offset, stored)
        return t.Do(self._expression(node))

    def _assign(self, target: ast.expr, value: ast.expr) -> t.Statement:
        match target:
            case ast.Name(name):
                return self._set(name, self._expression(value), target)
            case ast.Attribute(ast.Name(), name):
                declared = self._resolve(target.value)
                if not isinstance(declared, Globals):
                    raise self._error(target, "only attributes of Globals are assigned")
                kind = declared.kinds[name]
                return t.SetGlobal(name, self._checked(coerce(self._expression(value), kind), kind, target))
            case ast.Tuple(elements):
                values = value.elts if isinstance(value, ast.Tuple) else [value]
                expressions = [self._expression(item) for item in values]
                names = [element.id if isinstance(element, ast.Name) else "" for element in elements]
                if len(expressions) == len(names):
                    expressions = [coerce(e, self._kinds.get(name, "i64")) for e, name in zip(expressions, names)]
                kinds = [kind for expression in expressions for kind in t.kinds_of(expression)]
                if len(kinds) != len(names) or "" in names:
                    raise self._error(target, f"{len(kinds)} values for {len(names)} names")
                for name, kind in zip(names, kinds):
                    self._declare(name, kind, target)
                return t.Assign(tuple(names), tuple(expressions))
        raise self._error(target, "this cannot be assigned")

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
            raise self._error(call, f"{called.name} does not end in a return")
        finish = self._assign(target, tree.body[-1].value)
        self._names = outer
        return [*out, finish]

    def _set(self, name: str, value: t.Expression, node: ast.AST) -> t.Assign:
        value = coerce(value, self._kinds.get(name, "i64"))
        kinds = t.kinds_of(value)
        if len(kinds) != 1:
            raise self._error(node, f"{name} takes one value, not {len(kinds)}")
        self._declare(name, kinds[0], node)
        return t.Assign((name,), (value,))

    def _declare(self, name: str, kind: ValueType, node: ast.AST) -> None:
        if name in self._unrolled or name in self._rows:
            raise self._error(node, f"{name} is a constant")
        if self._kinds.setdefault(name, kind) != kind:
            raise self._error(node, f"{name} is {self._kinds[name]}, the value is {kind}")

    def _if(self, node: ast.If) -> list[t.Statement]:
        condition = self._condition(node.test)
        if isinstance(condition, t.Const):
            return list(self._block(node.body if condition.value else node.orelse))
        return [t.If(condition, self._block(node.body), self._block(node.orelse))]

    def _while(self, node: ast.While) -> t.Statement:
        condition = self._condition(node.test)
        if isinstance(condition, t.Const) and not condition.value:
            raise self._error(node, "the loop never runs")
        return t.While(None if isinstance(condition, t.Const) else condition, self._loop(node.body, "while"), ())

    def _loop(self, body: list[ast.stmt], kind: str) -> t.Block:
        self._loops.append(kind)
        block = self._block(body)
        self._loops.pop()
        return block

    def _for(self, node: ast.For) -> list[t.Statement]:
        if not (isinstance(node.target, ast.Name) and isinstance(node.iter, ast.Call)) or node.orelse:
            raise self._error(node, "a for loop runs over range(…) or unroll(…)")
        name, arguments = node.target.id, [self._expression(argument) for argument in node.iter.args]
        if isinstance(node.iter.func, ast.Name) and node.iter.func.id == "range":
            start = t.Const("i64", 0) if len(arguments) == 1 else coerce(arguments[0], "i64")
            stop = coerce(arguments[-1], "i64")
            first = self._set(name, start, node)
            step = self._set(name, t.Operation(("i64",), "i64.add", (t.Get("i64", name), t.Const("i64", 1))), node)
            test = t.Operation(("i32",), "i64.lt_s", (t.Get("i64", name), stop))
            return [first, t.While(test, self._loop(node.body, "for"), (step,))]
        if self._resolve(node.iter.func) is not unroll or not isinstance(arguments[0], t.Const):
            raise self._error(node, "a for loop runs over range(…) or unroll(constant)")
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
            values = [coerce(item, kind) for item, kind in zip(values, self._results)]
        kinds = tuple(kind for item in values for kind in t.kinds_of(item))
        if kinds != self._results:
            raise self._error(node, f"returns {kinds}, the function says {self._results}")
        return t.Return(tuple(values))

    def _tag(self, node: ast.expr) -> type[Tag]:
        tag = self._resolve(node)
        if not (isinstance(tag, type) and issubclass(tag, Tag)):
            raise self._error(node, "only a Tag is raised or caught")
        return tag

    def _try(self, node: ast.Try) -> t.Try:
        if node.orelse or node.finalbody:
            raise self._error(node, "try has neither else nor finally")
        body = self._block(node.body)
        handlers = []
        for handler in node.handlers:
            if handler.type is None:
                raise self._error(handler, "except names a tag")
            tag, local = self._tag(handler.type), ""
            if tag.parameters:
                local = f"{handler.name or 'caught'}_value"
                self._declare(local, tag.parameters[0], handler)
            if handler.name:
                self._caught[handler.name] = local
            handlers.append(t.Handler(tag, local, self._block(handler.body)))
        return t.Try(body, tuple(handlers))
