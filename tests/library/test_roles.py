"""Roles: who is granted what by whom; nobody is locked out."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Symbol

ADMIN, MINTER, KEEPER = map(Symbol, ("admin", "minter", "keeper"))


@pytest.fixture
def vaults(chain: Any, accounts: Any) -> Any:
    """alice is the first admin."""
    return chain.deploy("vaults.py", sender=accounts.alice)


def test_members_act_until_they_are_revoked(chain: Any, vaults: Any, accounts: Any) -> None:
    alice, bob = accounts.alice, accounts.bob
    with chain.rejects("role missing"):
        vaults.act(MINTER, sender=bob)
    for _ in range(2):
        vaults.grant(MINTER, bob, sender=alice)
    vaults.act(MINTER, sender=bob)
    assert vaults.may(MINTER, bob)
    assert not vaults.may(KEEPER, bob)
    assert not vaults.may(MINTER, alice)
    for _ in range(2):
        vaults.revoke(MINTER, bob, sender=alice)
    with chain.rejects("role missing"):
        vaults.act(MINTER, sender=bob)


def test_only_admins_decide(chain: Any, vaults: Any, accounts: Any) -> None:
    alice, bob, carol = accounts.alice, accounts.bob, accounts.carol
    vaults.grant(MINTER, bob, sender=alice)
    for act in (vaults.grant, vaults.revoke):
        with chain.rejects("role missing"):
            act(MINTER, alice, sender=bob)
    with chain.rejects("role missing"):
        vaults.set_admin(MINTER, MINTER, sender=bob)
    vaults.grant(ADMIN, bob, sender=alice)
    vaults.grant(MINTER, carol, sender=bob)
    assert vaults.may(MINTER, carol)


def test_a_role_may_have_an_admin_of_its_own(chain: Any, vaults: Any, accounts: Any) -> None:
    alice, bob, carol = accounts.alice, accounts.bob, accounts.carol
    vaults.grant(KEEPER, bob, sender=alice)
    vaults.set_admin(MINTER, KEEPER, sender=alice)
    vaults.grant(MINTER, carol, sender=bob)
    with chain.rejects("role missing"):
        vaults.revoke(MINTER, carol, sender=alice)
    vaults.revoke(MINTER, carol, sender=bob)
    with chain.rejects("admin is its own"):
        vaults.set_admin(ADMIN, KEEPER, sender=alice)


def test_who_has_a_role_may_give_it_up(vaults: Any, accounts: Any) -> None:
    vaults.grant(MINTER, accounts.bob, sender=accounts.alice)
    vaults.revoke(MINTER, accounts.bob, sender=accounts.bob)
    assert not vaults.may(MINTER, accounts.bob)
    vaults.revoke(MINTER, accounts.bob, sender=accounts.bob)


def test_the_last_admin_stays(chain: Any, vaults: Any, accounts: Any) -> None:
    alice, bob = accounts.alice, accounts.bob
    with chain.rejects("last admin"):
        vaults.revoke(ADMIN, alice, sender=alice)
    for _ in range(2):
        vaults.grant(ADMIN, bob, sender=alice)
    vaults.revoke(ADMIN, alice, sender=alice)
    assert vaults.state["roles"][0]["leaders"] == 1
    with chain.rejects("last admin"):
        vaults.revoke(ADMIN, bob, sender=bob)
    with chain.rejects("roles begun"):
        vaults.begin(sender=alice)
