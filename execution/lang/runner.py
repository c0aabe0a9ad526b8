"""
The engine under CPython: frames, calls between programs, savepoints, events, handlers for the end of the outermost
call.

It mirrors the kernel: a call first finds its program, then looks whether it is on the stack, then at the depth; then
come entry (inside a view only views exist), order class, gas and arguments. View and world are inherited by everything
below a call. Nothing has a gas cost; a cap is accepted, and met only when it is not positive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from execution.lang.ambient import entered
from execution.lang.creation import CREATIONS_MAX, PROGRAMS_MAX, Creations, create_of, signature_of_create
from execution.lang.decimal import Decimal
from execution.lang.entries import RANKS, EntryPoint, entry_of, invariants_of
from execution.lang.feeds import Feed, Quote, World
from execution.lang.frames import Deployed, Emitted, Frame, Opened, Stored, answer, shifted
from execution.lang.hooks import Handler, Hooks
from execution.lang.journal import Journal, ReadOnly, opened, record
from execution.lang.kinds import Plain, kind_of
from execution.lang.packing import answered
from execution.lang.rejection import (
    BAD_ARGUMENT,
    CALL_DEPTH,
    NOT_AUTHORISED,
    ON_THE_STACK,
    ORDER_CLASS,
    OUT_OF_GAS,
    READ_ONLY,
    TOO_MANY_PROGRAMS,
    UNKNOWN_ENTRY,
    UNKNOWN_PROGRAM,
    Rejected,
)
from execution.lang.struct import Event
from execution.lang.values import Account, Duration, Timestamp

LEVEL = kind_of(Decimal)
DEPTH_MAX = 16  # programs on the stack, as the chain's constants set it
FEEDS_MAX = 1024  # numbers a subscription may name, as the kernel sets it


class Runner:
    """
    journal: of everything since the chain was made, so that it can go back to any mark. programs: by address.
    events: in order of emission. quotes: by index of the feed. oracle: the one program that may publish. bank: the one
    that may resume.

    Everything that a failing call must undo is written through the journal.
    """

    def __init__(self, depth_max: int = DEPTH_MAX) -> None:
        self.depth_max = depth_max
        self.journal = Journal()
        self._read_only = ReadOnly()
        self.programs: dict[Account, Deployed] = {}
        self.events: list[Emitted] = []
        self.quotes: dict[int, Stored] = {}
        self.hooks = Hooks()
        self.creations = Creations()
        self.programs_max = PROGRAMS_MAX
        self.oracle: Account | None = None
        self.bank: Account | None = None
        self.opened = Opened(Timestamp(0), 0, Duration(0))
        self._frames: list[Frame] = []
        self._signer = Account.zero()
        self._rank = RANKS["trade"]
        self._queue: list[tuple[Account, str, Account]] = []
        self._begun = 0
        self._entered: list[Account] = []

    # ---- what programs see

    @property
    def time(self) -> Timestamp:
        return shifted(self.opened.time, self._world)

    @property
    def height(self) -> int:
        return self.opened.height

    @property
    def gap(self) -> Duration:
        return self.opened.gap

    @property
    def world(self) -> int:
        return 0 if self._world is None else self._world.number

    @property
    def sender(self) -> Account:
        return self._frames[-1].sender if self._world is None else Account.zero()

    @property
    def signer(self) -> Account:
        return self._signer if self._world is None else Account.zero()

    @property
    def view(self) -> bool:
        """Whether the running call may not write."""
        return bool(self._frames) and self._frames[-1].view

    @property
    def _world(self) -> World | None:
        return self._frames[-1].world if self._frames else None

    # ---- calls

    def invoke(
        self, target: Account, interface: Any, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any],
        gas: int | None, world: World | None,
    ) -> Any:  # fmt: skip
        """A program calls an entry of another; the interface class says how arguments and result are read."""
        declared = entry_of(interface, name)
        if declared.kind not in ("external", "view"):
            raise TypeError(f"{interface.__name__}.{name} is not an entry of the program")
        plain = declared.pack(arguments, keywords)
        caller = self._frames[-1]
        viewing = caller.view or declared.kind == "view"
        if world is not None and (not viewing or world.number < 1):
            raise Rejected(BAD_ARGUMENT)
        frame = Frame(target, caller.me, viewing, world or caller.world)
        answer = self.enter(frame, declared.signature, plain, gas)
        given = self.programs[target].entries[declared.signature].result
        if given == declared.result:
            return declared.result.load(answer)
        try:
            return declared.result.load(answered(declared.result, given, answer))
        except ValueError:
            raise Rejected(BAD_ARGUMENT) from None

    def enter(self, frame: Frame, signature: str, plain: tuple[Plain, ...] | None, gas: int | None = None) -> Plain:
        """
        Run an external entry or a view in a frame; returns the plain image of its result.

        plain: arguments; None for bytes that are no image of them, which is "bad argument" once the entry is found.
        """
        deployed = self._push(frame)
        try:
            entry = deployed.entries.get(signature)
            if entry is None or (frame.view and entry.kind != "view"):
                raise Rejected(UNKNOWN_ENTRY)
            if entry.kind != "view" and entry.rank > self._rank:
                raise Rejected(ORDER_CLASS)
            if gas is not None and gas <= 0:
                raise Rejected(OUT_OF_GAS)
            self._frames[-1] = replace(frame, view=entry.kind == "view")
            return self._run(deployed, entry, plain)
        finally:
            self._frames.pop()

    def enter_hook(self, address: Account, sender: Account, name: str, arguments: tuple[Any, ...]) -> Any:
        """Run `create` or a handler, which only the chain may call."""
        deployed = self._push(Frame(address, sender, False, None))
        try:
            entry = entry_of(deployed.cls, name)
            return entry.result.load(self._run(deployed, entry, entry.pack(arguments, {})))
        finally:
            self._frames.pop()

    def create(self, address: Account, creator: Account, entry: EntryPoint, plain: tuple[Plain, ...], gas: int) -> None:
        """Run `create` of a program that was asked for; its arguments are as the creator packed them."""
        deployed = self._push(Frame(address, creator, False, None))
        try:
            if gas <= 0:
                raise Rejected(OUT_OF_GAS)
            self._run(deployed, entry, plain)
        finally:
            self._frames.pop()

    def _push(self, frame: Frame) -> Deployed:
        """Onto the stack, or Rejected."""
        deployed = self.programs.get(frame.me)
        if deployed is None:
            raise Rejected(UNKNOWN_PROGRAM)
        if any(above.me == frame.me for above in self._frames):
            raise Rejected(ON_THE_STACK)
        if len(self._frames) >= self.depth_max:
            raise Rejected(CALL_DEPTH)
        self._frames.append(frame)
        return deployed

    def _run(self, deployed: Deployed, entry: EntryPoint, plain: tuple[Plain, ...] | None) -> Plain:
        self._keep_invariants(deployed)
        if plain is None:
            raise Rejected(BAD_ARGUMENT)
        try:
            arguments = entry.unpack(plain)
        except ValueError:
            raise Rejected(BAD_ARGUMENT) from None
        method = getattr(deployed.program, entry.name)
        with opened(self._read_only if self.view else self.journal):
            result = method(*arguments)
        return entry.result.plain(entry.result.coerce(result))

    # ---- undo

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Whatever leaves the block by an exception takes its writes back."""
        mark = self.journal.mark()
        kept = False
        try:
            yield
            kept = True
        finally:
            if not kept:
                self.journal.undo(mark)

    @contextmanager
    def outermost(self, signer: Account, rank: int) -> Iterator[None]:
        """
        Around an outermost call: everything or nothing. Handlers queued inside run at its end and may still reject it.

        rank: index of the transaction's order class.
        """
        before = self._signer, self._rank
        self._signer, self._rank = signer, rank
        try:
            with entered(self), opened(self.journal), self.savepoint():
                self._queue, self._begun, self._entered = [], 0, []
                yield
                self._run_handlers()
                self._check_invariants()
        finally:
            self._signer, self._rank = before

    def _run_handlers(self) -> None:
        while self._begun < len(self._queue):
            program, name, account = self._queue[self._begun]
            self._begun += 1
            self.enter_hook(program, program, name, (account,))

    def _check_invariants(self) -> None:
        """Of every program entered, in the order of its first entry; they change nothing, so none is added."""
        for address in self._entered:
            deployed = self._push(Frame(address, address, True, None))
            try:
                for name in invariants_of(deployed.cls):
                    with opened(self._read_only):
                        holds = getattr(deployed.program, name)()
                    if not holds:
                        raise Rejected(f"invariant {name}")
            finally:
                self._frames.pop()

    def _keep_invariants(self, deployed: Deployed) -> None:
        """The program on top was entered by what may write: its invariants hold when the outermost call ends."""
        address = self._frames[-1].me
        if not self.view and address not in self._entered and invariants_of(deployed.cls):
            record(self._entered.pop)
            self._entered.append(address)

    # ---- what programs leave behind

    def emit(self, event: Event) -> None:
        self._check_writable()
        record(self.events.pop)
        self.events.append(Emitted(self._frames[-1].me, event))

    def at_end(self, handler: Callable[..., Any], account: Account) -> None:
        """Once while it waits: a handler that has begun may be queued again."""
        self._check_writable()
        entry = (self._frames[-1].me, handler.__name__, account)
        if entry not in self._queue[self._begun :]:
            record(self._queue.pop)
            self._queue.append(entry)

    def _check_writable(self) -> None:
        if self.view:
            raise Rejected(READ_ONLY)

    # ---- prices and times

    def quote(self, feed: Feed) -> Quote:
        return answer(feed, self.quotes.get(feed.index), self.opened.time, self._world)

    def publish(self, feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp, max_age: Duration) -> None:
        self._check_writable()
        if self._frames[-1].me != self.oracle:
            raise Rejected(NOT_AUTHORISED)
        self.set_quote(feed, Stored(price, confidence, time, max_age))

    def set_quote(self, feed: Feed, stored: Stored) -> None:
        before = self.quotes.get(feed.index)
        if before is None:
            record(self.quotes.pop, feed.index)
        else:
            record(self.quotes.__setitem__, feed.index, before)
        self.quotes[feed.index] = stored
        self.hooks.publish(feed.index, stored.price.raw, stored.max_age < Duration(0))

    def subscribe(self, feed: Feed, handler: Callable[..., Any]) -> None:
        self._check_writable()
        if not 0 <= feed.index < FEEDS_MAX:
            raise Rejected(BAD_ARGUMENT)
        self.hooks.subscribe(feed.index, self._handler(handler))

    def unsubscribe(self, feed: Feed, handler: Callable[..., Any]) -> None:
        self._check_writable()
        self.hooks.unsubscribe(feed.index, self._handler(handler))

    def schedule(self, time: Timestamp, handler: Callable[..., Any]) -> None:
        self._check_writable()
        if time < Timestamp(0):
            raise Rejected(BAD_ARGUMENT)
        self.hooks.schedule(time.ms, self._handler(handler))

    def subscribe_cross(self, feed: Feed, handler: Callable[..., Any], level: Decimal | int, side: int) -> int:
        self._check_writable()
        raw = LEVEL.plain(LEVEL.coerce(level))
        return self.hooks.crossings.subscribe(*self._handler(handler), feed.index, raw, side)

    def unsubscribe_cross(self, number: int) -> bool:
        self._check_writable()
        return self.hooks.crossings.unsubscribe(self._me, number)

    def subscribe_fills(self, venue: Account, handler: Callable[..., Any]) -> None:
        self._check_writable()
        if venue not in self.programs:
            raise Rejected(UNKNOWN_PROGRAM)
        self.hooks.subscribe_fills(venue.data, self._handler(handler))

    def unsubscribe_fills(self, venue: Account) -> None:
        self._check_writable()
        self.hooks.listeners.unsubscribe(self._me, venue.data)

    def hears_fills(self, owner: Account) -> bool:
        return self.hooks.listeners.hears(owner.data, self._me)

    def report_fill(
        self, owner: Account, market: int, order: int, bought: bool, price: Decimal | int, size: Decimal | int,
        fee: Decimal | int,
    ) -> None:  # fmt: skip
        self._check_writable()
        words = (market, order, bought, *(LEVEL.coerce(value) for value in (price, size, fee)))
        self.hooks.report_fill(owner.data, self._me, words)

    def resume(self, program: Account) -> None:
        """Nobody pays here, so nothing waits for money."""
        self._check_writable()
        if self.bank is not None and self._frames[-1].me != self.bank:
            raise Rejected(NOT_AUTHORISED)

    @property
    def _me(self) -> bytes:
        return self._frames[-1].me.data

    # ---- new programs

    def create_like(
        self, template: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], gas: int, admin: Account
    ) -> Any:
        """Queue a program like the template; a reference to where it will be. Who may upgrade it is the kernel's."""
        interface = template.__interface__
        create = create_of(interface)
        if create is None and (arguments or keywords):
            raise TypeError(f"{interface.__name__} has no create, got {arguments} {keywords}")
        plain = () if create is None else create.pack(arguments, keywords)
        self._check_writable()
        if template.me not in self.programs:
            raise Rejected(UNKNOWN_PROGRAM)
        waiting = len(self.creations)
        if waiting >= CREATIONS_MAX or waiting + len(self.programs) >= self.programs_max:
            raise Rejected(TOO_MANY_PROGRAMS)
        creator = self._frames[-1].me
        address = self.creations.ask(template.me, creator, signature_of_create(interface), plain, gas)
        return type(template)(address, interface)

    def _handler(self, handler: Callable[..., Any]) -> Handler:
        return Handler(self._me, handler.__name__)
