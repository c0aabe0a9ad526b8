"""
The exports of a program module beside its memories: dispatch, restore, start.

dispatch finds the entry by selector (binary search over unsigned selectors), refuses what the caller may not reach,
and runs it: a hook only for the kernel, under the view flag only views, and no entry above the class of the
transaction.
"""

from __future__ import annotations

from collections.abc import Sequence

from execution.compiler.ir import Entry, Function, Module
from execution.compiler.write_body import Body
from execution.compiler.write_kernel import selector_number
from execution.compiler.write_names import FLAG_KERNEL, FLAG_VIEW, SCRATCH, Names
from execution.vm.kernel.places import CLASS
from execution.wasm import ValueType

SELECTOR, ARGS, FLAGS = range(3)  # parameters of dispatch
LINEAR_MAX = 4  # entries tried one after another
TRADE = 2


def write_entries(names: Names, module: Module) -> None:
    """Define dispatch and start; export them and the runtime's restore."""
    names.builder.export("dispatch", "function", _define(names, ("i32", "i32", "i32"), _dispatch(names, module)))
    names.builder.export("restore", "function", names.runtime["restore"])
    names.builder.export("start", "function", _define(names, (), _start(names, module)))


def _define(names: Names, params: Sequence[ValueType], body: Body) -> int:
    return names.builder.function(params, (), body.locals, body.code)


def _empty(names: Names, name: str) -> Body:
    return Body(names, Function(name, (), (), (), ()), {})


def _dispatch(names: Names, module: Module) -> Body:
    body = _empty(names, "dispatch")
    body.open("block", "unknown")
    _search(body, sorted(module.entries, key=lambda entry: entry.selector))
    body.end()
    body.throw("unknown entry")
    return body


def _search(body: Body, entries: Sequence[Entry]) -> None:
    """Run the entry of the selector and return; fall through when there is none."""
    if len(entries) > LINEAR_MAX:
        middle = len(entries) // 2
        body.get(SELECTOR)
        body.const32(selector_number(entries[middle].selector))
        body.add("i32.lt_u")
        body.open("if", "half")
        _search(body, entries[:middle])
        body.add("else")
        _search(body, entries[middle:])
        body.end()
        return
    for entry in entries:
        body.get(SELECTOR)
        body.const32(selector_number(entry.selector))
        body.add("i32.eq")
        body.open("if", "entry")
        _entry(body, entry)
        body.end()


def _entry(body: Body, entry: Entry) -> None:
    if entry.hook:
        _flag(body, FLAG_KERNEL)
        body.add("i32.eqz")
        body.branch_if("unknown")
    if not entry.view:
        _flag(body, FLAG_VIEW)
        body.branch_if("unknown")
        if entry.order and not entry.hook:
            _check_class(body, entry)
    body.get(ARGS)
    body.add("i64.extend_i32_u", ("call", body.names.own[entry.function]), "return")


def _flag(body: Body, flag: int) -> None:
    body.get(FLAGS)
    body.const32(flag)
    body.add("i32.and")


def _check_class(body: Body, entry: Entry) -> None:
    """Rank of the entry ≤ rank of the transaction, which is 2 less its class."""
    body.const32(0)
    body.add(("i64.load", SCRATCH, CLASS))
    body.const(TRADE - entry.order)
    body.add("i64.gt_s")
    body.open("if", "class")
    body.throw("order class")
    body.end()


def _start(names: Names, module: Module) -> Body:
    body = _empty(names, "start")
    body.const(module.heap)
    body.add(("call", names.runtime["start"]))
    return body
