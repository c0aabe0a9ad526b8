"""
American options by Andersen, Lake and Offengenden's own scheme: a boundary of 33 points, 8 rounds, integrals of 65.

L. Andersen, M. Lake, D. Offengenden, "High-performance American option pricing" (Journal of Computational Finance 20,
2016): from QD+ (`execution.library.american_boundary`), one round of Newton's method on their equation A or B and seven
of its iteration, then I. Kim's integral (RFS 3, 1990) by H. Takahasi and M. Mori's rule (1974). The integrals of A run
over the square root of time, those of B over time itself. In ordinary terms of up to three years both are within some
10^-8 of the strike of the true price, A within 10^-12 where rate and dividend are alike.

A price takes some 43 million gas, so it is for views, under a limit of their own: `execution.library.american` takes
3 million and fits a transaction.
"""

from execution.lang import Array, Decimal, Enum, Struct, exp, ln, norm_cdf, norm_pdf, require, sqrt
from execution.library.american import european_put, highest_boundary, plain_put
from execution.library.american_boundary import boundary, gain
from execution.library.collocation import (
    LAST,
    MIDDLE,
    ORDER,
    PI,
    chebyshev_cosines,
    chebyshev_terms,
    chebyshev_value,
    legendre_points,
    legendre_weights,
)
from execution.library.options import Right

ROUNDS: int = 8
FIRST_STEP: int = -40
LAST_STEP: int = 50
STEPS: int = 16
"""Of Takahasi and Mori's rule: from FIRST_STEP to LAST_STEP, so many a unit."""


class Equation(Enum):
    """Which of the two the boundary solves: A is the derivative of B, which says that the put is worth exercise."""

    A = 0
    B = 1


class Terms(Struct):
    """Of a put with a boundary; highest: where that is at expiry."""

    strike: Decimal
    highest: Decimal
    rate: Decimal
    dividend: Decimal
    volatility: Decimal
    years: Decimal


