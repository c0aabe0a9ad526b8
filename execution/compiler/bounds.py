"""
An upper bound of the gas of every entry point, wherever its loops are bounded.

The optimised, charged IR is walked once: arms of a branch count as the dearer one, a loop as often as its counter can
take steps, a call as its callee with what is known of the arguments. Loops are bounded by constants, by `min`, or by a
`require` before them; a call to another program by its gas cap. What has no bound is told with its line. What each
container operation may charge at most is in `bounds_costs`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from execution.compiler.bounds_costs import AT_END, CREATION, RUNTIME, SERVICES
from execution.compiler.bounds_loops import counted
from execution.compiler.bounds_ranges import UNKNOWN, Interval, Known, Test
from execution.compiler.check_invariants import CHECK_INVARIANTS
from execution.compiler.gas import GAS
from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Const,
    Emit,
    Function,
    Gas,
    If,
    Instruction,
    Invoke,
    Leave,
    Loop,
    Module,
    Op,
    Reject,
    Return,
    Runtime,
    Scope,
    Service,
    Touch,
    Try,
)
from execution.compiler.ir_walk import walk, writes, written
from execution.compiler.places import Places
from execution.compiler.selector import selector
from execution.compiler.types import words as words_of
from execution.vm.layout import LINE_BYTES, LINES_PER_PAGE, PAGE_BYTES
from execution.vm.runtime.sha256 import BLOCK_BYTES
from genesis.gas import instance_price

CHECK_SELECTOR = selector(CHECK_INVARIANTS, ())
PADDING_BYTES_MIN = 9  # of a message that SHA-256 digests


@dataclass(frozen=True, slots=True)
class Bound:
    """gas: None when there is no bound, because of `why` at the line. Beside the call's own: see `entry_bounds`."""

    gas: int | None
    why: str = ""
    line: int = 0


class Unbounded(Exception):
    """Something without a bound."""

    def __init__(self, why: str, line: int) -> None:
        self.why, self.line = why, line
        super().__init__(why)


def entry_bounds(module: Module, words: Mapping[str, int], table: Mapping[str, int] = GAS) -> dict[str, Bound]:
    """
    Per entry the most gas that a transaction with this one call can use; of a view, that its query can; of a hook,
    that one run can. Invariants and handlers queued with `at_end` are counted in, whatever other programs queue is
    not.

    module: as `optimise` gives it. words: of the arguments, by entry.
    """
    walker = _Walker(module, table)
    names = [(entry.function.removeprefix("entry."), entry) for entry in module.entries]
    return {name: walker.entry(entry.function, words[name], entry.hook, entry.view) for name, entry in names}


def bound_rows(files: Mapping[str, str], main: str) -> list[dict[str, Any]]:
    """{"entry", "gas" or "unbounded"} of each entry, for people. Raises CompileError."""
    from execution.compiler import locate_ir
    from execution.compiler.optimise import optimise

    module, places, abi = locate_ir(files, main)
    words = {entry.name: sum(words_of(of) for _, of in entry.parameters) for entry in abi.entries}
    bounds = entry_bounds(optimise(module, GAS), words)
    return [_row(name, bound, places, main) for name, bound in bounds.items()]


def _row(name: str, bound: Bound, places: Places, main: str) -> dict[str, Any]:
    if bound.gas is not None:
        return {"entry": name, "gas": bound.gas}
    place = places.of(bound.line)
    where = f"line {place.line}" if place.file == main else str(place)
    return {"entry": name, "gas": None, "unbounded": f"because of {bound.why} in {where}"}


