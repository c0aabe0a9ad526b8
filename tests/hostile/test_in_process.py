"""
Every hostile program on WASM and on the mirror: how it comes out, what it pays, that it leaves nothing it has not paid
for. The engines are compared after every batch (`town.Town.run`), and so is the sum of all money.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from execution.lang import Decimal
from execution.vm.kernel import places
from execution.vm.packing import pack_address
from genesis.chain import Call
from tests.hostile import sources
from tests.hostile.cases import ATTACKS, CREATED, Attack
from tests.hostile.grinding import ground_times, place_of
from tests.hostile.town import (
    ADMIN,
    ALICE,
    BANK,
    EVE,
    FEES,
    GAS_MAX,
    HOOK_GAS_MAX,
    MALLORY,
    MONEY,
    ORACLE,
    PRICE,
    UNIT,
    Town,
    address_of,
)

ACCOUNTS = {"#mallory": MALLORY, "#alice": ALICE, "#nobody": b"\x99" * 20}
PROGRAMS = {"@bank": BANK, "@oracle": ORACLE}
POCKET = Decimal("0.01")
"""What each program is given, so that there is something to send and to steal."""


def resolved(values: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(address(one) if isinstance(one, str) and one[0] in "@#" else one for one in values)


def address(name: str) -> bytes:
    return ACCOUNTS.get(name) or PROGRAMS.get(name) or address_of(name[1:])


def created(name: str) -> tuple[Any, ...]:
    return resolved(CREATED.get(name.removesuffix("_2"), ()))


def called() -> list[str]:
    """All programs that the attacks call or name."""
    named = {one[1:] for attack in ATTACKS for one in attack.values if isinstance(one, str) and one[0] == "@"}
    return sorted(({attack.program for attack in ATTACKS} | named) - {"bank", "oracle"})


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    """One chain for all attacks: what one of them spoils, the next ones find."""
    made = Town()
    programs = called()
    made.deploy(*((name, created(name)) for name in programs))
    pockets = [made.bank("transfer", 0, address_of(name), POCKET) for name in programs]
    assert made.do(EVE, *pockets).status == "done"
    assert made.do(ALICE, made.bank("allow", address_of("consent_drain"), 0, "0.5", 1 << 50)).status == "done"
    yield made
    made.seal()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: f"{one.program}-{one.reason or 'done'}")
def test_an_attack_comes_out_as_it_must_and_pays_for_itself(town: Town, attack: Attack) -> None:
    before, memory = town.balances(), town.machine.memory(address_of(attack.program))
    outcome = town.do(
        EVE, sources.call(attack.program, address_of(attack.program), attack.method, *resolved(attack.values))
    )
    assert outcome.reason == attack.reason, outcome
    assert outcome.status == ("failed" if attack.reason else "done")
    assert 0 < outcome.gas_used <= GAS_MAX and outcome.fee == outcome.gas_used * PRICE
    if attack.reason == "out of gas":
        assert outcome.gas_used == GAS_MAX
    after = town.balances()
    assert after[EVE] == before[EVE] - outcome.fee, "the attacker pays"
    assert after[FEES] == before.get(FEES, 0) + outcome.fee
    if attack.reason:
        assert town.machine.memory(address_of(attack.program)) == memory, "a failure leaves nothing"
        assert {one: held for one, held in after.items() if one not in (EVE, FEES)} == {
            one: held for one, held in before.items() if one not in (EVE, FEES)
        }
    elif attack.program != "consent_drain":
        assert after[ALICE] == before[ALICE], "nobody else pays"


def test_what_attacks_say_they_did_is_all_they_did(town: Town) -> None:
    """Counters of what was undone stand where they stood; of what was tolerated, where the program put them."""
    run = {attack.program for attack in ATTACKS}
    assert {"reenter", "reenter_tolerated", "catch_exhaustion"} <= run
    assert town.state("reenter") == {"inside": 0}
    assert town.state("reenter_tolerated")["refused"] >= 0 and town.state("reenter_tolerated")["inside"] == 0
    assert town.state("catch_exhaustion") == {"caught": 0}
    assert town.state("out_of_gas_in_try") == {"before": 0, "inside": 0}
    assert town.state("burn_all") == {"turns": 0}
    assert town.state("undone_growth_2")["seen"] == []
    assert town.state("at_end_refusal_2") == {"handled": 0}


# ---- hooks: who pays, what becomes of them, and that others' run


HOOK = HOOK_GAS_MAX * PRICE
"""What a purse must have for a run."""


def hooked(*names: str, runs: int = 5, **rules: int) -> Town:
    """A chain with these programs, each purse good for so many whole runs."""
    made = Town(**rules)
    made.deploy(*((name, created(name)) for name in names))
    for name in names:
        made.fund(name, runs * HOOK)
    return made


def begin(town: Town, name: str, *values: Any) -> None:
    outcome = town.do(EVE, sources.call(name, address_of(name), "attack", *values))
    assert outcome.status == "done", outcome.reason


def test_a_hook_that_burns_its_cap_is_paid_by_its_purse_to_the_last_unit() -> None:
    town = hooked("hook_burner", runs=3)
    begin(town, "hook_burner")
    for left, distance in ((2, 1), (1, 2), (0, 4)):
        assert town.run().gas_used == HOOK_GAS_MAX
        assert town.hook_events() == [(0, "out of gas")] and town.purse("hook_burner") == left * HOOK
        for _ in range(distance - 1):
            assert town.run().gas_used == 0
    town.run()
    assert town.hook_events() == [(3, "fee unpayable")]
    assert town.run().gas_used == 0 and town.state("hook_burner") == {"turns": 0}


@pytest.mark.parametrize(("name", "left"), [("hook_failer", {"tries": 0}), ("hook_retrier", None)])
def test_what_is_never_done_ends_with_its_purse(name: str, left: dict[str, int] | None) -> None:
    town = hooked(name, runs=1)
    begin(town, name)
    runs = 0
    while (3, "fee unpayable") not in town.hook_events():
        before = town.purse(name)
        used = town.run().gas_used
        assert before - town.purse(name) in (0, used * PRICE)
        runs += 1
        assert runs < 60
    assert town.purse(name) < HOOK and town.run().gas_used == 0
    assert left is None or town.state(name) == left


def test_a_purse_emptied_by_the_hook_it_pays_has_paid_it() -> None:
    """What the run may cost is held before it, so the hook finds the rest alone, and the next run nothing."""
    town = hooked("purse_emptier", runs=3)
    begin(town, "purse_emptier")
    used = town.run().gas_used
    assert 0 < used < HOOK_GAS_MAX
    assert town.state("purse_emptier")["taken"] == 2 * HOOK
    assert town.purse("purse_emptier") == HOOK - used * PRICE
    town.run()
    assert town.hook_events() == [(3, "fee unpayable")]


@pytest.mark.parametrize("lacking", [0, 1])
def test_a_purse_at_exactly_the_cost_of_a_run(lacking: int) -> None:
    town = Town()
    town.deploy(("same_millisecond", ()))
    town.fund("same_millisecond", HOOK - lacking)
    begin(town, "same_millisecond", 100)
    town.run()
    assert town.state("same_millisecond") == {"runs": 1 - lacking}, "a hundred times the same is once"
    assert town.hook_events() == [(3, "fee unpayable")] * lacking


def test_a_storm_is_run_within_caps_and_others_get_their_turn() -> None:
    """Gas for one hook a batch, and three programs with something due."""
    town = hooked("hook_storm", "hydra", "price_listener", runs=200, gas_hooks_batch_max=HOOK_GAS_MAX)
    begin(town, "hook_storm", 150)
    begin(town, "hydra")
    outcome = town.do(ALICE, sources.call("price_listener", address_of("price_listener"), "wake"))
    assert outcome.status == "done"
    town.seal()
    for _ in range(3):
        assert town.run().gas_used <= HOOK_GAS_MAX
    assert town.state("price_listener")["heard"] == 1
    assert 1 < town.state("hook_storm")["runs"] <= 6, "it has its turns, too"


def test_dropped_hooks_of_others_do_not_keep_one_from_being_called() -> None:
    town = hooked("price_listener", runs=5)
    town.deploy(("hook_storm", ()))
    begin(town, "hook_storm", 150)
    assert town.do(ALICE, sources.call("price_listener", address_of("price_listener"), "wake")).status == "done"
    town.seal()
    assert town.run().gas_used <= 4 * HOOK_GAS_MAX
    assert town.state("hook_storm") == {"runs": 0} and town.state("price_listener")["heard"] == 1


def test_a_hook_that_calls_back_into_its_program_fails_alone() -> None:
    town = hooked("reenter_from_hook", runs=2)
    town.deploy(("echo", ()))
    begin(town, "reenter_from_hook", address_of("echo"))
    town.run()
    assert town.hook_events() == [(0, "on the stack")] and town.state("reenter_from_hook")["inside"] == 0


def test_hooks_that_fill_the_events_wait_for_room() -> None:
    """A batch never has more events than it may, and transactions come after hooks with room for theirs."""
    town = hooked("event_hook", "event_hook_2", runs=20, events_batch_max=70, events_transaction_max=20)
    town.deploy(("event_flood", ()))
    begin(town, "event_hook")
    begin(town, "event_hook_2")
    for _ in range(4):
        outcome = town.do(ALICE, sources.call("event_flood", address_of("event_flood"), "attack", 20))
        assert outcome.status == "done", outcome.reason
        assert len(town.last.events) <= 70


def test_a_hook_that_dirties_pages_pays_for_them() -> None:
    town = hooked("writing_hook", runs=4)
    begin(town, "writing_hook")
    town.seal()
    before = town.purse("writing_hook")
    used = town.run().gas_used
    assert before - town.purse("writing_hook") == used * PRICE and used > 3_000


def opened_feed(town: Town) -> None:
    calls = [town.oracle("add_feed", "BTC", 60_000, 1), town.oracle("add_reporter", 0, ADMIN)]
    assert town.do(ADMIN, *calls).status == "done"


def report(town: Town) -> None:
    assert town.do(ADMIN, town.oracle("report", 0, "100", "1", town.time_ms)).status == "done"


def test_a_flood_of_subscribers_starts_from_another_one_each_time() -> None:
    """Each handler is paid, none is run out of turn, and one honest listener among them is called within a round."""
    town = hooked("subscriber_flood", "price_listener", runs=30)
    opened_feed(town)
    begin(town, "subscriber_flood", 0)
    begin(town, "price_listener", 0)
    town.seal()
    report(town)
    for _ in range(12):
        assert town.run().gas_used <= 4 * HOOK_GAS_MAX
    assert town.state("price_listener")["heard"] >= 1
    assert town.do(EVE, sources.call("subscriber_flood", address_of("subscriber_flood"), "leave")).status == "done"


def test_programs_without_a_purse_hear_nothing_and_cost_others_little() -> None:
    town = hooked("price_listener", runs=5)
    town.deploy(("subscriber_flood", ()))
    opened_feed(town)
    begin(town, "subscriber_flood", 0)
    begin(town, "price_listener", 0)
    town.seal()
    report(town)
    town.run()
    assert town.state("price_listener")["heard"] == 1
    assert town.hook_events() == [(1, "fee unpayable")] * 24


def test_due_hooks_whose_keys_collide_are_all_taken_and_stop_nobody() -> None:
    """A queue that refused them would stop the kernel where it makes hooks due, and with it the node."""
    town = Town()
    town.deploy(("chosen_times", ()), ("price_listener", ()))
    town.fund("chosen_times", 400 * HOOK)
    town.fund("price_listener", 5 * HOOK)
    number = next(at for at, one in enumerate(town.machine.programs(), 1) if one.name == "chosen_times")
    selector = sources.compiled("chosen_times").abi.entry("ring").selector
    times = ground_times(number, selector, 192)
    town.time_ms = 1 << 40
    for start in range(0, len(times), 64):
        begin(town, "chosen_times", times[start : start + 64])
    assert town.do(ALICE, sources.call("price_listener", address_of("price_listener"), "wake")).status == "done"
    town.seal()
    for _ in range(6):
        assert town.run().gas_used <= 4 * HOOK_GAS_MAX
    assert town.state("price_listener")["heard"] == 1
    assert town.state("chosen_times")["runs"] > 192


def test_keys_chosen_for_a_map_cost_their_chooser_and_whoever_comes_near() -> None:
    town = Town()
    town.deploy(("chosen_keys", ()))
    hashed = place_of(1)
    keys = [key for key in range(1, 250_000) if hashed(key) >> 22 == 77][:192]
    assert len(keys) == 192 - 192 % 64
    costs = []
    for start in range(0, len(keys), 64):
        outcome = town.do(
            EVE, sources.call("chosen_keys", address_of("chosen_keys"), "attack", 1, keys[start : start + 64])
        )
        assert outcome.status == "done", outcome.reason
        costs.append(outcome.gas_used)
    assert costs[2] > costs[1], "the closer they lie the more they pay"
    honest = town.do(ALICE, sources.call("chosen_keys", address_of("chosen_keys"), "honest", 1 << 50))
    assert honest.status == "done" and honest.gas_used < 45_000


def test_a_deposit_is_credited_whatever_keys_lie_in_its_way() -> None:
    """Dust at addresses that collide with the depositor's does not keep the bank from taking the deposit."""
    town = Town(inbox_block_max=8)
    hashed = place_of(4)
    near = [
        who
        for who in (sha256(number.to_bytes(4, "big")).digest()[:20] for number in range(350_000))
        if hashed(*pack_address(who), 0) >> 21 == 77
    ][:150]
    assert len(near) > 140
    victim, senders = near[0], near[1:]
    for start in range(0, len(senders), 25):
        calls = [town.bank("transfer", 0, who, Decimal.from_raw(1)) for who in senders[start : start + 25]]
        assert town.do(EVE, *calls).status == "done"
    town.seal()
    town.deposit(victim, UNIT)
    assert town.balances()[victim] == UNIT


