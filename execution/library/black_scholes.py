"""
European options on a spot with a continuous yield: Black, Scholes and Merton.

F. Black, M. Scholes, "The pricing of options and corporate liabilities" (JPE 81, 1973); R. Merton, "Theory of rational
option pricing" (Bell Journal 4, 1973); greeks as in E. G. Haug, "The complete guide to option pricing formulas" (2007),
chapter 2. Every operation rounds half to even at the 18th place: errors are some 10^-17 of spot or strike.
"""

from execution.lang import Decimal, exp, ln, norm_cdf, norm_pdf, require, sqrt
from execution.library.options import Right, Valuation


def black_scholes(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Valuation:
    """
    Price and greeks of one option.

    Args:
        spot, strike: above 0, in the same currency.
        rate, dividend: continuous, per year; 0.05 is 5 %. The dividend is the yield, or the foreign rate.
        volatility: per square root of a year, not negative.
        years: to expiry, not negative; at 0, as at volatility 0, the option is worth what it would pay for certain.

    Rejects "invalid number" outside of that, "overflow".
    """
    require(strike > 0 and volatility >= 0, "invalid number")
    root = sqrt(years)
    deviation = volatility * root
    moneyness = ln(spot / strike) + (rate - dividend) * years
    discount = exp(-rate * years)
    present = spot * exp(-dividend * years)
    due = strike * discount
    if deviation == 0:
        return certain(right, present, due, spot, rate, dividend, years)
    d1 = moneyness / deviation + deviation / 2
    density = present * norm_pdf(d1)
    gamma = density / (spot * spot * deviation)
    vega = density * root
    decay = density * volatility / (2 * root)
    sign = 1 if right == Right.CALL else -1
    share = present * norm_cdf(sign * d1)
    owed = due * norm_cdf(sign * (d1 - deviation))
    return Valuation(
        price=max(sign * (share - owed), sign * (present - due), Decimal(0)),
        delta=sign * (share / spot),
        gamma=gamma,
        vega=vega,
        theta=sign * (dividend * share - rate * owed) - decay,
        rho=sign * (years * owed),
    )


def certain(
    right: Right,
    present: Decimal,
    due: Decimal,
    spot: Decimal,
    rate: Decimal,
    dividend: Decimal,
    years: Decimal,
) -> Valuation:
    """The option when the forward is certain; at the money neither side of the kink has a derivative: 0 is given."""
    zero = Decimal(0)
    sign = 1 if right == Right.CALL else -1
    price = sign * (present - due)
    if price <= 0:
        return Valuation(zero, zero, zero, zero, zero, zero)
    theta = sign * (dividend * present - rate * due)
    return Valuation(price, sign * (present / spot), zero, zero, theta, sign * (years * due))
