"""Subscribes to feeds that do not exist, to fill the kernel's own books with them."""

from execution.lang import DONE, Feed, Outcome, Program, Quote, external, hook, subscribe


class FeedSquatter(Program):
    @external
    def attack(self, first: int, count: int) -> None:
        for i in range(count):
            subscribe(Feed(first + i), self.hear)

    @hook
    def hear(self, quote: Quote) -> Outcome:
        return DONE
