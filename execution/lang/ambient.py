"""
The ambient context: what a program sees of the chain without being told.

`Engine` is what a runner of programs offers; `sandbox.Chain` is the one under CPython. It is entered around every
outermost call, so `tx`, `block` and the functions of `program` answer only inside a call. In a world other than 0 the
time is shifted and `tx` is empty: both accounts are zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol, TypeAlias

from execution.lang.decimal import Decimal
from execution.lang.struct import Event
from execution.lang.values import Account, Duration, Timestamp

Feed: TypeAlias = Any  # these three are of `feeds`, which stands above this file
Quote: TypeAlias = Any
World: TypeAlias = Any


class Engine(Protocol):
    """What the language asks of whoever runs it. `handler` is always a bound method of the running program."""

    @property
    def time(self) -> Timestamp: ...
    @property
    def height(self) -> int: ...
    @property
    def gap(self) -> Duration: ...
    @property
    def world(self) -> int: ...
    @property
    def sender(self) -> Account: ...
    @property
    def signer(self) -> Account: ...
    def invoke(
        self, target: Account, interface: type, name: str, arguments: tuple[Any, ...], keywords: dict[str, Any],
        gas: int | None, world: World | None,
    ) -> Any: ...  # fmt: skip

    def savepoint(self) -> AbstractContextManager[None]: ...
    def emit(self, event: Event) -> None: ...
    def at_end(self, handler: Callable[..., Any], account: Account) -> None: ...
    def quote(self, feed: Feed) -> Quote: ...
    def publish(self, feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp, max_age: Duration) -> None: ...
    def subscribe(self, feed: Feed, handler: Callable[..., Any]) -> None: ...
    def unsubscribe(self, feed: Feed, handler: Callable[..., Any]) -> None: ...
    def schedule(self, time: Timestamp, handler: Callable[..., Any]) -> None: ...
    def create_like(
        self, template: Any, arguments: tuple[Any, ...], keywords: dict[str, Any], gas: int, admin: Account
    ) -> Any: ...
    def subscribe_cross(self, feed: Feed, handler: Callable[..., Any], level: Decimal | int, side: int) -> int: ...
    def unsubscribe_cross(self, number: int) -> bool: ...
    def subscribe_fills(self, venue: Account, handler: Callable[..., Any]) -> None: ...
    def unsubscribe_fills(self, venue: Account) -> None: ...
    def hears_fills(self, owner: Account) -> bool: ...
    def report_fill(
        self, owner: Account, market: int, order: int, bought: bool, price: Decimal | int, size: Decimal | int,
        fee: Decimal | int,
    ) -> None: ...  # fmt: skip
    def resume(self, program: Account) -> None: ...


_running: list[Engine] = []


def engine() -> Engine:
    """The runner of the current call; RuntimeError outside of one."""
    if not _running:
        raise RuntimeError("no chain is running: tx, block, emit and calls work only inside a call of a sandbox Chain")
    return _running[-1]


@contextmanager
def entered(runner: Engine) -> Iterator[None]:
    _running.append(runner)
    try:
        yield
    finally:
        _running.pop()


class Transaction:
    """sender: the immediate caller. signer: whose key signed."""

    __slots__ = ()

    @property
    def sender(self) -> Account:
        return engine().sender

    @property
    def signer(self) -> Account:
        return engine().signer


class CurrentBlock:
    """gap: time without blocks before this one, after an outage. world: 0 in reality."""

    __slots__ = ()

    @property
    def time(self) -> Timestamp:
        return engine().time

    @property
    def height(self) -> int:
        return engine().height

    @property
    def gap(self) -> Duration:
        return engine().gap

    @property
    def world(self) -> int:
        return engine().world


tx = Transaction()
block = CurrentBlock()
