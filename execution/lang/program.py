"""
Program: the class a bundle deploys, its entry points, and what it asks of the chain.

Fields are the annotations of the class, zero at first; `create` runs once at deployment. `@external` entries change
state, `@view` entries cannot, `@hook` methods are called by the chain, `@invariant` methods say what always holds;
everything else is internal. A ProgramRef[T] is typed as T, whose entries take two keywords more: `gas`, a cap, and
(views only) `world`; its address is `reference.me`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from execution.lang.ambient import engine
from execution.lang.decimal import Decimal
from execution.lang.feeds import Crossing, Feed, Fill, Outcome, Quote, World
from execution.lang.kinds import Kind, ValueKind, member_kinds
from execution.lang.sequences import stored_zero
from execution.lang.struct import Event, store
from execution.lang.values import Account, Timestamp

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

CREATE_GAS = 500_000
"""What the `create` of a program made by `create_like` may use unless it is said."""
NOBODY = Account.zero()
Order = Literal["cancel", "post_only", "trade"]
ENTRY = "__entry__"


class External(Protocol[P, R_co]):
    """A call that may change state. With gas=, a cap, the arguments are checked at run time only."""

    @overload
    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *arguments: object, gas: int, **keywords: object) -> R_co: ...


class View(Protocol[P, R_co]):
    """A call that may not change state, answered in a world when one is given."""

    @overload
    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> R_co: ...
    @overload
    def __call__(self, *arguments: object, gas: int, world: World = ..., **keywords: object) -> R_co: ...
    @overload
    def __call__(self, *arguments: object, world: World, **keywords: object) -> R_co: ...


Method = Callable[Concatenate[Any, P], R]


@overload
def external(method: Method[P, R]) -> External[P, R]: ...
@overload
def external(*, order: Order) -> Callable[[Method[P, R]], External[P, R]]: ...
def external(method: Any = None, *, order: Order = "trade") -> Any:
    """An entry that changes state, reachable by transactions of its order class or a later one."""
    if method is None:
        return partial(_mark, kind="external", order=order)
    return _mark(method, "external", order)


def view(method: Method[P, R]) -> View[P, R]:
    """An entry that only reads."""
    marked: View[P, R] = _mark(method, "view", "cancel")
    return marked


def hook(method: Callable[P, R]) -> Callable[P, R]:
    """A handler for subscribe or schedule, called by the chain only."""
    marked: Callable[P, R] = _mark(method, "hook", "cancel")
    return marked


def invariant(method: Callable[[T], bool]) -> Callable[[T], bool]:
    """
    What holds whenever an outermost call ends that entered the program by anything but a view; the call is rejected
    otherwise, "invariant NAME". Reads the program's own state without a loop.
    """
    marked: Callable[[T], bool] = _mark(method, "invariant", "cancel")
    return marked


def migrate(method: Callable[P, R]) -> Callable[P, R]:
    """
    Runs once when the program goes on as this version, with arguments of the upgrade's transaction; fields that are new
    are zero before. When it rejects, the version before stays. `create` is not run again.
    """
    marked: Callable[P, R] = _mark(method, "migrate", "cancel")
    return marked


def _mark(method: Any, kind: str, order: str) -> Any:
    setattr(method, ENTRY, (kind, order))
    return method


_fields: dict[type, dict[str, Kind]] = {}


def fields_of(cls: type) -> dict[str, Kind]:
    """The fields of a program class in order; resolved at first use."""
    if cls not in _fields:
        _fields[cls] = member_kinds(cls, Program)
    return _fields[cls]


class Program:
    """me: the program's own address. Instances are made by the chain."""

    if TYPE_CHECKING:
        me: Account
    else:
        __address__: Account

        def __init__(self) -> None:
            raise TypeError(f"{type(self).__name__} is made by deploying it on a chain")

        @property
        def me(self) -> Account:
            return self.__address__

        def __setattr__(self, name: str, value: object) -> None:
            store(self, fields_of(type(self)), name, value)


def instance(cls: type[Program], address: Account) -> Any:
    """A zeroed program at an address."""
    made = object.__new__(cls)
    object.__setattr__(made, "__address__", address)
    for name, kind in fields_of(cls).items():
        object.__setattr__(made, name, stored_zero(kind))
    return made


def emit(event: Event) -> None:
    """Append an event to the transaction's."""
    engine().emit(event)


def at_end(handler: Callable[[Account], None], account: Account) -> None:
    """
    Run self.handler(account) at the end of the outermost call, once per handler and account; it may still reject the
    call.
    """
    engine().at_end(handler, account)


def subscribe(feed: Feed, handler: Callable[[Quote], Outcome]) -> None:
    """Run the hook after every publication of the feed, from the next batch on. Twice is once."""
    engine().subscribe(feed, handler)


def unsubscribe(feed: Feed, handler: Callable[[Quote], Outcome]) -> None:
    """End a subscription; nothing when there is none."""
    engine().unsubscribe(feed, handler)


