"""
Statements with a body: branches, matches, loops and tolerated calls, and what is known after each.
"""

from __future__ import annotations

import ast
from collections.abc import Callable

from execution.compiler import limits, tree
from execution.compiler import types as t
from execution.compiler.arithmetic import operation
from execution.compiler.check_containers import as_container
from execution.compiler.check_expressions import narrowing
from execution.compiler.check_sequences import check_frozen
from execution.compiler.check_statements import (
    Statements,
    assign,
    augment,
    expression_statement,
    fail,
    give_back,
    remove,
)
from execution.compiler.context import Context, LoopExits, is_field
from execution.compiler.names import body_of
from execution.compiler.scope import Flow, Word


def check_body(context: Context, body: list[ast.stmt]) -> tree.Body:
    """Statements in order; nothing stands after a return, raise, break or continue."""
    statements: Statements = []
    for node in body_of(body):
        if not context.flow.reachable:
            raise context.error(node, "this is never reached", "remove it")
        context.moved = set()
        statements += _statement(context, node)
    return tuple(statements)


def _statement(context: Context, node: ast.stmt) -> Statements:
    match node:
        case ast.Assign() | ast.AnnAssign():
            return assign(context, node)
        case ast.AugAssign():
            return augment(context, node)
        case ast.Expr():
            return expression_statement(context, node)
        case ast.Return():
            return give_back(context, node)
        case ast.Raise():
            return fail(context, node)
        case ast.Delete():
            return remove(context, node)
        case ast.If():
            return [_branch(context, node)]
        case ast.While():
            return [_while(context, node)]
        case ast.For():
            return _for(context, node)
        case ast.Match():
            return _match(context, node)
        case ast.Try():
            return [_tolerate(context, node)]
        case ast.Break() | ast.Continue():
            return [_stop(context, node)]
    raise context.error(node, "this statement does not stand here", "move it to the module")


def _branch(context: Context, node: ast.If) -> tree.Statement:
    test = context.check(node.test, t.BOOL)
    present, absent = narrowing(context, node.test)
    before = context.flow
    context.flow = before.narrow(present)
    then = check_body(context, node.body)
    after = context.flow
    context.flow = before.narrow(absent)
    other = check_body(context, node.orelse)
    context.flow = after.join(context.flow)
    return tree.Branch(test, then, other, node.lineno)


def _stop(context: Context, node: ast.Break | ast.Continue) -> tree.Statement:
    again = isinstance(node, ast.Continue)
    if not context.loops:
        raise context.error(node, "this stands outside of a loop", "remove it")
    exits = context.loops[-1]
    (exits.again if again else exits.breaks).append(context.flow)
    context.flow = context.flow.ended()
    return tree.Stop(again, node.lineno)


def _assigned_in(body: list[ast.stmt]) -> frozenset[str]:
    nodes = (node for statement in body for node in ast.walk(statement))
    return frozenset(node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store))


def _loop(
    context: Context, node: ast.While | ast.For, head: Callable[[], tree.Expression | None], names: tuple[str, ...]
) -> tuple[tree.Expression | None, tree.Body, Flow, LoopExits]:
    """
    Check the test and body of a loop. names: locals the loop itself assigns before each turn.

    Returns (test, body, flow after the test, exits). A borrow from before the loop may not be used in it when a turn
    may delete it.
    """
    context.loop(node)
    if len(context.loops) >= limits.LOOP_DEPTH_MAX:
        raise context.error(
            node, f"loops are nested more than {limits.LOOP_DEPTH_MAX} deep", "move the inner one to a method"
        )
    context.flow = context.flow.widen(_assigned_in(node.body))
    born, used, killed = context.clock, len(context.uses), len(context.killed)
    test = head()
    tested = context.flow
    for name in names:
        context.assigned(name)
    if isinstance(node, ast.While):
        context.flow = context.flow.narrow(narrowing(context, node.test)[0])
    exits = LoopExits()
    context.loops.append(exits)
    body = check_body(context, node.body)
    context.loops.pop()
    dead = sorted(set(context.killed[killed:]), key=lambda item: (str(item[0]), item[1]))
    for name, birth, use in context.uses[used:]:
        if birth <= born and context.slots[context.names[name]] in {of for of, _ in dead}:
            raise context.error(
                use, f"`{name}` may point to what an earlier turn of the loop deleted", "look it up in the loop"
            )
    context.flow = tested
    for of, line in dead:
        context.kill({of}, line)
    return test, body, context.flow, exits


