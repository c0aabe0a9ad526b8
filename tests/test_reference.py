"""
The reference of the language, held to the language: its programs are run by both engines, its tables of values and of
refusals compared, its limits are the constants, and every public name is in it.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import execution.lang
from execution.compiler import CompileError, compile_bundle, limits
from execution.lang import Account, Decimal, Duration, Timestamp
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from node.cli.edge import plain
from node.cli.local import Run
from node.testing.bundles import load_text
from node.testing.chain import Chain
from node.testing.cpython import CPython
from node.testing.engines import Engine
from node.testing.wasm import Wasm
from tests.compiler.hostile import MAIN
from tests.compiler.refused_more import program
from tests.documents import ROOT, Block, blocks, matches

REFERENCE = ROOT / "execution" / "lang" / "REFERENCE.md"
LIBRARY = ROOT / "execution" / "library"
RESULTS = ("int", "bool", "Decimal", "Duration", "Timestamp", "Account", "Symbol", "Bytes32", "Asset")
"""Types that a row's value may have, tried in this order."""
PARAMETERS = "n: int, x: Decimal, t: Timestamp, d: Duration, a: Account"
ARGUMENTS = (
    7,
    Decimal("2.5"),
    Timestamp(1_700_000_000_000),
    Duration.seconds(90),
    Account.numbered(9),
)
ROWS_MAX = 16
"""Rows that one program takes."""
ENGINES: tuple[type[Engine], ...] = (CPython, Wasm)


def text() -> str:
    return REFERENCE.read_text()


def tables(*head: str) -> list[list[str]]:
    """The rows of all tables with this head, without the ticks around code."""
    rows = []
    start = f"| {' | '.join(head)} |\n"
    for part in text().split(start)[1:]:
        for line in part.splitlines()[1:]:
            if not line.startswith("| "):
                break
            rows.append([cell.strip() for cell in line.strip("| ").split(" | ")])
    return rows


def code(cell: str) -> str:
    """What stands in ticks, `⏎` for a new line."""
    assert cell[0] == cell[-1] == "`", cell
    return cell[1:-1].replace("⏎", "\n")


# ---- values


def values_program(rows: list[tuple[str, str]]) -> str:
    """A program with a view v0, v1, … for each (expression, result type)."""
    names = ",\n    ".join(execution.lang.__all__)
    views = "".join(
        f"\n    @view\n    def v{number}(self, {PARAMETERS}) -> {of}:\n        return {expression}\n"
        for number, (expression, of) in enumerate(rows)
    )
    return f"from execution.lang import (\n    {names},\n)\n\n\nclass Values(Program):\n    unused: int\n{views}"


def result_type(expression: str) -> str:
    """The type of an expression, found by asking the compiler."""
    wrong = []
    for of in RESULTS:
        try:
            compile_bundle({"program.py": values_program([(expression, of)])}, "program.py")
        except CompileError as error:
            wrong.append(str(error))
        else:
            return of
    raise AssertionError(f"`{expression}` does not compile:\n" + "\n".join(wrong))


@cache
def typed_rows() -> list[tuple[str, str, str]]:
    """Expression, type and shown result of every row."""
    return [
        (code(written), result_type(code(written)), gives.strip("`")) for written, gives in tables("written", "gives")
    ]


def shown(value: Any) -> str:
    match value:
        case Duration(ms) | Timestamp(ms):
            return f"{ms} ms"
        case Account(data):
            return f"0x{data.hex()}"
        case _:
            return str(plain(value))


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_written_gives_what_is_said(engine: type[Engine]) -> None:
    rows = typed_rows()
    assert len(rows) > 60
    wrong = []
    chain = Chain(engine())
    for start in range(0, len(rows), ROWS_MAX):
        some = rows[start : start + ROWS_MAX]
        deployed = chain.deploy_text(values_program([(expression, of) for expression, of, _ in some]))
        for number, (expression, _, gives) in enumerate(some):
            try:
                got = shown(getattr(deployed, f"v{number}")(*ARGUMENTS))
            except execution.lang.Rejected as refusal:
                got = f"rejected: {refusal}"
            if got != gives:
                wrong.append(f"{expression} gives {got}, not {gives}")
    assert wrong == []