def test_a_program_waits_for_so_many_times_and_no_more() -> None:
    town = Town(mirrored=False, gas_transaction_max=5_000_000, gas_batch_max=25_000_000)
    town.deploy(("hook_storm", ()), ("odd_times", ()))
    never = sources.call("odd_times", address_of("odd_times"), "attack", (1 << 63) - 1)
    done = sum(
        town.do(EVE, *[never] * 256, atomic=False, gas=5_000_000).call_reasons.count("") for _ in range(17)
    )  # fmt: skip
    assert done == places.SCHEDULES_MAX
    assert town.do(EVE, never).reason == "too many schedules"
    begin(town, "hook_storm", 10)


def test_what_was_entered_from_the_top_is_deleted_from_the_top() -> None:
    town = Town(mirrored=False, gas_transaction_max=5_000_000, gas_batch_max=25_000_000)
    town.deploy(("churn", ()))
    outcome = town.do(EVE, sources.call("churn", address_of("churn"), "attack", 800), gas=5_000_000)
    assert outcome.reason == ""


def test_subscriptions_name_feeds_that_can_be() -> None:
    town = Town()
    town.deploy(("feed_squatter", ()))
    call = sources.call("feed_squatter", address_of("feed_squatter"), "attack", 1_020, 4)
    assert town.do(EVE, call).status == "done"
    for first in (1_021, -1, 1 << 62):
        call = sources.call("feed_squatter", address_of("feed_squatter"), "attack", first, 4)
        assert town.do(EVE, call).reason == "bad argument"


