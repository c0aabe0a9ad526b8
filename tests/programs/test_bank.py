"""The bank neither makes nor loses a unit, and moves money only for its owner or by his consent."""

from __future__ import annotations

from typing import Any

import pytest

from execution.lang import Account, Asset, Decimal, Rejected, Symbol, Timestamp
from genesis.derived import derived_address
from tests.programs.generators import bank_calls, record
from tests.programs.steps import ADMIN, FEES, FOREVER, KERNEL, PROGRAMS, TRADERS, USD
from tests.programs.venue import Venue

ALICE, BOB, EVE = TRADERS[:3]
FREE = Decimal(100_000)


@pytest.fixture
def venue() -> Venue:
    return Venue()


def balance(venue: Venue, account: Account) -> Decimal:
    found: Decimal = venue.ask("bank", "balance", account, USD)
    return found


def refused(venue: Venue, reason: str, *call: object) -> None:
    with pytest.raises(Rejected, match=reason):
        venue.call(*call)  # type: ignore[arg-type]
    venue.check_bank()


def test_a_transfer_moves_exactly_its_amount(venue: Venue) -> None:
    venue.call(ALICE, "bank", "transfer", USD, BOB, Decimal("0.000000000000000001"))
    assert balance(venue, ALICE) == FREE - Decimal("0.000000000000000001")
    assert balance(venue, BOB) == FREE + Decimal("0.000000000000000001")


def test_a_transfer_to_oneself_changes_nothing(venue: Venue) -> None:
    venue.call(ALICE, "bank", "transfer", USD, ALICE, Decimal(7))
    assert balance(venue, ALICE) == FREE
    venue.check_bank()


@pytest.mark.parametrize("amount", ["0", "-1", "-170141183460469231731.687303715884105728"])
def test_amounts_must_be_positive(venue: Venue, amount: str) -> None:
    refused(venue, "amount must be positive", ALICE, "bank", "transfer", USD, BOB, Decimal(amount))
    refused(venue, "amount must be positive", ALICE, "bank", "withdraw", USD, Decimal(amount))
    refused(venue, "amount must be positive", KERNEL, "bank", "credit", BOB, USD, Decimal(amount))
    refused(venue, "amount must be positive", EVE, "bank", "pull", ALICE, USD, Decimal(amount))


def test_nobody_spends_more_than_he_has(venue: Venue) -> None:
    refused(venue, "insufficient balance", ALICE, "bank", "transfer", USD, BOB, FREE + Decimal("0.1"))
    refused(venue, "insufficient balance", ALICE, "bank", "withdraw", USD, FREE + 1)


def test_unknown_assets_are_refused(venue: Venue) -> None:
    for index in (1, -1, 2**63 - 1):
        refused(venue, "unknown asset", ALICE, "bank", "transfer", Asset(index), BOB, Decimal(1))
        refused(venue, "unknown asset", KERNEL, "bank", "credit", BOB, Asset(index), Decimal(1))


def test_a_withdrawal_burns_and_counts(venue: Venue) -> None:
    supply = venue.ask("bank", "supply", USD)
    assert [venue.call(ALICE, "bank", "withdraw", USD, Decimal(3)) for _ in range(3)] == [0, 1, 2]
    assert venue.ask("bank", "supply", USD) == supply - 9
    venue.check_bank()


def test_only_the_kernel_credits_and_takes_fees(venue: Venue) -> None:
    for sender in (ALICE, ADMIN, PROGRAMS["clearing"], Account.zero()):
        refused(venue, "not authorised", sender, "bank", "credit", sender, USD, Decimal(1))
        refused(venue, "not authorised", sender, "bank", "hold", BOB, Decimal(1), Decimal(1))
        refused(venue, "not authorised", sender, "bank", "settle", sender, Decimal(0), Decimal(0))


def test_supply_has_a_limit(venue: Venue) -> None:
    refused(venue, "supply limit", KERNEL, "bank", "credit", BOB, USD, Decimal("1" + "0" * 18))


def test_a_fee_is_held_then_split(venue: Venue) -> None:
    assert venue.call(KERNEL, "bank", "hold", ALICE, Decimal(10), Decimal(10))
    assert balance(venue, ALICE) == FREE - 10
    with pytest.raises(Rejected, match="not what was held"):
        venue.call(KERNEL, "bank", "settle", ALICE, Decimal(9), Decimal(2))
    venue.call(KERNEL, "bank", "settle", ALICE, Decimal(3), Decimal(0))
    assert balance(venue, ALICE) == FREE - 3
    assert balance(venue, FEES) == 3
    venue.check_bank()


