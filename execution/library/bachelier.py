"""
European options on a forward that may be negative: Bachelier's normal model.

L. Bachelier, "Theorie de la speculation" (1900); greeks as in E. G. Haug, "The complete guide to option pricing
formulas" (2007), section 1.3. Every operation rounds half to even at the 18th place.
"""

from execution.lang import Decimal, exp, norm_cdf, norm_pdf, require, sqrt
from execution.library.options import Right, Valuation


def bachelier(
    right: Right,
    forward: Decimal,
    strike: Decimal,
    rate: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Valuation:
    """
    Price and greeks of one option, paid for now; delta and gamma by the forward, rho at a fixed forward.

    Args:
        forward, strike: in the same currency, of any sign.
        rate: continuous, per year.
        volatility: in that currency per square root of a year, not negative.
        years: to expiry, not negative; at 0, as at volatility 0, the option is worth what it would pay for certain.

    Rejects "invalid number" outside of that, "overflow".
    """
    require(volatility >= 0, "invalid number")
    root = sqrt(years)
    deviation = volatility * root
    discount = exp(-rate * years)
    sign = 1 if right == Right.CALL else -1
    gain = sign * (forward - strike)
    if deviation == 0:
        price = discount * max(gain, Decimal(0))
        delta = sign * discount if price > 0 else Decimal(0)
        return Valuation(price, delta, Decimal(0), Decimal(0), rate * price, -years * price)
    d = gain / deviation
    density = discount * norm_pdf(d)
    exercised = discount * norm_cdf(d)
    price = gain * exercised + deviation * density
    return Valuation(
        price=price,
        delta=sign * exercised,
        gamma=density / deviation,
        vega=root * density,
        theta=rate * price - volatility * density / (2 * root),
        rho=-years * price,
    )
