"""The pytest plug-in: one test, two engines, the same values, reasons, events and state."""

from __future__ import annotations

import pytest

from execution.lang import Account, Asset, Decimal, Duration, Feed, Rejected
from genesis.errors import Invalid


@pytest.fixture
def counter(chain, accounts):
    return chain.deploy("counter.py", 10, sender=accounts.alice)


def step(counter, size, weight="0.5"):
    return counter.module.Step(size, Decimal(weight))


def test_results_events_and_state_are_language_values(chain, accounts, counter):
    module = counter.module
    assert counter.add(step(counter, 2), module.Mood.CALM, sender=accounts.bob) == 2
    assert counter.add(step(counter, 3), module.Mood.CROSS, sender=accounts.bob) == 8
    assert counter.total(accounts.bob) == 8
    assert counter.weigh() == module.Step(0, Decimal(4))
    assert counter.events == [module.Added(accounts.bob, 2, 2), module.Added(accounts.bob, 6, 8)]
    state = counter.state
    assert state["stays"] == {accounts.bob: {"total": 8, "steps": [2, 6]}}
    assert state["weights"] == {Asset(0): Decimal(4)}
    assert state["owner"] == accounts.alice


def test_a_rejection_undoes_and_names_its_reason(chain, accounts, counter):
    calm = counter.module.Mood.CALM
    counter.add(step(counter, 10), calm, sender=accounts.bob)
    with chain.rejects("beyond the limit"):
        counter.add(step(counter, 1), calm, sender=accounts.bob)
    with pytest.raises(Rejected, match="not the owner"):
        counter.reset(sender=accounts.bob, order="cancel")
    with chain.rejects("order class"):
        counter.add(step(counter, 1), calm, sender=accounts.bob, order="cancel")
    assert counter.total(accounts.bob) == 10
    counter.reset(sender=accounts.alice, order="cancel")
    assert counter.total(accounts.bob) == 0


def test_rejects_says_what_happened_instead(chain, accounts, counter):
    went_through = pytest.raises(AssertionError, match="went through; a rejection for 'beyond the limit'")
    with went_through, chain.rejects("beyond the limit"):
        counter.halve(2, sender=accounts.bob)
    another = pytest.raises(AssertionError, match="rejected for 'division by zero', not for 'overflow'")
    with another, chain.rejects("overflow"):
        counter.halve(0, sender=accounts.bob)


def test_a_refusing_create_leaves_no_program(chain):
    with chain.rejects("limit must be positive"):
        chain.deploy("counter.py", 0)
    assert chain.programs == []


def test_an_atomic_transaction_is_all_or_nothing(chain, accounts, counter):
    calm = counter.module.Mood.CALM
    with chain.rejects("beyond the limit"):
        chain.atomic(
            (counter, "add", step(counter, 6), calm), (counter, "add", step(counter, 5), calm), sender=accounts.bob
        )
    assert counter.total(accounts.bob) == 0
    results = chain.atomic((counter, "add", step(counter, 6), calm), (counter, "halve", 4), sender=accounts.bob)
    assert results == [6, Decimal("0.25")]


def test_hooks_run_when_prices_and_time_move(chain, accounts, clock, prices, counter):
    counter.watch(Feed(0), Duration.seconds(1), sender=accounts.bob)
    prices.set(0, "101.5")
    clock.advance(Duration.milliseconds(500))
    assert counter.state["last"] == Decimal("101.5")
    assert counter.state["rings"] == 0
    clock.advance(Duration.milliseconds(500))
    assert counter.state["rings"] == 1


def test_a_failing_hook_is_told(chain, accounts, clock, counter):
    for _ in range(3):
        counter.watch(Feed(0), Duration.seconds(1), sender=accounts.bob)
        clock.advance(Duration.seconds(1))
    assert counter.state["rings"] == 2
    assert [(failed.name, failed.reason, failed.tries) for failed in chain.hook_failures] == [("ring", "rung out", 1)]


def test_mistakes_are_told_alike(chain, accounts, counter):
    with pytest.raises(AttributeError, match="Counter has no entry ring; it has add, reset"):
        _ = counter.ring
    with pytest.raises(TypeError, match="expected Step, got 5"):
        counter.add(5, counter.module.Mood.CALM, sender=accounts.bob)
    with pytest.raises(TypeError, match="sender"):
        counter.halve(2)
    with pytest.raises(Invalid, match="instead:"):
        chain.deploy_text("from execution.lang import Program\n\n\nclass Bad(Program):\n    x: float\n")


def test_accounts_are_the_same_in_every_test(accounts):
    assert accounts.alice == accounts["alice"] != accounts.bob
    assert isinstance(accounts.alice, Account)


def test_a_market_stands_ready(market, accounts, chain):
    market.margin(accounts.maker, 10_000)
    market.margin(accounts.taker, 10_000)
    market.sell(accounts.maker, 101, "0.5")
    placed = market.buy(accounts.taker, 102, "0.5")
    assert placed.filled == Decimal("0.5")
    assert market.clearing.position(accounts.taker, 0).quantity == Decimal("0.5")


NAMESAKE = '''
"""Emits an event that the bank, which it imports, has under the same name with other members."""

from execution.lang import Event, Program, ProgramRef, emit, external
from execution.programs.bank import Bank


class Opened(Event):
    series: int


class Namesake(Program):
    bank: ProgramRef[Bank]

    @external
    def open(self, series: int) -> None:
        emit(Opened(series))
'''


def test_an_event_is_its_programs_own_whatever_others_call_theirs(chain, accounts):
    program = chain.deploy_text(NAMESAKE)
    program.open(5, sender=accounts.alice)
    assert program.events == [program.module.Opened(5)]
