"""The mypy plug-in: what the compiler refuses of replace, borrows and storage paths, mypy refuses at the same line."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from execution.compiler import CompileError, check_bundle

ROOT = Path(__file__).parents[2]
HEAD = '''
from execution.lang import (
    Account, Decimal, Event, List, Map, Optional, OrderedMap, Program, Record, Struct, external, view,
)


class Level(Record):
    total: Decimal
    orders: Map[int, int]


class Position(Struct):
    owner: Account
    size: Decimal
    count: int


class Book(Program):
    items: List[int]
    levels: Map[int, Level]
    asks: OrderedMap[Decimal, Level]
    rows: List[Level]
    books: Map[int, Map[int, int]]
    positions: Map[int, Position]

    @external
    def work(self, n: int) -> None:
'''  # fmt: skip
RIGHT = """
        self.positions[n] = self.positions[n].replace(size=Decimal(1), count=2)
        self.positions[n] = self.positions[n].replace(size=1)
        level = self.levels.obtain(n)
        level.total += Decimal(1)
        orders = self.levels[n].orders
        orders[1] = 2
        self.fill(self.best(n), self.items)
        self.rows.add().total = Decimal(3)
        self.books.create(n)[1] = self.books[n].get(1, 0)
        del self.levels[n]

    def best(self, n: int) -> Level:
        return self.levels[n]

    def fill(self, level: Level, items: List[int]) -> None:
        items.append(1)
        level.total = Decimal(0)
"""
WRONG = [
    ("self.positions[n] = self.positions[n].replace(sise=3)", r'"sise" for "replace" of "Position"'),
    ("self.positions[n] = self.positions[n].replace(count=Decimal(3))", r'"count" to "replace" of "Position".*"int"'),
    ("self.positions[n] = self.positions[n].replace(Decimal(3))", r"positional"),
    ("self.items = self.items", r"final attribute"),
    ("self.levels[n].orders = self.books[n]", r"final attribute"),
    ("self.levels[n] = self.levels[1]", r"never assigned.*Level.*create"),
    ("self.books[n] = self.books[1]", r"never assigned.*Map\[int, int\]"),
    ("level = self.levels.get(n)", r"`get` copies values.*Level"),
    ("level = self.levels.pop(n)", r"`pop` copies values.*del"),
    ("level = self.asks.get(Decimal(n))", r"`get` copies values"),
    ("self.rows.append(self.levels[n])", r"`append` copies values.*add"),
    ("position = self.positions.create(n)", r"`create` makes records.*Position"),
    ("level = Level(Decimal(1), self.books[n])", r"a record Level exists only in a container"),
]
CLASSES = [
    (
        "    @external\n    def more(self, items: List[int]) -> None:\n        pass\n",
        r"List\[int\] cannot enter or leave",
    ),
    (
        "    @view\n    def level(self, n: int) -> Level:\n        return self.levels[n]\n",
        r"Level cannot enter or leave",
    ),
    ("    def create(self, rows: Map[int, int]) -> None:\n        pass\n", r"Map\[int, int\] cannot enter"),
    ("    pass\n\n\nclass Bad(Struct):\n    rows: List[int]\n", r"a member of type List\[int\] is not possible"),
    ("    pass\n\n\nclass Told(Event):\n    level: Level\n", r"a member of type Level is not possible"),
]


def source(body):
    return HEAD.lstrip() + body


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """mypy with the plug-in on sources; for each the messages by line. One run for all: it starts slowly."""
    folder = tmp_path_factory.mktemp("typed")
    config = folder / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = true\nplugins = execution.lang.mypy_plugin\nmypy_path = {ROOT}\n")
    texts = {"right": source(RIGHT)}
    texts |= {f"wrong{number}": source(f"        {line}\n") for number, (line, _) in enumerate(WRONG)}
    texts |= {f"class{number}": source("        pass\n\n" + text) for number, (text, _) in enumerate(CLASSES)}
    paths = {name: folder / f"{name}.py" for name in texts}
    for name, path in paths.items():
        path.write_text(texts[name])
    command = [sys.executable, "-m", "mypy", "--config-file", config, "--cache-dir", folder / "cache", *paths.values()]
    ran = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    told = {name: [] for name in paths}
    for file, line, text in re.findall(r"^(?:.*/)?(\w+)\.py:(\d+): error: (.*)$", ran.stdout, re.MULTILINE):
        told[file].append((int(line), text))
    return texts, told


def compiler_line(text):
    with pytest.raises(CompileError) as refused:
        check_bundle({"book.py": text}, "book.py")
    return refused.value.line


def test_what_compiles_passes(mypy):
    texts, told = mypy
    check_bundle({"book.py": texts["right"]}, "book.py")
    assert told["right"] == []


@pytest.mark.parametrize("number", range(len(WRONG)), ids=[line for line, _ in WRONG])
def test_a_wrong_line_is_refused_where_the_compiler_refuses_it(mypy, number):
    texts, told = mypy
    line = compiler_line(texts[f"wrong{number}"])
    assert any(at == line and re.search(WRONG[number][1], text) for at, text in told[f"wrong{number}"]), told[
        f"wrong{number}"
    ]


@pytest.mark.parametrize("number", range(len(CLASSES)))
def test_storage_stays_inside_programs(mypy, number):
    texts, told = mypy
    with pytest.raises(CompileError):
        check_bundle({"book.py": texts[f"class{number}"]}, "book.py")
    assert any(re.search(CLASSES[number][1], text) for _, text in told[f"class{number}"]), told[f"class{number}"]
