"""Takes as many of a feed's places for subscribers as its source has room for handlers."""

from execution.lang import RETRY, Feed, Outcome, Program, Quote, external, hook, subscribe, unsubscribe


class SubscriberFlood(Program):
    feed: Feed

    @external
    def attack(self, feed: Feed) -> None:
        self.feed = feed
        subscribe(feed, self.on_0)
        subscribe(feed, self.on_1)
        subscribe(feed, self.on_2)
        subscribe(feed, self.on_3)
        subscribe(feed, self.on_4)
        subscribe(feed, self.on_5)
        subscribe(feed, self.on_6)
        subscribe(feed, self.on_7)
        subscribe(feed, self.on_8)
        subscribe(feed, self.on_9)
        subscribe(feed, self.on_10)
        subscribe(feed, self.on_11)
        subscribe(feed, self.on_12)
        subscribe(feed, self.on_13)
        subscribe(feed, self.on_14)
        subscribe(feed, self.on_15)
        subscribe(feed, self.on_16)
        subscribe(feed, self.on_17)
        subscribe(feed, self.on_18)
        subscribe(feed, self.on_19)
        subscribe(feed, self.on_20)
        subscribe(feed, self.on_21)
        subscribe(feed, self.on_22)
        subscribe(feed, self.on_23)

    @external
    def leave(self) -> None:
        unsubscribe(self.feed, self.on_0)
        unsubscribe(self.feed, self.on_1)
        unsubscribe(self.feed, self.on_2)
        unsubscribe(self.feed, self.on_3)
        unsubscribe(self.feed, self.on_4)
        unsubscribe(self.feed, self.on_5)
        unsubscribe(self.feed, self.on_6)
        unsubscribe(self.feed, self.on_7)
        unsubscribe(self.feed, self.on_8)
        unsubscribe(self.feed, self.on_9)
        unsubscribe(self.feed, self.on_10)
        unsubscribe(self.feed, self.on_11)
        unsubscribe(self.feed, self.on_12)
        unsubscribe(self.feed, self.on_13)
        unsubscribe(self.feed, self.on_14)
        unsubscribe(self.feed, self.on_15)
        unsubscribe(self.feed, self.on_16)
        unsubscribe(self.feed, self.on_17)
        unsubscribe(self.feed, self.on_18)
        unsubscribe(self.feed, self.on_19)
        unsubscribe(self.feed, self.on_20)
        unsubscribe(self.feed, self.on_21)
        unsubscribe(self.feed, self.on_22)
        unsubscribe(self.feed, self.on_23)

    @hook
    def on_0(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_1(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_2(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_3(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_4(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_5(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_6(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_7(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_8(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_9(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_10(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_11(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_12(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_13(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_14(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_15(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_16(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_17(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_18(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_19(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_20(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_21(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_22(self, quote: Quote) -> Outcome:
        return RETRY

    @hook
    def on_23(self, quote: Quote) -> Outcome:
        return RETRY
