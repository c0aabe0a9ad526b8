"""
American options on a spot with a continuous yield: exact but for a boundary of eight points.

Methods and sources stand in `execution.library.american_boundary`; special cases (no strike, no spot, no volatility, no
interest) are exact.
"""

from execution.lang import Array, Decimal, Optional, exp, ln, norm_cdf, require, sqrt
from execution.library.american_boundary import COSINES, LAST, boundary, improved, premium
from execution.library.options import Right

ROUNDS: int = 8
CERTAIN = Decimal("0.00001")
"""Deviation to expiry up to which the path of the spot is taken as certain."""
LEAST = Decimal("0.000000000001")


def american(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """
    The price, within some 10^-5 of itself in ordinary terms: the boundary of QD+ after ROUNDS of iteration.

    Arguments as of `black_scholes`; spot and strike may be 0, rate and dividend negative. Rejections as of `either`.
    """
    return either(right, spot, strike, rate, dividend, volatility, years, ROUNDS)


def qd_plus(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """
    The price with the boundary of QD+: within about 0.1 %, closer the shorter the time.

    Arguments as of `black_scholes`; spot and strike may be 0, rate and dividend negative. Rejections as of `either`.
    """
    return either(right, spot, strike, rate, dividend, volatility, years, 0)


def either(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
    rounds: int,
) -> Decimal:
    """
    The price after so many rounds of iteration.

    A call is the put with spot and strike, rate and dividend changing places. Rejects "invalid number" for negative
    sizes, volatilities and times, and where exercise may pay between two boundaries: a put with dividend < rate <= 0,
    a call with rate < dividend <= 0.
    """
    require(spot >= 0 and strike >= 0 and volatility >= 0 and years >= 0, "invalid number")
    if right == Right.CALL:
        return put(strike, spot, dividend, rate, volatility, years, rounds)
    return put(spot, strike, rate, dividend, volatility, years, rounds)


def put(
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
    rounds: int,
) -> Decimal:
    """The American put."""
    plain = plain_put(spot, strike, rate, dividend, volatility, years)
    if plain is not None:
        return plain
    highest = highest_boundary(strike, rate, dividend)
    heights: Array[Decimal, 8] = Array()
    for place in range(1, LAST + 1):
        root = (1 - COSINES[place]) / 2
        level = boundary(strike, highest, rate, dividend, volatility, years * root * root)
        logarithm = ln(level / highest)
        heights[place] = logarithm * logarithm
    for _round in range(rounds):
        heights = improved(strike, highest, rate, dividend, volatility, years, heights)
    if spot <= highest * exp(-sqrt(heights[LAST])):
        return strike - spot
    european = european_put(spot, strike, rate, dividend, volatility, years)
    return max(european + premium(spot, strike, highest, rate, dividend, volatility, years, heights), strike - spot)


def plain_put(
    spot: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, volatility: Decimal, years: Decimal
) -> Optional[Decimal]:
    """The American put in the special cases, in which no boundary is needed."""
    zero = Decimal(0)
    if strike == 0:
        return zero
    if spot == 0:
        return max(strike, strike * exp(-rate * years))
    require(rate > 0 or dividend >= rate, "invalid number")
    deviation = volatility * sqrt(years)
    if deviation <= CERTAIN or volatility * volatility * 1_000_000_000 < abs(rate - dividend):
        return certain_put(spot, strike, rate, dividend, years)
    if rate * years <= LEAST:
        european = european_put(spot, strike, rate, dividend, volatility, years)
        return max(european, strike - spot if rate > 0 else zero)
    return None


def highest_boundary(strike: Decimal, rate: Decimal, dividend: Decimal) -> Decimal:
    """Where exercise begins to pay just before expiry: interest is then as much as dividends, or it is the strike."""
    return strike * min(Decimal(1), rate / dividend) if dividend > 0 else strike


def certain_put(spot: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, years: Decimal) -> Decimal:
    """Exercise pays most now, at the end, or where interest and dividends are equal in between."""
    best = max(strike - spot, strike * exp(-rate * years) - spot * exp(-dividend * years), Decimal(0))
    if rate > 0 and dividend > 0 and rate != dividend:
        turn = ln(rate * strike / (dividend * spot)) / (rate - dividend)
        if 0 < turn < years:
            best = max(best, strike * exp(-rate * turn) - spot * exp(-dividend * turn))
    return best


def european_put(
    spot: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, volatility: Decimal, years: Decimal
) -> Decimal:
    """Black, Scholes and Merton's price, never below 0."""
    deviation = volatility * sqrt(years)
    d2 = (ln(spot / strike) + (rate - dividend) * years) / deviation - deviation / 2
    paid = strike * exp(-rate * years) * norm_cdf(-d2)
    return max(paid - spot * exp(-dividend * years) * norm_cdf(-d2 - deviation), Decimal(0))
