"""
Time of option prices in WASM: loops inside one view call, so that what is told is the pricing alone.

Terms vary with every turn, from far in to far out of the money, so that no branch is learnt by heart. A turn of the
loop costs a few additions more than the pricing itself.
"""

from __future__ import annotations

from node.bench.desk import Desk

TURNS = 100_000

SOURCE = '''
"""Prices in a loop."""

from execution.lang import Decimal, Program, view
from execution.library.black_scholes import black_scholes
from execution.library.implied_volatility import Status, implied_volatility
from execution.library.options import Right

RATE = Decimal("0.05")
DIVIDEND = Decimal("0.01")
STRIKE = Decimal(100)
YEARS = Decimal("0.5")


class Desk(Program):
    @view
    def valued(self, turns: int) -> Decimal:
        total = Decimal(0)
        spot = Decimal(60)
        volatility = Decimal("0.1")
        for turn in range(turns):
            spot += Decimal("0.37")
            if spot > 150:
                spot -= 90
            volatility += Decimal("0.013")
            if volatility > 1:
                volatility -= Decimal("0.9")
            right = Right.CALL if turn % 2 == 0 else Right.PUT
            value = black_scholes(right, spot, STRIKE, RATE, DIVIDEND, volatility, YEARS)
            total += value.price + value.delta + value.gamma + value.vega + value.theta + value.rho
        return total

    @view
    def implied(self, turns: int) -> int:
        found = 0
        spot = Decimal(85)
        price = Decimal(20)
        for turn in range(turns):
            spot += Decimal("0.37")
            if spot > 115:
                spot -= 30
            price += Decimal("0.13")
            if price > 40:
                price -= 20
            right = Right.CALL if turn % 2 == 0 else Right.PUT
            result = implied_volatility(right, price, spot, STRIKE, RATE, DIVIDEND, YEARS)
            if result.status == Status.FOUND:
                found += 1
        return found
'''


def black_scholes_us(desk: Desk | None = None, turns: int = TURNS) -> float:
    """Microseconds of a price with its five greeks."""
    return (desk or Desk(SOURCE)).seconds("valued", turns) / turns * 1e6


def implied_vol_us(desk: Desk | None = None, turns: int = TURNS) -> float:
    """Microseconds of an implied volatility."""
    return (desk or Desk(SOURCE)).seconds("implied", turns) / turns * 1e6


def pricing() -> dict[str, float]:
    """Both figures, from one program."""
    desk = Desk(SOURCE)
    return {"black_scholes_us": round(black_scholes_us(desk), 3), "implied_vol_us": round(implied_vol_us(desk), 3)}
