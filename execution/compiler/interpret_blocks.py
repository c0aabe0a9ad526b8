"""
Blocks and control of the IR as closures over the steps of `interpret_steps`.

A Try opens a savepoint through the kernel's functions, as the WASM does; Failure of an operation counts as a rejection.
"""

from __future__ import annotations

from collections.abc import Mapping

from execution.compiler.interpret_arithmetic import Failure
from execution.compiler.interpret_kernel import at_end_step, context_step, emit_step, invoke_step, service_step
from execution.compiler.interpret_steps import (
    Ground,
    Registers,
    Signal,
    Slots,
    Step,
    call_step,
    gas_step,
    load_step,
    op_step,
    release_step,
    reserve_step,
    runtime_step,
    store_step,
    touch_step,
)
from execution.compiler.ir import (
    AtEnd,
    Block,
    CallFunction,
    Context,
    Emit,
    Function,
    Gas,
    If,
    Instruction,
    Invoke,
    Keep,
    Leave,
    Load,
    Loop,
    Op,
    Reject,
    Release,
    Reserve,
    Return,
    Runtime,
    Scope,
    ScratchLoad,
    ScratchStore,
    Service,
    Store,
    Touch,
    Try,
)
from execution.vm.runtime.words import reason, reject


class Callee:
    """A function of the module; callable with its arguments, answers None, an int or a tuple of ints."""

    def __init__(self, function: Function) -> None:
        self._template: Registers = []
        self._body: Step = _nothing
        self._single = len(function.results) == 1

    def decode(self, function: Function, callees: Mapping[str, Callee], ground: Ground) -> None:
        """Make the steps; calls may come after every function of the module is decoded."""
        slots = Slots(len(function.registers))
        self._body = _Decoder(slots, callees, ground).block(function.body)
        self._template = slots.template()

    def __call__(self, *args: int) -> int | tuple[int, ...] | None:
        registers = self._template.copy()
        registers[: len(args)] = args
        results = self._body(registers)
        if results is None:
            return None
        assert isinstance(results, tuple), "a Leave left its function"
        return results[0] if self._single else results


def _nothing(_: Registers) -> Signal:
    return None


class _Decoder:
    """Decodes one function."""

    def __init__(self, slots: Slots, callees: Mapping[str, Callee], ground: Ground) -> None:
        self._slots, self._callees, self._ground, self._mirror = slots, callees, ground, ground.mirror

    def block(self, block: Block) -> Step:
        steps = tuple(self._step(instruction) for instruction in block)
        watch = self._ground.watch
        if watch is not None and steps:
            steps = (_counted(watch(block)), *steps)
        if len(steps) == 1:
            return steps[0]

        def run(r: Registers) -> Signal:
            for step in steps:
                signal = step(r)
                if signal is not None:
                    return signal
            return None

        return run

    def _step(self, instruction: Instruction) -> Step:
        slots, mirror = self._slots, self._mirror
        match instruction:
            case Op():
                return op_step(instruction, slots)
            case Load() | ScratchLoad():
                return load_step(instruction, slots, mirror)
            case Store() | ScratchStore():
                return store_step(instruction, slots, mirror)
            case Touch():
                return touch_step(instruction, slots, self._ground)
            case Reserve():
                return reserve_step(instruction, mirror)
            case Release():
                return release_step(instruction, slots, mirror)
            case Gas():
                return gas_step(instruction, mirror)
            case Runtime():
                return runtime_step(instruction, slots, self._ground)
            case CallFunction(out, name, args):
                return call_step(self._callees[name], out, [slots[arg] for arg in args])
            case Context() | Invoke() | Emit() | AtEnd() | Service():
                return self._kernel(instruction)
            case _:
                return self._control(instruction)

    def _kernel(self, instruction: Context | Invoke | Emit | AtEnd | Service) -> Step:
        match instruction:
            case Context():
                return context_step(instruction, self._mirror)
            case Invoke():
                return invoke_step(instruction, self._slots, self._mirror)
            case Emit():
                return emit_step(instruction, self._slots, self._mirror)
            case AtEnd():
                return at_end_step(instruction, self._slots, self._mirror)
            case Service():
                return service_step(instruction, self._slots, self._mirror)

    def _control(self, instruction: If | Scope | Loop | Leave | Try | Keep | Return | Reject) -> Step:
        match instruction:
            case If():
                return self._if(instruction)
            case Scope(label, body):
                return _scope(label, self.block(body))
            case Loop(body):
                return _loop(self.block(body))
            case Leave(label):
                return lambda _: label
            case Try():
                return self._try(instruction)
            case Keep():
                keep = self._mirror.functions["keep_savepoint"]
                return lambda _: keep()
            case Return(args):
                places = [self._slots[arg] for arg in args]
                return lambda r: tuple([r[place] for place in places])
            case Reject(word):
                return _reject(self._slots[word])

    def _if(self, branch: If) -> Step:
        condition, then, other = self._slots[branch.condition], self.block(branch.then), self.block(branch.other)

        def step(r: Registers) -> Signal:
            return then(r) if r[condition] else other(r)

        return step

    def _try(self, attempt: Try) -> Step:
        functions = self._mirror.functions
        begin, keep, undo = (functions[f"{name}_savepoint"] for name in ("open", "keep", "undo"))
        body, handler, out = self.block(attempt.body), self.block(attempt.handler), attempt.reason.number

        def step(r: Registers) -> Signal:
            begin()
            try:
                signal = body(r)
                if signal is None:
                    keep()
                return signal
            except reject as caught:
                r[out] = caught.value
            except Failure as failure:
                r[out] = reason(failure.text)
            undo()
            return handler(r)

        return step


def _counted(cell: list[int]) -> Step:
    def step(_: Registers) -> None:
        cell[0] += 1

    return step


def _scope(label: int, body: Step) -> Step:
    def step(r: Registers) -> Signal:
        signal = body(r)
        return None if signal == label else signal

    return step


def _loop(body: Step) -> Step:
    def step(r: Registers) -> Signal:
        while True:
            signal = body(r)
            if signal is not None:
                return signal

    return step


def _reject(word: int) -> Step:
    def step(r: Registers) -> Signal:
        raise reject(r[word])

    return step
