"""
The invariants of a program, made into one entry that checks all of them, in order of the text, bases first.

Every other entry but views asks the kernel to call it when the outermost call ends (`lower`), so what fails rejects
that call with the reason "invariant NAME".
"""

from __future__ import annotations

from execution.compiler import tree
from execution.compiler import types as t
from execution.compiler.errors import Source
from execution.compiler.scope import Interface
from execution.compiler.selector import reason_word

CHECK_INVARIANTS = "@invariants"
"""Name of that entry. The kernel knows its selector (`vm.kernel.words`); no name in a source can be the same."""


def reason_text(name: str) -> str:
    """What a call is rejected with when the invariant of that name does not hold."""
    return f"invariant {name}"


def invariant_reasons(program: Interface) -> list[str]:
    return [reason_text(name) for name, signature in program.methods.items() if signature.kind == "invariant"]


def check_function(program: Interface, source: Source) -> tuple[tree.Function, tree.Method] | None:
    """The function that checks all invariants, and its entry; None for a program without any."""
    invariants = [signature for signature in program.methods.values() if signature.kind == "invariant"]
    if not invariants:
        return None
    body: list[tree.Statement] = []
    for signature in invariants:
        line = signature.node.lineno
        reason = tree.Literal(t.REASON, (reason_word(reason_text(signature.name)),))
        holds = tree.Call(t.BOOL, signature.function, (), line)
        body.append(tree.Branch(holds, (), (tree.Fail(reason, line),), line))
    first = invariants[0].node.lineno
    function = tree.Function(CHECK_INVARIANTS, source, (), t.NONE, (), tuple(body), first)
    return function, tree.Method(CHECK_INVARIANTS, function.name, (), t.NONE, "hook", "cancel", first)
