"""
Third stage: from the typed program to the IR module, with one wrapper for each entry.

A wrapper reads the packed words of the arguments from scratch, validates them, calls the method and writes its results
back.
"""

from __future__ import annotations

from execution.compiler import ir, tree
from execution.compiler import types as t
from execution.compiler.check_invariants import CHECK_INVARIANTS
from execution.compiler.ir_walk import falls_through
from execution.compiler.layout import heap_start
from execution.compiler.lower_build import Builder, Program
from execution.compiler.lower_containers import freeing_function
from execution.compiler.lower_expressions import lower_expression
from execution.compiler.lower_statements import lower_body
from execution.compiler.lower_validate import symbol_check, validate
from execution.compiler.selector import reason_word, selector

ORDERS = {"cancel": 0, "post_only": 1, "trade": 2}


def lower(program: tree.Program) -> ir.Module:
    """The IR module of a checked program; functions in order of the source, then wrappers, then the compiler's own."""
    shared = Program()
    functions = [_function(shared, function) for function in program.functions]
    functions += [_wrapper(shared, method, program.guarded) for method in program.methods]
    made: set[str] = set()
    while len(made) < len(shared.freeing):
        for of, name in list(shared.freeing.items()):
            if name not in made:
                made.add(name)
                functions.append(freeing_function(Builder(shared, lower_expression), of, name))
    if shared.checks_symbols:
        functions.append(symbol_check(Builder(shared, lower_expression)))
    return ir.Module(
        program.name, tuple(functions), tuple(_entry(method) for method in program.methods), heap_start(program.fields)
    )


def _function(shared: Program, function: tree.Function) -> ir.Function:
    builder = Builder(shared, lower_expression, name=function.name, line=function.line)
    _place_locals(builder, function)
    builder.blocks[0] += lower_body(builder, function.body)
    results = t.kinds(function.result)
    if results and falls_through(tuple(builder.blocks[0])):
        builder.add(ir.Reject(ir.Const(reason_word("trap"), "w")))
    params = sum(len(t.kinds(of)) for of in function.parameters)
    return builder.finish(function.name, params, results, function.line)


def _place_locals(builder: Builder, function: tree.Function) -> None:
    """Registers for the locals; those with a sequence in them live in scratch, to which parameters are brought."""
    for number, of in enumerate(function.slots):
        scratched = t.in_memory(of) and number >= len(function.parameters)
        builder.slots.append(() if scratched else tuple(builder.fixed(kind) for kind in t.kinds(of)))
        builder.widths.append(len(t.kinds(of)))
    for number, of in enumerate(function.slots):
        if t.in_memory(of):
            builder.rooms[number] = builder.room(8 * t.words(of))
            builder.write(builder.slots[number], builder.rooms[number])


def _wrapper(shared: Program, method: tree.Method, guarded: bool) -> ir.Function:
    builder = Builder(shared, lower_expression, name=method.function, line=method.line)
    address = builder.fixed("w")
    if guarded and method.kind != "view" and method.name != CHECK_INVARIANTS:
        builder.add(ir.Service((), "invariants", (), method.line))
    offset = 0
    args: list[ir.Operand] = []
    for _, of in method.parameters:
        values: list[ir.Operand] = []
        for kind in t.kinds(of):
            halves = [builder.temporary() for _ in range(2 if kind == "d" else 1)]
            for half in halves:
                builder.add(ir.ScratchLoad(half, address, offset, method.line))
                offset += 8
            values.append(builder.operation("join.d", *halves) if kind == "d" else halves[0])
        validate(builder, of, tuple(values))
        args += values
    outs = builder.temporaries(method.result)
    builder.add(ir.CallFunction(outs, method.function, tuple(args), method.line))
    for at, value in enumerate(builder.as_words(outs)):
        builder.add(ir.ScratchStore(address, 8 * at, value, method.line))
    return builder.finish(f"entry.{method.name}", 1, (), method.line)


def _entry(method: tree.Method) -> ir.Entry:
    number = selector(method.name, [of for _, of in method.parameters])
    order = ORDERS[method.order]
    return ir.Entry(number, f"entry.{method.name}", order, method.kind == "view", method.kind in ("hook", "migrate"))