# ---- creation


def test_a_program_that_will_not_be_leaves_nothing() -> None:
    town = Town()
    root_programs = len(town.machine.programs())
    town.deploy(("create_refuser", ()), ("create_burner", ()), ("create_writer", (20,)))
    assert [one.name for one in town.machine.programs()[root_programs:]] == ["create_writer"]
    assert town.run().gas_used == 0, "what it scheduled is gone as well"
    for gone in ("create_refuser", "create_burner"):
        outcome = town.do(EVE, sources.call(gone, address_of(gone), "attack"))
        assert outcome.reason == "unknown program"
    again = town.do(EVE, sources.call("create_writer", address_of("create_writer"), "attack"))
    assert again.status == "done" and int.from_bytes(again.results[0], "little") == 20


def test_an_address_known_beforehand_gives_nothing_but_an_address() -> None:
    """Money sent there waits for the program; calls find nobody; a second deployment there is refused."""
    town = Town()
    where = address_of("event_flood")
    assert town.do(EVE, town.bank("transfer", 0, where, "1")).status == "done"
    assert town.do(EVE, sources.call("event_flood", where, "attack", 1)).reason == "unknown program"
    town.deploy(("event_flood", ()))
    assert town.do(EVE, sources.call("event_flood", where, "attack", 1)).status == "done"
    count = len(town.machine.programs())
    town.deploy(("event_flood", ()))
    assert len(town.machine.programs()) == count and town.balances()[where] == UNIT


