"""
European options on a forward or a future: Black.

F. Black, "The pricing of commodity contracts" (Journal of Financial Economics 3, 1976). Every operation rounds half to
even at the 18th place: errors are some 10^-17 of forward or strike.
"""

from execution.lang import Decimal, exp, ln, norm_cdf, norm_pdf, require, sqrt
from execution.library.options import Right, Valuation


def black76(
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
        forward, strike: above 0, in the same currency.
        rate: continuous, per year; 0 where premiums are paid at expiry.
        volatility: per square root of a year, not negative.
        years: to expiry, not negative; at 0, as at volatility 0, the option is worth what it would pay for certain.

    Rejects "invalid number" outside of that, "overflow".
    """
    require(forward > 0 and strike > 0 and volatility >= 0, "invalid number")
    root = sqrt(years)
    deviation = volatility * root
    discount = exp(-rate * years)
    sign = 1 if right == Right.CALL else -1
    if deviation == 0:
        price = discount * max(sign * (forward - strike), Decimal(0))
        delta = sign * discount if price > 0 else Decimal(0)
        return Valuation(price, delta, Decimal(0), Decimal(0), rate * price, -years * price)
    d1 = ln(forward / strike) / deviation + deviation / 2
    density = discount * norm_pdf(d1)
    delta = sign * (discount * norm_cdf(sign * d1))
    price = forward * delta - sign * (strike * discount * norm_cdf(sign * (d1 - deviation)))
    return Valuation(
        price=price,
        delta=delta,
        gamma=density / (forward * deviation),
        vega=forward * density * root,
        theta=rate * price - forward * density * volatility / (2 * root),
        rho=-years * price,
    )
