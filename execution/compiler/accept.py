"""
First stage: from text to a syntax tree that contains nothing but the language.

The text is pre-scanned, parsed by Python on a thread with a stack of its own, then walked against a whitelist. What is
accepted may still be wrong in types; it is small, plain and located.
"""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

from execution.compiler import limits, suggest
from execution.compiler.errors import Source
from execution.compiler.scan import scan

Result = TypeVar("Result")

FILES_KEPT = 8
"""Accepted trees that stay in memory, 17 MiB each at the most: what a program imports is read once."""

ALLOWED: frozenset[type[ast.AST]] = frozenset((
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.keyword, ast.alias, ast.ImportFrom,
    ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr, ast.Return, ast.Raise, ast.Delete, ast.Pass, ast.Break,
    ast.Continue,
    ast.If, ast.While, ast.For, ast.Match, ast.match_case, ast.MatchValue, ast.MatchAs, ast.MatchOr, ast.MatchSingleton,
    ast.Try,
    ast.ExceptHandler,
    ast.Name, ast.Attribute, ast.Subscript, ast.Call, ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.BoolOp,
    ast.Compare,
    ast.IfExp, ast.Load, ast.Store, ast.Del, ast.And, ast.Or, ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div,
    ast.FloorDiv, ast.Mod, ast.Pow, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In,
    ast.NotIn,
))  # fmt: skip
PLAIN = frozenset({
    ast.Load, ast.Store, ast.Del, ast.And, ast.Or, ast.Not, ast.USub, ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv,
    ast.Mod, ast.Pow, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Is, ast.IsNot, ast.In, ast.NotIn,
    ast.Pass, ast.Break, ast.Continue,
})  # fmt: skip
LEAVES = frozenset({ast.Name, ast.Constant, ast.alias})
DEFINING = (ast.FunctionDef, ast.ClassDef, ast.ImportFrom)
REFUSED: dict[type[ast.AST], tuple[str, str]] = {
    ast.Import: ("a plain import", "write `from execution.lang import …`"),
    ast.Lambda: ("a lambda", "write a method"),
    ast.ListComp: ("a list comprehension", "write a for loop"),
    ast.SetComp: ("a set comprehension", "write a for loop"),
    ast.DictComp: ("a dict comprehension", "write a for loop"),
    ast.GeneratorExp: ("a generator", "write a for loop"),
    ast.Yield: ("`yield`", "return a value"),
    ast.YieldFrom: ("`yield from`", "return a value"),
    ast.Await: ("`await`", "call it plainly"),
    ast.AsyncFunctionDef: ("an async function", "write `def`"),
    ast.AsyncFor: ("`async for`", "write `for`"),
    ast.AsyncWith: ("`async with`", "call it plainly"),
    ast.With: ("`with`", "write the statements plainly"),
    ast.Global: ("`global`", "keep state in fields of the program"),
    ast.Nonlocal: ("`nonlocal`", "pass values as arguments"),
    ast.Assert: ("`assert`", 'write require(condition, "reason")'),
    ast.NamedExpr: ("`:=`", "assign in a statement of its own"),
    ast.JoinedStr: ("an f-string", "emit an event with the values"),
    ast.List: ("a list display", "use a List field of the program"),
    ast.Dict: ("a dict display", "use a Map field of the program"),
    ast.Set: ("a set display", "use a Map field of the program"),
    ast.Starred: ("unpacking with `*`", "write every argument"),
    ast.Slice: ("a slice", "loop over the indexes"),
    ast.UAdd: ("unary `+`", "leave it out"),
    ast.Invert: ("`~`", "there are no bit operations"),
    ast.BitAnd: ("`&`", "write `and`; there are no bit operations"),
    ast.BitOr: ("`|`", "write `or`; for types write Optional[…]"),
    ast.BitXor: ("`^`", "there are no bit operations"),
    ast.LShift: ("`<<`", "multiply by a constant"),
    ast.RShift: ("`>>`", "divide by a constant"),
    ast.MatMult: ("`@`", "write `*`"),
    ast.MatchSequence: ("a sequence pattern", "match on the members of an enum"),
    ast.MatchMapping: ("a mapping pattern", "match on the members of an enum"),
    ast.MatchClass: ("a class pattern", "match on the members of an enum"),
    ast.MatchStar: ("a star pattern", "match on the members of an enum"),
}
TOP_LEVEL = (ast.ClassDef, ast.FunctionDef, ast.ImportFrom, ast.Assign, ast.AnnAssign)
_stack_size = threading.Lock()


def on_own_stack(work: Callable[[], Result]) -> Result:
    """
    Run `work` on a fresh thread with a stack of its own, so that a caller deep in its stack changes nothing; its
    errors pass on.
    """
    with _stack_size:
        before = threading.stack_size(limits.PARSER_STACK_BYTES)
        try:
            pool = ThreadPoolExecutor(1, "compiler")
            future = pool.submit(work)
        finally:
            threading.stack_size(before)
    with pool:
        return future.result()


