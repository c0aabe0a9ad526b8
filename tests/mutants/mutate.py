"""
Mutants of compiler, runtime and kernel, generated from their syntax trees: one small fault each.

Kinds: an operator swapped, a bound off by one, a condition turned round, a constant changed, a call dropped whose
result nobody takes (barriers, touches, checks, charges), a rejection dropped, a sum turned into a difference (gas among
them). Text outside of the fault stays as it is, line for line.

A mutant is named by its function, so that it keeps its name while lines move, and drawn by the hash of its name: a
sample changes only where the sources do.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).parents[2]
AREAS: dict[str, tuple[str, int]] = {
    "check": ("execution/compiler/check*.py", 40),
    "lower": ("execution/compiler/lower*.py", 40),
    "optimise": ("execution/compiler/optimise*.py", 25),
    "write": ("execution/compiler/write*.py", 40),
    "runtime": ("execution/vm/runtime/*.py", 40),
    "kernel": ("execution/vm/kernel/*.py", 55),
}
"""Files of each area, and how many mutants of it a sample has."""
LEFT_OUT = "math_"
"""Elementary functions: measured against another implementation at a million points each (`tenor bench math`)."""

COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
CALCULATED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """
    Lines and columns are those of the text replaced, from 1 and from 0.

    function: with the classes it is in. number: which of the function's faults of this kind, from 1.
    """

    file: str
    function: str
    kind: str
    number: int
    line: int
    column: int
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.file} {self.function}: {self.kind} {self.number}"


def mutants(root: Path, file: str) -> list[Mutant]:
    """Every mutant of a file."""
    text = (root / file).read_text()
    lines = [line.encode() for line in text.splitlines()]
    counted: Counter[tuple[str, str]] = Counter()
    found = []
    for function, nodes in _functions(ast.parse(text)):
        for node in sorted(nodes, key=lambda node: (node.lineno, node.col_offset)):
            if node.lineno == node.end_lineno:
                before = lines[node.lineno - 1][node.col_offset : node.end_col_offset].decode()
                for kind, after in _changed(node):
                    counted[function, kind] += 1
                    number = counted[function, kind]
                    found.append(Mutant(file, function, kind, number, node.lineno, node.col_offset, before, after))
    return found


def _functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, list[ast.expr | ast.stmt]]]:
    """(full name, nodes whose change is a fault) of every function, inner ones on their own."""
    for node in ast.iter_child_nodes(tree):
        name = within
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            name = f"{within}.{node.name}" if within else node.name
        if isinstance(node, ast.FunctionDef):
            yield name, [inner for statement in node.body for inner in _inside(statement)]
        yield from _functions(node, name)


def _inside(statement: ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """Nodes whose change is a fault: annotations, docstrings, refusals' texts and inner functions are left out."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AnnAssign, ast.Assert, ast.JoinedStr)):
            continue
        if isinstance(node, (ast.expr, ast.stmt)):
            yield node
        waiting += ast.iter_child_nodes(node)


def _changed(node: ast.expr | ast.stmt) -> Iterator[tuple[str, str]]:
    """(kind, new text) of each fault that a node can have."""
    match node:
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in COMPARED:
            yield "compare", ast.unparse(ast.Compare(left, [COMPARED[type(operator)]()], [right]))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in CALCULATED and not _texts(left, right):
            yield "operator", f"({ast.unparse(ast.BinOp(left, CALCULATED[type(operator)](), right))})"
        case ast.BoolOp(op=operator, values=values):
            other = ast.Or() if isinstance(operator, ast.And) else ast.And()
            yield "logic", f"({ast.unparse(ast.BoolOp(other, values))})"
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "condition", f"({ast.unparse(operand)})"
        case ast.Constant(value=bool(value)):
            yield "constant", str(not value)
        case ast.Constant(value=int(value)):
            yield "constant", str(value + 1)
        case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as operator, value=value) if not _texts(value):
            other_sign = ast.Sub() if isinstance(operator, ast.Add) else ast.Add()
            yield "sum", ast.unparse(ast.AugAssign(target, other_sign, value))
        case ast.Expr(value=ast.Call()):
            yield "dropped call", "pass"
        case ast.Raise():
            yield "dropped rejection", "pass"


def _texts(*nodes: ast.expr) -> bool:
    """Whether the operands are texts or rows, where + does not mean a sum."""
    kinds = (ast.List, ast.ListComp, ast.Tuple, ast.JoinedStr, ast.Dict, ast.Set)
    return any(
        isinstance(node, kinds) or (isinstance(node, ast.Constant) and isinstance(node.value, str)) for node in nodes
    )


def sample(root: Path, seed: int) -> list[Mutant]:
    """As many of each area as AREAS says, drawn by the seed; areas take turns, so that a part is a sample, too."""
    chosen: list[tuple[float, Mutant]] = []
    for pattern, count in AREAS.values():
        paths = (path for path in root.glob(pattern) if not path.name.startswith(LEFT_OUT))
        files = sorted(str(path.relative_to(root)) for path in paths)
        found = [mutant for file in files for mutant in mutants(root, file)]
        drawn = sorted(found, key=lambda mutant: sha256(f"{seed} {mutant.name}".encode()).digest())[:count]
        chosen += [(place / count, mutant) for place, mutant in enumerate(drawn)]
    return [mutant for _, mutant in sorted(chosen, key=lambda one: (one[0], one[1].name))]


def applied(text: str, mutant: Mutant) -> str:
    """The text of the mutant's file with the fault in it."""
    lines = text.splitlines(keepends=True)
    line = lines[mutant.line - 1]
    raw = line.encode()
    start = mutant.column
    end = start + len(mutant.before.encode())
    assert raw[start:end].decode() == mutant.before, f"{mutant.name} is not where it was"
    lines[mutant.line - 1] = (raw[:start] + mutant.after.encode() + raw[end:]).decode()
    return "".join(lines)