# ---- transactions


def test_calls_that_fail_one_after_the_other_are_paid_one_by_one() -> None:
    """As many as a transaction has room for with the longest arguments."""
    town = Town()
    town.deploy(("fat_arguments", ()))
    call = sources.call("fat_arguments", address_of("fat_arguments"), "attack", [7] * 127, 1)
    outcome = town.do(EVE, *[call] * 120, atomic=False, gas=150_000)
    assert outcome.status == "failed" and outcome.gas_used == 150_000
    ran = outcome.call_reasons.count("no, after all that")
    assert 60 < ran < 120 and outcome.call_reasons[ran:] == ("out of gas",) * (120 - ran)
    atomic = town.do(EVE, *[call] * 120)
    assert atomic.call_reasons == ("no, after all that", *["atomic"] * 119)


def test_calls_of_nobody_of_no_entry_and_of_no_shape() -> None:
    town = Town()
    town.deploy(("burn_all", ()), ("hook_failer", ()))
    here = address_of("burn_all")
    calls = (
        Call(b"\x99" * 20, b"abcd", b""),
        Call(here, b"abcd", bytes(4096)),
        Call(here, sources.call("burn_all", here, "attack").selector, bytes(8)),
        Call(address_of("hook_failer"), hook_selector("hook_failer"), bytes(8)),
    )
    outcome = town.do(EVE, *calls, atomic=False)
    assert outcome.call_reasons == ("unknown program", "unknown entry", "bad argument", "unknown entry")


