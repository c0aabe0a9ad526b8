"""Publishes prices of a feed though it is no oracle."""

from execution.lang import Decimal, Duration, Feed, Program, block, external, publish


class FalseOracle(Program):
    @external
    def attack(self, feed: Feed) -> None:
        publish(feed, Decimal(1), Decimal(0), block.time, Duration.seconds(60))
