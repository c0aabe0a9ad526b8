"""Words shared by those who price options: which right, what it is worth, and how that moves."""

from execution.lang import Decimal, Enum, Struct


class Right(Enum):
    """A CALL may buy at the strike, a PUT may sell."""

    CALL = 0
    PUT = 1


class Valuation(Struct):
    """
    One option on one unit of the underlying, in the strike's currency.

    delta, gamma: per 1 of the spot (of the forward, where the model has one). vega: per 1.00 of volatility, so a
    hundredth of it for one point. theta: per year that passes, negative where time costs. rho: per 1.00 of the
    continuous rate, the spot held (the forward, where the model has one).
    """

    price: Decimal
    delta: Decimal
    gamma: Decimal
    vega: Decimal
    theta: Decimal
    rho: Decimal
