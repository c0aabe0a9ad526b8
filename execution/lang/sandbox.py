"""
A chain under CPython, for tests, debugging and differential runs: deploy, call, run batches with hooks, look at state.

    chain = Chain()
    bank = chain.deploy(Bank, Symbol("USD"), admin, fees)
    chain.call(alice, bank, "transfer", Asset(0), bob, Decimal(5))
    chain.state(bank)                                      # plain data, field by field

Programs must be instrumented (`instrument`). A failing call raises Rejected and leaves nothing behind. Fees, gas,
sequence numbers and signatures are the kernel's and the node's: they do not exist here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from execution.lang.creation import Creation, NotCreated, create_of, signature_of_create
from execution.lang.decimal import Decimal
from execution.lang.entries import RANKS, EntryPoint, entries_of, entry_of
from execution.lang.feeds import Crossing, Feed, Fill, Outcome, Quote, World
from execution.lang.frames import Deployed, Emitted, Frame, Opened, Stored
from execution.lang.hooks import CROSSING, FILL, PRICE, Due, distance
from execution.lang.instrument import instrumented
from execution.lang.journal import opened, record
from execution.lang.kinds import Plain, kind_of
from execution.lang.program import Order, Program, fields_of, instance
from execution.lang.rejection import BAD_ARGUMENT, UNKNOWN_ENTRY, UNKNOWN_PROGRAM, Reason, Rejected, reason
from execution.lang.runner import DEPTH_MAX, Runner
from execution.lang.values import Account, Duration, Timestamp

HOOK_TRIES_MAX = 16
ATOMIC = "atomic"
FIRST_PROGRAM = 0x1000
PHASES: tuple[Order, ...] = ("cancel", "post_only", "trade")


@dataclass(frozen=True, slots=True)
class Call:
    target: Account
    method: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class PlainCall:
    """
    A call as it comes over the wire; its result is plain data.

    plain: None when its bytes were no image. fits: whether they have the entry's length, which is looked at first.
    """

    target: Account
    signature: str
    plain: tuple[Plain, ...] | None
    fits: bool = True


@dataclass(frozen=True, slots=True)
class Transaction:
    """
    calls: all or nothing when atomic, else each on its own. account: who acts, the signer itself unless it is an
    agent.
    """

    signer: Account
    calls: tuple[Call | PlainCall, ...]
    order: Order = "trade"
    atomic: bool = True
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    results, reasons: per call; the reason is None when it succeeded. Of an atomic transaction that failed only the call
    at fault has a reason of its own, the others "atomic". reason: of the first failure, None when all is done.
    refusal: the exception of the first failure, for its traceback.
    """

    results: tuple[Any, ...]
    reasons: tuple[Reason | None, ...]
    reason: Reason | None = None
    refusal: Rejected | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HookFailed:
    program: Account
    name: str
    reason: Reason
    tries: int


