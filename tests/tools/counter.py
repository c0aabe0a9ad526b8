"""Counter: what the tests of the tools run; each kind of entry once."""

from execution.lang import (
    DONE,
    Account,
    Asset,
    Decimal,
    Duration,
    Enum,
    Event,
    Feed,
    List,
    Map,
    Outcome,
    Program,
    Quote,
    Record,
    Struct,
    Timestamp,
    block,
    emit,
    external,
    hook,
    require,
    schedule,
    subscribe,
    tx,
    view,
)


class Mood(Enum):
    CALM = 0
    CROSS = 1


class Step(Struct):
    """One step of the counter."""

    size: int
    weight: Decimal


class Stay(Record):
    """Where somebody stands. steps: sizes, oldest first."""

    total: int
    steps: List[int]


class Added(Event):
    """size: of the step. total: after it."""

    who: Account
    size: int
    total: int


class Counter(Program):
    """Counts, for everybody apart. limit: the largest total."""

    owner: Account
    limit: int
    stays: Map[Account, Stay]
    weights: Map[Asset, Decimal]
    last: Decimal
    rings: int

    def create(self, limit: int) -> None:
        require(limit > 0, "limit must be positive")
        self.owner = tx.sender
        self.limit = limit

    @external
    def add(self, step: Step, mood: Mood) -> int:
        """Add a step, twice when cross; the new total."""
        size = step.size
        if mood == Mood.CROSS:
            size = size * 2
        stay = self.stays.obtain(tx.sender)
        total = stay.total + size
        require(total <= self.limit, "beyond the limit")
        stay.total = total
        stay.steps.append(size)
        self.weights[Asset(0)] = self.weights.get(Asset(0), Decimal(0)) + step.weight * size
        emit(Added(tx.sender, size, total))
        return total

    @external(order="cancel")
    def reset(self) -> None:
        require(tx.sender == self.owner, "not the owner")
        self.stays.clear()

    @external
    def watch(self, feed: Feed, after: Duration) -> None:
        subscribe(feed, self.hear)
        schedule(block.time + after, self.ring)

    @external
    def repeat(self, times: int) -> int:
        """Work without end."""
        sum_ = 0
        for turn in range(times):
            sum_ += turn
        return sum_

    @external
    def halve(self, parts: int) -> Decimal:
        return self.ratio(1, parts)

    @hook
    def hear(self, quote: Quote) -> Outcome:
        self.last = quote.price
        return DONE

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        require(self.rings < 2, "rung out")
        self.rings += 1
        return DONE

    @view
    def total(self, who: Account) -> int:
        if who in self.stays:
            return self.stays[who].total
        return 0

    @view
    def weigh(self) -> Step:
        return Step(self.rings, self.weights.get(Asset(0), Decimal(0)))

    def ratio(self, one: int, parts: int) -> Decimal:
        share = one / parts
        return share
