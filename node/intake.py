"""
Transactions as they come in, by frames: let in to the mempool, or passed on to whoever leads; each gets its answer.

What is sent `again` comes from another node, or is brought home by this one: it may wait here, or have run, already.
A deployment is compiled first, and goes ahead to the other validators (`ahead`).
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import trio

from execution.executor import Executor
from genesis.chain import Deployment, Receipt, SignedTransaction, Transaction
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import KINDS_WITH_SOURCE, decode_trusted
from node.compiling import Compiler
from node.corelink import Later, refusal
from node.deployments import check, prepare
from node.engine import EngineThread
from node.line import Line
from node.mempool import Mempool, Pending
from node.open_block import refusal as not_executable
from node.outcomes import Outcomes

Answer = Callable[[Any], None]

HELD = ["held", "compiling", "It waits for the compiler."]
"""In place of an answer."""


class Carrier(Protocol):
    """Takes transactions to whoever leads (`Forwarder`, or `Sending` of a node that only follows)."""

    def takes(self) -> bool: ...

    async def at_home(self) -> None: ...

    def submit(self, pending: Pending) -> None: ...


@dataclass(frozen=True, slots=True)
class Taken:
    """
    What was taken in. finish: has to run; compiles deployments among it and waits for all, one answer each: a receipt's
    bytes, or a refusal. at_hand: the same, but for what the compiler holds up (HELD) waits for nothing.
    """

    finish: Callable[[], Awaitable[list[Any]]]
    at_hand: Callable[[], Awaitable[list[Any]]]


class Intake:
    """
    unpaid: see `Reads`. line, forwarder: set before anything comes in; no forwarder on a chain of one. tell: lets other
    validators compile a deployment, and waits for it a while. compiler: this node's.
    """

    def __init__(
        self,
        spec: ChainSpec,
        engine: EngineThread,
        executor: Executor,
        mempool: Mempool,
        outcomes: Outcomes,
        unpaid: Callable[[SignedTransaction, int], Awaitable[str]],
    ) -> None:
        self._spec, self._engine, self._executor, self._mempool = spec, engine, executor, mempool
        self._outcomes, self._unpaid = outcomes, unpaid
        self.line: Line
        self.forwarder: Carrier | None = None
        self.compiler = Compiler()
        self.tell: Callable[[SignedTransaction], Awaitable[None]] = _nobody

    async def send(self, transactions: Sequence[tuple[bytes, bytes, bytes]], wait: str) -> Any:
        """
        Take a frame in, in its order; the answer comes at once, or `Later`, when the last is compiled and executed.

        Args:
            transactions: raw, signer, id of each.
            wait: "executed" answers with receipts; else with ids, as soon as they are taken in.
        """
        signed = [decode_trusted(*entry) for entry in transactions]
        if self.forwarder is not None:
            await self.forwarder.at_home()
        return await self._take(_Frame(signed, wait == "executed"), again=False)

    async def run_here(self, transactions: Sequence[SignedTransaction], waits: bool) -> Taken:
        """
        Take in what another node forwards, or once more what a leader had; what has run already has its receipt.

        waits: for what the compiler holds up already, too; else the answer to that is HELD.
        """
        frame = _Frame(transactions, until_executed=True, waits=waits)
        answer = await self._take(frame, again=True)
        return Taken(answer.wait if isinstance(answer, Later) else frame.wait, frame.at_hand)

    # Deployments

    async def check_ahead(self, signed: SignedTransaction) -> None:
        """What can be said of a deployment that another validator leads with. Raises Invalid."""
        now_ms, lane = _now_ms(), (signed.signer, signed.transaction.lane)
        self._mempool.check_standing(signed, now_ms)
        check(signed, self._spec)
        (last,) = await self._engine.read(self._executor.sequences, (lane,))
        if signed.transaction.sequence <= last:
            raise not_executable("sequence used")
        await self._check_payer(signed, now_ms)

    async def compile(self, signed: SignedTransaction) -> Deployment:
        """Raises as `prepare`."""
        return await prepare(signed, self._spec, partial(self._engine.run, self._executor.programs), self.compiler)

    async def _check_payer(self, signed: SignedTransaction, now_ms: int) -> None:
        """Nothing is compiled for who may not deploy, or cannot pay. Raises Invalid."""
        why = await self._unpaid(signed, now_ms)
        if why:
            raise not_executable(why)

    # Inside

    async def _take(self, frame: _Frame, again: bool) -> Any:
        if self.forwarder is not None and self.forwarder.takes():
            return self._pass_on(frame)
        refused = await self._admit(frame, range(len(frame.signed)), again)
        if again and refused:
            async with self.line.turn:  # nothing runs meanwhile: what has run has its receipt, and the rest can wait
                new = [index for index in refused if not await self._answer_as_before(frame, index)]
                refused = await self._admit(frame, new, again)
        for index, reason in refused.items():
            frame.put(index, refusal(reason))
        return frame.answers if frame.left == 0 else Later(partial(self._finish, frame))

    async def _admit(self, frame: _Frame, indexes: Sequence[int], again: bool) -> dict[int, Invalid | Unavailable]:
        """
        Let these of a frame in, deployments to be compiled; those that are refused. again: what waits is joined, and
        what was refused a moment ago stays so.
        """
        signed = [frame.signed[index] for index in indexes]
        self._mempool.forget(signed)
        while keys := self._mempool.unknown(signed):
            self._mempool.learn(keys, await self._engine.run(self._executor.sequences, keys))
        now_ms = _now_ms()
        refused: dict[int, Invalid | Unavailable] = {}
        for index, one in zip(indexes, signed, strict=True):
            reason = self._outcomes.refusal(one.id) if again else None
            if reason is not None:
                refused[index] = reason
                continue
            pending = Pending(one, self._settled(one, frame.executed(index)))
            try:
                if again and self._is_here(frame, index):
                    continue
                if not isinstance(one.transaction, Transaction):
                    check(one, self._spec)
                    self._mempool.hold(pending, now_ms)
                    frame.deployments.append((index, pending))
                else:
                    self._mempool.admit(pending, now_ms)
                    frame.received(index)
                frame.note(index, self._mempool.is_held(one.id))
                self._outcomes.waiting.add(one.id)
            except (Invalid, Unavailable) as error:
                refused[index] = error
        return refused

    def _is_here(self, frame: _Frame, index: int) -> bool:
        """Whether one that comes again waits here; the frame hears of it. Raises Unavailable: too many wait for it."""
        transaction = frame.signed[index].id
        if self._mempool.is_held(transaction) and not frame.waits:
            frame.put(index, HELD)
            return True
        return self._mempool.join(transaction, frame.executed(index))

    async def _answer_as_before(self, frame: _Frame, index: int) -> bool:
        """Whether a transaction has run already, and so has its receipt. Needs the line's turn."""
        with suppress(Invalid):  # its block is pruned
            receipt = await self._outcomes.ran(frame.signed[index].id)
            if receipt is not None:
                frame.executed(index)(receipt)
                return True
        return False

    def _settled(self, one: SignedTransaction, answer: Answer) -> Answer:
        """
        What is called with the outcome of a transaction that was received. Refused, for a leader before had run it, it
        has the receipt that it had then.
        """

        def settled(outcome: Any) -> None:
            self._outcomes.waiting.discard(one.id)
            before = self._outcomes.recent(one.id) if isinstance(outcome, Invalid) else None
            if before is None and not isinstance(outcome, Receipt) and one.transaction.kind in KINDS_WITH_SOURCE:
                self._outcomes.refused(one.id, outcome)
            answer(before or outcome)

        return settled

    def _pass_on(self, frame: _Frame) -> Any:
        """Another node leads, and says what can run."""
        assert self.forwarder is not None
        now_ms = _now_ms()
        for index, one in enumerate(frame.signed):
            try:
                self._mempool.check_standing(one, now_ms)
                self.forwarder.submit(Pending(one, self._settled_elsewhere(one, frame.executed(index))))
                self._outcomes.waiting.add(one.id)
                frame.received(index)
            except (Invalid, Unavailable) as error:
                frame.put(index, refusal(error))
        return frame.answers if frame.left == 0 else Later(frame.wait)

    def _settled_elsewhere(self, one: SignedTransaction, answer: Answer) -> Answer:
        """The same, of one that another node runs: until its block is here, what that node says of it is known."""
        settled = self._settled(one, answer)

        def told(outcome: Any) -> None:
            if isinstance(outcome, Receipt):
                self._outcomes.told(one, outcome)
            settled(outcome)

        return told

    async def _finish(self, frame: _Frame) -> list[Any]:
        """Compile a frame's deployments, while their lanes wait for them; then wait for all outcomes."""
        async with trio.open_nursery() as nursery:
            for index, pending in frame.deployments:
                nursery.start_soon(self._compile, frame, index, pending)
        return await frame.wait()

    async def _compile(self, frame: _Frame, index: int, pending: Pending) -> None:
        signed = pending.signed
        try:
            await self._check_payer(signed, _now_ms())
            async with self.compiler.turn:
                work = await self.compile(signed)
            await self.tell(signed)
        except (Invalid, Unavailable) as error:
            self._mempool.drop(pending, error)
        except BaseException:
            self._mempool.drop(pending, Unavailable("The node ends; send the deployment again."))
            raise
        else:
            self._mempool.release(pending, work)
            frame.received(index)