def hook_selector(name: str) -> bytes:
    return sources.compiled(name).abi.entry("ring").selector.to_bytes(4, "little")


def test_lanes_are_bounded_and_an_order_class_reaches_its_own_entries_alone() -> None:
    town = Town()
    town.deploy(("burn_all", ()))
    call = sources.call("burn_all", address_of("burn_all"), "attack")
    for lane in range(1, 17):
        assert town.do(EVE, town.bank("allow", BANK, 0, "1", 1 << 50), lane=lane).status == "done"
    refused = town.do(EVE, call, lane=17)
    assert (refused.status, refused.reason, refused.fee) == ("refused", "too many lanes", 0)
    for lane in (1 << 30, 2 << 30):
        assert town.do(MALLORY, call, lane=lane, gas=60_000).reason == "order class"


def test_an_agent_signs_for_what_it_may_and_for_nothing_else() -> None:
    town = Town()
    assert town.do(ALICE, town.bank("authorise", MALLORY, ORACLE, town.time_ms + 1_500)).status == "done"
    stolen = town.do(MALLORY, town.bank("transfer", 0, MALLORY, "1"), account=ALICE)
    assert (stolen.status, stolen.reason) == ("refused", "not authorised")
    mixed = town.do(MALLORY, town.oracle("feeds"), town.bank("transfer", 0, MALLORY, "1"), account=ALICE, sequence=0)
    assert mixed.reason == "not authorised"
    town.seal()
    town.run()
    town.seal()
    late = town.do(MALLORY, town.oracle("feeds"), account=ALICE, sequence=0)
    assert late.reason == "not authorised", "the mandate has expired"
    assert town.balances()[ALICE] == MONEY - town.balances()[FEES]


def test_withdrawals_are_what_the_bank_burnt_and_nothing_else() -> None:
    """Forged events are no withdrawals, undone ones neither, though their places in the batch are taken by others."""
    town = Town()
    names = ("forged_withdrawal", "undone_withdrawal", "undone_withdrawal_2")
    town.deploy(*((name, created(name)) for name in names))
    for name in names:
        assert town.do(EVE, town.bank("transfer", 0, address_of(name), "2")).status == "done"
    second = sources.call("undone_withdrawal", address_of("undone_withdrawal"), "relay", address_of(names[2]), 1)
    forged = sources.call("forged_withdrawal", address_of("forged_withdrawal"), "attack", MALLORY)
    honest = town.bank("withdraw", 0, "0.125")
    result = town.run(
        town.signed(EVE, second), town.signed(EVE, forged), town.signed(ALICE, honest), town.signed(EVE, second),
    )  # fmt: skip
    assert [one.status for one in result.outcomes] == ["done"] * 4
    sealed = town.machine.seal()
    assert town.mirror is not None and town.mirror.seal() == sealed
    assert [(one.account, one.amount) for one in sealed.withdrawals] == [(ALICE, UNIT // 8)]


def test_receipts_have_an_end_before_the_events_begin() -> None:
    """Results as wide as they come fill the batch, not the room behind it; the rest is refused and comes again."""
    town = Town(mirrored=False, gas_transaction_max=5_000_000, gas_batch_max=60_000_000)
    town.deploy(("fat_results", ()))
    calls = [sources.call("fat_results", address_of("fat_results"), "attack")] * 256
    used = town.do(EVE, *calls, gas=5_000_000).gas_used
    burn = town.signed(ALICE, town.bank("withdraw", 0, "0.125"))
    batch = [burn, *(town.signed(EVE, *calls, gas=used + 10_000) for _ in range(90))]
    result = town.run(*batch)
    reasons = [one.reason for one in result.outcomes]
    ran = reasons.index("block full")
    assert 50 < ran < 64 and set(reasons[ran:]) == {"block full"} and set(reasons[:ran]) == {""}
    event = result.events[result.outcomes[0].events[0]]
    assert event.program == 1, "the bank's"
    sealed = town.machine.seal()
    assert [(one.account, one.amount) for one in sealed.withdrawals] == [(ALICE, UNIT // 8)]
