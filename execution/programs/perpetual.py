"""
Perpetual: a linear perpetual future on a feed. One unit is `multiplier` units of what the feed prices.

value(series) = the feed's price * multiplier, in the settlement asset. What keeps the book near the index is funding:
every `sample` the premium (mid - index) / index of the series' market is taken, clamped to +-cap; every `interval`
the mean of the samples since the last payment, times interval / FUNDING_PERIOD_MS and the index, is paid per unit by
the longs to the shorts (or back when negative). A sample needs both sides of the book and a fresh price, else it
counts as missing; without samples nothing is paid. A payment is exact for all holders; computing it rounds half to
even. It takes nothing off a unit's worth, which stays the index; `finish` ends a series at that.
"""

from execution.lang import (
    DONE,
    Account,
    Decimal,
    Duration,
    Event,
    Feed,
    List,
    Outcome,
    Program,
    ProgramRef,
    QuoteStatus,
    Reason,
    Record,
    Rejected,
    Struct,
    Timestamp,
    block,
    emit,
    external,
    hook,
    require,
    schedule,
    tx,
    view,
)
from execution.programs.clearing import Clearing
from execution.programs.exchange import Exchange

SERIES_MAX: int = 64
FUNDING_PERIOD_MS: int = 28800000
INTERVAL_MS_MAX: int = 86400000
MULTIPLIER_MAX = Decimal("100000000")
CAP_MAX = Decimal("0.1")
VIEW_GAS: int = 20000
PAY_GAS: int = 50000


class Series(Record):
    """market: of the exchange, -1 before `connect`. premiums: sum of `samples` premiums since the last payment."""

    feed: Feed
    multiplier: Decimal
    cap: Decimal
    sample: Duration
    interval: Duration
    market: int
    premiums: Decimal
    samples: int
    paid_at: Timestamp
    next: Timestamp
    running: bool
    finished: bool


class SeriesState(Struct):
    feed: Feed
    multiplier: Decimal
    cap: Decimal
    sample: Duration
    interval: Duration
    market: int
    paid_at: Timestamp


class SeriesListed(Event):
    series: int
    feed: Feed
    multiplier: Decimal
    cap: Decimal
    sample: Duration
    interval: Duration


class Sampled(Event):
    series: int
    premium: Decimal


class Funded(Event):
    """rate: of the index, for this interval; positive: longs pay. per_unit: what a unit long pays."""

    series: int
    rate: Decimal
    per_unit: Decimal


class SeriesFinished(Event):
    """price: the index, the last payment per unit."""

    series: int
    price: Decimal


class FundingMissed(Event):
    series: int
    cause: Reason


class Perpetual(Program):
    """admin: lists series and connects them to markets."""

    clearing: ProgramRef[Clearing]
    exchange: ProgramRef[Exchange]
    admin: Account
    all_series: List[Series]

    def create(self, clearing: ProgramRef[Clearing], exchange: ProgramRef[Exchange], admin: Account) -> None:
        self.clearing = clearing
        self.exchange = exchange
        self.admin = admin

    @external
    def list(self, feed: Feed, multiplier: Decimal, cap: Decimal, sample: Duration, interval: Duration) -> int:
        """
        A new series; its number. Admin only. Clearing lists it as (this program, series), the exchange makes a market
        of that.

        0 < multiplier <= MULTIPLIER_MAX. cap: largest |premium| of a sample, 0 for no funding. 1 s <= sample <=
        interval <= a day.
        """
        require(tx.sender == self.admin, "not authorised")
        require(multiplier > 0 and multiplier <= MULTIPLIER_MAX, "multiplier out of range")
        require(cap >= 0 and cap <= CAP_MAX, "cap out of range")
        require(sample.ms >= 1000 and sample <= interval, "sample out of range")
        require(interval.ms <= INTERVAL_MS_MAX, "interval out of range")
        number = len(self.all_series)
        require(number < SERIES_MAX, "too many series")
        series = self.all_series.add()
        series.feed = feed
        series.multiplier = multiplier
        series.cap = cap
        series.sample = sample
        series.interval = interval
        series.market = -1
        emit(SeriesListed(number, feed, multiplier, cap, sample, interval))
        return number

    @external
    def connect(self, series: int, market: int) -> None:
        """Take premiums from a market of the exchange from now on. Admin only."""
        require(tx.sender == self.admin, "not authorised")
        terms = self.series_at(series)
        require(not terms.finished, "series is finished")
        require(market >= 0, "market out of range")
        terms.market = market
        if not terms.running:
            terms.running = True
            terms.paid_at = block.time
            terms.next = block.time + terms.sample
            schedule(terms.next, self.fund)

    @external
    def finish(self, series: int) -> Decimal:
        """
        End a series: clearing settles every unit at the feed's price, which must be fresh. Funding sampled since the
        last payment lapses. Admin only; returns what a unit was settled at.
        """
        require(tx.sender == self.admin, "not authorised")
        terms = self.series_at(series)
        require(not terms.finished, "series is finished")
        terms.finished = True
        terms.running = False
        price = terms.feed.price() * terms.multiplier
        self.clearing.finish(series, price)
        emit(SeriesFinished(series, price))
        return price

    @view
    def value(self, series: int) -> Decimal:
        """Worth of one unit at the feed's price, the world's in a world; Rejected "no price" unless it is fresh."""
        terms = self.series_at(series)
        return terms.feed.price() * terms.multiplier

    @view
    def series(self, series: int) -> SeriesState:
        terms = self.series_at(series)
        return SeriesState(
            terms.feed, terms.multiplier, terms.cap, terms.sample, terms.interval, terms.market, terms.paid_at
        )

    @hook
    def fund(self, due: Timestamp) -> Outcome:
        """Sample, and pay where an interval is over, each series whose sample falls due."""
        for number in range(len(self.all_series)):
            terms = self.all_series[number]
            if terms.running and terms.next <= block.time:
                terms.next = block.time + terms.sample
                schedule(terms.next, self.fund)
                quote = terms.feed.quote()
                if quote.status == QuoteStatus.FRESH and quote.price > 0 and terms.cap > 0:
                    index = quote.price * terms.multiplier
                    self.take_sample(number, terms, index)
                    if block.time - terms.paid_at >= terms.interval:
                        self.pay_funding(number, terms, index)
        return DONE

    def take_sample(self, number: int, terms: Series, index: Decimal) -> None:
        try:
            mid = self.exchange.mid(terms.market, gas=VIEW_GAS)
            premium = max(-terms.cap, min(terms.cap, (mid - index) / index))
            terms.premiums += premium
            terms.samples += 1
            emit(Sampled(number, premium))
        except Rejected as refusal:
            emit(FundingMissed(number, refusal.reason))

    def pay_funding(self, number: int, terms: Series, index: Decimal) -> None:
        """Pay the mean premium for one interval and begin the next."""
        if terms.samples > 0:
            rate = terms.premiums / terms.samples * terms.interval.ms / FUNDING_PERIOD_MS
            per_unit = rate * index
            try:
                self.clearing.pay(number, -per_unit, index, gas=PAY_GAS)
                emit(Funded(number, rate, per_unit))
            except Rejected as refusal:
                emit(FundingMissed(number, refusal.reason))
        terms.premiums = Decimal(0)
        terms.samples = 0
        terms.paid_at = block.time

    def series_at(self, series: int) -> Series:
        require(0 <= series and series < len(self.all_series), "unknown series")
        return self.all_series[series]
