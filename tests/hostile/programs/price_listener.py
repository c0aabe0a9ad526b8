"""No attack: an honest program that hears each price of its feed, and counts on being called."""

from execution.lang import (
    DONE,
    Feed,
    Outcome,
    Program,
    Quote,
    Timestamp,
    block,
    external,
    hook,
    schedule,
    subscribe,
    view,
)


class PriceListener(Program):
    """heard: hooks that ran; prices: those of them that a price called."""

    feed: Feed
    heard: int
    prices: int

    @external
    def attack(self, feed: Feed) -> None:
        self.feed = feed
        subscribe(feed, self.hear)

    @external
    def wake(self) -> None:
        schedule(Timestamp(block.time.ms + 1), self.ring)

    @view
    def count(self) -> int:
        return self.heard

    @view
    def count_prices(self) -> int:
        return self.prices

    @hook
    def hear(self, quote: Quote) -> Outcome:
        self.heard += 1
        self.prices += 1
        return DONE

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.heard += 1
        schedule(Timestamp(block.time.ms + 200), self.ring)
        return DONE