def andersen_lake(
    right: Right,
    equation: Equation,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """The price; arguments, special cases and rejections as of `execution.library.american.american`."""
    require(spot >= 0 and strike >= 0 and volatility >= 0 and years >= 0, "invalid number")
    if right == Right.CALL:
        return fine_put(equation, strike, spot, dividend, rate, volatility, years)
    return fine_put(equation, spot, strike, rate, dividend, volatility, years)


def fine_put(
    equation: Equation,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """The American put."""
    plain = plain_put(spot, strike, rate, dividend, volatility, years)
    if plain is not None:
        return plain
    put = Terms(strike, highest_boundary(strike, rate, dividend), rate, dividend, volatility, years)
    cosines = chebyshev_cosines()
    points = legendre_points()
    weights = legendre_weights(points)
    heights: Array[Decimal, 33] = Array()
    for place in range(1, LAST + 1):
        root = (1 - cosines[place]) / 2
        heights[place] = height_of(put, boundary(strike, put.highest, rate, dividend, volatility, years * root * root))
    for turn in range(ROUNDS):
        terms = chebyshev_terms(heights, cosines)
        for place in range(1, LAST + 1):
            root = (1 - cosines[place]) / 2
            level = improved_level(equation, put, root, sqrt(heights[place]), turn == 0, terms, points, weights)
            heights[place] = height_of(put, level)
    now = strike - spot
    if spot <= put.highest * exp(-sqrt(heights[LAST])):
        return now
    european = european_put(spot, strike, rate, dividend, volatility, years)
    return max(european + fine_premium(put, spot, chebyshev_terms(heights, cosines)), now)


def height_of(put: Terms, level: Decimal) -> Decimal:
    """What is interpolated: ln(boundary / highest) squared, the boundary kept above a thousandth of highest."""
    logarithm = ln(min(max(level, put.highest / 1_000), put.highest) / put.highest)
    return logarithm * logarithm


def improved_level(
    equation: Equation,
    put: Terms,
    root: Decimal,
    depth: Decimal,
    newton: bool,
    terms: Array[Decimal, 33],
    points: Array[Decimal, 33],
    weights: Array[Decimal, 33],
) -> Decimal:
    """
    One round at one point: strike * exp((dividend - rate) * time) * N / D of the equation, or Newton's step towards it.

    root: of the point's time, as a share of years. depth: of its boundary so far, ln(highest / boundary). Newton's step
    leaves out that the integrals move too.
    """
    time = put.years * root * root
    deviation = put.volatility * sqrt(put.years) * root
    level = put.highest * exp(-depth)
    d2 = (ln(put.highest / put.strike) - depth + (put.rate - put.dividend) * time) / deviation - deviation / 2
    d1 = d2 + deviation
    paid, held = integrals(equation, put, root, depth, terms, points, weights)
    paid_slope = norm_pdf(d2) / deviation
    held_slope = norm_pdf(d1) / deviation
    if equation == Equation.A:
        paid += paid_slope
        held += norm_cdf(d1) + held_slope
        paid_slope = -paid_slope * d2 / deviation
        held_slope = held_slope - held_slope * d1 / deviation
    else:
        paid += norm_cdf(d2)
        held += norm_cdf(d1)
    scale = put.strike * exp((put.dividend - put.rate) * time)
    better = scale * paid / held
    if newton:
        slope = (scale * paid_slope - better * held_slope) / held / level
        return level - (better - level) / (slope - 1)
    return better


def integrals(
    equation: Equation,
    put: Terms,
    root: Decimal,
    depth: Decimal,
    terms: Array[Decimal, 33],
    points: Array[Decimal, 33],
    weights: Array[Decimal, 33],
) -> tuple[Decimal, Decimal]:
    """Rate and dividend times the integrals in N and D, over time or its root; near: root of the share."""
    time = put.years * root * root
    deviation = put.volatility * sqrt(put.years) * root
    bend = deviation / (put.volatility * put.volatility)
    paid = Decimal(0)
    held = Decimal(0)
    for node in range(ORDER):
        place = min(node, ORDER - 1 - node)
        share = (1 + points[place]) / 2 if node < MIDDLE else (1 - points[place]) / 2
        weight = weights[place]
        near = share if equation == Equation.A else sqrt(share)
        past = time * (1 - near * near)
        spread = deviation * near
        height = max(chebyshev_value(terms, 2 * root * sqrt(1 - near * near) - 1), Decimal(0))
        e2 = (sqrt(height) - depth + (put.rate - put.dividend) * time * near * near) / spread - spread / 2
        e1 = e2 + spread
        owed = put.rate * exp(put.rate * past) * weight
        lost = put.dividend * exp(put.dividend * past) * weight
        if equation == Equation.A:
            paid += owed * bend * norm_pdf(e2)
            held += lost * (time * near * norm_cdf(e1) + bend * norm_pdf(e1))
        else:
            paid += owed * time / 2 * norm_cdf(e2)
            held += lost * time / 2 * norm_cdf(e1)
    return paid, held


def fine_premium(put: Terms, spot: Decimal, terms: Array[Decimal, 33]) -> Decimal:
    """What the right to exercise early is worth: `gain` over the root of time, s as a share."""
    deviation = put.volatility * sqrt(put.years)
    total = Decimal(0)
    for step in range(FIRST_STEP, LAST_STEP + 1):
        grown = exp(Decimal(step) / STEPS)
        bent = exp(PI / 2 * (1 / grown - grown) if step > 0 else PI / 2 * (grown - 1 / grown))
        least = bent / (1 + bent)
        s = 1 - least if step > 0 else least
        rest = least if step > 0 else 1 - least
        height = max(chebyshev_value(terms, 2 * sqrt(rest * (1 + s)) - 1), Decimal(0))
        level = put.highest * exp(-sqrt(height))
        weight = PI / 2 * (grown + 1 / grown) * s * rest
        left = put.years * s * s
        total += 2 * s * weight * gain(spot, level, put.strike, put.rate, put.dividend, deviation * s, left)
    return put.years * total / STEPS
