"""
Oracle: prices from several reporters, made into one quote per feed.

A feed's price is the median of its reporters' fresh reports (not older than the feed's max_age), its confidence the
larger of the median of their confidences and the median distance of their prices from that price, its time the lower
median of their times. A minority of reporters, however wild, cannot move any of the three out of the range of the
others. With fewer fresh reports than `minimum` nothing is published: the last quote ages and turns STALE, and whoever
reads it sees a status, not a number. Confidence and price are in the feed's quote unit; of an even number of reports
the price is the mean of the two in the middle, rounded half to even.
"""

from execution.lang import (
    Account,
    Decimal,
    Duration,
    Event,
    Feed,
    List,
    Map,
    Program,
    Quote,
    Record,
    Symbol,
    Timestamp,
    block,
    emit,
    external,
    publish,
    require,
    tx,
    view,
)

FEEDS_MAX: int = 1024
REPORTERS_MAX: int = 15
PRICE_MAX = Decimal("100000000")
AHEAD_MS_MAX: int = 1000


class Report(Record):
    """A reporter's last report; time 0 before the first."""

    price: Decimal
    confidence: Decimal
    time: Timestamp


class Source(Record):
    """A feed. max_age: how old a report, and the quote, may be. minimum: fresh reports needed to publish."""

    name: Symbol
    max_age: Duration
    minimum: int
    reports: Map[Account, Report]


class FeedAdded(Event):
    feed: Feed
    name: Symbol
    max_age: Duration
    minimum: int


class ReporterChanged(Event):
    feed: Feed
    reporter: Account
    added: bool


class Reported(Event):
    feed: Feed
    reporter: Account
    price: Decimal
    confidence: Decimal
    time: Timestamp


class Published(Event):
    feed: Feed
    price: Decimal
    confidence: Decimal
    time: Timestamp


