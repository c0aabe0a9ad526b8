"""What an instruction counts against the bounds on functions and programs: blocks, and words moved, add to one."""

from __future__ import annotations

import pytest

from execution.compiler.ir_text import parse
from execution.compiler.lower_build import weight

HEAD = """module m heap 1024
entry 0x00000001 run trade
function two(w0, w1) -> (ww) registers (ww) {
return w0, w1
}
function run(w0) -> () registers (wwwdd) {
"""


@pytest.mark.parametrize(
    ("instruction", "expected"),
    [
        ("w1 = add.w w0, 1", 1),
        ("w1, w2 = call two(w0, 1)", 5),
        ("emit 1(w0, w1, d3)", 4),
        ("w1 = runtime map_find.k1.v1(w0, 7)", 4),
        ("if w0 {\nemit 1()\n}", 2),
        ("scope 1 {\nemit 1()\n}", 5),
        ("return", 1),
        ("reject 3", 1),
    ],
)
def test_blocks_and_words_moved_add_to_one(instruction: str, expected: int) -> None:
    assert weight(parse(f"{HEAD}{instruction}\n}}\n").functions[1].body[0]) == expected
