"""
The rewriting itself: from a program's syntax tree to one whose operators are calls of `arithmetic`.

    a + b                  →  add(a, b)             for + - * / // % ** and unary minus, abs, min, max
    target += b            →  target += Operand(b)
    x: Decimal = b         →  x: Decimal = decimal(b)
    x: Array[int, 4] = b   →  x: Array[int, 4] = shaped(b, Array[int, 4])
    def f(a: Decimal)      →  @typed, innermost
    try: … except Rejected →  try: with savepoint(): …
    class C: …             →  class C with the namespace its annotations are read in
"""

from __future__ import annotations

import ast
import copy
from typing import Any, TypeVar

from execution.lang import arithmetic
from execution.lang.kinds import NAMESPACE

PREFIX = "__tenor_"
MARK = f"{PREFIX}instrumented__"

OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.FloorDiv: "floor_divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
}
UNCHANGED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop)
SEQUENCES = ("Array", "BoundedList")
BUILTINS = {"abs": "absolute", "min": "minimum", "max": "maximum"}

RUNTIME: dict[str, Any] = {
    MARK: True,
    **{f"{PREFIX}{name}__": getattr(arithmetic, name) for name in (*OPERATORS.values(), *BUILTINS.values())},
    **{
        f"{PREFIX}{name}__": getattr(arithmetic, name)
        for name in ("negate", "Operand", "decimal", "shaped", "typed", "savepoint")
    },
}

Node = TypeVar("Node", bound=ast.AST)


def rewrite(tree: ast.Module) -> ast.Module:
    """The same module, instrumented in place."""
    rewritten: ast.Module = _Rewriter().visit(tree)
    return rewritten


def _runtime(name: str, place: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(f"{PREFIX}{name}__", ast.Load()), place)


def _call(name: str, place: ast.AST, *arguments: ast.expr) -> ast.Call:
    return ast.copy_location(ast.Call(_runtime(name, place), list(arguments), []), place)


def _mentions(annotation: ast.expr | None, *names: str) -> bool:
    return annotation is not None and any(
        isinstance(node, ast.Name) and node.id in names for node in ast.walk(annotation)
    )


def _starts_with_docstring(body: list[ast.stmt]) -> bool:
    first = body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)


class _Rewriter(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        """As NodeTransformer's, which here puts one node in the place of one; faster by half."""
        for name in node._fields:
            value = getattr(node, name)
            if isinstance(value, list):
                value[:] = [self.visit(item) if isinstance(item, ast.AST) else item for item in value]
            elif isinstance(value, ast.AST) and not isinstance(value, UNCHANGED):
                setattr(node, name, self.visit(value))
        return node

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        self.generic_visit(node)
        name = OPERATORS.get(type(node.op))
        return node if name is None else _call(name, node, node.left, node.right)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
            return _call("negate", node, node.operand)
        return node

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
            node.func = _runtime(BUILTINS[node.func.id], node.func)
        return node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AugAssign:
        self.generic_visit(node)
        node.value = _call("Operand", node.value, node.value)
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AnnAssign:
        if node.value is not None:
            node.value = self.visit(node.value)
            if _mentions(node.annotation, *SEQUENCES):
                node.value = _call("shaped", node.value, node.value, copy.deepcopy(node.annotation))
            elif _mentions(node.annotation, "Decimal"):
                node.value = _call("decimal", node.value, node.value)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.body = [self.visit(statement) for statement in node.body]
        annotations = [*(argument.annotation for argument in node.args.args), node.returns]
        if any(_mentions(annotation, "Decimal", *SEQUENCES) for annotation in annotations):
            node.decorator_list.append(_runtime("typed", node))
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        self.generic_visit(node)
        target = ast.copy_location(ast.Name(NAMESPACE, ast.Store()), node)
        asked = ast.copy_location(ast.Name("globals", ast.Load()), node)
        value = ast.copy_location(ast.Call(asked, [], []), node)
        assignment = ast.copy_location(ast.Assign([target], value), node)
        node.body.insert(1 if _starts_with_docstring(node.body) else 0, assignment)
        return node

    def visit_Try(self, node: ast.Try) -> ast.Try:
        self.generic_visit(node)
        guarded = ast.With([ast.withitem(_call("savepoint", node))], node.body)
        node.body = [ast.copy_location(guarded, node)]
        return node
