"""
What a chain needs around it: people, time, prices, and a market that is ready to trade.

All of it is deterministic: accounts come from their names, time moves when told to, prices are published at once.
"""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Any

from execution.lang.decimal import Decimal
from execution.lang.feeds import Feed
from execution.lang.values import ACCOUNT_BYTES, Account, Asset, Duration, Symbol, Timestamp
from node.testing.bundles import load_text
from node.testing.chain import Chain, Deployed

MAX_AGE = Duration.seconds(60)
CONFIDENCE = Decimal("0.01")
FOREVER = Duration.days(365)
PRICES = '''
"""Prices: publishes what it is told."""

from execution.lang import Decimal, Duration, Feed, Program, Timestamp, external, publish


class Prices(Program):
    told: int

    @external(order="cancel")
    def report(self, feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp, max_age: Duration) -> None:
        self.told += 1
        publish(feed, price, confidence, time, max_age)
'''


class Accounts:
    """accounts.alice, accounts["alice"]: the same account in every test, different for every name."""

    def __getitem__(self, name: str) -> Account:
        return Account(hashlib.sha256(b"tenor test account " + name.encode()).digest()[:ACCOUNT_BYTES])

    def __getattr__(self, name: str) -> Account:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[name]


class Clock:
    """Time of the chain: it stands still until it is told to go on."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain

    @property
    def now(self) -> Timestamp:
        return self._chain.time

    def advance(self, by: Duration) -> None:
        """A block so much later, in which what is due runs. ValueError unless it is later."""
        if by <= Duration(0):
            raise ValueError(f"time only grows; advance by a positive duration, not {by.ms} ms")
        self._chain.open_block(self.now + by)

    def advance_to(self, time: Timestamp) -> None:
        self.advance(time - self.now)


class Prices:
    """Quotes of feeds. Whoever subscribed hears of a price in the next batch: the next call, or `clock.advance`."""

    def __init__(self, chain: Chain, accounts: Accounts) -> None:
        self._chain, self._accounts = chain, accounts
        self._feeds = 0
        self._told: dict[Feed, Timestamp] = {}

    def set(
        self,
        feed: Feed | int,
        price: Decimal | int | str,
        confidence: Decimal = CONFIDENCE,
        max_age: Duration = MAX_AGE,
    ) -> None:
        """
        Publish a price observed now. On a chain with the standard programs it goes through the oracle, whose feeds are
        made as they are needed (max_age of the first price); else through a program that publishes what it is told.
        A second price of a feed at the same time is a millisecond later, since reports must grow in time.
        """
        of = feed if isinstance(feed, Feed) else Feed(feed)
        value = decimal(price)
        if self._told.get(of) == self._chain.time:
            self._chain.open_block(self._chain.time + Duration(1))
        self._told[of] = self._chain.time
        if self._chain.standard_programs is None:
            self._publisher.report(of, value, confidence, self._chain.time, max_age, sender=self._reporter)
            return
        self.open(of, max_age)
        oracle = self._chain.standard_programs.oracle
        oracle.report(of, value, confidence, self._chain.time, sender=self._reporter)

    def open(self, feed: Feed, max_age: Duration = MAX_AGE) -> None:
        """Make the oracle's feeds up to this one; they have no price yet. For chains with the standard programs."""
        admin = self._accounts["admin"]
        oracle = self._chain.standard(admin).oracle
        while self._feeds <= feed.index:
            oracle.add_feed(Symbol(f"FEED{self._feeds}"), max_age, 1, sender=admin)
            oracle.add_reporter(Feed(self._feeds), self._reporter, sender=admin)
            self._feeds += 1

    @property
    def _reporter(self) -> Account:
        return self._accounts["reporter"]

    @cached_property
    def _publisher(self) -> Deployed:
        return self._chain.create(load_text(PRICES, "prices.py"), role="oracle")


class Market:
    """
    One perpetual market on the standard programs: market 0, contract 0, feed 0, price 100, no fees.

    bank, oracle, clearing, exchange, perpetual: the programs. tick and lot are 0.1.
    """

    def __init__(self, chain: Chain, accounts: Accounts, clock: Clock, prices: Prices) -> None:
        self._chain, self._accounts, self._clock = chain, accounts, clock
        admin = accounts["admin"]
        made = chain.standard(admin)
        self.bank: Any = made.bank
        self.oracle: Any = made.oracle
        self.clearing: Any = made.clearing
        self.exchange: Any = made.exchange
        self.perpetual: Any = made.perpetual
        second = Duration.seconds(1)
        prices.open(Feed(0))
        self.perpetual.list(Feed(0), Decimal(1), Decimal("0.01"), second * 5, second * 60, sender=admin)
        self.clearing.list(self.perpetual, 0, Feed(0), sender=admin)
        tenth = Decimal("0.1")
        self.exchange.create_market(0, tenth, tenth, Decimal(0), Decimal(0), sender=admin)
        self.perpetual.connect(0, 0, sender=admin)
        prices.set(0, 100)
        clock.advance(Duration.milliseconds(250))

    def fund(self, account: Account, amount: Decimal | int | str) -> None:
        """Money out of nothing into an account's balance, as a deposit from settlement."""
        self.bank.credit(account, Asset(0), decimal(amount), sender=Account.kernel())

    def margin(self, account: Account, amount: Decimal | int | str) -> None:
        """Fund an account and put the money up as margin."""
        value = decimal(amount)
        self.fund(account, value)
        self.bank.allow(self.clearing, Asset(0), value, self._clock.now + FOREVER, sender=account)
        self.clearing.deposit(value, sender=account)

    def sell(self, account: Account, price: Decimal | int | str, size: Decimal | int | str) -> Any:
        """Rest a sale in the book."""
        return self._place(account, "SELL", price, size)

    def buy(self, account: Account, price: Decimal | int | str, size: Decimal | int | str) -> Any:
        """Rest a purchase in the book."""
        return self._place(account, "BUY", price, size)

    def _place(self, account: Account, side: str, price: Any, size: Any) -> Any:
        words = self.exchange.module
        return self.exchange.place(
            0, words.Side[side], decimal(price), decimal(size), words.Kind.LIMIT, 0, False, sender=account
        )


def decimal(value: Decimal | int | str) -> Decimal:
    """A Decimal as people write one."""
    return value if isinstance(value, Decimal) else Decimal(value)