# ---- refusals


def refused(written: str) -> CompileError:
    definition = re.match(r"(import|from|class|def|@|[A-Z]+\b)", written)
    source = program("n = 1", definitions=written) if definition else program(written)
    with pytest.raises(CompileError) as caught:
        compile_bundle({MAIN: source}, MAIN)
    return caught.value


def test_refusals_are_as_said() -> None:
    rows = tables("refused", "because", "instead")
    assert len(rows) > 30
    wrong = []
    for written, because, instead in rows:
        error = refused(code(written))
        assert error.line > 0, written
        if (error.wrong, error.instead) != (because, instead):
            wrong.append(f"| {written} | {error.wrong} | {error.instead} |")
    assert wrong == []


# ---- programs


def programs() -> list[tuple[Block, str]]:
    """Each program with the calls that stand behind it."""
    found = blocks(text())
    return [
        (block, after.text)
        for block, after in zip(found, [*found[1:], Block("", "", "", 0, "")], strict=True)
        if block.language == "python"
    ]


def told(run: Run, source: str, calls: list[str]) -> str:
    """What `tenor program run` prints of a deployment and calls, without gas."""
    create, *others = calls
    loaded = load_text(source)
    rows = [run.deploy(loaded, create.removeprefix("create").strip())]
    rows += [run.line(line) for line in others]
    lines = []
    for line, row in zip(calls, rows, strict=True):
        outcome = f"rejected: {row['reason']}" if "reason" in row else plain(row["result"]) if "result" in row else None
        lines.append(f"{line}  →  {'done' if outcome is None else outcome}")
        for event in row.get("events", ()):
            members = ", ".join(f"{name}={value}" for name, value in plain(event["members"]).items())
            lines.append(f"    {event['event']}({members})")
    return "\n".join(lines)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("number", range(len(programs())))
def test_programs_do_what_is_shown(number: int, engine: type[Engine]) -> None:
    block, said = programs()[number]
    calls = [line.split("  →  ")[0] for line in said.splitlines() if "  →  " in line and not line.startswith(" ")]
    assert calls, f"{REFERENCE.name}:{block.line} shows no calls"
    try:
        got = told(Run(Chain(engine()), "perpetual" in calls[0]), block.text, calls)
    except Invalid as error:
        raise AssertionError(f"{REFERENCE.name}:{block.line} {error}") from error
    assert matches(said, got), f"{REFERENCE.name}:{block.line}\n{got}"


# ---- names and limits


def mentioned() -> set[str]:
    """Every name inside ticks or in a program."""
    return set(re.findall(r"\w+", " ".join(re.findall(r"`[^`]+`", re.sub(r"```.*?```", "", text(), flags=re.DOTALL)))))


def public_names(path: Path) -> set[str]:
    """Functions and classes that a module of the library defines."""
    tree = ast.parse(path.read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def test_every_name_of_the_language_is_in_it() -> None:
    assert set(execution.lang.__all__) - mentioned() == set()


def test_every_name_of_the_library_is_in_it() -> None:
    public = {path.stem for path in LIBRARY.glob("*.py") if path.stem != "__init__"}
    for path in LIBRARY.glob("*.py"):
        public |= public_names(path)
    assert public - mentioned() == set()


def test_limits_are_the_constants() -> None:
    rows = {code(name): int(number.replace(",", "")) for name, number, _ in tables("limit", "is", "of")}
    spec = ChainSpec.__dataclass_fields__
    known = {name: value for name, value in vars(limits).items() if name.isupper()}
    assert known.keys() - rows.keys() == set(), "limits without a row"
    wrong = {}
    for name, number in rows.items():
        constant = known[name] if name in known else spec[name].default
        if constant != number:
            wrong[name] = constant
    assert wrong == {}
