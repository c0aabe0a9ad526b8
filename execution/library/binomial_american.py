"""
American options on a binomial tree.

D. Leisen, M. Reimer, "Binomial models for option valuation: examining and improving convergence" (Applied Mathematical
Finance 3, 1996), probabilities by Peizer and Pratt's second inversion; two sizes of tree are extrapolated. Errors are
below 10^-3 of the strike up to three years, 3 * 10^-3 at ten. `execution.library.american` is closer.
"""

from execution.lang import Array, Decimal, Struct, exp, ln, require, sqrt
from execution.library.black_scholes import black_scholes
from execution.library.options import Right

STEPS_MAX: int = 63
COARSE_STEPS: int = 31


class Tree(Struct):
    """Per step: up and down are factors of the spot, chance is that of going up, discount that of one step."""

    up: Decimal
    down: Decimal
    chance: Decimal
    discount: Decimal


def binomial_american(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
) -> Decimal:
    """
    The price from trees of 31 and 63 steps; arguments as of `black_scholes`.

    Never below the European price, nor what exercise pays now. Rejects "invalid number" unless spot, strike,
    volatility and years are above 0.
    """
    exact = black_scholes(right, spot, strike, rate, dividend, volatility, years).price
    fine = leisen_reimer(right, spot, strike, rate, dividend, volatility, years, STEPS_MAX)
    coarse = leisen_reimer(right, spot, strike, rate, dividend, volatility, years, COARSE_STEPS)
    now = spot - strike if right == Right.CALL else strike - spot
    return max(2 * fine - coarse, exact, now)


def leisen_reimer(
    right: Right,
    spot: Decimal,
    strike: Decimal,
    rate: Decimal,
    dividend: Decimal,
    volatility: Decimal,
    years: Decimal,
    steps: int,
) -> Decimal:
    """The price on one tree of an odd number of steps, 63 at most; where volatility is lost in rounding, at none."""
    require(0 < steps <= STEPS_MAX and steps % 2 == 1, "invalid number")
    require(volatility > 0 and years > 0, "invalid number")
    tree = tree_of(spot, strike, rate, dividend, volatility, years, steps)
    sign = 1 if right == Right.CALL else -1
    zero = Decimal(0)
    if tree.up == tree.down:
        european = black_scholes(right, spot, strike, rate, dividend, zero, years).price
        return max(european, sign * (spot - strike))
    values: Array[Decimal, 64] = Array()
    ratio = tree.up / tree.down
    lowest = spot
    for _step in range(steps):
        lowest *= tree.down
    node = lowest
    for place in range(steps + 1):
        values[place] = max(sign * (node - strike), zero)
        node *= ratio
    above = tree.discount * tree.chance
    below = tree.discount - above
    for done in range(steps):
        lowest /= tree.down
        node = lowest
        for place in range(steps - done):
            kept = above * values[place + 1] + below * values[place]
            values[place] = max(kept, sign * (node - strike))
            node *= ratio
    return values[0]


def tree_of(
    spot: Decimal, strike: Decimal, rate: Decimal, dividend: Decimal, volatility: Decimal, years: Decimal, steps: int
) -> Tree:
    """Leisen and Reimer's parameters; up equals down where the chances are lost in rounding."""
    step = years / steps
    deviation = volatility * sqrt(years)
    d1 = (ln(spot / strike) + (rate - dividend) * years) / deviation + deviation / 2
    chance = inverted(d1 - deviation, steps)
    weighted = inverted(d1, steps)
    growth = exp((rate - dividend) * step)
    discount = exp(-rate * step)
    if chance < ENOUGH or 1 - chance < ENOUGH:
        return Tree(growth, growth, chance, discount)
    return Tree(growth * weighted / chance, growth * (1 - weighted) / (1 - chance), chance, discount)


ENOUGH = Decimal("0.000000000001")


def inverted(z: Decimal, steps: int) -> Decimal:
    """Peizer and Pratt's chance that `steps` fair-sized steps end as far up as a normal variable below z."""
    size = Decimal(steps)
    scaled = z / (size + Decimal(1) / 3 + Decimal("0.1") / (size + 1))
    exponent = scaled * scaled * (size + Decimal(1) / 6)
    half = sqrt(1 - exp(-min(exponent, Decimal(40)))) / 2
    return Decimal("0.5") + half if z >= 0 else Decimal("0.5") - half