def test_a_deposit_is_nobodys_balance_until_it_is_given_back(venue: Venue) -> None:
    venue.call(KERNEL, "bank", "hold", ALICE, Decimal(5), Decimal(5))
    venue.call(KERNEL, "bank", "settle", ALICE, Decimal(1), Decimal(3))
    assert (balance(venue, ALICE), venue.ask("bank", "storage_deposits")) == (FREE - 4, Decimal(3))
    venue.check_bank()
    with pytest.raises(Rejected, match="not what was deposited"):
        venue.call(KERNEL, "bank", "settle", BOB, Decimal(0), Decimal("-3.1"))
    venue.call(KERNEL, "bank", "settle", BOB, Decimal(2), Decimal(-3))
    assert (balance(venue, BOB), venue.ask("bank", "storage_deposits")) == (FREE + 1, Decimal(0))
    venue.check_bank()


def test_more_than_the_least_is_held_only_of_plenty(venue: Venue) -> None:
    assert not venue.call(KERNEL, "bank", "hold", ALICE, Decimal(1), Decimal(1) + FREE / 64)
    assert balance(venue, ALICE) == FREE - 1
    assert venue.call(KERNEL, "bank", "hold", ALICE, Decimal(1), Decimal(2))
    assert balance(venue, ALICE) == FREE - 3
    venue.call(KERNEL, "bank", "settle", ALICE, Decimal(0), Decimal(0))
    assert balance(venue, ALICE) == FREE


def test_a_fee_that_cannot_be_paid_is_refused(venue: Venue) -> None:
    refused(venue, "insufficient balance", KERNEL, "bank", "hold", ALICE, FREE + 1, FREE + 1)


def test_a_consent_is_used_up(venue: Venue) -> None:
    venue.call(ALICE, "bank", "allow", BOB, USD, Decimal(10), FOREVER)
    venue.call(BOB, "bank", "pull", ALICE, USD, Decimal(4))
    assert venue.ask("bank", "allowance", ALICE, BOB, USD) == 6
    refused(venue, "amount above the consent", BOB, "bank", "pull", ALICE, USD, Decimal("6.1"))
    refused(venue, "no consent", EVE, "bank", "pull", ALICE, USD, Decimal(1))
    refused(venue, "no consent", BOB, "bank", "pull", EVE, USD, Decimal(1))


def test_a_consent_ends(venue: Venue) -> None:
    venue.call(ALICE, "bank", "allow", BOB, USD, Decimal(10), Timestamp(venue.now_ms + 500))
    venue.tick(500)
    venue.call(BOB, "bank", "pull", ALICE, USD, Decimal(1))
    venue.tick(1)
    refused(venue, "consent has expired", BOB, "bank", "pull", ALICE, USD, Decimal(1))
    venue.call(ALICE, "bank", "allow", BOB, USD, Decimal(0), FOREVER)
    refused(venue, "no consent", BOB, "bank", "pull", ALICE, USD, Decimal(1))


def test_an_agent_acts_within_scope_and_time(venue: Venue) -> None:
    exchange, clearing = PROGRAMS["exchange"], PROGRAMS["clearing"]
    end = Timestamp(venue.now_ms + 1000)

    def may(agent: Account, target: Account, later_ms: int = 0) -> bool:
        answer: bool = venue.ask("bank", "may_act", ALICE, agent, target, Timestamp(venue.now_ms + later_ms))
        return answer

    assert may(ALICE, exchange)
    assert not may(BOB, exchange)
    venue.call(ALICE, "bank", "authorise", BOB, exchange, end)
    assert may(BOB, exchange, 1000)
    assert not may(BOB, exchange, 1001)
    assert not may(BOB, clearing)
    venue.call(ALICE, "bank", "authorise", BOB, Account.zero(), end)
    assert may(BOB, clearing)
    venue.call(ALICE, "bank", "revoke", BOB, order="cancel")
    assert not may(BOB, clearing)


