"""Programs that the tests of the sandbox run: a vault, a desk that calls it, and a rogue."""

VAULT = '''
"""A vault of numbers."""

from execution.lang import (
    DONE, RETRY, Account, Decimal, Duration, Enum, Event, Feed, List, Map, OrderedMap, Optional, Outcome, Program,
    Quote, Record, Struct, Symbol, Timestamp, at_end, block, emit, external, hook, publish,
    require, schedule, subscribe, tx, unsubscribe, view,
)


class Side(Enum):
    BUY = 0
    SELL = 1


class Order(Struct):
    owner: Account
    size: Decimal
    side: Side


class Level(Record):
    total: Decimal
    orders: Map[int, Order]


class Stored(Event):
    key: int
    value: Decimal


class Vault(Program):
    values: Map[int, Decimal]
    levels: OrderedMap[Decimal, Level]
    names: List[Symbol]
    best: Optional[Decimal]
    side: Side
    last: Order
    touched: int
    sender: Account
    signer: Account
    checked: List[Account]
    prices: List[Decimal]
    ticks: int

    def create(self, name: Symbol) -> None:
        self.names.append(name)

    @external
    def store(self, key: int, value: Decimal) -> Decimal:
        require(value >= 0, "negative")
        self.values[key] = value
        self.sender = tx.sender
        self.signer = tx.signer
        emit(Stored(key, value))
        return value * 2

    @external
    def remove(self, key: int) -> None:
        del self.values[key]

    @external(order="cancel")
    def rest(self, price: Decimal, number: int, size: Decimal, side: Side) -> None:
        level = self.levels.obtain(price)
        level.total += size
        level.orders[number] = Order(tx.sender, size, side)
        self.best = price
        self.side = side
        self.last = level.orders[number]

    @external
    def mark(self, account: Account) -> None:
        at_end(self.check, account)
        at_end(self.check, account)

    def check(self, account: Account) -> None:
        require(account != Account.zero(), "zero account")
        self.checked.append(account)

    @external
    def watch(self, feed: Feed) -> None:
        subscribe(feed, self.on_quote)

    @external
    def ignore(self, feed: Feed) -> None:
        unsubscribe(feed, self.on_quote)

    @external
    def wake(self, time: Timestamp) -> None:
        schedule(time, self.on_time)

    @hook
    def on_quote(self, quote: Quote) -> Outcome:
        require(quote.price > 0, "no market")
        self.prices.append(quote.price)
        return DONE

    @hook
    def on_time(self, due: Timestamp) -> Outcome:
        self.ticks += 1
        if self.ticks < 3:
            return RETRY
        return DONE

    @external
    def quote_it(self, feed: Feed, price: Decimal) -> None:
        publish(feed, price, Decimal(0), block.time, Duration.seconds(5))

    @view
    def value(self, key: int) -> Decimal:
        return self.values[key]

    @view
    def scene(self, feed: Feed) -> tuple[Timestamp, Account, int, Decimal, Timestamp]:
        return block.time, tx.sender, block.world, feed.price(), feed.quote().time

    @view
    def sneaky(self, key: int) -> Decimal:
        self.values[key] = Decimal(1)
        return Decimal(1)

    @view
    def shy(self) -> int:
        self.touched = 4
        return 4
'''

DESK = '''
"""A desk that stores through a vault, and survives its refusals."""

from execution.lang import Account, Decimal, Duration, Event, Feed, Map, Program, ProgramRef, Reason, Rejected, World
from execution.lang import emit, external, reason, require, view
from vault import Vault


class Refused(Event):
    why: Reason


class Desk(Program):
    vault: ProgramRef[Vault]
    notes: Map[int, int]
    refusals: int

    def create(self, vault: ProgramRef[Vault]) -> None:
        self.vault = vault

    @external
    def through(self, key: int, value: Decimal) -> Decimal:
        self.notes[key] = 1
        return self.vault.store(key, value)

    @external
    def tolerant(self, key: int, value: Decimal) -> int:
        done = 0
        try:
            self.notes[key] = 1
            done = 1
            self.vault.store(key, value, gas=100_000)
            done = 2
        except Rejected as refusal:
            require(refusal.reason == reason("negative"), "another reason")
            emit(Refused(refusal.reason))
            self.refusals += 1
        return done

    @external
    def early(self, key: int) -> int:
        for note in self.notes:
            try:
                self.vault.store(key, Decimal(note), gas=1_000)
                return note
            except Rejected as refusal:
                self.refusals += 1
        return 0

    @external
    def starved(self, key: int) -> bool:
        try:
            self.vault.store(key, Decimal(1), gas=0)
        except Rejected as refusal:
            return refusal.reason == reason("out of gas")
        return False

    @view
    def shocked(self, feed: Feed) -> Decimal:
        world = World(1, Decimal("0.5"), Decimal(1), Duration.hours(1))
        a, b, c, price, e = self.vault.scene(feed, world=world)
        return price

    @external
    def shocked_store(self, key: int) -> Decimal:
        return self.vault.value(key, world=World(0, Decimal(1), Decimal(1), Duration(0)))

    @view
    def asks(self, key: int) -> Decimal:
        return self.vault.store(key, Decimal(1))

    @external
    def back(self, desk: ProgramRef[Vault]) -> Decimal:
        return desk.value(1)
'''
