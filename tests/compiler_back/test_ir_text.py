"""The text form says everything, and reads back as what was printed."""

from __future__ import annotations

import pytest

from execution.compiler.gas import GAS
from execution.compiler.ir_text import parse, show
from execution.compiler.optimise import optimise
from tests.compiler_back.generate import module

SMALL = """\
module bank heap 2048
entry 0x000000ff pay cancel
entry 0xf0000001 look trade view hook

function pay(w0, d1) -> (wd) registers (wdw) { @3
  w2 = add.w w0, -5 @4
  if w2 {
    reject 7
  } else {
    scope 1 {
      leave 1
    }
  }
  return w2, -3d
}

function look(w0) -> () registers (ww) {
  try w1 { @9
    w1 = invoke (w0, 0, 1) 0x00000007(5, 6d) gas 100 world (1, 2d, 3d, 4) view
  } handler {
    emit 3()
  }
}
"""


@pytest.mark.parametrize("seed", range(12))
def test_parse_undoes_show(seed: int) -> None:
    raw = module(seed)
    assert parse(show(raw)) == raw
    charged = optimise(raw, GAS)
    assert parse(show(charged)) == charged


def test_show_undoes_parse() -> None:
    assert show(parse(SMALL)) == SMALL


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("reject 7", "reject", 8),
        ("  if w2 {", "  when w2 {", 7),
        ("module bank heap 2048", "module bank", 1),
        ("-> (wd)", "-> (wx)", 5),
        ("w2 = add.w w0, -5", "w2 = add.w w0, five", 6),
        ("    scope 1 {", "    scope 1 { loop {", 10),
        ("      leave 1\n    }", "      leave 1\n    } }", 12),
        ("  } handler {", "  } else {", 20),
    ],
)
def test_an_error_names_the_line(old: str, new: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"^line {line} "):
        parse(SMALL.replace(old, new))


def test_an_open_block_is_an_error() -> None:
    with pytest.raises(ValueError, match="ends inside a block"):
        parse(SMALL.rsplit("}", 1)[0])