class _Frame:
    """
    Answers to transactions sent together, and an event for when all are there.

    until_executed: an answer is the receipt, encoded; else the id, as soon as the transaction is taken in. deployments:
    those let in that are to be compiled, by their index. held: indexes of what the compiler holds up. waits: for what
    it held up before, too.
    """

    __slots__ = ("_at_hand", "_done", "_until_executed", "answers", "deployments", "held", "left", "signed", "waits")

    def __init__(self, signed: Sequence[SignedTransaction], until_executed: bool, waits: bool = True) -> None:
        self.signed, self._until_executed, self.waits = signed, until_executed, waits
        self.answers: list[Any] = [None] * len(signed)
        self.deployments: list[tuple[int, Pending]] = []
        self.held: set[int] = set()
        self.left = len(signed)
        self._done, self._at_hand = trio.Event(), trio.Event()

    def put(self, index: int, answer: Any) -> None:
        """The first answer stands."""
        if self.answers[index] is None:
            self.answers[index] = answer
            self.left -= 1
            self.held.discard(index)
            if self.left == 0:
                self._done.set()
            if self.left == len(self.held):
                self._at_hand.set()

    def note(self, index: int, held: bool) -> None:
        """Whether the compiler holds up one that was let in."""
        if held and self.answers[index] is None:
            self.held.add(index)

    def received(self, index: int) -> None:
        if not self._until_executed:
            self.put(index, {"transaction": self.signed[index].id})

    def executed(self, index: int) -> Answer:
        def put(answer: Receipt | Invalid | Unavailable) -> None:
            self.put(index, answer.encode() if isinstance(answer, Receipt) else refusal(answer))

        return put

    async def wait(self) -> list[Any]:
        if self.left:
            await self._done.wait()
        return self.answers

    async def at_hand(self) -> list[Any]:
        """What is answered when all are but those held, which have HELD."""
        while self.left > len(self.held):
            await self._at_hand.wait()
        return [HELD if answer is None else answer for answer in self.answers]


async def _nobody(_: SignedTransaction) -> None:
    """There are no others."""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