class Oracle(Program):
    """admin: adds feeds and chooses reporters. ranking: working space, empty between calls."""

    admin: Account
    sources: List[Source]
    names: Map[Symbol, int]
    ranking: List[Decimal]

    def create(self, admin: Account) -> None:
        self.admin = admin

    @external
    def add_feed(self, name: Symbol, max_age: Duration, minimum: int) -> Feed:
        """A new feed without reporters. Admin only; names are unique; 1 <= minimum <= REPORTERS_MAX."""
        require(tx.sender == self.admin, "not authorised")
        require(name not in self.names, "name is taken")
        require(max_age.ms > 0, "max_age must be positive")
        require(1 <= minimum and minimum <= REPORTERS_MAX, "minimum out of range")
        index = len(self.sources)
        require(index < FEEDS_MAX, "too many feeds")
        source = self.sources.add()
        source.name = name
        source.max_age = max_age
        source.minimum = minimum
        self.names[name] = index
        emit(FeedAdded(Feed(index), name, max_age, minimum))
        return Feed(index)

    @external
    def add_reporter(self, feed: Feed, reporter: Account) -> None:
        """Admin only; Rejected when the feed has REPORTERS_MAX or knows the reporter."""
        require(tx.sender == self.admin, "not authorised")
        self.check_feed(feed)
        reports = self.sources[feed.index].reports
        require(reporter not in reports, "reporter is known")
        require(len(reports) < REPORTERS_MAX, "too many reporters")
        reports.create(reporter)
        emit(ReporterChanged(feed, reporter, True))

    @external
    def remove_reporter(self, feed: Feed, reporter: Account) -> None:
        """Admin only. The reporter's last report counts no more."""
        require(tx.sender == self.admin, "not authorised")
        self.check_feed(feed)
        reports = self.sources[feed.index].reports
        require(reporter in reports, "reporter is unknown")
        del reports[reporter]
        emit(ReporterChanged(feed, reporter, False))

    @external
    def report(self, feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp) -> bool:
        """
        A reporter's observation; whether a quote was published.

        price may be negative; |price| and confidence at most PRICE_MAX; confidence 0 or more. time: of the
        observation, later than the reporter's last, at most AHEAD_MS_MAX ahead of the block and not older than
        max_age.
        """
        self.check_feed(feed)
        source = self.sources[feed.index]
        require(tx.sender in source.reports, "not a reporter of this feed")
        require(abs(price) <= PRICE_MAX, "price out of range")
        require(confidence >= 0 and confidence <= PRICE_MAX, "confidence out of range")
        require(time.ms <= block.time.ms + AHEAD_MS_MAX, "time is ahead of the block")
        require(block.time - time <= source.max_age, "report is stale")
        report = source.reports[tx.sender]
        require(time > report.time, "time must grow")
        report.price = price
        report.confidence = confidence
        report.time = time
        emit(Reported(feed, tx.sender, price, confidence, time))
        return self.settle(feed, source)

    @view
    def quote(self, feed: Feed) -> Quote:
        """The published quote; its status says whether it may be used."""
        self.check_feed(feed)
        return feed.quote()

    @view
    def feed_of(self, name: Symbol) -> Feed:
        require(name in self.names, "unknown feed")
        return Feed(self.names[name])

    @view
    def fresh_reports(self, feed: Feed) -> int:
        """How many reporters have a fresh report now."""
        self.check_feed(feed)
        source = self.sources[feed.index]
        return self.count_fresh(source, block.time - source.max_age)

    @view
    def feeds(self) -> int:
        """How many feeds there are; their indexes are 0 up to this."""
        return len(self.sources)

    def check_feed(self, feed: Feed) -> None:
        require(0 <= feed.index and feed.index < len(self.sources), "unknown feed")

    def settle(self, feed: Feed, source: Source) -> bool:
        """Publish from the fresh reports when there are enough."""
        oldest = block.time - source.max_age
        count = self.count_fresh(source, oldest)
        if count < source.minimum:
            return False
        price = self.median_price(source, oldest)
        confidence = max(self.median_confidence(source, oldest), self.median_distance(source, oldest, price))
        time = self.median_time(source, oldest)
        publish(feed, price, confidence, time, source.max_age)
        emit(Published(feed, price, confidence, time))
        return True

    def count_fresh(self, source: Source, oldest: Timestamp) -> int:
        count = 0
        for reporter in source.reports:
            if self.is_fresh(source.reports[reporter], oldest):
                count += 1
        return count

    def is_fresh(self, report: Report, oldest: Timestamp) -> bool:
        return report.time.ms > 0 and report.time >= oldest

    def median_price(self, source: Source, oldest: Timestamp) -> Decimal:
        for reporter in source.reports:
            report = source.reports[reporter]
            if self.is_fresh(report, oldest):
                self.rank(report.price)
        low, high = self.take_middle()
        return low if low == high else (low + high) / 2

    def median_confidence(self, source: Source, oldest: Timestamp) -> Decimal:
        """The upper median."""
        for reporter in source.reports:
            report = source.reports[reporter]
            if self.is_fresh(report, oldest):
                self.rank(report.confidence)
        _low, high = self.take_middle()
        return high

    def median_distance(self, source: Source, oldest: Timestamp, price: Decimal) -> Decimal:
        """The upper median of the fresh prices' distances from `price`."""
        for reporter in source.reports:
            report = source.reports[reporter]
            if self.is_fresh(report, oldest):
                self.rank(abs(report.price - price))
        _low, high = self.take_middle()
        return high

    def median_time(self, source: Source, oldest: Timestamp) -> Timestamp:
        """The lower median."""
        for reporter in source.reports:
            report = source.reports[reporter]
            if self.is_fresh(report, oldest):
                self.rank(Decimal(report.time.ms))
        low, _high = self.take_middle()
        return Timestamp(low.floor())

    def rank(self, value: Decimal) -> None:
        """Insert into `ranking`, which stays sorted."""
        self.ranking.append(value)
        place = len(self.ranking) - 1
        while place > 0 and self.ranking[place - 1] > value:
            self.ranking[place] = self.ranking[place - 1]
            place -= 1
        self.ranking[place] = value

    def take_middle(self) -> tuple[Decimal, Decimal]:
        """The one or two values in the middle of `ranking`, which is emptied."""
        count = len(self.ranking)
        low = self.ranking[(count - 1) // 2]
        high = self.ranking[count // 2]
        self.ranking.clear()
        return low, high