def _while(context: Context, node: ast.While) -> tree.Statement:
    test, body, tested, exits = _loop(context, node, lambda: context.check(node.test, t.BOOL), ())
    assert test is not None
    endless = isinstance(test, tree.Literal) and test.values == (1,)
    context.flow = tested.narrow(narrowing(context, node.test)[1])
    if endless:
        context.flow = context.flow.ended()
    for flow in exits.breaks:
        context.flow = context.flow.join(flow)
    return tree.While(test, body, node.lineno)


def _for(context: Context, node: ast.For) -> Statements:
    match node.iter:
        case ast.Call(func=ast.Name(id="range")) as call:
            return [_count(context, node, call)]
        case ast.Call(func=ast.Attribute(value=owner, attr="items" | "descending" as name), args=[], keywords=[]):
            return _walk(context, node, owner, str(name))
    return _walk(context, node, node.iter, "keys")


def _count(context: Context, node: ast.For, call: ast.Call) -> tree.Statement:
    """for i in range(stop), range(start, stop) or range(start, stop, -1)."""
    if not isinstance(node.target, ast.Name) or call.keywords or not 1 <= len(call.args) <= 3:
        raise context.error(node, "a counting loop has one name", "for i in range(start, stop):")
    bounds = [context.check(arg, t.INT) for arg in call.args]
    down = False
    if len(bounds) == 3:
        step = bounds.pop()
        if not isinstance(step, tree.Literal) or step.values[0] not in (1, -1):
            raise context.error(call, "the step of a range is 1 or -1", "use `while`")
        down = step.values[0] == -1
    start = bounds[0] if len(bounds) == 2 else tree.Literal(t.INT, (0,))
    slot = context.declare(node.target.id, t.INT, node.target)
    _, body, tested, exits = _loop(context, node, lambda: None, (node.target.id,))
    _after_for(context, tested, exits)
    return tree.Count(slot, start, bounds[-1], down, body, node.lineno)


def _after_for(context: Context, tested: Flow, exits: LoopExits) -> None:
    """After a loop that may not run at all: what was known before its first turn, and on every break."""
    context.flow = tested
    for flow in exits.breaks:
        context.flow = context.flow.join(flow)


def _walk_sequence(context: Context, node: ast.For, sequence: tree.Expression, of: t.ArrayType) -> Statements:
    """for value in sequence: live when it is a local of this function's own, or a field."""
    if not isinstance(node.target, ast.Name):
        raise context.error(node, "a loop over a sequence has one name", "for value in values:")
    check_frozen(context, node.target.id, node.target)
    owner = node.iter.id if isinstance(node.iter, ast.Name) and node.iter.id in context.owned else None
    slot = context.declare(node.target.id, of.item, node.target)
    before, changed, killed = context.iterated, len(context.changed), len(context.killed)
    context.iterated = before | {owner} if owner else before
    _, body, tested, exits = _loop(context, node, lambda: None, (node.target.id,))
    context.iterated = before
    _after_for(context, tested, exits)
    stored = isinstance(sequence, tree.Place) and sequence.live
    if stored and of.bounded and of in context.changed[changed:]:
        name = ast.unparse(node.iter)
        raise context.error(node.iter, f"`{name}` may change its length in this loop", f"loop over {name}.copy()")
    if isinstance(sequence, tree.Place) and sequence.base is not None:
        context.hold(sequence.base, killed, node)
    return [tree.WalkSequence(sequence, of, slot, stored or owner is not None, body, node.lineno)]


