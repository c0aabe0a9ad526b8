"""Calls of small functions written out: the same results, frames no larger than the chain of calls had."""

from __future__ import annotations

from execution.inlining import INLINED_MAX, Body, inline_calls


def block_type(results: tuple[str, ...]) -> object:
    return results


TWICE = Body(("i64",), ("i64",), (), (("local.get", 0), ("local.get", 0), ("i64.add",), ("return",)))


def test_a_small_function_becomes_a_block_that_return_leaves() -> None:
    caller = Body(("i64",), ("i64",), (), (("local.get", 0), ("call", 0), ("return",)))
    written = inline_calls([TWICE, caller], 0, block_type)[1]
    assert written.local_types == ("i64",)
    assert written.code == (
        ("local.get", 0), ("local.set", 1), ("block", ("i64",)), ("local.get", 1), ("local.get", 1), ("i64.add",),
        ("br", 0), ("end",), ("return",),
    )  # fmt: skip


def test_bodies_side_by_side_share_their_locals() -> None:
    caller = Body(("i64",), ("i64",), (), (("local.get", 0), ("call", 0), ("call", 0), ("call", 0)))
    assert inline_calls([TWICE, caller], 0, block_type)[1].local_types == ("i64",)


def test_locals_begin_at_zero_each_time() -> None:
    callee = Body((), ("i64",), ("i64",), (("local.get", 0),))
    caller = Body((), ("i64",), (), (("call", 0),))
    assert inline_calls([callee, caller], 0, block_type)[1].code[:2] == (("i64.const", 0), ("local.set", 0))


def test_imports_large_functions_and_circles_stay_calls() -> None:
    large = Body((), (), (), (("i64.const", 0), ("drop",)) * INLINED_MAX)
    itself = Body((), (), (), (("call", 2),))
    caller = Body((), (), (), (("call", 0), ("call", 1), ("call", 1)))
    written = inline_calls([large, itself, caller], 1, block_type)
    assert written[2].code == caller.code
    assert written[1].code == itself.code


def test_what_stands_apart_stays_a_call_even_where_it_is_called_once() -> None:
    caller = Body((), (), (), (("call", 0),))
    assert inline_calls([Body((), (), (), (), apart=True), caller], 0, block_type)[1].code == caller.code
    assert inline_calls([Body((), (), (), ()), caller], 0, block_type)[1].code != caller.code
