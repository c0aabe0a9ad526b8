"""
Running statistics: each takes bounded state and gas, and is told one value after the other.

Mean and variance: B. P. Welford, "Note on a method for calculating corrected sums of squares and products"
(Technometrics 4, 1962). Volatility with weights that decay: J. P. Morgan, Reuters, "RiskMetrics technical document"
(1996), section 5.2. Extremes of a window: D. Lemire, "Streaming maximum-minimum filter" (2006). Every operation rounds
half to even at the 18th place. Values so large that their squares do not fit a Decimal are Rejected "overflow".
"""

from execution.lang import Decimal, Duration, OrderedMap, Record, Rejected, Struct, Timestamp, ln, require, sqrt

VALUES_MAX = 256


class Moments(Struct):
    """All values so far. squares: sum of the squared distances from the mean. Begins as Moments(0, 0, 0)."""

    count: int
    mean: Decimal
    squares: Decimal


def observe(moments: Moments, value: Decimal) -> Moments:
    """The moments with one more value."""
    count = moments.count + 1
    distance = value - moments.mean
    mean = moments.mean + distance / count
    return Moments(count, mean, moments.squares + distance * (value - mean))


def variance(moments: Moments) -> Decimal:
    """Of these values as a whole population, never negative. Rejects "too few values" without any."""
    require(moments.count >= 1, "too few values")
    return moments.squares / moments.count


def sample_variance(moments: Moments) -> Decimal:
    """Unbiased estimate of the variance they were drawn from. Rejects "too few values" below two."""
    require(moments.count >= 2, "too few values")
    return moments.squares / (moments.count - 1)


class Ewma(Struct):
    """
    Volatility of a price. returns: how many there were, one less than prices. variance: of the logarithmic return of
    one period, its mean taken as 0. price: the last; 0 before the first. Begins as Ewma(0, 0, 0).
    """

    returns: int
    variance: Decimal
    price: Decimal


def observe_price(ewma: Ewma, price: Decimal, decay: Decimal) -> Ewma:
    """
    variance' = decay * variance + (1 - decay) * ln(price / last)^2; the first return's square begins it.

    decay: RiskMetrics has 0.94 for days, 0.97 for months. Prices come at equal intervals.

    Rejects "invalid number" unless price > 0 and 0 <= decay <= 1.
    """
    require(price > 0 and decay >= 0 and decay <= 1, "invalid number")
    if ewma.price == 0:
        return Ewma(0, Decimal(0), price)
    change = ln(price / ewma.price)
    square = change * change
    if ewma.returns > 0:
        square = decay * ewma.variance + (1 - decay) * square
    return Ewma(ewma.returns + 1, square, price)


def ewma_volatility(ewma: Ewma, periods_per_year: Decimal) -> Decimal:
    """
    Standard deviation of a year's returns, rounded down: 0.2 is 20 %. periods_per_year: not negative, 252 for trading
    days. Rejects "too few values" before the second price.
    """
    require(ewma.returns >= 1, "too few values")
    return sqrt(ewma.variance * periods_per_year)


class Window(Record):
    """
    Lowest and highest of the values of the last `span`. Kept are those that may still become one of them, the lows and
    the negated highs, at most VALUES_MAX of each. A program keeps it in a container; `open_window` sets the span.
    """

    span: Duration
    lows: OrderedMap[Timestamp, Decimal]
    highs: OrderedMap[Timestamp, Decimal]


def open_window(window: Window, span: Duration) -> None:
    """Begin. Rejects "invalid number" unless span > 0, "window begun" when it has values."""
    require(span > Duration(0), "invalid number")
    require(len(window.lows) == 0, "window begun")
    window.span = span


def observe_value(window: Window, time: Timestamp, value: Decimal) -> None:
    """
    Tell a value, none earlier than the one before. Rejects "dates out of order", "overflow" for the least Decimal.

    While VALUES_MAX are kept, the latest of them stands for those that come: the lowest is then too low, or the highest
    too high, but never inside of what was told.

    Removes, in the mean over many calls, at most two entries; in one call, at most 2 * VALUES_MAX.
    """
    latest = window.lows.last()
    if latest is not None:
        require(latest <= time, "dates out of order")
    keep_lowest(window.lows, time, value, time - window.span)
    keep_lowest(window.highs, time, -value, time - window.span)


def keep_lowest(values: OrderedMap[Timestamp, Decimal], time: Timestamp, value: Decimal, until: Timestamp) -> None:
    """Later entries are higher ones. Leaves out what is not after `until`, and what the new value undercuts."""
    for _ in range(VALUES_MAX):
        oldest = values.first()
        if oldest is None or oldest > until:
            break
        del values[oldest]
    latest = values.last()
    for _ in range(VALUES_MAX):
        if latest is None or values[latest] < value:
            break
        del values[latest]
        latest = values.last()
    if latest is None or (latest < time and len(values) < VALUES_MAX):
        values[time] = value
    elif latest < time:
        values[time] = values.pop(latest)


def lowest(window: Window, now: Timestamp) -> Decimal:
    """
    Of the values told after now - span; `now` is not earlier than the last of them. Rejects "too few values" when there
    is none.
    """
    return first_after(window.lows, now - window.span)


def highest(window: Window, now: Timestamp) -> Decimal:
    """As `lowest`."""
    return -first_after(window.highs, now - window.span)


def first_after(values: OrderedMap[Timestamp, Decimal], until: Timestamp) -> Decimal:
    time = values.after(until)
    if time is None:
        raise Rejected("too few values")
    return values[time]
