"""The standard programs on a chain under CPython, and the truths that must hold after every step of any run."""

from __future__ import annotations

import importlib
from typing import Any

from execution.lang import Account, Decimal, Duration, Feed, Rejected, Timestamp
from execution.lang.sandbox import Chain
from tests.programs.steps import (
    FEED,
    PROGRAMS,
    START_MS,
    USD,
    Answer,
    Ask,
    Call,
    Step,
    Tick,
    deployments,
    opening,
    price,
)


class Venue:
    """A running chain: `call`, `ask`, `tick`, and `check` of all invariants."""

    def __init__(self, *, cash: int = 100_000, insurance: int = 50_000, opened: bool = True) -> None:
        self.chain = Chain()
        self.now_ms = START_MS
        self.chain.open_block(Timestamp(START_MS))
        for deploy in deployments():
            cls = getattr(importlib.import_module(deploy.module), deploy.name)
            self.chain.deploy(cls, *deploy.arguments, address=PROGRAMS[deploy.program])
            self.chain.pin(PROGRAMS["oracle"], PROGRAMS["clearing"])
        if opened:
            for step in opening(cash, insurance):
                answer = self.take(step)
                assert not answer.reason, (step, answer)

    def take(self, step: Step) -> Answer:
        """Run one step; a refusal is an answer."""
        try:
            match step:
                case Call():
                    target = PROGRAMS[step.program]
                    result = self.chain.call(step.sender, target, step.method, *step.arguments, order=step.order)
                    return Answer(result)
                case Ask():
                    return Answer(self.chain.read(PROGRAMS[step.program], step.method, *step.arguments))
                case Tick():
                    self.tick(step.ms)
                    return Answer()
        except Rejected as refusal:
            return Answer(None, str(refusal.reason.text))

    def call(self, sender: Account, program: str, method: str, *arguments: Any, order: Any = "trade") -> Any:
        return self.chain.call(sender, PROGRAMS[program], method, *arguments, order=order)

    def ask(self, program: str, method: str, *arguments: Any) -> Any:
        return self.chain.read(PROGRAMS[program], method, *arguments)

    def tick(self, ms: int = 250, gap_ms: int = 0) -> None:
        self.now_ms += ms
        self.chain.open_block(Timestamp(self.now_ms), gap=Duration(gap_ms))
        self.chain.batch()

    def price(self, value: str, feed: Feed = FEED, ms: int = 250) -> None:
        """The market moves: a report, then blocks until clearing has heard."""
        self.tick(ms)
        for step in price(Decimal(value), self.now_ms, feed):
            assert not self.take(step).reason
        self.tick(ms)

    def program(self, name: str) -> Any:
        return self.chain.program(PROGRAMS[name])

    # ---- what must always hold

    def check(self) -> None:
        self.check_bank()
        self.check_clearing()
        self.check_books()
        assert self.chain.hook_failures == []

    def check_bank(self) -> None:
        """The balances of every asset, deposits for storage and what is held, sum to its supply."""
        bank = self.program("bank")
        sums: dict[int, int] = dict.fromkeys(range(len(bank.symbols)), 0)
        for holding, amount in bank.balances.items():
            assert amount >= 0
            sums[holding.asset.index] += amount.raw
        sums[0] += bank.held.raw + bank.deposits.raw
        assert sums == {index: bank.supplies[index].raw for index in sums}

    def check_clearing(self) -> None:
        """
        Cash and uncollected fees sum to the balance in the bank, quantities of each contract to zero, and so equities
        to cash, but for what each position's worth is rounded down.
        """
        clearing = self.program("clearing")
        cash = sum(ledger.cash.raw for _, ledger in clearing.accounts.items())
        fees = sum(terms.fees.raw for terms in clearing.contracts)
        assert cash + fees == self.ask("bank", "balance", PROGRAMS["clearing"], USD).raw
        worth = sum(self.ask("clearing", "equity", account).raw for account, _ in clearing.accounts.items())
        assert 0 <= cash - worth <= len(clearing.slots)
        quantities: dict[int, int] = {}
        longs: dict[int, int] = {}
        owned: set[int] = set()
        for account, ledger in clearing.accounts.items():
            if ledger.era == clearing.era:
                margin, equity = self.ask("clearing", "margin", account), self.ask("clearing", "equity", account)
                assert ledger.slack <= equity - margin.initial, "slack is never more than there is"
            chain = chain_of(clearing, ledger)
            assert len(chain) == ledger.count
            assert owned.isdisjoint(chain)
            owned |= set(chain)
            check_joins(clearing, chain)
            for index in chain:
                slot = clearing.slots[index]
                raw = slot.quantity.raw
                quantities[slot.contract] = quantities.get(slot.contract, 0) + raw
                longs[slot.contract] = longs.get(slot.contract, 0) + max(raw, 0)
                assert slot.buying >= 0
                assert slot.selling >= 0
        assert set(quantities.values()) <= {0}
        for contract, terms in enumerate(clearing.contracts):
            assert terms.open_interest.raw == longs.get(contract, 0)
            assert terms.fees >= 0
            if terms.finished:
                assert terms.halted
                assert (terms.mark, terms.long_risk, terms.short_risk, terms.floor) == (0, 0, 0, 0)
                assert contract not in clearing.groups[terms.feed].contracts
        for _, group in clearing.groups.items():
            assert 0 <= group.next <= len(group.contracts)
        empty = clearing.slots[0]
        assert empty.quantity == 0
        assert empty.buying == 0
        assert empty.selling == 0
        assert empty.newest == 0

    def check_books(self) -> None:
        """No crossed book; queues, level sums, open-order sums and owners' chains agree with the orders."""
        exchange = self.program("exchange")
        clearing = self.program("clearing")
        live: set[int] = set()
        open_sizes: dict[tuple[Any, int, int], int] = {}
        for number, market in enumerate(exchange.markets):
            bid, ask = market.bids.first(), market.asks.first()
            assert bid is None or ask is None or -bid < ask
            for side, book in enumerate((market.bids, market.asks)):
                for key, level in book.items():
                    live |= self.check_level(number, side, key, level, open_sizes)
        free = exchange.free
        idle = {0}
        while free:
            assert free not in idle
            idle.add(free)
            assert exchange.orders[free].id == 0
            free = exchange.orders[free].next
        assert live.isdisjoint(idle)
        assert live | idle == set(range(len(exchange.orders)))
        self.check_owners(clearing, exchange, live, open_sizes)

    def check_level(self, number: int, side: int, key: int, level: Any, open_sizes: dict[Any, int]) -> set[int]:
        exchange = self.program("exchange")
        slots, total, before = [], 0, 0
        slot = level.head
        while slot:
            order = exchange.orders[slot]
            assert (order.market, order.side.number) == (number, side)
            assert order.prev == before or before == 0
            assert order.ticks == abs(key)
            assert order.size > 0
            assert order.id % 16777216 == slot
            owner = (order.owner, exchange.markets[number].contract, side)
            open_sizes[owner] = open_sizes.get(owner, 0) + order.size.raw
            total += order.size.raw
            slots.append(slot)
            before, slot = slot, order.next
        assert (before, total, len(slots)) == (level.tail, level.size.raw, level.count)
        assert slots
        return set(slots)

    def check_owners(self, clearing: Any, exchange: Any, live: set[int], open_sizes: dict[Any, int]) -> None:
        chained: set[int] = set()
        for account, ledger in clearing.accounts.items():
            for index in chain_of(clearing, ledger):
                slot = clearing.slots[index]
                assert slot.buying.raw == open_sizes.get((account, slot.contract, 0), 0)
                assert slot.selling.raw == open_sizes.get((account, slot.contract, 1), 0)
                newer, at = 0, slot.newest
                while at:
                    order = exchange.orders[at]
                    assert (order.owner, order.newer) == (account, newer)
                    assert exchange.markets[order.market].contract == slot.contract
                    assert at not in chained
                    chained.add(at)
                    newer, at = at, order.older
        assert chained == live


def chain_of(clearing: Any, ledger: Any) -> list[int]:
    found = []
    index = ledger.head
    while index:
        found.append(index)
        index = clearing.slots[index].next
    return found


def check_joins(clearing: Any, chain: list[int]) -> None:
    """`joined` says exactly whether the next slot has the same feed, and each feed's slots stand in one row."""
    feeds = [clearing.contracts[clearing.slots[index].contract].feed.index for index in chain]
    assert len(set(feeds)) == len([1 for at, feed in enumerate(feeds) if at == 0 or feeds[at - 1] != feed])
    for at, index in enumerate(chain):
        assert clearing.slots[index].joined == (at + 1 < len(chain) and feeds[at + 1] == feeds[at])
