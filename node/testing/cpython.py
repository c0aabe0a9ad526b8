"""
The engine that debuggers see: programs as the Python they are, in the language's sandbox.

A refusal comes with the traceback of the program's own lines. Gas is not counted here: a cap is met only when it is
not positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

from execution.lang import sandbox
from execution.lang.entries import entry_of
from execution.lang.instrument import instrumented
from execution.lang.kinds import Plain
from execution.lang.program import Order
from execution.lang.rejection import Rejected
from execution.lang.rewriting import MARK
from execution.lang.struct import Event
from execution.lang.values import Account, Timestamp
from node.testing.bundles import Loaded
from node.testing.engines import HookFailed, Ran, Role, Sent
from node.testing.lines import Lines


class CPython:
    """`engines.Engine` on `sandbox.Chain`. lines: where lines that ran are noted, None to note nothing."""

    def __init__(self, lines: Lines | None = None) -> None:
        self.sandbox = sandbox.Chain()
        self._lines = lines

    @property
    def events(self) -> Sequence[tuple[Account, Event]]:
        return [(emitted.program, emitted.event) for emitted in self.sandbox.events]

    @property
    def hook_failures(self) -> Sequence[HookFailed]:
        return [
            HookFailed(failed.program, failed.name, str(Rejected(failed.reason)), failed.tries)
            for failed in self.sandbox.hook_failures
        ]

    def open(self, height: int, time_ms: int) -> None:
        self.sandbox.open_block(Timestamp(time_ms), height)

    def deploy(
        self, loaded: Loaded, address: Account, arguments: tuple[Plain, ...], sender: Account, role: Role
    ) -> Rejected | None:
        assert instrumented(loaded.cls), "bundles are loaded with the language's arithmetic"
        if self._lines is not None:
            self._lines.follow(loaded.source.paths)
        values = entry_of(loaded.cls, "create").unpack(arguments) if hasattr(loaded.cls, "create") else ()
        try:
            with self._watched():
                self.sandbox.deploy(loaded.cls, *values, address=address, sender=sender)
        except Rejected as refusal:
            return trimmed(refusal)
        if role == "oracle":
            self.sandbox.pin(oracle=address)
        if role == "clearing":
            self.sandbox.pin(clearing=address)
        return None

    def run(self, account: Account, calls: Sequence[Sent], order: Order, atomic: bool, gas: int) -> tuple[Ran, ...]:
        plain = tuple(sandbox.PlainCall(call.program, call.entry.signature, call.arguments) for call in calls)
        batch = (sandbox.Transaction(account, plain, order, atomic),) if plain else ()
        with self._watched():
            receipts = self.sandbox.batch(batch)
        return tuple(ran for receipt in receipts for ran in _outcomes(receipt))

    def ask(self, call: Sent) -> Ran:
        entry = entry_of(self.sandbox.runner.programs[call.program].cls, call.entry.name)
        try:
            with self._watched():
                result = self.sandbox.read(call.program, call.entry.name, *entry.unpack(call.arguments))
        except Rejected as refusal:
            return Ran(None, trimmed(refusal))
        return Ran(entry.result.plain(result), None)

    def state(self, address: Account) -> Mapping[str, Plain]:
        return self.sandbox.state(address)

    def _watched(self) -> AbstractContextManager[None]:
        return Lines.unwatched() if self._lines is None else self._lines.watched()


def _outcomes(receipt: sandbox.Receipt) -> list[Ran]:
    """The exception of the call at fault is the one that was raised; the others get one of their own."""
    rans: list[Ran] = []
    raised = receipt.refusal
    for result, why in zip(receipt.results, receipt.reasons, strict=True):
        if why is None:
            rans.append(Ran(result, None))
        elif raised is not None and raised.reason == why:
            rans.append(Ran(None, trimmed(raised)))
            raised = None
        else:
            rans.append(Ran(None, Rejected(why)))
    return rans


def trimmed(refusal: Rejected) -> Rejected:
    """The refusal with the frames of programs only, innermost last; unchanged when no program ran."""
    frames = []
    trace = refusal.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get(MARK):
            frames.append(trace)
        trace = trace.tb_next
    chained: TracebackType | None = None
    for trace in reversed(frames):
        chained = TracebackType(chained, trace.tb_frame, trace.tb_lasti, trace.tb_lineno)
    return refusal if chained is None else refusal.with_traceback(chained)