def test_a_sub_account_is_its_owners_and_holds_its_own_money(venue: Venue) -> None:
    sub = venue.call(ALICE, "bank", "open_sub", 3)
    assert sub == venue.ask("bank", "sub_account", ALICE, 3) == Account(derived_address(ALICE.data, 3))
    assert venue.ask("bank", "owner_of", sub) == ALICE and venue.ask("bank", "owner_of", BOB) == BOB
    venue.call(ALICE, "bank", "transfer", USD, sub, Decimal(10))
    refused(venue, "insufficient balance", sub, "bank", "transfer", USD, BOB, Decimal("10.1"))
    venue.call(sub, "bank", "transfer", USD, BOB, Decimal(4))
    assert balance(venue, sub) == 6 and balance(venue, ALICE) == FREE - 10
    venue.check_bank()


def test_sub_accounts_are_numbered_opened_once_and_have_none_of_their_own(venue: Venue) -> None:
    sub = venue.call(ALICE, "bank", "open_sub", 0)
    assert venue.call(BOB, "bank", "open_sub", 0) != sub != venue.call(ALICE, "bank", "open_sub", 1)
    refused(venue, "sub-account is open", ALICE, "bank", "open_sub", 0)
    refused(venue, "number must not be negative", ALICE, "bank", "open_sub", -1)
    refused(venue, "a sub-account has no sub-accounts", sub, "bank", "open_sub", 0)


def test_the_owner_and_his_agents_act_for_a_sub_account_and_nobody_else(venue: Venue) -> None:
    exchange, clearing = PROGRAMS["exchange"], PROGRAMS["clearing"]

    def may(account: Account, agent: Account, target: Account) -> bool:
        answer: bool = venue.ask("bank", "may_act", account, agent, target, Timestamp(venue.now_ms))
        return answer

    sub = venue.ask("bank", "sub_account", ALICE, 0)
    assert not may(sub, ALICE, exchange), "it is not open"
    venue.call(ALICE, "bank", "open_sub", 0)
    assert may(sub, ALICE, exchange) and may(sub, ALICE, PROGRAMS["bank"])
    assert not may(sub, BOB, exchange) and not may(ALICE, sub, exchange)
    venue.call(ALICE, "bank", "authorise", BOB, exchange, FOREVER)
    assert may(sub, BOB, exchange) and not may(sub, BOB, clearing)
    venue.call(sub, "bank", "authorise", EVE, exchange, FOREVER)
    other = venue.call(ALICE, "bank", "open_sub", 1)
    assert may(sub, EVE, exchange) and not may(other, EVE, exchange) and not may(ALICE, EVE, exchange)
    venue.call(ALICE, "bank", "revoke", BOB, order="cancel")
    assert not may(sub, BOB, exchange)


def test_what_a_sub_account_withdraws_is_paid_to_its_owner(venue: Venue) -> None:
    sub = venue.call(ALICE, "bank", "open_sub", 0)
    venue.call(ALICE, "bank", "transfer", USD, sub, Decimal(10))
    venue.call(sub, "bank", "withdraw", USD, Decimal(4))
    event: Any = venue.chain.events[-1].event
    assert type(event).__name__ == "Withdrawn" and event.account == ALICE
    assert balance(venue, sub) == 6
    venue.check_bank()


def test_a_purse_is_filled_by_anybody_and_emptied_by_its_program(venue: Venue) -> None:
    program = PROGRAMS["exchange"]
    venue.call(ALICE, "bank", "fund_gas", program, Decimal(5))
    assert venue.ask("bank", "gas_balance", program) == 5
    refused(venue, "insufficient balance", ALICE, "bank", "take_gas", Decimal(1))
    venue.call(program, "bank", "take_gas", Decimal(2))
    assert venue.ask("bank", "gas_balance", program) == 3 and balance(venue, program) == 2
    assert balance(venue, Account(derived_address(program.data, -1))) == 3
    venue.check_bank()


def test_only_the_admin_registers_assets_and_symbols_are_unique(venue: Venue) -> None:
    refused(venue, "not authorised", EVE, "bank", "register", Symbol("EUR"))
    refused(venue, "symbol is taken", ADMIN, "bank", "register", Symbol("USD"))
    assert venue.call(ADMIN, "bank", "register", Symbol("EUR")) == Asset(1)
    assert venue.ask("bank", "symbol", Asset(1)) == Symbol("EUR")


@pytest.mark.parametrize("seed", range(4))
def test_random_calls_conserve_money(seed: int) -> None:
    venue = Venue(opened=seed % 2 == 0)
    record(venue.take, bank_calls(seed), 1500, venue.check_bank)
