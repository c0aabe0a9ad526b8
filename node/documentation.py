"""
A program's page in Markdown: what its docstrings say, arranged by what its ABI says.

Entries with their order class, hooks, events, the structs and enums that cross its border, and every reason it may
reject with; invariants by their names. Only the text is read; nothing of the program is run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

from execution.compiler import types as t
from execution.compiler.abi import Abi, AbiEntry
from execution.compiler.check_invariants import CHECK_INVARIANTS
from node.programs import signature

ORDERS = {
    "cancel": "cancel: runs before everything else of its batch",
    "post_only": "post-only: runs after cancellations",
    "trade": "trade: runs last",
}
KINDS = (("external", "Externals"), ("view", "Views"), ("hook", "Run by the chain"), ("migrate", "Run by an upgrade"))


def markdown(abi: Abi, files: Mapping[str, str], main: str) -> str:
    """The page. files: path → text of the bundle, main among them."""
    documented = _Docstrings(files, main)
    lines = [f"# {abi.name}", "", *_paragraph(documented.module)]
    lines += _paragraph(documented.of(abi.name))
    for kind, title in KINDS:
        shown = [entry for entry in abi.entries if entry.kind == kind and entry.name != CHECK_INVARIANTS]
        lines += _section(title, (_entry(abi.name, entry, documented) for entry in shown))
    lines += _section("Invariants", ([f"### {name}", "", *_paragraph(text)] for name, text in documented.invariants))
    lines += _section("Events", (_members(event, documented) for event in abi.events))
    lines += _section("Types", (_members(of, documented) for of in _crossing(abi)))
    lines += _section("Reasons", ([f"* {reason}"] for reason in abi.reasons))
    return "\n".join(lines).rstrip() + "\n"


class _Docstrings:
    """Docstrings of classes by name, of the program's methods by "Class.method"."""

    def __init__(self, files: Mapping[str, str], main: str) -> None:
        trees = {path: ast.parse(text) for path, text in files.items()}
        self.module = ast.get_docstring(trees[main]) or ""
        self._texts: dict[str, str] = {}
        self.invariants = [
            (node.name, ast.get_docstring(node) or "")
            for tree in trees.values()
            for _, node in _named(tree)
            if any(isinstance(word, ast.Name) and word.id == "invariant" for word in node.decorator_list)
        ]
        for path in sorted(trees, key=lambda path: path == main):  # main's own names win
            for name, node in _named(trees[path]):
                self._texts[name] = ast.get_docstring(node) or ""

    def of(self, name: str) -> str:
        return self._texts.get(name, "")


def _named(tree: ast.Module) -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name, node
            for member in node.body:
                if isinstance(member, ast.FunctionDef):
                    yield f"{node.name}.{member.name}", member


def _paragraph(text: str) -> list[str]:
    return [text, ""] if text else []


def _section(title: str, blocks: Iterable[list[str]]) -> list[str]:
    inside = [line for block in blocks for line in block]
    return [f"## {title}", "", *inside, ""] if inside else []


def _entry(program: str, entry: AbiEntry, documented: _Docstrings) -> list[str]:
    lines = [f"### `{signature(entry)}`", ""]
    if entry.kind == "external":
        lines += [f"Order class {ORDERS[entry.order]}.", ""]
    return lines + _paragraph(documented.of(f"{program}.{entry.name}"))


def _members(of: t.Type, documented: _Docstrings) -> list[str]:
    match of:
        case t.EnumType(name, members):
            rows = [f"* {number}: {member}" for number, member in enumerate(members)]
        case t.StructType(name, fields):
            rows = [f"* {field}: {kind}" for field, kind in fields]
        case _:
            return []
    return [f"### {name}", "", *_paragraph(documented.of(name)), *rows, ""]


def _crossing(abi: Abi) -> list[t.Type]:
    """Structs and enums in parameters, results and events, each once, in order of appearance."""
    found: dict[str, t.Type] = {}
    for entry in abi.entries:
        for of in (*(of for _, of in entry.parameters), entry.result):
            _collect(of, found)
    for event in abi.events:
        for _, of in event.fields:
            _collect(of, found)
    return list(found.values())


def _collect(of: t.Type, found: dict[str, t.Type]) -> None:
    match of:
        case t.EnumType(name, _):
            found.setdefault(name, of)
        case t.StructType(name, fields):
            found.setdefault(name, of)
            for _, member in fields:
                _collect(member, found)
        case t.OptionalType(item) | t.ArrayType(item):
            _collect(item, found)
        case t.TupleType(items):
            for item in items:
                _collect(item, found)
