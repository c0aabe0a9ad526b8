"""Functions, constructors and methods of the language take their arguments: none more, none less, none by a name."""

from __future__ import annotations

import ast

import pytest

from execution.compiler import CompileError, check_bundle

PROGRAM = """from execution.lang import (
    DONE, Account, Asset, Bytes32, Crossing, Decimal, Duration, Feed, Fill, Map, Outcome, Program, Quote, Symbol,
    Timestamp, World, div_down, div_up, exp, external, hears_fills, hook, mul_div, mul_div_down, mul_div_up, mul_down,
    mul_up, pow, publish, report_fill, resume, schedule, sqrt, subscribe, subscribe_fills, unsubscribe,
    unsubscribe_cross, unsubscribe_fills,
)


class P(Program):
    feed: Feed
    m: Map[int, int]

    @external
    def run(self, n: int, x: Decimal, g: Account, f: Feed, t: Timestamp, d: Duration) -> None:
        {call}

    @hook
    def quoted(self, quote: Quote) -> Outcome:
        return DONE

    @hook
    def crossed(self, crossing: Crossing) -> Outcome:
        return DONE

    @hook
    def due(self, time: Timestamp) -> Outcome:
        return DONE

    @hook
    def filled(self, fill: Fill) -> Outcome:
        return DONE

    @external
    def other(self, n: int) -> int:
        return n
"""
VALUES = (
    "abs(x)", "len(self.m)", "sqrt(x)", "pow(x, x)", "exp(x)", "mul_up(x, x)", "mul_down(x, x)", "div_up(x, x)",
    "div_down(x, x)", "mul_div(x, x, x)", "mul_div_up(x, x, x)", "mul_div_down(x, x, x)", "unsubscribe_cross(n)",
    "hears_fills(g)", "Duration(n)", "Duration.seconds(n)", "Timestamp(n)", "Feed(n)", "Asset(n)", 'Decimal("1.5")',
    'Symbol("EUR")', "Bytes32.zero()", "Account.zero()", "Account.kernel()", "Account.numbered(3)",
    "Account.derived(g, n)", "World(n, x, x, d)", "x.floor()", "x.ceil()", "x.round()", "f.quote()", "f.price()",
)  # fmt: skip
ACTIONS = (
    "publish(f, x, x, t, d)", "subscribe(f, self.quoted)", "unsubscribe(f, self.quoted)", "schedule(t, self.due)",
    "subscribe_fills(g, self.filled)", "unsubscribe_fills(g)", "report_fill(g, n, n, True, x, x, x)", "resume(g)",
)  # fmt: skip


def check(call: str, taken: bool) -> None:
    """taken: whether the call has a result, which is assigned."""
    check_bundle({"p.py": PROGRAM.format(call=f"y = {call}" if taken else call)}, "p.py")


def changed(call: str) -> list[str]:
    """With the last argument twice, without it, and with one by name."""
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)
    last = ast.unparse(node.args[-1]) if node.args else "n"
    head, arguments = call.rstrip(")").split("(", 1)
    return [
        f"{head}({arguments}{', ' if arguments else ''}{last})",
        *([f"{head}({', '.join(map(ast.unparse, node.args[:-1]))})"] if node.args else []),
        f"{head}({arguments}{', ' if arguments else ''}more={last})",
    ]


@pytest.mark.parametrize("call", [*VALUES, *ACTIONS])
def test_a_call_has_the_arguments_it_takes(call: str) -> None:
    check(call, call in VALUES)
    for other in changed(call):
        with pytest.raises(CompileError, match=r"take|at most"):
            check(other, call in VALUES)
