"""
From a case that differs to a small one that differs in the same way: fewer calls, fewer programs, less source.

Greedy, largest steps first, again and again until nothing can go or the time is over. Text is taken away by its syntax
tree: a definition, a statement, all but the body of a branch, an operand in place of the whole.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import monotonic

from node.fuzz.case import Block, Case, Sent

Fails = Callable[[Case], bool]


def shrink(case: Case, fails: Fails, seconds: float) -> Case:
    """The smallest case found; `fails` says whether one still differs as the first did."""
    until = monotonic() + seconds
    while True:
        before = case
        for steps in (_fewer_blocks, _fewer_sent, _fewer_calls, _fewer_programs, _less_text):
            case = _descend(case, steps, fails, until)
        if case == before or monotonic() > until:
            return case


def _descend(case: Case, steps: Callable[[Case], Iterator[Case]], fails: Fails, until: float) -> Case:
    """Take every step that keeps the difference; after one, look for the next from the same place on."""
    place = 0
    while monotonic() < until:
        for number, smaller in enumerate(steps(case)):
            if number >= place and monotonic() < until and fails(smaller):
                case, place = smaller, number
                break
        else:
            return case
    return case


def _fewer_blocks(case: Case) -> Iterator[Case]:
    """Without a block; what it deployed goes to the next one."""
    for index in reversed(range(len(case.blocks))):
        rest = list(case.blocks[:index] + case.blocks[index + 1 :])
        deployed = case.blocks[index].deployed
        if deployed and index < len(rest):
            rest[index] = replace(rest[index], deployed=deployed + rest[index].deployed)
        if rest:
            yield replace(case, blocks=tuple(rest))


def _fewer_sent(case: Case) -> Iterator[Case]:
    """Without a run of transactions: half of them, a quarter …, each alone."""
    count = sum(len(batch) for block in case.blocks for batch in block.batches)
    size = count // 2
    while size:
        for start in range(0, count, size):
            yield _without(case, start, start + size)
        size //= 2


def _without(case: Case, start: int, end: int) -> Case:
    number = 0
    blocks: list[Block] = []
    for block in case.blocks:
        batches: list[tuple[Sent, ...]] = []
        for batch in block.batches:
            kept = tuple(sent for at, sent in enumerate(batch, number) if not start <= at < end)
            number += len(batch)
            batches.append(kept)
        batches = [batch for batch in batches if batch] or [()]
        blocks.append(replace(block, batches=tuple(batches)))
    return replace(case, blocks=tuple(blocks))


def _fewer_calls(case: Case) -> Iterator[Case]:
    """With one call less in a transaction of several."""
    for b, block in enumerate(case.blocks):
        for a, batch in enumerate(block.batches):
            for s, sent in enumerate(batch):
                for c in range(len(sent.calls) if len(sent.calls) > 1 else 0):
                    less = replace(sent, calls=sent.calls[:c] + sent.calls[c + 1 :])
                    batches = (*block.batches[:a], (*batch[:s], less, *batch[s + 1 :]), *block.batches[a + 1 :])
                    changed = replace(block, batches=batches)
                    yield replace(case, blocks=(*case.blocks[:b], changed, *case.blocks[b + 1 :]))


def _fewer_programs(case: Case) -> Iterator[Case]:
    """One program is never deployed; files nobody needs go."""
    for index in range(len(case.programs)):
        if any(index in block.deployed for block in case.blocks):
            yield _undeployed(case, index)
    for path in case.files:
        if len(case.files) > 1:
            programs = tuple(program for program in case.programs if program.path != path)
            files = {name: text for name, text in case.files.items() if name != path}
            if len(programs) == len(case.programs):
                yield case.with_files(files)
            elif programs == case.programs[: len(programs)]:  # addresses go by index: only the last may go
                yield replace(_undeployed(case, len(programs)), files=files, programs=programs)


def _undeployed(case: Case, index: int) -> Case:
    blocks = tuple(replace(b, deployed=tuple(n for n in b.deployed if n != index)) for b in case.blocks)
    return replace(case, blocks=blocks)


# Text


def _less_text(case: Case) -> Iterator[Case]:
    for path, text in case.files.items():
        for smaller in _smaller(text):
            if len(smaller) < len(text):
                yield case.with_files({**case.files, path: smaller})


def _smaller(text: str) -> Iterator[str]:
    """Texts with one thing less. Each is made from a fresh tree, so that steps do not disturb one another."""
    kinds = [type(node) for node in ast.walk(ast.parse(text))]
    for number, kind in enumerate(kinds):
        if issubclass(kind, ast.stmt):
            yield from _without_statement(text, number)
    for number, kind in enumerate(kinds):
        if issubclass(kind, (ast.BinOp, ast.BoolOp, ast.Call, ast.Compare, ast.IfExp, ast.UnaryOp)):
            yield from _simpler(text, number)


def _nodes(text: str) -> tuple[ast.Module, list[ast.AST]]:
    tree = ast.parse(text)
    return tree, list(ast.walk(tree))


def _without_statement(text: str, number: int) -> Iterator[str]:
    """Without the statement, and with its body alone."""
    for lift in (False, True):
        tree, nodes = _nodes(text)
        target = nodes[number]
        body = getattr(target, "body", [])
        if lift and (not body or isinstance(target, (ast.ClassDef, ast.FunctionDef))):
            return
        for parent in nodes:
            for name in ("body", "orelse"):
                block = getattr(parent, name, None)
                if isinstance(block, list) and target in block:
                    at = block.index(target)
                    block[at : at + 1] = body if lift else []
                    if not block and name == "body":
                        block.append(ast.Pass())
        yield ast.unparse(tree) + "\n"


def _simpler(text: str, number: int) -> Iterator[str]:
    """With each operand in place of the expression."""
    _, nodes = _nodes(text)
    children = [child for child in ast.iter_child_nodes(nodes[number]) if isinstance(child, ast.expr)]
    for index in range(len(children)):
        tree, nodes = _nodes(text)
        target = nodes[number]
        child = [c for c in ast.iter_child_nodes(target) if isinstance(c, ast.expr)][index]
        yield ast.unparse(_Exchange(target, child).visit(tree)) + "\n"


class _Exchange(ast.NodeTransformer):
    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return self._new
        changed: ast.AST = self.generic_visit(node)
        return changed