def _walk(context: Context, node: ast.For, owner: ast.expr, mode: str) -> Statements:
    container = context.borrow(owner)
    if isinstance(container.type, t.ArrayType) and mode == "keys":
        return _walk_sequence(context, node, container, container.type)
    of = as_container(context, owner, container)
    targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
    if len(targets) != (2 if mode == "items" else 1) or not all(isinstance(target, ast.Name) for target in targets):
        raise context.error(
            node, "the names do not fit this loop", "`for k in m`, `for k, v in m.items()`, `for v in l`"
        )
    if (mode != "keys" and not isinstance(of, t.MapType)) or (
        mode == "descending" and not (isinstance(of, t.MapType) and of.ordered)
    ):
        raise context.error(node, f"{of} has no `{mode}`", "`for v in l`; descending() belongs to OrderedMap")
    kinds = [of.key, of.value] if isinstance(of, t.MapType) else [of.item]
    slots, names = [], []
    for target, kind in zip(targets, kinds, strict=False):
        assert isinstance(target, ast.Name)
        check_frozen(context, target.id, target)
        slots.append(context.declare(target.id, kind, target))
        names.append(target.id)
    changed, killed = len(context.changed), len(context.killed)
    _, body, tested, exits = _loop(context, node, lambda: None, tuple(names))
    if not is_field(container) and of in {kind for kind, _ in context.killed[killed:]}:
        raise context.error(node, f"the {of} may be deleted while it is iterated", "delete after the loop")
    _after_for(context, tested, exits)
    guarded = of in context.changed[changed:]
    if not isinstance(of, t.MapType):
        return [tree.Walk(container, of, None, slots[0], False, guarded, body, node.lineno)]
    value = slots[1] if mode == "items" else None
    return [tree.Walk(container, of, slots[0], value, mode == "descending", guarded, body, node.lineno)]


def _match(context: Context, node: ast.Match) -> Statements:
    """A match on an enum, or on an Optional: exhaustive, or refused."""
    subject = context.check(node.subject)
    for case in node.cases:
        if case.guard is not None:
            raise context.error(case.guard, "a guard on a case is not part of the language", "use `if` inside the case")
    if isinstance(subject.type, t.OptionalType):
        return _match_optional(context, node, subject, subject.type)
    if not isinstance(subject.type, t.EnumType):
        wrong = f"`match` is for enums and Optional, this is of type {subject.type}"
        raise context.error(node.subject, wrong, "use if and elif")
    return _match_enum(context, node, node.cases, subject, subject.type)


def _match_enum(
    context: Context, node: ast.Match, cases: list[ast.match_case], subject: tree.Expression, of: t.EnumType
) -> Statements:
    """A chain of branches; the last one needs no test."""
    slot = context.new_slot(of, node)
    left = list(of.members)
    arms: list[tuple[list[int], tree.Body]] = []
    before, after = context.flow, context.flow.ended()
    for case in cases:
        named = _pattern(context, case.pattern, of, left)
        if not named:
            raise context.error(case.pattern, "this case is never reached", "remove it")
        left = [name for name in left if name not in named]
        context.flow = before
        arms.append(([of.members.index(name) for name in named], check_body(context, case.body)))
        after = after.join(context.flow)
    if left:
        raise context.error(node, f"`match` misses {', '.join(left)}", "add the cases, or `case _:`")
    context.flow = after
    return [tree.Assign((slot,), subject, node.lineno), *_chain(tree.Local(of, slot), arms, node.lineno)]