@lru_cache(maxsize=FILES_KEPT)
def accept(source: Source) -> ast.Module:
    """
    Scan, parse and walk one file. The tree is kept, for programs that import one another: nobody changes it.

    Raises:
        CompileError: the first thing that is not part of the language.
    """
    scan(source)
    tree = _parse(source)
    for statement in tree.body:
        docstring = isinstance(statement, ast.Expr) and _is_text(statement.value)
        if not docstring and not isinstance(statement, (*TOP_LEVEL, *REFUSED)):
            raise source.at(
                statement,
                "a statement outside of functions",
                "only imports, constants, classes and functions stand there",
            )
    _walk(source, tree)
    return tree


def children(node: ast.AST) -> list[ast.AST]:
    """Inner nodes in the order of the text, without those that are PLAIN."""
    found: list[ast.AST] = []
    for name in node._fields if type(node) not in LEAVES else ():
        value = getattr(node, name)
        if isinstance(value, list):
            found += [item for item in value if isinstance(item, ast.AST) and type(item) not in PLAIN]
        elif isinstance(value, ast.AST) and type(value) not in PLAIN:
            found.append(value)
    return found


def _walk(source: Source, tree: ast.Module) -> None:
    """Accept every node in the order of the text, from a stack of our own."""
    waiting: list[tuple[ast.AST, ast.AST, bool]] = [(tree, tree, False)]
    while waiting:
        node, place, inside = waiting.pop()
        kind = type(node)
        place = node if kind._attributes else place  # lines and columns
        if kind in DEFINING:
            if inside:
                wrong = "a definition inside a function is not part of the language"
                raise source.at(node, wrong, "move it to the module")
            inside = kind is ast.FunctionDef
        _accept_node(source, node, place)
        waiting += [(child, place, inside) for child in reversed(children(node))]


def _parse(source: Source) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.text, source.file)
    except SyntaxError as error:
        wrong = f"this is not Python: {error.msg}"
        raise source.error(error.lineno or 1, max(error.offset or 1, 1), wrong, "correct the syntax") from None
    except (ValueError, MemoryError, RecursionError):
        raise source.whole("Python's parser gives up on this file", "split it into smaller functions") from None


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _accept_node(source: Source, node: ast.AST, place: ast.AST) -> None:
    """Operators carry no position in Python's tree: `place` is the node or the expression that uses it."""
    if type(node) in REFUSED:
        what, instead = REFUSED[type(node)]
        if isinstance(node, ast.Import):
            instead = suggest.MODULES.get(node.names[0].name, instead)
        raise source.at(place, f"{what} is not part of the language", instead)
    if type(node) not in ALLOWED:
        raise source.at(
            place, f"`{type(node).__name__}` is not part of the language", "use the statements of the language"
        )
    match node:
        case ast.Constant():
            _accept_constant(source, node)
        case ast.Name(id=name) | ast.arg(arg=name) | ast.Attribute(attr=name) | ast.ClassDef(name=name):
            _accept_name(source, node, name)
        case ast.FunctionDef():
            _accept_function(source, node)
        case ast.ImportFrom():
            _accept_import(source, node)
        case ast.keyword(arg=None):
            raise source.at(node, "unpacking with `**` is not part of the language", "write every argument")
        case ast.For() | ast.While() if node.orelse:
            raise source.at(node, "`else` on a loop is not part of the language", "use a bool local")
        case ast.Try() if node.orelse or node.finalbody or len(node.handlers) != 1:
            raise source.at(
                node, "`try` has exactly one `except Rejected as refusal:` and nothing else", "remove the rest"
            )


def _accept_constant(source: Source, node: ast.Constant) -> None:
    if isinstance(node.value, (float, complex)):
        raise source.at(node, "a float is not part of the language", 'write Decimal("0.5")')
    if node.value is not None and not isinstance(node.value, (bool, int, str)):
        raise source.at(node, f"`{node.value!r}` is not part of the language", "write a number, a bool or a text")
    if node.kind is not None:
        raise source.at(node, "a prefix before a string is not part of the language", "write a plain string")


def _accept_name(source: Source, node: ast.AST, name: str) -> None:
    if name.startswith("__"):
        instead = "write create(self, …)" if name == "__init__" else "names do not start with two underscores"
        raise source.at(node, f"`{name}` is not part of the language", instead)


def _accept_function(source: Source, node: ast.FunctionDef) -> None:
    _accept_name(source, node, node.name)
    arguments = node.args
    if arguments.vararg or arguments.kwarg:
        raise source.at(node, "`*args` and `**kwargs` are not part of the language", "write every parameter")
    if arguments.posonlyargs or arguments.kwonlyargs:
        raise source.at(node, "`/` and `*` between parameters are not part of the language", "write plain parameters")
    if len(arguments.args) > limits.PARAMETERS_MAX:
        raise source.at(node, f"more than {limits.PARAMETERS_MAX} parameters", "pass a struct")


def _accept_import(source: Source, node: ast.ImportFrom) -> None:
    if node.level or not node.module:
        raise source.at(node, "a relative import is not part of the language", "write the module's full name")
    for alias in node.names:
        if alias.name == "*":
            raise source.at(node, "`import *` is not part of the language", "name what you import")
        if alias.asname:
            raise source.at(node, "`import … as` is not part of the language", "use the name as it is")