class _Walker:
    """Bounds of a module's functions, each computed once for what is known of its arguments."""

    def __init__(self, module: Module, table: Mapping[str, int]) -> None:
        self._functions = {function.name: function for function in module.functions}
        self._entries = {entry.selector: entry.function for entry in module.entries}
        self.table = table
        self._done: dict[tuple[str, tuple[Interval, ...]], int] = {}
        self._handlers: list[str] = []

    def entry(self, function: str, words: int, hook: bool, view: bool) -> Bound:
        call = self.table["call_base"] + self.table["argument_word"] * words
        outside = self.table["hook_base"] if hook else 0 if view else self.table["transaction_base"]
        try:
            return Bound(outside + call + self.function(function, (UNKNOWN,)))
        except Unbounded as unbounded:
            return Bound(None, unbounded.why, unbounded.line)

    def function(self, name: str, arguments: tuple[Interval, ...]) -> int:
        key = (name, arguments)
        if key not in self._done:
            self._done[key] = _Path(self, self._functions[name], arguments).gas
        return self._done[key]

    def handler(self, selector: int, line: int) -> int:
        """A handler that runs at the end of the call, and what it queues."""
        name = self._entries[selector & 0xFFFF_FFFF]
        if name in self._handlers:
            raise Unbounded("a handler that queues itself", line)
        self._handlers.append(name)
        gas = self.table["call_base"] + self.function(name, (UNKNOWN,))
        self._handlers.pop()
        return gas