def _match_optional(context: Context, node: ast.Match, subject: tree.Expression, of: t.OptionalType) -> Statements:
    """`case None:` first, then one case that names the value; or the cases of an enum."""
    first, *rest = node.cases
    if not isinstance(first.pattern, ast.MatchSingleton) or first.pattern.value is not None or not rest:
        wrong = f"a match on {of} begins with `case None:` and goes on"
        raise context.error(first.pattern, wrong, "case None: … then case value: …")
    slot, before = context.new_slot(of, node), context.flow
    absent = check_body(context, first.body)
    after, context.flow = context.flow, before
    present = _present_cases(context, node, rest, tree.Part(of.item, tree.Local(of, slot), 1), of.item)
    context.flow = after.join(context.flow)
    test = tree.Part(t.BOOL, tree.Local(of, slot), 0)
    return [tree.Assign((slot,), subject, node.lineno), tree.Branch(test, tuple(present), absent, node.lineno)]


def _present_cases(
    context: Context, node: ast.Match, cases: list[ast.match_case], value: tree.Expression, of: t.Type
) -> Statements:
    """What follows `case None:`."""
    pattern = cases[0].pattern
    if len(cases) == 1 and isinstance(pattern, ast.MatchAs) and pattern.pattern is None:
        named: Statements = []
        if pattern.name is not None:
            check_frozen(context, pattern.name, pattern)
            named.append(tree.Assign((context.declare(pattern.name, of, pattern),), value, pattern.lineno))
            context.assigned(pattern.name)
        return [*named, *check_body(context, cases[0].body)]
    if isinstance(of, t.EnumType):
        return _match_enum(context, node, cases, value, of)
    raise context.error(pattern, f"a case after `case None:` names the {of}", "case value:")


def _pattern(context: Context, pattern: ast.pattern, of: t.EnumType, left: list[str]) -> list[str]:
    """Members a pattern newly covers."""
    match pattern:
        case ast.MatchAs(pattern=None, name=None):
            return list(left)
        case ast.MatchOr(patterns=patterns):
            return [name for inner in patterns for name in _pattern(context, inner, of, left)]
        case ast.MatchValue(value=ast.Attribute() as value):
            member = context.check(value, of)
            assert isinstance(member, tree.Literal)
            return [name for name in [of.members[member.values[0]]] if name in left]
    raise context.error(pattern, "a case names members of the enum", f"case {of}.{of.members[0]}:")


def _chain(subject: tree.Expression, arms: list[tuple[list[int], tree.Body]], line: int) -> tree.Body:
    numbers, body = arms[0]
    if len(arms) == 1:
        return body
    test: tree.Expression | None = None
    for number in numbers:
        single = operation(t.BOOL, "eq.w", (subject, tree.Literal(subject.type, (number,))), line)
        test = single if test is None else tree.Logic(t.BOOL, False, test, single, line)
    assert test is not None
    return (tree.Branch(test, body, _chain(subject, arms[1:], line), line),)


def _tolerate(context: Context, node: ast.Try) -> tree.Statement:
    """try … except Rejected as refusal: at least one call to another program, every one with a gas cap."""
    clause = node.handlers[0]
    named = isinstance(clause.type, ast.Name) and clause.type.id == "Rejected"
    if not named or not isinstance(context.find("Rejected", clause), Word):
        raise context.error(clause, "only Rejected is caught", "except Rejected as refusal:")
    before, calls, killed = context.flow, context.effects.calls, len(context.killed)
    context.effects.calls = False
    context.tolerating += 1
    body = check_body(context, node.body)
    context.tolerating -= 1
    if not context.effects.calls:
        raise context.error(node, "nothing in `try` calls another program", "test with `if` instead")
    context.effects.calls |= calls
    after = context.flow
    context.flow = before.widen(_assigned_in(node.body))
    for of, line in sorted(set(context.killed[killed:]), key=lambda item: (str(item[0]), item[1])):
        context.kill({of}, line)
    name = clause.name or ""
    slot = context.declare(name, t.REASON, clause) if name else context.new_slot(t.REASON, clause)
    if name:
        context.refusals.add(name)
        context.assigned(name)
    handler = check_body(context, clause.body)
    after_handler = context.flow.forget(name) if name else context.flow
    context.flow = (after.forget(name) if name else after).join(after_handler)
    return tree.Tolerate(body, slot, handler, node.lineno)