class Chain:
    """
    oracle, clearing: the pinned programs, whose hooks run first. hook_failures: every failure of a hook, in order.
    not_created: programs that were asked for and refused in `create`.
    """

    def __init__(self, depth_max: int = DEPTH_MAX, hook_tries_max: int = HOOK_TRIES_MAX) -> None:
        self.runner = Runner(depth_max)
        self.hook_tries_max = hook_tries_max
        self.clearing: Account | None = None
        self.hook_failures: list[HookFailed] = []
        self.not_created: list[NotCreated] = []

    # ---- set-up

    def deploy(
        self, cls: type[Program], *arguments: Any, address: Account | None = None, sender: Account | None = None
    ) -> Account:
        """Create a program and run its `create`, if it has one. Rejected leaves nothing deployed."""
        if not instrumented(cls):
            raise TypeError(f"{cls.__module__} computes as Python does; load it by execution.lang.instrument")
        number = len(self.runner.programs) + 1
        place = address or Account.numbered(FIRST_PROGRAM + number)
        if place in self.runner.programs:
            raise ValueError(f"there is a program at {place} already")
        deployer = sender or Account.zero()
        with self.runner.outermost(deployer, RANKS["trade"]):
            record(self.runner.programs.pop, place)
            self.runner.programs[place] = Deployed(number, instance(cls, place), cls, entries_of(cls))
            if hasattr(cls, "create"):
                self.runner.enter_hook(place, deployer, "create", arguments)
        return place

    def pin(self, oracle: Account | None = None, clearing: Account | None = None, bank: Account | None = None) -> None:
        """Say which programs are the chain's own."""
        self.runner.bank = bank or self.runner.bank
        self.runner.oracle = oracle or self.runner.oracle
        self.clearing = clearing or self.clearing
        own = (self.runner.oracle, self.clearing)
        self.runner.hooks.system = frozenset(program.data for program in own if program is not None)

    def open_block(self, time: Timestamp, height: int | None = None, gap: Duration = Duration(0)) -> None:  # noqa: B008
        """Begin a block, without a height the next one; programs that were asked for before are made."""
        last = self.runner.opened.height
        self.runner.opened = Opened(time, last + 1 if height is None else height, gap)
        with opened(self.runner.journal):
            for _ in range(len(self.runner.creations)):
                self._create(self.runner.creations.take())

    def _create(self, asked: Creation) -> None:
        """Make a program that a program asked for; when its `create` refuses there is none."""
        template = self.runner.programs[asked.template]
        create = create_of(template.cls)
        try:
            if asked.signature != signature_of_create(template.cls):
                raise Rejected(UNKNOWN_ENTRY)
            with self.runner.outermost(Account.zero(), RANKS["trade"]):
                number = len(self.runner.programs) + 1
                record(self.runner.programs.pop, asked.address)
                self.runner.programs[asked.address] = Deployed(
                    number, instance(template.cls, asked.address), template.cls, template.entries
                )
                if create is not None:
                    self.runner.create(asked.address, asked.creator, create, asked.plain, asked.gas)
        except Rejected as refusal:
            record(self.not_created.pop)
            self.not_created.append(NotCreated(asked.address, asked.creator, refusal.reason))

    def set_quote(self, feed: Feed, price: Decimal, max_age: Duration, confidence: Decimal = Decimal(0)) -> None:  # noqa: B008
        """A quote observed now, as if the oracle had published it."""
        with opened(self.runner.journal):
            self.runner.set_quote(feed, Stored(price, confidence, self.runner.opened.time, max_age))

    # ---- calls

    def call(
        self, sender: Account, target: Account, method: str, *arguments: Any,
        order: Order = "trade", signer: Account | None = None,
    ) -> Any:  # fmt: skip
        """One outermost call; its result. Rejected when it fails, with everything undone."""
        with self.runner.outermost(signer or sender, RANKS[order]):
            return self._enter(Frame(target, sender, False, None), Call(target, method, arguments))

    def read(self, target: Account, method: str, *arguments: Any, world: World | None = None) -> Any:
        """Ask a view, in a world if one is given."""
        with self.runner.outermost(Account.zero(), RANKS["trade"]):
            return self._enter(Frame(target, Account.zero(), True, world), Call(target, method, arguments))

    def transact(self, transaction: Transaction) -> Receipt:
        """Run the calls of one transaction in order."""
        return self._atomic(transaction) if transaction.atomic else self._independent(transaction)

    def _atomic(self, transaction: Transaction) -> Receipt:
        results: list[Any] = []
        calls = transaction.calls
        try:
            with self.runner.outermost(transaction.signer, RANKS[transaction.order]):
                for call in calls:
                    result = self._enter(_frame(transaction, call), call)
                    results.append(result)
        except Rejected as refusal:
            at_fault = len(results)
            reasons = tuple(refusal.reason if index == at_fault else reason(ATOMIC) for index in range(len(calls)))
            return Receipt((None,) * len(calls), reasons, refusal.reason, refusal)
        return Receipt(tuple(results), (None,) * len(calls))

    def _independent(self, transaction: Transaction) -> Receipt:
        receipts = [
            self._atomic(Transaction(transaction.signer, (call,), transaction.order, True, transaction.account))
            for call in transaction.calls
        ]
        results = tuple(result for receipt in receipts for result in receipt.results)
        reasons = tuple(receipt.reason for receipt in receipts)  # a handler's too: the call alone is at fault
        why, refusal = next(((one.reason, one.refusal) for one in receipts if one.reason), (None, None))
        del receipts  # the traceback of one refusal would keep all the others
        return Receipt(results, reasons, why, refusal)

    def _enter(self, frame: Frame, call: Call | PlainCall) -> Any:
        if isinstance(call, PlainCall):
            if not call.fits:
                raise Rejected(BAD_ARGUMENT)
            return self.runner.enter(frame, call.signature, call.plain)
        deployed = self.runner.programs.get(call.target)
        if deployed is None:
            raise Rejected(UNKNOWN_PROGRAM)
        entry = _named(deployed, call.method)
        return entry.result.load(self.runner.enter(frame, entry.signature, entry.pack(call.arguments, {})))

    # ---- batches

    def batch(self, transactions: Iterable[Transaction] = ()) -> tuple[Receipt, ...]:
        """
        Run a batch in its phases: hooks of oracle and clearing, cancel, post_only, hooks of programs, trade.

        Receipts are in the order given. What a phase makes due runs in the next batch.
        """
        with opened(self.runner.journal):
            return self._phases(tuple(transactions))

    def _phases(self, given: tuple[Transaction, ...]) -> tuple[Receipt, ...]:
        receipts: dict[int, Receipt] = {}
        self.runner.hooks.open_batch(self.runner.opened.time.ms)
        self._run_hooks(system=True)
        for phase in PHASES:
            if phase == "trade":
                self._run_hooks(system=False)
            for index, transaction in enumerate(given):
                if transaction.order == phase:
                    receipts[index] = self.transact(transaction)
        return tuple(receipts[index] for index in range(len(given)))

    def _run_hooks(self, system: bool) -> None:
        hooks = self.runner.hooks
        while (due := hooks.first(system)) is not None:
            tries = hooks.take(due)
            if hooks.has_cause(due):
                self._settle(due, tries)

    def _settle(self, due: Due, tries: int) -> None:
        """Run a hook; what becomes of it."""
        hooks = self.runner.hooks
        try:
            if self._run_hook(due) == Outcome.RETRY:
                hooks.put_off(due, 1, 0)
            else:
                hooks.finish(due, True)
        except Rejected as refusal:
            record(self.hook_failures.pop)
            self.hook_failures.append(HookFailed(due.address, due.name, refusal.reason, tries + 1))
            if tries + 1 < self.hook_tries_max:
                hooks.put_off(due, distance(tries + 1), tries + 1)
            else:
                hooks.finish(due, False)

    def _run_hook(self, due: Due) -> Any:
        with self.runner.outermost(Account.zero(), RANKS["trade"]):
            return self.runner.enter_hook(due.address, due.address, due.name, (self._cause(due),))

    def _cause(self, due: Due) -> Quote | Crossing | Timestamp | Fill:
        """What the handler is given."""
        hooks = self.runner.hooks
        if due.cause == PRICE:
            return self.runner.quote(Feed(due.number))
        if due.cause == CROSSING:
            crossing = hooks.crossings.all[due.number]
            quote = self.runner.quote(Feed(crossing.feed))
            (taken,) = entry_of(self.runner.programs[due.address].cls, due.name).parameters.values()
            if taken.abi == kind_of(Quote).abi:
                return quote
            return Crossing(quote, due.number, Decimal.from_raw(crossing.level))
        if due.cause == FILL:
            told: Any = hooks.listeners.first(due.program, due.venue, due.name)
            return Fill(Account(due.venue), *told)
        return Timestamp(due.number)

    # ---- going back

    def mark(self) -> int:
        """A state to come back to."""
        return self.runner.journal.mark()

    def undo(self, mark: int) -> None:
        """The state of the mark again: programs, storage, events, hooks. The open block stays."""
        self.runner.journal.undo(mark)

    # ---- looking

    @property
    def events(self) -> list[Emitted]:
        return self.runner.events

    def program(self, address: Account) -> Any:
        """The live program, for a debugger; writing to it bypasses the journal."""
        return self.runner.programs[address].program

    def state(self, address: Account) -> dict[str, Plain]:
        """
        Fields as plain data: Map and List as lists (pairs in order), structs and records as tuples of members,
        Optional as None or the value, Decimal as its raw int, Enum as its number, Account as 20 bytes, Symbol as str,
        the rest as int.
        """
        deployed = self.runner.programs[address]
        return {name: kind.plain(getattr(deployed.program, name)) for name, kind in fields_of(deployed.cls).items()}


def _frame(transaction: Transaction, call: Call | PlainCall) -> Frame:
    return Frame(call.target, transaction.account or transaction.signer, False, None)


def _named(deployed: Deployed, method: str) -> EntryPoint:
    for entry in deployed.entries.values():
        if entry.name == method:
            return entry
    raise AttributeError(f"{deployed.cls.__name__} has no external or view {method}")
