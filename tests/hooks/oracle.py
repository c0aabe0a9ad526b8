"""An oracle that says what it is told, one price or several in one batch."""

from execution.lang import Decimal, Duration, Feed, Program, block, external, publish


class Oracle(Program):
    said: int

    @external
    def say(self, feed: Feed, price: Decimal) -> None:
        self.said += 1
        publish(feed, price, Decimal(0), block.time, Duration.hours(1))

    @external
    def halt(self, feed: Feed, price: Decimal) -> None:
        publish(feed, price, Decimal(0), block.time, Duration(-1))