def schedule(time: Timestamp, handler: Callable[[Timestamp], Outcome]) -> None:
    """Run the hook once in the first batch whose block time is at or after `time`."""
    engine().schedule(time, handler)


def create_like(
    template: T, *arguments: object, gas: int = CREATE_GAS, program_admin: Account = NOBODY, **keywords: object
) -> T:
    """
    A new program with the code of a deployed one, made when the next block opens: `create` runs then, `tx.sender` being
    the program that asked. Its address is known at once; until it is made, calls to it are rejected.

    arguments, keywords: of the template's `create`. gas: what `create` may use, paid now. program_admin: who may
    upgrade it, by default nobody.
    """
    made: T = engine().create_like(template, arguments, keywords, gas, program_admin)
    return made


CrossingHandler = Callable[[Quote], Outcome] | Callable[[Crossing], Outcome]


@overload
def subscribe_cross(feed: Feed, handler: CrossingHandler, *, above: Decimal | int) -> int: ...
@overload
def subscribe_cross(feed: Feed, handler: CrossingHandler, *, below: Decimal | int) -> int: ...
def subscribe_cross(
    feed: Feed, handler: CrossingHandler, *, above: Decimal | int | None = None, below: Decimal | int | None = None
) -> int:
    """
    Run the hook once, in the batch after a price of the feed was published at or above the level (`above`), or at or
    below it (`below`); a price that has moved back since counts. A level that is crossed already waits for the next
    publication; a HALTED one is no price. RETRY makes the hook due again.

    Returns:
        The number of the crossing, counted from 1 on the chain. Rejected "too many crossings".
    """
    if (above is None) == (below is None):
        raise TypeError("subscribe_cross takes a level above= or below=")
    if above is not None:
        return engine().subscribe_cross(feed, handler, above, 0)
    assert below is not None
    return engine().subscribe_cross(feed, handler, below, 1)


def unsubscribe_cross(number: int) -> bool:
    """Whether the program's crossing had not been heard yet; it will not be."""
    return engine().unsubscribe_cross(number)


def subscribe_fills(venue: Account, handler: Callable[[Fill], Outcome]) -> None:
    """
    Run the hook for each fill of orders that the program places at the venue from now on, one by one and in order, from
    the next batch on. A second handler takes the place of the first. Rejected "unknown program".
    """
    engine().subscribe_fills(venue, handler)


def unsubscribe_fills(venue: Account) -> None:
    """Hear of no more fills, neither of those that wait."""
    engine().unsubscribe_fills(venue)


def hears_fills(owner: Account) -> bool:
    """For a venue: whether the owner is a program that subscribed to its fills."""
    return engine().hears_fills(owner)


def report_fill(
    owner: Account, market: int, order: int, bought: bool, price: Decimal | int, size: Decimal | int,
    fee: Decimal | int,
) -> None:  # fmt: skip
    """For a venue: tell the owner of a fill, if it subscribed; its handler runs later, at the owner's expense."""
    engine().report_fill(owner, market, order, bought, price, size, fee)


def resume(program: Account) -> None:
    """Let a hook that waits for money in the program's purse try again; only the pinned bank: "not authorised"."""
    engine().resume(program)


if TYPE_CHECKING:
    ProgramRef = Annotated[T, "reference"]
else:

    class ProgramRef(Generic[T]):
        """An address seen through the interface of a program class."""

        __slots__ = ("__address__", "__interface__")

        def __init__(self, address: Account, interface: type = Program) -> None:
            self.__address__ = address
            self.__interface__ = interface

        @property
        def me(self) -> Account:
            return self.__address__

        def __getattr__(self, name: str) -> Any:
            return partial(_invoke, self, name)

        def __eq__(self, other: object) -> bool:
            if isinstance(other, Account):
                return other == self.__address__
            return isinstance(other, ProgramRef) and other.__address__ == self.__address__

        def __hash__(self) -> int:
            return hash(self.__address__)

        def __repr__(self) -> str:
            return f"ProgramRef[{self.__interface__.__name__}](0x{self.__address__.data.hex()})"

        @classmethod
        def __kind__(cls, arguments: tuple[Any, ...]) -> Kind:
            return ReferenceKind(arguments[0])

    def _invoke(target, name, /, *arguments, gas=None, world=None, **keywords) -> Any:
        return engine().invoke(target.__address__, target.__interface__, name, arguments, keywords, gas, world)

    class ReferenceKind(ValueKind):
        """Accepts an Account and references of other interfaces: only the address counts."""

        def __init__(self, interface: type) -> None:
            super().__init__("account", ProgramRef, None, lambda value: value.__address__.data, None)
            object.__setattr__(self, "make", lambda plain: ProgramRef(Account(plain), interface))

        def zero(self) -> Any:
            return self.make(bytes(20))

        def coerce(self, value: object) -> Any:
            if not isinstance(value, Account | ProgramRef):
                raise TypeError(f"expected a program's address, got {value!r}")
            return self.make((value if isinstance(value, Account) else value.__address__).data)
