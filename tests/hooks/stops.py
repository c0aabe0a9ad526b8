"""Stop orders: a size per account that is sold when a price falls to a level, or bought when it rises there."""

from execution.lang import (
    DONE,
    RETRY,
    Account,
    Crossing,
    Decimal,
    Event,
    Feed,
    Map,
    Outcome,
    Program,
    Quote,
    Rejected,
    Struct,
    emit,
    external,
    hook,
    require,
    subscribe_cross,
    tx,
    unsubscribe_cross,
)


class Stop(Struct):
    owner: Account
    size: Decimal


class Triggered(Event):
    number: int
    level: Decimal
    price: Decimal
    size: Decimal


class Heard(Event):
    price: Decimal


class Stops(Program):
    """mode: what handlers do: 0 done, 1 fail, 2 try again, 3 subscribe anew at the same level."""

    mode: int
    feed: Feed
    stops: Map[int, Stop]
    triggered: int

    @external
    def set_mode(self, mode: int) -> None:
        self.mode = mode

    @external
    def buy(self, feed: Feed, level: Decimal, size: Decimal) -> int:
        number = subscribe_cross(feed, self.crossed, above=level)
        self.stops[number] = Stop(tx.sender, size)
        return number

    @external
    def sell(self, feed: Feed, level: Decimal, size: Decimal) -> int:
        number = subscribe_cross(feed, self.crossed, below=level)
        self.stops[number] = Stop(tx.sender, -size)
        return number

    @external
    def many(self, feed: Feed, level: Decimal, step: Decimal, count: int) -> int:
        """So many levels above one another; the number of the last."""
        number = 0
        for index in range(min(count, 1000)):
            number = subscribe_cross(feed, self.counted, above=level + step * index)
        return number

    @external
    def withdraw(self, number: int) -> bool:
        """Whether it was in time."""
        require(number not in self.stops or self.stops[number].owner == tx.sender, "not the owner")
        withdrawn = unsubscribe_cross(number)
        if withdrawn and number in self.stops:
            del self.stops[number]
        return withdrawn

    @hook
    def crossed(self, crossing: Crossing) -> Outcome:
        stop = self.stops[crossing.number]
        if self.mode == 1:
            raise Rejected("closed")
        emit(Triggered(crossing.number, crossing.level, crossing.quote.price, stop.size))
        if self.mode == 2:
            return RETRY
        del self.stops[crossing.number]
        self.triggered += 1
        if self.mode == 3:
            number = subscribe_cross(crossing.quote.feed, self.crossed, above=crossing.level)
            self.stops[number] = stop
        return DONE

    @hook
    def counted(self, quote: Quote) -> Outcome:
        self.triggered += 1
        if self.mode == 4:
            emit(Heard(quote.price))
        return DONE