class _Path:
    """One function, walked once. gas: the most it can use."""

    def __init__(self, walker: _Walker, function: Function, arguments: Sequence[Interval]) -> None:
        self._walker, self._table = walker, walker.table
        known = Known()
        for number, kind in enumerate(function.registers):
            if kind == "w" and number >= len(function.params):
                known.intervals[number] = (0, 0)
        for register, interval in zip(function.params, arguments):
            known.set(register.number, interval)
        self.gas = self._block(function.body, known, set())

    def _block(self, block: Block, known: Known, saved: set[int]) -> int:
        """The most a block can use. known and saved (lines of constant address) are brought up to date."""
        gas = 0
        for one in block:
            gas += self._instruction(one, known, saved)
            if isinstance(one, (Leave, Return, Reject)):
                break
        return gas

    def _instruction(self, one: Instruction, known: Known, saved: set[int]) -> int:
        match one:
            case Gas(amount):
                return amount
            case Op():
                known.note(one)
                return 0
            case Touch():
                return self._touch(one, saved)
            case If():
                return self._if(one, known, saved)
            case Scope(_, body):
                inside, lines = known.copy(), set(saved)
                gas = self._block(body, inside, lines)
                known.forget(register.number for register in written(body))
                _forget_lines(body, saved)
                return gas
            case Loop(body):
                _forget_lines(body, saved)
                return self._loop(one, known)
            case Try(body, reason, handler):
                gas = self._block(body, known.copy(), set())
                known.forget(register.number for register in (*written(body), reason))
                gas += self._block(handler, known.copy(), set())
                known.forget(register.number for register in written(handler))
                saved.clear()
                return gas
            case _:
                gas = self._outside(one, known, saved)
                known.forget(register.number for register in writes(one))
                return gas

    def _touch(self, touch: Touch, saved: set[int]) -> int:
        line_gas, page_gas = self._table["touch_line"], self._table["dirty_page"]
        if isinstance(touch.address, Const):
            first = touch.address.value + touch.offset
            lines = set(range(first // LINE_BYTES, (first + max(touch.size, 1) - 1) // LINE_BYTES + 1)) - saved
            pages = {line // LINES_PER_PAGE for line in lines} - {line // LINES_PER_PAGE for line in saved}
            saved |= lines
            return len(lines) * line_gas + len(pages) * page_gas
        most = max(touch.size, 1) - 1
        return (-(-most // LINE_BYTES) + 1) * line_gas + (-(-most // PAGE_BYTES) + 1) * page_gas

    def _if(self, branch: If, known: Known, saved: set[int]) -> int:
        other, other_saved, tested = known.copy(), set(saved), known.tests_of(branch.condition)
        known.assume(branch.condition, True)
        other.assume(branch.condition, False)
        then_gas = self._block(branch.then, known, saved)
        other_gas = self._block(branch.other, other, other_saved)
        if _ends(branch.then):
            known.intervals, known.tests = other.intervals, other.tests
            saved.clear()
            saved |= other_saved
        elif not _ends(branch.other):
            known.meet(other, _kept(tested, branch))
            saved &= other_saved
        return max(then_gas, other_gas)

    def _loop(self, loop: Loop, known: Known) -> int:
        found = counted(loop)
        changed = {register.number for register in written(loop.body)}
        turns = None if found is None else found.turns(known)
        if found is None or turns is None:
            raise Unbounded("the loop", loop.line)
        inside = known.copy()
        inside.forget(changed)
        inside.intervals[found.counter.number] = found.interval(known)
        head = self._block(loop.body[: found.head], inside, set())
        rest = self._block(loop.body[found.head :], inside, set())
        known.forget(changed)
        return (turns + 1) * head + turns * rest

    def _outside(self, one: Instruction, known: Known, saved: set[int]) -> int:
        """What calls, containers and the kernel charge beyond their place in the code."""
        match one:
            case CallFunction(_, name, args):
                saved.clear()
                if name.startswith("free."):
                    raise Unbounded("emptying a container", one.line)
                return self._walker.function(name, tuple(known.of(arg) for arg in args if arg.kind == "w"))
            case Runtime(_, "sha256", (_, Const(size))):
                return (size + BLOCK_BYTES + PADDING_BYTES_MIN - 1) // BLOCK_BYTES * self._table["sha256_block"]
            case Runtime(_, name):
                charge = RUNTIME.get(name.partition(".")[0])
                if charge is None:
                    raise Unbounded(f"{_spoken(name)}", one.line)
                return charge.gas(self._table)
            case Service(_, name):
                if name not in SERVICES:
                    raise Unbounded(f"the service {name}", one.line)
                after = self._walker.handler(CHECK_SELECTOR, one.line) if name == "invariants" else 0
                return SERVICES[name].gas(self._table) + after
            case Emit(_, args):
                words = sum(1 if arg.kind == "w" else 2 for arg in args)
                return self._table["emit_base"] + self._table["emit_word"] * words
            case AtEnd(selector):
                return AT_END.gas(self._table) + self._walker.handler(selector, one.line)
            case Invoke(gas=cap):
                saved.clear()
                most = None if cap is None else known.of(cap)[1]
                if most is None:
                    raise Unbounded("a call without a constant gas cap", one.line)
                return max(most, 0) + (self._creation(one) if _creates(one) else self._table["reject"])
        return 0

    def _creation(self, ask: Invoke) -> int:
        """What asking for a new program charges beside the gas of its `create`."""
        words = sum(1 if arg.kind == "w" else 2 for arg in ask.args)
        return CREATION.gas(self._table) + instance_price(self._table) + self._table["argument_word"] * words


def _creates(invoke: Invoke) -> bool:
    """Whether it asks the kernel for a program: no account has such a third word."""
    return isinstance(invoke.target[2], Const) and invoke.target[2].value < 0


def _kept(tested: tuple[Test, ...], branch: If) -> tuple[Test, ...]:
    """Comparisons whose operands the arms leave alone."""
    changed = {*written(branch.then), *written(branch.other)}
    return tuple(test for test in tested if not changed & {test[1], test[2]})


def _forget_lines(body: Block, saved: set[int]) -> None:
    """Lines are saved again after a savepoint, which any of these may have opened or left."""
    if any(isinstance(one, (Try, CallFunction, Invoke)) for one in walk(body)):
        saved.clear()


def _ends(block: Block) -> bool:
    return bool(block) and isinstance(block[-1], (Leave, Return, Reject))


def _spoken(name: str) -> str:
    operation = name.partition(".")[0]
    return "emptying a container" if operation.endswith("_free") else f"{operation}, which has no bound,"
