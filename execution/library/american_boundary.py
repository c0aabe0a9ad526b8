"""
Where American puts are exercised, and what the right is worth: the parts of `execution.library.american`.

The boundary solves M. Li's QD+ equation ("Analytical approximations for the critical stock prices of American options",
Review of Derivatives Research 13, 2010); its squared logarithm is interpolated by Chebyshev in the square root of time,
improved by iterating the exact equation, and I. Kim's integral (RFS 3, 1990) taken over it: L. Andersen, M. Lake, D.
Offengenden, "High-performance American option pricing" (Journal of Computational Finance 20, 2016).
"""

from execution.lang import Array, Decimal, exp, ln, norm_cdf, norm_pdf, sqrt

LAST: int = 7
"""Number of the last of Chebyshev's points, which are those times where the boundary is solved."""
COSINES: Array[Decimal, 8] = Array(
    Decimal("1.000000000000000000"),
    Decimal("0.900968867902419126"),
    Decimal("0.623489801858733531"),
    Decimal("0.222520933956314404"),
    Decimal("-0.222520933956314404"),
    Decimal("-0.623489801858733531"),
    Decimal("-0.900968867902419126"),
    Decimal("-1.000000000000000000"),
)
NODES: Array[Decimal, 8] = Array(
    Decimal("0.989400934991649939"),
    Decimal("0.944575023073232600"),
    Decimal("0.865631202387831755"),
    Decimal("0.755404408355002999"),
    Decimal("0.617876244402643771"),
    Decimal("0.458016777657227370"),
    Decimal("0.281603550779258915"),
    Decimal("0.095012509837637441"),
)
"""The positive half of the Gauss-Legendre points of order 16, and their weights."""
WEIGHTS: Array[Decimal, 8] = Array(
    Decimal("0.027152459411754096"),
    Decimal("0.062253523938647894"),
    Decimal("0.095158511682492786"),
    Decimal("0.124628971255533877"),
    Decimal("0.149595988816576736"),
    Decimal("0.169156519395002536"),
    Decimal("0.182603415044923584"),
    Decimal("0.189450610455068502"),
)
PANELS: int = 8
"""Of the integral, on either side of its middle: they halve towards the ends, where it turns sharply."""
HALVINGS: int = 72


def boundary(
    strike: Decimal, highest: Decimal, rate: Decimal, dividend: Decimal, volatility: Decimal, years: Decimal
) -> Decimal:
    """The spot below which the put is exercised with so much time to go, by halving below its limit at expiry."""
    variance = volatility * volatility
    deviation = volatility * sqrt(years)
    discount = exp(-rate * years)
    keep = exp(-dividend * years)
    h = 1 - discount
    omega = 2 * (rate - dividend) / variance - 1
    root = sqrt(omega * omega + 8 * rate / (variance * h))
    power = -(omega + root) / 2
    bend = 2 * rate / (variance * h) / h / root
    scale = -2 * discount / (variance * root)
    slope = power - scale * rate * (1 / h - bend / root)
    drift = (rate - dividend) * years
    low = highest / 1_000
    high = highest
    for _halving in range(HALVINGS):
        middle = (low + high) / 2
        d2 = (ln(middle / strike) + drift) / deviation - deviation / 2
        d1 = d2 + deviation
        owed = strike * discount * norm_cdf(-d2)
        share = keep * norm_cdf(-d1)
        theta = rate * owed - middle * (
            dividend * share + keep * norm_pdf(d1) * volatility / (2 * deviation) * volatility
        )
        gap = strike - middle - (owed - middle * share)
        if (1 - share) * middle + slope * gap + scale * theta / discount > 0:
            high = middle
        else:
            low = middle
    return low


