"""
Whatever traders, prices and time do: money, positions and books stay whole, and a liquidation that is due goes
through.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from execution.lang import Account, Decimal
from execution.programs.orders import Kind, Side
from tests.programs.steps import FEED, OTHER_FEED, PROGRAMS, TRADERS, Answer, Call
from tests.programs.venue import Venue

PEOPLE = st.sampled_from(TRADERS[:4])
MARKETS = st.integers(0, 2)
SIDES = st.sampled_from((Side.BUY, Side.SELL))
CENTRES = (200, 200, 12_500)
TICKS = (5 * 10**17, 5 * 10**16, 10**14)
LOTS = (10**17, 10**18, 10**19)
EXPECTED = ("account is healthy", "no position", "contract is halted", "grace after an outage")


class Trading(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.venue = Venue(cash=2000, insurance=500)
        self.levels = [100, 100]

    def run_call(self, who: Account, program: str, method: str, *arguments: object) -> Answer:
        return self.venue.take(Call(who, program, method, arguments))

    @rule(
        who=PEOPLE, market=MARKETS, side=SIDES, away=st.integers(-20, 40), lots=st.integers(1, 500), rests=st.booleans()
    )
    def order(self, who: Account, market: int, side: Side, away: int, lots: int, rests: bool) -> None:
        level = CENTRES[market] * self.levels[market // 2] // 100
        ticks = max(level + (-away if side == Side.BUY else away) * level // 400, 1)
        price, size = Decimal.from_raw(ticks * TICKS[market]), Decimal.from_raw(lots * LOTS[market])
        if rests:
            self.run_call(who, "exchange", "post", market, side, price, size, 0)
        else:
            self.run_call(who, "exchange", "place", market, side, price, size, Kind.LIMIT, 0, away % 5 == 0)

    @rule(who=PEOPLE, market=MARKETS, most=st.integers(1, 5))
    def cancel(self, who: Account, market: int, most: int) -> None:
        answer = self.run_call(who, "exchange", "cancel_all", market, most)
        assert not answer.reason

    @rule(who=PEOPLE, amount=st.integers(1, 2000))
    def withdraw(self, who: Account, amount: int) -> None:
        self.run_call(who, "clearing", "withdraw", Decimal(amount))

    @rule(feed=st.integers(0, 1), percent=st.integers(-30, 30))
    def move(self, feed: int, percent: int) -> None:
        self.levels[feed] = min(max(self.levels[feed] * (100 + percent) // 100, 5), 2000)
        base = Decimal(100) if feed == 0 else Decimal("1.25")
        self.venue.price(str(base * self.levels[feed] / 100), (FEED, OTHER_FEED)[feed], 300)

    @precondition(lambda self: self.venue.ask("clearing", "flags") > 0)
    @rule(ms=st.integers(1, 3000))
    def wait(self, ms: int) -> None:
        self.venue.tick(ms)

    @rule(who=PEOPLE, market=MARKETS)
    def liquidate(self, who: Account, market: int) -> None:
        answer = self.run_call(TRADERS[7], "exchange", "liquidate", market, who)
        assert answer.reason in ("", *EXPECTED)

    @precondition(lambda self: len(self.venue.chain.events) > 100)
    @rule(price=st.integers(0, 40), who=PEOPLE)
    def end(self, price: int, who: Account) -> None:
        """Late in a run contract 1 ends, at any price; holders redeem now and then."""
        self.run_call(PROGRAMS["perpetual"], "clearing", "finish", 1, Decimal(price))
        before = self.venue.ask("clearing", "equity", who)
        assert not self.run_call(who, "clearing", "redeem", 1, who).reason
        assert self.venue.ask("clearing", "equity", who) == before

    @invariant()
    def whole(self) -> None:
        self.venue.check()


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=25, stateful_step_count=40, deadline=None, derandomize=True)
