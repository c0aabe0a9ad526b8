"""
Patterns of the gas bench that ask the kernel: calls of other programs, tolerated failures, events, quotes, hooks.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asking:
    """An entry of the caller. turns_max: bounded by what a batch may leave (events, handlers, schedules)."""

    name: str
    statement: str
    turns_max: int = 1 << 40


def _tolerated(call: str) -> str:
    return f"try:\n    a += {call}\nexcept Rejected as refusal:\n    a += 1"


ASKINGS = (
    Asking("call", "a = self.echo.plain(a)"),
    Asking("call_capped", "a = self.echo.plain(a, gas=50_000)"),
    Asking("call_view", "a = self.echo.look(a)"),
    Asking("call_large", "large = self.echo.large(large)"),
    Asking("call_writing", "b = self.echo.write(a)"),
    Asking("call_through", "a = self.relay.through(a)"),
    Asking("tolerated_done", _tolerated("self.echo.plain(a, gas=50_000)")),
    Asking("tolerated_failed", _tolerated("self.echo.fail(a, gas=50_000)")),
    Asking("tolerated_undone", _tolerated("self.echo.write_and_fail(a, gas=50_000)")),
    Asking("tolerated_undone_many", _tolerated("self.echo.write_many_and_fail(a, gas=50_000)")),
    Asking("tolerated_exhausted", _tolerated("self.echo.burn(a, gas=300)")),
    Asking("tolerated_deep", _tolerated("self.relay.through_to_failure(a, gas=50_000)")),
    Asking("savepoint_in_savepoint", _tolerated("self.relay.tolerate(a, gas=50_000)")),
    Asking("saved_again", "self.number += 1\n" + _tolerated("self.echo.plain(a, gas=50_000)")),
    Asking("emit_small", "emit(Small(a))", 5_000),
    Asking("emit_large", "emit(Large(values.copy()))", 5_000),
    Asking("require", "require(a > -1, \"negative\")\na += 1"),
    Asking("quote", "a += self.feed.quote().time.ms"),
    Asking("price", "x += self.feed.price()"),
    Asking("subscribe", "subscribe(self.feed, self.moved)\nunsubscribe(self.feed, self.moved)"),
    Asking("schedule", "schedule(block.time + Duration(86_400_000 + turn * 7919 % 1_000_003), self.later)", 4_000),
    Asking("derive", "who = Account.derived(who, a)"),
    Asking("at_end", "who = Account.derived(who, a)\nat_end(self.settled, who)", 4_000),
    Asking("at_end_same", "at_end(self.settled, who)"),
)  # fmt: skip

ECHO = '''"""What is called."""

from execution.lang import Array, Program, external, require, view


class Echo(Program):
    number: int
    rows: Array[int, 512]

    @external
    def plain(self, a: int) -> int:
        return a

    @view
    def look(self, a: int) -> int:
        return a

    @external
    def large(self, values: Array[int, 60]) -> Array[int, 60]:
        return values.copy()

    @external
    def write(self, a: int) -> int:
        self.number += 1
        return a

    @external
    def fail(self, a: int) -> int:
        require(a < 0, "not negative")
        return a

    @external
    def write_and_fail(self, a: int) -> int:
        self.number += 1
        require(a < 0, "not negative")
        return a

    @external
    def write_many_and_fail(self, a: int) -> int:
        for i in range(32):
            self.rows[16 * i] += 1
        require(a < 0, "not negative")
        return a

    @external
    def burn(self, a: int) -> int:
        while a < 1_000_000_000_000:
            a += 1
        return a
'''

RELAY = '''"""Calls on."""

from echo import Echo
from execution.lang import Program, ProgramRef, Rejected, external


class Relay(Program):
    echo: ProgramRef[Echo]

    @external
    def meet(self, echo: ProgramRef[Echo]) -> None:
        self.echo = echo

    @external
    def through(self, a: int) -> int:
        return self.echo.plain(a)

    @external
    def through_to_failure(self, a: int) -> int:
        return self.echo.write_and_fail(a)

    @external
    def tolerate(self, a: int) -> int:
        try:
            return self.echo.write_and_fail(a, gas=30_000)
        except Rejected as refusal:
            return 1
'''

ORACLE = '''"""The pinned oracle."""

from execution.lang import Decimal, Duration, Feed, Program, Timestamp, external, publish


class Oracle(Program):
    @external
    def report(self, feed: Feed, price: Decimal, time: Timestamp, max_age: Duration) -> None:
        publish(feed, price, price, time, max_age)
'''

_HEAD = '''"""Asks the kernel in loops."""

from echo import Echo
from execution.lang import (
    DONE, Account, Array, Decimal, Duration, Event, Feed, Outcome, Program, ProgramRef, Quote, Rejected, Timestamp,
    at_end, block, emit, external, hook, require, schedule, subscribe, unsubscribe,
)
from relay import Relay


class Small(Event):
    a: int


class Large(Event):
    values: Array[int, 64]


class Caller(Program):
    echo: ProgramRef[Echo]
    relay: ProgramRef[Relay]
    feed: Feed
    number: int

    @external
    def meet(self, echo: ProgramRef[Echo], relay: ProgramRef[Relay], feed: Feed) -> None:
        self.echo = echo
        self.relay = relay
        self.feed = feed

    @hook
    def moved(self, quote: Quote) -> Outcome:
        return DONE

    @hook
    def later(self, time: Timestamp) -> Outcome:
        return DONE

    def settled(self, account: Account) -> None:
        self.number += 1

    @external
    def nothing(self, turns: int, a: int) -> int:
        return a
'''
_ENTRY = """
    @external
    def {name}(self, turns: int, a: int) -> int:
{before}
        for turn in range(turns):
{body}
        return a
"""
_BEFORE = {
    "large": "large: Array[int, 60] = Array()",
    "values": "values: Array[int, 64] = Array()",
    "who": "who = self.me",
    "x": "x = Decimal(0)",
}

FILES = {"echo.py": ECHO, "relay.py": RELAY, "oracle.py": ORACLE}


def source() -> str:
    text = _HEAD
    for asking in ASKINGS:
        words = asking.statement.replace("(", " ").replace(")", " ").replace(",", " ").replace(".", " ").split()
        before = "\n".join(" " * 8 + line for word, line in _BEFORE.items() if word in words) or "        pass"
        body = "\n".join(" " * 12 + line for line in asking.statement.split("\n"))
        text += _ENTRY.format(name=asking.name, before=before, body=body)
    return text
