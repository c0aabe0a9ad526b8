"""
Everyone who acts on a devnet: the admin who lists the market, reporters, and twelve agents, spread over the nodes.

    market listed → reporters report → agents funded → trading, until cancelled

All go on with another node when theirs goes away, and where the chain stands: a market is listed once, an account
funded once.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import trio

from devnet import agents
from devnet.agents import ROLES, Prices, Role, Stage
from devnet.feeds import Tick
from devnet.funding import Cashier
from devnet.market import REPORTER_KEYS, Market, listing_calls
from devnet.trader import Hear, Trader
from genesis.crypto import keccak256
from genesis.devkeys import development_key
from genesis.errors import Invalid
from genesis.spec import ChainSpec

CAST: tuple[Role, ...] = ("maker",) * 5 + ("taker",) * 6 + ("gambler",)
MAKER_FUNDS, TAKER_FUNDS, GAMBLER_NOTIONAL = 2_000_000, 1_000_000, 500_000
FEE = 1_000_000_000
END_S = 120.0
"""What is waited after the last block for the last withdrawal to be paid."""
WITHDRAW_AT_BLOCK = 8
PAY_S = 0.5
REFUSED_S = 0.2


class Cast:
    """
    height: told by whoever watches the chain. fed_ms: how much of the feed has been played, in its own time. refused:
    how often a node refused something to an agent, by code.
    """

    def __init__(
        self,
        spec: ChainSpec,
        urls: Sequence[str],
        market: Market,
        ticks: Iterator[Tick],
        seed: int,
        cashier: Cashier,
        fed_ms: int = 0,
        hear: Hear | None = None,
    ) -> None:
        """
        Args:
            urls: of the nodes. fed_ms: where in the feed to begin. hear: told of every receipt that agents get.
        """
        self._spec, self._urls, self._market, self._seed, self._cashier = spec, urls, market, seed, cashier
        self._hear = hear
        self._ticks = ticks
        self.prices = Prices(next(tick for tick in ticks if tick.after_ms >= fed_ms))
        self.fed_ms, self.height = fed_ms, 0
        self.refused: Counter[str] = Counter()
        self._withdrawn = trio.Event()
        self._traders = [self.trader(_agent_key(number), number) for number in range(len(CAST))]

    def trader(self, key: bytes, number: int = 0) -> Trader:
        """An account that speaks to one of the nodes, and to the next one when that goes away."""
        first = number % len(self._urls)
        urls = (*self._urls[first:], *self._urls[:first])
        return Trader(key, urls, self._spec.chain_id, FEE, self._hear)

    async def play(self) -> None:
        """List the market, fund the agents and trade, until cancelled."""
        async with trio.open_nursery() as nursery:
            await self._list_market()
            for number, key in enumerate(REPORTER_KEYS):
                reporter = self.trader(development_key(key), number)
                report = partial(agents.report, reporter, self.prices)
                nursery.start_soon(reporter.keep, partial(self._bear, report))
            nursery.start_soon(self._play_feed)
            for number, (role, trader) in enumerate(zip(CAST, self._traders, strict=True)):
                nursery.start_soon(self._play, number, role, trader)

    async def settle(self) -> bool:
        """Wait until every withdrawal is paid; whether that came within END_S."""
        with trio.move_on_after(END_S):
            for trader in self._traders:
                while trader.address in self._cashier.owed:
                    await trader.keep(partial(self._cashier.pay_out, trader))
                    await trio.sleep(PAY_S)
            return True
        return False

    async def _list_market(self) -> None:
        admin = self.trader(development_key(1))

        async def work() -> None:
            if await admin.view("exchange", "market_count") == 0:
                await admin.must(*listing_calls(admin.programs, self._market))

        await admin.keep(partial(self._bear, work))

    async def _play(self, number: int, role: Role, trader: Trader) -> None:
        source = random.Random(f"{self._seed}/{number}")
        stake = int(GAMBLER_NOTIONAL * self._market.initial_rate)
        funds = {"maker": MAKER_FUNDS, "taker": TAKER_FUNDS, "gambler": stake}[role]

        async def work() -> None:
            if await trader.view("clearing", "cash", trader.address) == 0:
                await self._cashier.fund(trader, funds)
            async with trio.open_nursery() as nursery:
                if role == "taker" and CAST.index("taker") == number:
                    nursery.start_soon(self._withdraw, trader)
                nursery.start_soon(ROLES[role], Stage(trader, self._market, self.prices, source))

        await trader.keep(partial(self._bear, work))

    async def _bear(self, work: Callable[[], Awaitable[None]]) -> None:
        """Begin again when a node refuses something, as one does when its leader fell."""
        while True:
            try:
                await work()
                return
            except* Invalid as group:
                self.refused.update(error.code for error in _each(group))
            await trio.sleep(REFUSED_S)

    async def _withdraw(self, trader: Trader) -> None:
        """Withdraw once, then claim what has become final."""
        while self.height < WITHDRAW_AT_BLOCK:
            await trio.sleep(PAY_S)
        if not self._withdrawn.is_set():
            self._cashier.owed.add(trader.address)
            await agents.withdraw_some(trader)
            self._withdrawn.set()
        while True:
            await self._cashier.pay_out(trader)
            await trio.sleep(PAY_S)

    async def _play_feed(self) -> None:
        """Play the ticks in their time; at the end of a recorded file its last price stays."""
        begun = trio.current_time() - self.prices.last.after_ms / 1000
        for tick in self._ticks:
            await trio.sleep_until(begun + tick.after_ms / 1000)
            self.prices.last, self.fed_ms = tick, tick.after_ms


def _agent_key(number: int) -> bytes:
    """An agent's private key: published like the development keys, and worth as little."""
    return keccak256(f"tenor devnet agent {number}".encode())


def _each(group: BaseExceptionGroup[Invalid]) -> Iterator[Invalid]:
    for one in group.exceptions:
        if isinstance(one, BaseExceptionGroup):
            yield from _each(one)
        else:
            yield one
