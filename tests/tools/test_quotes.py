"""A program reads every word of a quote as it was published, under CPython and in the kernel."""

from __future__ import annotations

import pytest

from execution.lang import Decimal, Duration, Feed, QuoteStatus

READER = '''
"""Reads."""

from execution.lang import Feed, Program, Quote, view


class Reader(Program):
    told: int

    @view
    def read(self, feed: Feed) -> Quote:
        return feed.quote()
'''
WIDE = "123456789012345678.000000000987654321"


@pytest.mark.parametrize(("price", "confidence"), [("1.5", WIDE), ("-" + WIDE, "0.25"), (WIDE, WIDE)])
def test_a_quote_is_what_was_published(chain, clock, prices, price, confidence):
    reader = chain.deploy_text(READER)
    clock.advance(Duration.seconds(3))
    prices.set(7, price, Decimal(confidence), Duration.seconds(9))
    published = clock.now
    clock.advance(Duration.seconds(9))
    quote = reader.read(Feed(7))
    assert (quote.feed, quote.price, quote.confidence) == (Feed(7), Decimal(price), Decimal(confidence))
    assert (quote.time, quote.status) == (published, QuoteStatus.FRESH)
    clock.advance(Duration(1))
    assert reader.read(Feed(7)).status == QuoteStatus.STALE


def test_a_feed_nobody_published_has_a_quote_of_zeros(chain, prices):
    reader = chain.deploy_text(READER)
    prices.set(7, "1.5")
    quote = reader.read(Feed(6))
    assert (quote.feed, quote.price, quote.confidence, quote.time.ms) == (Feed(6), Decimal(0), Decimal(0), 0)
    assert quote.status == QuoteStatus.MISSING
