"""
American options as if exercised at one flat trigger price: quick, a lower bound of the true price.

P. Bjerksund, G. Stensland, "Closed-form approximation of American options" (Scandinavian Journal of Management 9,
1993), as in E. G. Haug, "The complete guide to option pricing formulas" (1998). Good to about 1 % of the price.
"""

from execution.lang import Decimal, exp, ln, norm_cdf, norm_pdf, require, sqrt
from execution.library.american_quadratic import never_early
from execution.library.black_scholes import black_scholes
from execution.library.options import Right

TAIL: int = 4
"""From so many deviations on a reflected probability is taken as a density times Mills' ratio: its factor is large."""
TERMS: int = 40


def bjerksund_stensland(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """
    The price, a lower bound of the true one; arguments as of `black_scholes`.

    A put is the call on the strike with rate and dividend changing places. Rejects "invalid number" for a negative rate
    or dividend, and unless volatility and years are above 0; terms far out of the ordinary may reject "overflow".
    """
    require(rate >= 0 and dividend >= 0 and volatility > 0 and years > 0, "invalid number")
    if never_early(right, rate, dividend):
        return black_scholes(right, spot, strike, rate, dividend, volatility, years).price
    if right == Right.CALL:
        return flat_boundary(spot, strike, rate, rate - dividend, volatility, years)
    return flat_boundary(strike, spot, dividend, dividend - rate, volatility, years)


def flat_boundary(
    spot: Decimal, strike: Decimal, rate: Decimal, carry: Decimal, volatility: Decimal, years: Decimal
) -> Decimal:
    """The call that is exercised at one trigger price, whenever that is reached."""
    variance = volatility * volatility
    lean = Decimal("0.5") - carry / variance
    beta = lean + sqrt(lean * lean + 2 * rate / variance)
    endless = beta / (beta - 1) * strike
    least = max(strike, rate / (rate - carry) * strike)
    h = -(carry * years + 2 * volatility * sqrt(years)) * least / (endless - least)
    trigger = least + (endless - least) * (1 - exp(h))
    if spot >= trigger:
        return spot - strike
    one = Decimal(1)
    zero = Decimal(0)
    gain = trigger - strike
    reached = gain * exp(beta * ln(spot / trigger))
    reached -= gain * knocked(spot, years, beta, trigger, trigger, trigger, rate, carry, volatility)
    held = knocked(spot, years, one, trigger, trigger, one, rate, carry, volatility)
    held -= knocked(spot, years, one, strike, trigger, one, rate, carry, volatility)
    paid = knocked(spot, years, zero, trigger, trigger, one, rate, carry, volatility)
    paid -= knocked(spot, years, zero, strike, trigger, one, rate, carry, volatility)
    return reached + held - strike * paid


def knocked(
    spot: Decimal,
    years: Decimal,
    gamma: Decimal,
    level: Decimal,
    trigger: Decimal,
    unit: Decimal,
    rate: Decimal,
    carry: Decimal,
    volatility: Decimal,
) -> Decimal:
    """Present value of (spot / unit)^gamma at expiry if it ends below `level` and never reaches the trigger."""
    variance = volatility * volatility
    deviation = volatility * sqrt(years)
    drift = (gamma * carry - rate + gamma * (gamma - 1) / 2 * variance) * years
    d = -(ln(spot / level) + (carry + (gamma - Decimal("0.5")) * variance) * years) / deviation
    far = ln(trigger / spot)
    mirrored = d - 2 * far / deviation
    if mirrored < -TAIL:
        weight = norm_pdf(d) * exp(-2 * far * ln(trigger / level) / (deviation * deviation))
        reflected = weight * mills(-mirrored)
    else:
        reflected = exp((2 * carry / variance + 2 * gamma - 1) * far) * norm_cdf(mirrored)
    return exp(drift + gamma * ln(spot / unit)) * (norm_cdf(d) - reflected)


def mills(x: Decimal) -> Decimal:
    """(1 - norm_cdf(x)) / norm_pdf(x) for x >= TAIL by its continued fraction, to twelve places."""
    tail = x
    for number in range(TERMS, 0, -1):
        tail = x + number / tail
    return 1 / tail
