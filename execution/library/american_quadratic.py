"""
American options by quadratic approximation: quick, and good to some hundredths of a per cent of the strike.

G. Barone-Adesi, R. Whaley, "Efficient analytic approximation of American option values" (Journal of Finance 42, 1987),
as in E. G. Haug, "The complete guide to option pricing formulas" (1998); and its refinement by N. Ju, R. Zhong, "An
approximate formula for pricing American options" (Journal of Derivatives 7, 1999).
"""

from execution.lang import Decimal, Struct, exp, ln, norm_cdf, norm_pdf, pow, require, sqrt
from execution.library.black_scholes import black_scholes
from execution.library.options import Right

ITERATIONS: int = 32
ENOUGH = Decimal("0.000000000001")
"""Relative to the strike: where the search for the critical price ends."""


class Critical(Struct):
    """
    price: of the underlying, where exercise begins to pay. power: of the premium as a function of spot / price. d1:
    that of the European option there, worth `european`.
    """

    price: Decimal
    power: Decimal
    d1: Decimal
    european: Decimal


def never_early(right: Right, rate: Decimal, dividend: Decimal) -> bool:
    """Whether exercise before expiry never pays: a call without dividends, a put without interest."""
    return dividend <= 0 if right == Right.CALL else rate <= 0


def barone_adesi_whaley(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """
    The price; arguments as of `black_scholes`.

    rate and dividend are not negative, volatility and years above 0; else rejects "invalid number". Terms far out of
    the ordinary may reject "overflow".
    """
    require(rate >= 0 and dividend >= 0 and volatility > 0 and years > 0, "invalid number")
    european = black_scholes(right, spot, strike, rate, dividend, volatility, years).price
    if never_early(right, rate, dividend):
        return european
    sign = 1 if right == Right.CALL else -1
    critical = critical_price(right, strike, rate, dividend, volatility, years)
    if sign * (spot - critical.price) >= 0:
        return sign * (spot - strike)
    share = exp(-dividend * years) * norm_cdf(sign * critical.d1)
    premium = sign * critical.price / critical.power * (1 - share)
    return european + premium * pow(spot / critical.price, critical.power)


def ju_zhong(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """The price; arguments and rejections as above, but for an interest of 0, which is taken as 10^-9."""
    require(rate >= 0 and dividend >= 0 and volatility > 0 and years > 0, "invalid number")
    european = black_scholes(right, spot, strike, rate, dividend, volatility, years).price
    if never_early(right, rate, dividend):
        return european
    rate = max(rate, Decimal("0.000000001"))
    sign = 1 if right == Right.CALL else -1
    critical = critical_price(right, strike, rate, dividend, volatility, years)
    if sign * (spot - critical.price) >= 0:
        return sign * (spot - strike)
    deviation = volatility * sqrt(years)
    alpha = 2 * rate / (volatility * volatility)
    discount = exp(-rate * years)
    h = 1 - discount
    forward = critical.price * exp((rate - dividend) * years)
    gain = sign * (critical.price - strike) - critical.european
    root = sign * (2 * critical.power + 2 * (rate - dividend) / (volatility * volatility) - 1)
    bend = -sign * alpha / (h * h * root)
    drift = forward * norm_pdf(critical.d1) / (alpha * deviation)
    drift -= sign * forward * norm_cdf(sign * critical.d1) * dividend / rate
    drift += sign * strike * norm_cdf(sign * (critical.d1 - deviation))
    scale = discount * alpha / (sign * root)
    distance = ln(spot / critical.price)
    b = scale * bend / 2
    c = -scale * (drift / gain + 1 / h + bend / (sign * root))
    chi = distance * (b * distance + c)
    return european + gain * pow(spot / critical.price, critical.power) / (1 - chi)


def critical_price(
    right: Right, strike: Decimal, rate: Decimal, dividend: Decimal, volatility: Decimal, years: Decimal
) -> Critical:
    """Barone-Adesi and Whaley's, by Newton's method."""
    sign = 1 if right == Right.CALL else -1
    variance = volatility * volatility
    deviation = volatility * sqrt(years)
    carry = 2 * (rate - dividend) / variance - 1
    due = 1 - exp(-rate * years)
    growth = 2 * rate / (variance * due) if due > 0 else 2 / (variance * years)
    power = (sign * sqrt(carry * carry + 4 * growth) - carry) / 2
    keep = exp(-dividend * years)
    price = seed(sign, strike, rate, dividend, variance, deviation, years, carry)
    european = Decimal(0)
    d1 = Decimal(0)
    for _round in range(ITERATIONS):
        d1 = (ln(price / strike) + (rate - dividend + variance / 2) * years) / deviation
        share = keep * norm_cdf(sign * d1)
        european = black_scholes(right, price, strike, rate, dividend, volatility, years).price
        worth = european + sign * (1 - share) * price / power
        if abs(sign * (price - strike) - worth) <= ENOUGH * strike:
            break
        slope = sign * share * (1 - 1 / power) + sign * (1 - sign * keep * norm_pdf(d1) / deviation) / power
        price = (strike + sign * (worth - slope * price)) / (1 - sign * slope)
    return Critical(price, power, d1, european)


def seed(
    sign: int,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    variance: Decimal,
    deviation: Decimal,
    years: Decimal,
    carry: Decimal,
) -> Decimal:
    """Barone-Adesi and Whaley's start: between the strike and the critical price of a perpetual option."""
    endless = (sign * sqrt(carry * carry + 8 * rate / variance) - carry) / 2
    limit = strike / (1 - 1 / endless) if endless != 0 else Decimal(0)
    drift = sign * (rate - dividend) * years
    near = exp(-(drift + 2 * deviation) * strike / (sign * (limit - strike)))
    return limit + (strike - limit) * near