def improved(
    strike: Decimal,
    highest: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
    heights: Array[Decimal, 8],
) -> Array[Decimal, 8]:
    """
    One round of Andersen, Lake and Offengenden's iteration B at all of Chebyshev's points.

    The integrals run as that of `premium` does, without panels. Heights are squares of ln(boundary / highest).
    """
    terms = chebyshev(heights)
    better: Array[Decimal, 8] = Array()
    for place in range(1, LAST + 1):
        root = (1 - COSINES[place]) / 2
        time = years * root * root
        depth = sqrt(heights[place])
        deviation = volatility * sqrt(time)
        d2 = (ln(highest / strike) - depth + (rate - dividend) * time) / deviation - deviation / 2
        paid = norm_cdf(d2)
        held = norm_cdf(d2 + deviation)
        for node in range(32):
            point = NODES[node % 8] if node % 16 < 8 else -NODES[node % 8]
            distance = (1 + point) / 4
            p = distance if node < 16 else 1 - distance
            turn = 1 + p * p
            s = 2 * p / turn
            c = 2 / turn - 1
            left = time * s * s
            spread = volatility * sqrt(left)
            fall = sqrt(max(height(terms, 2 * root * c - 1), Decimal(0))) - depth
            e2 = (fall + (rate - dividend) * left) / spread - spread / 2
            weight = 2 * WEIGHTS[node % 8] * time * s * c / turn / 2
            paid += rate * weight * exp(rate * (time - left)) * norm_cdf(e2)
            held += dividend * weight * exp(dividend * (time - left)) * norm_cdf(e2 + spread)
        level = strike * exp((dividend - rate) * time) * paid / held
        logarithm = ln(min(max(level, highest / 1_000), highest) / highest)
        better[place] = logarithm * logarithm
    return better


def premium(
    spot: Decimal,
    strike: Decimal,
    highest: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
    heights: Array[Decimal, 8],
) -> Decimal:
    """
    What the right to exercise early is worth: interest gained less dividends lost while below the boundary.

    Time is years * s^2 from now, with s = 2p / (1 + p^2) and c = (1 - p^2) / (1 + p^2), so that the roots of both ends
    are smooth. From either end p is cut at 1/4, 1/8 and so on.
    """
    terms = chebyshev(heights)
    total = Decimal(0)
    width = Decimal("0.25")
    start = Decimal("0.25")
    for panel in range(PANELS):
        for node in range(32):
            point = NODES[node % 8] if node % 16 < 8 else -NODES[node % 8]
            distance = start + width * (1 + point) / 2
            p = distance if node < 16 else 1 - distance
            turn = 1 + p * p
            s = 2 * p / turn
            c = 2 / turn - 1
            left = years * s * s
            level = highest * exp(-sqrt(max(height(terms, 2 * c - 1), Decimal(0))))
            earned = gain(spot, level, strike, rate, dividend, volatility * sqrt(left), left)
            total += WEIGHTS[node % 8] * width * earned * s * c / turn
        if panel < PANELS - 2:
            width = width / 2
            start = start - width
        else:
            start = Decimal(0)
    return 2 * years * total


def gain(
    spot: Decimal, level: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, deviation: Decimal, years: Decimal
) -> Decimal:
    """A year's interest less dividends, where the spot is below the level after so many years; valued now."""
    d2 = (ln(spot / level) + (rate - dividend) * years) / deviation - deviation / 2
    owed = rate * strike * exp(-rate * years) * norm_cdf(-d2)
    return owed - dividend * spot * exp(-dividend * years) * norm_cdf(-d2 - deviation)


def chebyshev(heights: Array[Decimal, 8]) -> Array[Decimal, 8]:
    """Terms of the interpolant through values at the points -COSINES."""
    terms: Array[Decimal, 8] = Array()
    for order in range(LAST + 1):
        total = Decimal(0)
        for place in range(LAST + 1):
            turn = order * place % (2 * LAST)
            value = heights[place] * COSINES[turn if turn <= LAST else 2 * LAST - turn]
            total += value / 2 if place == 0 or place == LAST else value
        total = 2 * total / LAST
        if order == 0 or order == LAST:
            total = total / 2
        terms[order] = total if order % 2 == 0 else -total
    return terms


def height(terms: Array[Decimal, 8], x: Decimal) -> Decimal:
    """The interpolant at x, by Clenshaw's recurrence."""
    last = Decimal(0)
    before = Decimal(0)
    for order in range(LAST, 0, -1):
        following = 2 * x * last - before + terms[order]
        before = last
        last = following
    return x * last - before + terms[0]
