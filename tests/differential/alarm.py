"""A program that hears, fails, retries, tolerates and nests on request: what the standard programs are too good for."""

from execution.lang import (
    DONE,
    RETRY,
    Account,
    Asset,
    Decimal,
    Duration,
    Event,
    Feed,
    List,
    Map,
    Outcome,
    Program,
    ProgramRef,
    Quote,
    Reason,
    Rejected,
    Timestamp,
    at_end,
    block,
    emit,
    external,
    hook,
    invariant,
    reason,
    require,
    schedule,
    subscribe,
    tx,
    unsubscribe,
)
from execution.programs.bank import Bank


class Heard(Event):
    price: Decimal
    time: Timestamp
    mode: int


class Failed(Event):
    reason: Reason
    amount: Decimal


class Alarm(Program):
    """mode: what its hooks do: 0 note, 1 fail, 2 try again, 3 divide by zero, 4 fail behind a tolerated call."""

    feed: Feed
    bank: ProgramRef[Bank]
    mode: int
    tries: int
    prices: List[Decimal]
    owed: Map[Account, Decimal]

    def create(self, feed: Feed, bank: ProgramRef[Bank]) -> None:
        self.feed = feed
        self.bank = bank

    @external
    def set_mode(self, mode: int) -> None:
        self.mode = mode
        if mode == 0:
            self.tries = 0

    @external
    def listen(self, on: bool) -> None:
        if on:
            subscribe(self.feed, self.on_price)
        else:
            unsubscribe(self.feed, self.on_price)

    @external
    def wake(self, after: Duration) -> None:
        schedule(block.time + after, self.on_time)
        schedule(block.time + after, self.on_time)

    @external
    def owe(self, other: Account, amount: Decimal) -> Decimal:
        """Debts must not exceed ten when the call is over; paying back clears them."""
        self.owed[tx.sender] = self.owed.get(tx.sender, Decimal(0)) + amount
        self.owed[other] = self.owed.get(other, Decimal(0)) - amount
        if self.owed[tx.sender] == 0:
            del self.owed[tx.sender]
        at_end(self.check, tx.sender)
        at_end(self.check, other)
        return Decimal(len(self.owed))

    @external
    def pull_twice(self, owner: Account, asset: Asset, amount: Decimal) -> int:
        """Two pulls from the bank, each tolerated; how many went through."""
        done = 0
        part = amount
        for _ in range(2):
            try:
                self.prices.append(part)
                self.bank.pull(owner, asset, part, gas=1_000_000)
                done += 1
            except Rejected as refusal:
                require(self.mode != 4, "not tolerated")
                emit(Failed(refusal.reason, part))
            part = amount * 2
        return done

    @hook
    def on_price(self, quote: Quote) -> Outcome:
        self.prices.append(quote.price)
        emit(Heard(quote.price, quote.time, self.mode))
        return self.act()

    @hook
    def on_time(self, due: Timestamp) -> Outcome:
        emit(Heard(Decimal(self.tries), due, self.mode))
        return self.act()

    def check(self, account: Account) -> None:
        """Runs at the end of the outermost call."""
        owed = self.owed.get(account, Decimal(0))
        require(owed <= 10, "owes too much")
        if owed < -10:
            at_end(self.forgive, account)

    @invariant
    def rested(self) -> bool:
        return self.tries < 12

    @invariant
    def few_debtors(self) -> bool:
        """Handlers forgive some before this is looked at."""
        return len(self.owed) < 5

    def forgive(self, account: Account) -> None:
        emit(Failed(reason("forgiven"), self.owed.pop(account)))

    def act(self) -> Outcome:
        """What the mode says, after having written something that a failure must take back."""
        self.tries += 1
        if self.mode == 1:
            raise Rejected("alarm")
        if self.mode == 2 and self.tries % 3 != 0:
            return RETRY
        if self.mode == 3:
            self.prices.append(Decimal(1) / (self.tries - self.tries))
        if self.mode == 4:
            try:
                self.prices.pop()
                self.bank.pull(Account.zero(), Asset(0), Decimal(1), gas=1_000_000)
            except Rejected as refusal:
                require(refusal.reason == reason("no consent"), "another failure")
                raise Rejected("still no consent")  # noqa: B904
        return DONE
