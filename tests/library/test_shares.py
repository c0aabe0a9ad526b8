"""Shares: nobody gains by entering or leaving, whoever comes first; what is promised is there."""

from __future__ import annotations

import random
from typing import Any

import pytest

from execution.lang import Decimal, Rejected

UNIT = Decimal("0.000000000000000001")


@pytest.fixture
def vaults(chain: Any, accounts: Any) -> Any:
    return chain.deploy("vaults.py", sender=accounts.alice)


def shares_of(vaults: Any, who: Any) -> Decimal:
    held: Decimal = vaults.held(who, Decimal(0), Decimal(0))[0]
    return held


def worth(vaults: Any, who: Any) -> Decimal:
    value: Decimal = vaults.held(who, Decimal(0), shares_of(vaults, who))[2]
    return value


def test_the_first_share_costs_one(vaults: Any, accounts: Any) -> None:
    assert vaults.mint(Decimal(100), sender=accounts.alice) == Decimal(100)
    assert vaults.mint_exact(Decimal(50), sender=accounts.bob) == Decimal(50)
    assert vaults.burn(Decimal(100), sender=accounts.alice) == Decimal(100)
    assert vaults.burn_exact(Decimal(50), sender=accounts.bob) == Decimal(50)
    vault = vaults.state["vaults"][0]
    assert vault == {"assets": Decimal(0), "supply": Decimal(0), "holders": {}}


@pytest.mark.parametrize("first", ["0.000000000000000001", "0.000001", "1"])
@pytest.mark.parametrize("gift", ["1", "1000000", "1000000000000"])
def test_inflation_costs_the_attacker_and_nobody_else(vaults: Any, accounts: Any, first: str, gift: str) -> None:
    """Who mints first and then gives the vault a fortune loses of it; who mints after loses no 10⁻¹² of the gift."""
    mallory, victim = accounts.bob, accounts.alice
    vaults.mint(Decimal(first), sender=mallory)
    vaults.earn(Decimal(gift), sender=mallory)
    paid = Decimal(1_000)
    try:
        vaults.mint(paid, sender=victim)
    except Rejected as refused:  # nothing was taken
        assert refused.reason.text == "amount too small"
        paid = Decimal(0)
    spent = Decimal(first) + Decimal(gift)
    assert worth(vaults, victim) >= paid - Decimal(gift) * Decimal("0.000000000001") - UNIT
    assert worth(vaults, mallory) <= spent
    if Decimal(first) < Decimal("0.00001"):
        assert worth(vaults, mallory) < spent * Decimal("0.95")


def test_a_loss_is_borne_in_proportion_and_everybody_is_paid(vaults: Any, accounts: Any) -> None:
    vaults.mint(Decimal(300), sender=accounts.alice)
    vaults.mint(Decimal(100), sender=accounts.bob)
    vaults.lose(Decimal(200), sender=accounts.alice)
    assert vaults.burn(Decimal(300), sender=accounts.alice) == Decimal(150)
    assert vaults.burn(Decimal(100), sender=accounts.bob) == Decimal(50)
    assert vaults.state["vaults"][0]["assets"] == Decimal(0)


def test_after_a_total_loss_newcomers_keep_what_they_bring(vaults: Any, accounts: Any) -> None:
    vaults.mint(Decimal(100), sender=accounts.alice)
    vaults.lose(Decimal(100), sender=accounts.alice)
    assert worth(vaults, accounts.alice) == Decimal(0)
    vaults.mint(Decimal(10), sender=accounts.bob)
    assert Decimal("9.99999") < worth(vaults, accounts.bob) <= Decimal(10)


def test_refusals(chain: Any, vaults: Any, accounts: Any) -> None:
    alice, bob = accounts.alice, accounts.bob
    vaults.mint(Decimal(10), sender=alice)
    for act in (vaults.mint, vaults.mint_exact, vaults.burn, vaults.burn_exact, vaults.earn, vaults.lose):
        for amount in (Decimal(0), Decimal(-1)):
            with chain.rejects("amount must be positive"):
                act(amount, sender=alice)
    with chain.rejects("amount must be positive"):
        vaults.give(bob, Decimal(-1), sender=alice)
    for act in (vaults.burn, vaults.burn_exact):
        with chain.rejects("insufficient shares"):
            act(Decimal(1), sender=bob)
    with chain.rejects("insufficient shares"):
        vaults.give(bob, Decimal(11), sender=alice)
    for act in (vaults.burn_exact, vaults.lose):
        with chain.rejects("insufficient assets"):
            act(Decimal(11), sender=alice)
    with chain.rejects("overflow"):
        vaults.mint(Decimal("170141183460469231731"), sender=alice)


def test_shares_given_to_oneself_stay(vaults: Any, accounts: Any) -> None:
    vaults.mint(Decimal(10), sender=accounts.alice)
    vaults.give(accounts.alice, Decimal(10), sender=accounts.alice)
    vaults.give(accounts.bob, Decimal(4), sender=accounts.alice)
    assert (shares_of(vaults, accounts.alice), shares_of(vaults, accounts.bob)) == (Decimal(6), Decimal(4))


def test_nobody_gains_from_others_coming_and_going(vaults: Any, accounts: Any) -> None:
    """At random: supply is the sum, all could be paid, and what another holder's shares are worth never falls."""
    chance = random.Random(4)
    everybody = (accounts.alice, accounts.bob, accounts.carol)
    for _ in range(120):
        who = chance.choice(everybody)
        amount = Decimal.from_raw(chance.choice((chance.randrange(1, 50), chance.randrange(1, 10**20))))
        act = chance.choice((vaults.mint, vaults.mint_exact, vaults.burn, vaults.burn_exact, None))
        before = {other: worth(vaults, other) for other in everybody if other != who}
        if act is None:
            change = vaults.earn if chance.random() < 0.5 else vaults.lose
            try:
                change(amount, sender=who)
            except Rejected:
                continue
        else:
            try:
                act(amount, sender=who)
            except Rejected:
                continue
            assert all(worth(vaults, other) >= value for other, value in before.items())
        vault = vaults.state["vaults"][0]
        assert sum((value.raw for value in vault["holders"].values()), 0) == vault["supply"].raw
        assert sum(worth(vaults, other).raw for other in everybody) <= vault["assets"].raw
        assert all(value > Decimal(0) for value in vault["holders"].values())


def test_in_and_out_at_once_never_pays(vaults: Any, accounts: Any) -> None:
    chance = random.Random(5)
    vaults.mint(Decimal("7.3"), sender=accounts.alice)
    for _ in range(25):
        change = vaults.earn if chance.random() < 0.6 else vaults.lose
        change(Decimal.from_raw(chance.randrange(1, 10**18)), sender=accounts.alice)
        paid = Decimal.from_raw(chance.randrange(10, 10**20))
        shares = vaults.mint(paid, sender=accounts.bob)
        assert vaults.burn(shares, sender=accounts.bob) <= paid
