"""The checker lets well-formed modules through and names what is wrong with the others."""

from __future__ import annotations

import pytest

from execution.compiler.ir import Const, Function, Module, Op, Reg, Return
from execution.compiler.ir_check import INSTRUCTIONS_MAX, BrokenIr, check
from execution.compiler.ir_text import parse
from genesis.errors import Invalid
from tests.compiler_back.generate import module

FRAME = """module m heap 1024
entry 0x00000001 run trade

function run(w0) -> () registers (wwwdd) {{
{body}
}}

function other(w0) -> (w) registers (w) {{
  return w0
}}
"""


def source(body: str) -> Module:
    return parse(FRAME.format(body=body))


@pytest.mark.parametrize("seed", range(20))
def test_generated_modules_pass(seed: int) -> None:
    check(module(seed))


BROKEN = {
    "kind of an operand": ("w1 = add.w w0, d3", "takes and gives"),
    "kind of a result": ("d3 = add.w w0, 1", "takes and gives"),
    "unknown operation": ("w1 = frobnicate.w w0", "there is no frobnicate"),
    "register out of range": ("w9 = add.w w0, 1", "not among the function's registers"),
    "register of another kind": ("w3 = add.w w0, 1", "not among the function's registers"),
    "literal out of range": ("w1 = add.w w0, 9223372036854775808", "out of range"),
    "leave without scope": ("leave 3", "no Scope 3"),
    "scope within itself": ("scope 1 {\nscope 1 {\n}\n}", "within itself"),
    "code after a terminator": ("return\nw1 = add.w w0, 1", "stands after it"),
    "return from a try without keep": ("try w1 {\nreturn\n} handler {\n}", "crosses 1 Try and stands after 0 Keep"),
    "leave out of two tries after one keep": (
        "scope 1 {\ntry w1 {\ntry w2 {\nkeep\nleave 1\n} handler {\n}\n} handler {\n}\n}",
        "crosses 2 Try and stands after 1 Keep",
    ),
    "keep without leaving": ("try w1 {\nkeep\nw1 = add.w w0, 1\n} handler {\n}", "right before"),
    "keep in a handler": ("try w1 {\n} handler {\nkeep\nreturn\n}", "crosses 0 Try"),
    "call of nothing": ("w1 = call nobody(w0)", "there is no nobody"),
    "call with too little": ("w1 = call other()", "takes and gives"),
    "results of a call": ("w1, w2 = call other(w0)", "takes and gives"),
    "a world for a call that is no view": ("invoke (w0, w0, w0) 0x00000001() world (1, 2d, 3d, 4)", "only a view"),
    "four bytes of a decimal": ("d3 = load.4 w0 + 8", "cannot be 4 bytes"),
    "service with other arguments": ("service schedule(w0)", "takes and gives"),
    "negative gas": ("gas -1", "gift"),
    "untouched store": ("store.8 128 + 0, w0", "not touched before"),
    "store beyond what is touched": ("touch.8 128 + 0\nstore.16 128 + 0, d3", "not touched before"),
    "store after a call of another program": (
        "touch.8 128 + 0\ninvoke (w0, w0, w0) 0x00000001()\nstore.8 128 + 0, w0",
        "not touched before",
    ),
    "store in a try touched outside": (
        "touch.8 128 + 0\ntry w1 {\nstore.8 128 + 0, w0\n} handler {\n}",
        "not touched before",
    ),
    "store touched in one arm": ("if w0 {\ntouch.8 128 + 0\n}\nstore.8 128 + 0, w0", "not touched before"),
    "store at a register assigned since": (
        "touch.8 w1 + 0\nw1 = add.w w0, 1\nstore.8 w1 + 0, w0",
        "not touched before",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_form_is_named(name: str) -> None:
    body, message = BROKEN[name]
    with pytest.raises(AssertionError, match=message):
        check(source(body))


GOOD = {
    "keep for each try left": "scope 1 {\ntry w1 {\ntry w2 {\nkeep\nkeep\nleave 1\n} handler {\n}\n} handler {\n}\n}",
    "store through a computed address": "touch.32 w1 + 0\nw2 = address.w w1, 16\nstore.8 w2 + 8, w0",
    "store through a copy after the original changed": (
        "w2 = copy.w w1\ntouch.8 w1 + 8\nw1 = add.w w0, 1\nstore.8 w2 + 8, w0"
    ),
    "store in an arm touched before": "touch.8 128 + 0\nif w0 {\nstore.8 128 + 0, w0\n}\nstore.8 128 + 0, w0",
}


@pytest.mark.parametrize("name", GOOD)
def test_good_form_passes(name: str) -> None:
    check(source(GOOD[name]))


def test_a_function_with_results_must_return() -> None:
    broken = Function("f", (), ("w",), (), ())
    with pytest.raises(BrokenIr, match="without a Return"):
        check(Module("m", (broken,), (), 1024))


def test_recursion_is_refused() -> None:
    text = "module m heap 1024\n" + "".join(
        f"function {a}(w0) -> () registers (w) {{\ncall {b}(w0)\n}}\n" for a, b in ("xy", "yx")
    )
    with pytest.raises(Invalid, match="calls itself"):
        check(parse(text))


def test_a_function_too_long_is_refused() -> None:
    reg = Reg(0, "w")
    body = (*[Op("add.w", (reg,), (reg, Const(1, "w")))] * INSTRUCTIONS_MAX, Return(()))
    with pytest.raises(Invalid, match=r"split it into several"):
        check(Module("m", (Function("f", (), (), ("w",), body),), (), 1024))


def test_a_deep_path_with_many_registers_is_refused() -> None:
    lines = [f"function f{n}(w0) -> () registers ({'w' * 400}) {{\ncall f{n + 1}(w0)\n}}" for n in range(40)]
    lines.append("function f40(w0) -> () registers (w) {\n}")
    with pytest.raises(Invalid, match="bytes of stack"):
        check(parse("module m heap 1024\n" + "\n".join(lines)))
