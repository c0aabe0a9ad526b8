"""
The volatility at which Black, Scholes and Merton give a price. Never fails: every case has its word.

The price is brought to that of the out-of-the-money option, in units of the smaller of present spot and present strike,
b(s) = N(x/s + s/2) - e^-x N(x/s - s/2) with s the standard deviation to expiry (P. Jaeckel, "Let's be rational",
Wilmott 2015). The start is the rational guess of D. Stefanica and R. Radoicic, "An explicit implied volatility
formula" (IJTAF 20, 2017), within some percent; Halley's method on the logarithm of b, or of 1 - b above a half, where
it is nearly straight, cubes the error in each step: three as a rule, ITERATIONS at most.
"""

from execution.lang import Decimal, Enum, Struct, exp, ln, norm_cdf, norm_pdf, sqrt
from execution.library.options import Right

ITERATIONS: int = 24
SIZE_MIN = Decimal("0.000000001")
SIZE_MAX = Decimal(100_000_000_000)
RATIO_MAX: int = 1_000_000_000
RATE_MAX: int = 100
YEARS_MAX: int = 1_000
GROWTH_MAX: int = 20
DEVIATION_MIN = Decimal("0.000000000000001")
DEVIATION_MAX: int = 40
REACH: int = 12
"""Beyond this many deviations out of the money an option is worth less than the last place."""
ENOUGH = Decimal("0.000000001")
"""A relative step below which the next one would change nothing."""
HALF = Decimal("0.5")
TWO_OVER_PI = Decimal("0.636619772367581343")
HALF_PI = Decimal("1.570796326794896619")
ROOT_TWO_PI = Decimal("2.506628274631000502")
FLAT = Decimal("0.000000000001")


class Status(Enum):
    """
    FOUND: the volatility reprices the option to the last places. BELOW_INTRINSIC: the price is less than that of the
    option at volatility 0. ABOVE_MAXIMUM: it is at least that at endless volatility, the present spot of a call, the
    present strike of a put. INVALID_TERMS: no such option, or its terms are beyond the bounds named in this module.
    """

    FOUND = 0
    BELOW_INTRINSIC = 1
    ABOVE_MAXIMUM = 2
    INVALID_TERMS = 3


class Implied(Struct):
    """volatility: per square root of a year; 0 unless FOUND."""

    status: Status
    volatility: Decimal


def implied_volatility(
    right: Right,
    price: Decimal,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    years: Decimal,
) -> Implied:
    """
    The volatility of `black_scholes` with these terms; arguments in its units.

    A price of exactly the intrinsic value gives volatility 0.
    """
    zero = Decimal(0)
    if not admissible(spot, strike, rate, dividend, years):
        return Implied(Status.INVALID_TERMS, zero)
    present = spot * exp(-dividend * years)
    due = strike * exp(-rate * years)
    small = min(present, due)
    large = max(present, due)
    if small < SIZE_MIN or large / RATIO_MAX > small:
        return Implied(Status.INVALID_TERMS, zero)
    calls = right == Right.CALL
    if price < 0:
        return Implied(Status.BELOW_INTRINSIC, zero)
    if price >= (present if calls else due):
        return Implied(Status.ABOVE_MAXIMUM, zero)
    excess = present - due if calls else due - present
    value = price - max(excess, zero)
    if value < 0:
        return Implied(Status.BELOW_INTRINSIC, zero)
    value = value / small
    if value == 0:
        return Implied(Status.FOUND, zero)
    if value >= 1:
        return Implied(Status.ABOVE_MAXIMUM, zero)
    ratio = large / small
    return Implied(Status.FOUND, deviation_of(value, ratio, small / large) / sqrt(years))


def admissible(spot: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, years: Decimal) -> bool:
    """Whether every step stays within a Decimal."""
    if not (SIZE_MIN <= spot <= SIZE_MAX and SIZE_MIN <= strike <= SIZE_MAX and 0 < years <= YEARS_MAX):
        return False
    if abs(rate) > RATE_MAX or abs(dividend) > RATE_MAX:
        return False
    return abs(rate * years) <= GROWTH_MAX and abs(dividend * years) <= GROWTH_MAX


def deviation_of(value: Decimal, ratio: Decimal, inverse: Decimal) -> Decimal:
    """The s with b(s) = value, 0 < value < 1, for e^-x = ratio and e^x = inverse."""
    x = -ln(ratio)
    lowest = max(-x / REACH, DEVIATION_MIN)
    highest = Decimal(DEVIATION_MAX)
    s = min(max(guess(value, x, inverse), lowest), highest)
    low = value < HALF
    goal = value if low else 1 - value
    target = ln(goal)
    for _round in range(ITERATIONS):
        t = x / s
        h = s / 2
        far = ratio * norm_cdf(t - h)
        worth = norm_cdf(t + h) - far if low else norm_cdf(-t - h) + far
        if (worth < goal) == low:
            lowest = s
        else:
            highest = s
        slope = norm_pdf(t + h)
        following = lowest
        if worth > 0 and slope > 0:
            newton = (target - ln(worth)) * worth / slope
            bend = t * t / s - h / 2
            if low:
                bend -= slope / worth
            else:
                bend += slope / worth
                newton = -newton
            newton = min(max(newton, -s), s)
            following = s + newton / max(1 + newton * bend / 2, HALF)
            if abs(following - s) <= ENOUGH * s:
                return following
        if following <= lowest or following >= highest:
            following = min((lowest + highest) / 2, 2 * s)
        s = following
    return s


def guess(value: Decimal, x: Decimal, inverse: Decimal) -> Decimal:
    """Stefanica and Radoicic's start, theirs for a call with forward e^x and strike 1, x <= 0."""
    share = value * inverse
    r = 1 - inverse + 2 * share
    e1 = exp(x - TWO_OVER_PI * x)
    e2 = exp(TWO_OVER_PI * x)
    f1 = 1 / e1
    a = (e1 - f1) * (e1 - f1)
    b = 4 * (e2 + 1 / e2) - 2 / inverse * (e1 + f1) * (inverse * inverse + 1 - r * r)
    c = 16 * value * (1 - value) * (1 + share) * (1 - inverse + share)
    below = b + sqrt(max(b * b + 4 * a * c, Decimal(0)))
    if below <= FLAT or c <= FLAT:
        return max(value * ROOT_TWO_PI, -x / 6)
    gamma = -HALF_PI * ln(2 * c / below)
    upper = sqrt(max(gamma - x, Decimal(0)))
    lower = sqrt(max(gamma + x, Decimal(0)))
    if share <= inverse / 2 - (1 - sqrt(1 - e2 * e2)) / 2:
        return upper - lower
    return upper + lower
