"""With its plug-in mypy --strict knows the sizes of sequences and the members that `replace` takes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

CONFIG = "[mypy]\nstrict = True\nplugins = execution.lang.mypy_plugin\n"
SOURCE = """
from execution.lang import (
    Account, Array, BoundedList, Bytes32, Decimal, Enum, List, Map, Optional, Program, Queue, Record, Rejected, Struct,
    external, reason, require, sha256, tx, view,
)

N: int = 4
LEVELS: Array[int, 3] = Array(1, 2, 3)
ROOT = Bytes32("0x0000000000000000000000000000000000000000000000000000000000000001")


class Side(Enum):
    BUY = 0
    SELL = 1


class Curve(Struct):
    name: int
    points: Array[Decimal, 3]


class Node(Record):
    marks: Array[int, N]
    log: BoundedList[Decimal, 3]


class Book(Program):
    points: Array[int, 4]
    curve: Curve
    line: Queue[Curve]
    nodes: Map[Bytes32, Node]
    items: List[int]
    maybe: Optional[Side]

    @external
    def right(self, number: int, size: Decimal) -> BoundedList[int, 5]:
        mine: Array[int, 4] = Array()
        found: BoundedList[int, 5] = BoundedList()
        mine[0] = number + LEVELS[1]
        self.points[number] += mine[number]
        for value in self.points:
            found.append(value)
        self.curve = self.curve.replace(points=Array(size, size, size))
        node = self.nodes.obtain(sha256(number, size, tx.sender))
        node.log.append(size)
        node.marks = Array(1, 2, 3, 4)
        self.line.push(self.curve)
        first = self.line.first()
        after = self.items.after(number)
        match self.maybe:
            case None:
                raise Rejected(reason("nothing")) from None
            case Side.BUY | Side.SELL:
                pass
        match after:
            case None:
                number = 1
            case index:
                number = index + 1
        require(first is not None and first.name == number and ROOT != Bytes32.zero(), "none")
        other = self.kept(mine)
        other[0] = found.pop()
        return found

    def kept(self, values: Array[int, 4]) -> Array[int, 4]:
        return values.copy()
"""
WRONG = {
    "self.kept(LEVELS)": "arg-type",
    "mine: Array[int, 5] = self.kept(Array())": "assignment",
    "found: BoundedList[int, 3] = BoundedList(size)": "arg-type",
    "self.points.append(1)": "attr-defined",
    "self.points[0] = size": "assignment",
    "self.curve.replace(nane=3)": "call-arg",
    "self.curve.replace(name=size)": "arg-type",
    "self.line.push(4)": "arg-type",
    "self.line.first().name": "union-attr",
    "raise Rejected(4)": "arg-type",
    "digest: Bytes32 = sha256(size).data": "assignment",
}


def test_mypy_knows_sizes_and_members(tmp_path: Path) -> None:
    wrong = "".join(
        f"\n    def wrong_{number}(self, size: Decimal) -> None:\n        {line}\n" for number, line in enumerate(WRONG)
    )
    source, file, config = SOURCE + wrong, tmp_path / "program.py", tmp_path / "mypy.ini"
    file.write_text(source)
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "mypy", "--no-pretty", "--config-file", str(config), "--cache-dir"]
    run = subprocess.run(
        [*command, str(tmp_path / "cache"), str(file)],
        capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False,
    )  # fmt: skip
    lines = source.splitlines()
    found = {
        lines[int(match[1]) - 1].strip(): match[2]
        for match in re.finditer(r"program\.py:(\d+): error: .*\[([a-z-]+)\]", run.stdout)
    }
    assert found == WRONG, run.stdout + run.stderr
