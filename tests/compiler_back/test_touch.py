"""Touches made one: what is written stays journalled, nothing is widened past a move of the mark, and less is paid."""

from __future__ import annotations

from execution.compiler.ir import Touch
from execution.compiler.ir_check import check
from execution.compiler.ir_parse import parse
from execution.compiler.ir_walk import walk
from execution.compiler.optimise_touch import merge_touches

HEAD = "module m heap 4096\nentry 0x00000001 run trade\nfunction run(w0) -> () registers (wwwwww) {\n"
HEAD += "w1 = load.8 128 + 0\n"


def touches(text: str) -> list[tuple[int, int]]:
    """Offset and size of the touches left after merging; the checker has seen the result."""
    merged = merge_touches(parse(f"{HEAD}{text}\n}}\n"))
    check(merged)
    return [(i.offset, i.size) for i in walk(merged.functions[0].body) if isinstance(i, Touch)]


def write(base: str, offset: int) -> str:
    return f"touch.8 {base} + {offset}\nstore.8 {base} + {offset}, 7\n"


def test_fields_of_a_record_are_touched_at_once() -> None:
    assert touches(write("w0", 16) + write("w0", 0) + write("w0", 40)) == [(0, 48)]


def test_two_bases_stay_two() -> None:
    assert touches(write("w0", 0) + write("w1", 8) + write("w0", 16)) == [(0, 24), (8, 8)]


def test_an_address_told_from_a_base_counts_as_the_base() -> None:
    assert touches(write("w0", 0) + "w2 = address.w w0, 24\n" + write("w2", 8)) == [(0, 40)]


def test_nothing_reaches_across_a_savepoint() -> None:
    text = write("w0", 0) + "try w2 {\n" + write("w0", 8) + "} handler {\n}\n" + write("w0", 8)
    assert touches(text) == [(0, 8), (8, 8), (8, 8)]


def test_a_base_that_is_assigned_is_touched_again() -> None:
    assert touches(write("w0", 0) + "w0 = copy.w w1\n" + write("w0", 0)) == [(0, 8), (0, 8)]


def test_what_is_covered_outside_needs_no_touch_inside() -> None:
    assert touches(write("w0", 0) + "if w1 {\n" + write("w0", 0) + "} else {\n}\n") == [(0, 8)]


def test_what_a_branch_touches_is_not_known_after_it() -> None:
    assert touches("if w1 {\n" + write("w0", 0) + "} else {\n}\n" + write("w0", 0)) == [(0, 8), (0, 8)]


def test_a_touch_never_grows_beyond_a_line() -> None:
    assert touches(write("w0", 0) + write("w0", 120) + write("w0", 128)) == [(0, 128), (128, 8)]


def test_what_grew_from_a_told_address_is_covered_from_the_base() -> None:
    text = "w2 = address.w w0, 24\n" + write("w2", 0) + write("w2", 8) + "if w1 {\n" + write("w0", 32) + "} else {\n}\n"
    assert touches(text) == [(0, 16)]


def test_what_lies_before_a_told_address_is_not_covered() -> None:
    text = "w2 = address.w w0, 24\n" + write("w2", 0) + write("w2", 8) + "if w1 {\n" + write("w0", 0) + "} else {\n}\n"
    assert touches(text) == [(0, 16), (0, 8)]
