"""A program goes on as its next version: announced by its admin, after its time-lock, with its state, or not at all."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from execution.compiler.abi_values import pack
from execution.executor import Record, Sealed
from execution.lang.rejection import Rejected
from execution.vm.kernel import places
from execution.vm.kernel.words import KERNEL_ENTRIES, selector
from execution.vm.machine import Machine
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Call, Deployment, SignedTransaction, UpgradeTransaction, unsigned
from tests.vm_kernel.legs import SIGNER, SPEC, Legs, compiled

VAULT = b"V" * 20
ADMIN, STRANGER = SIGNER, b"t" * 20
NEXT = "vault_next"


def legs() -> Legs:
    chain = Legs((VAULT, (), ("vault",)), later=(NEXT, "vault"), admin=ADMIN)
    chain.open()
    return chain


def act(chain: Legs, signature: str, *words: bytes, signer: bytes = ADMIN) -> str:
    """An act of the admin; its reason, "" when it is done."""
    return str(acts(chain, signature, *words, signer=signer).outcomes[0].reason)


def acts(chain: Legs, signature: str, *words: bytes, signer: bytes = ADMIN) -> Any:
    data = account(VAULT) + b"".join(words)
    call = Call(KERNEL_ADDRESS, selector(signature).to_bytes(4, "little"), data)
    return chain.both([chain.signed(call, signer=signer)])


def account(address: bytes) -> bytes:
    return address + bytes(4)


def number(value: int) -> bytes:
    return value.to_bytes(8, "little", signed=True)


def announcement(
    chain: Legs, fee: str = "0.5", spin: int = 0, name: str = NEXT, signer: bytes = ADMIN
) -> SignedTransaction:
    files, artifact, _ = compiled(name)
    entry = next((one for one in artifact.abi.entries if one.kind == "migrate"), None)
    arguments = b"" if entry is None else pack(entry, (fee, spin))
    chain.sequence += 1
    made = UpgradeTransaction(
        7, signer, 1, chain.sequence, 1 << 50, 5_000_000, 0, VAULT, name, tuple(sorted(files.items())), arguments
    )
    return unsigned(made, signer)


def recorded(signed: SignedTransaction) -> Deployment:
    t = signed.transaction
    assert isinstance(t, UpgradeTransaction)
    artifact = compiled(t.name)[1]
    return Deployment(
        VAULT,
        signed.id,
        signed.signer,
        t.name,
        t.arguments,
        b"",
        "1",
        artifact.ir_hash,
        artifact.wasm,
        artifact.abi.text(),
    )


def announced(chain: Legs, **how: Any) -> Deployment:
    """Announce a version in the open block, seal it; what the block records."""
    signed = announcement(chain, **how)
    outcome = chain.both([signed]).outcomes[0]
    assert outcome.status == "done" and outcome.created == VAULT, outcome.reason
    chain.seal()
    return recorded(signed)


def told(events: Sequence[Record]) -> list[tuple[int, ...]]:
    """The kernel's events about versions: number, then words."""
    kernel = [event for event in events if event.program == 0 and event.event >= places.KERNEL_EVENT_ADMIN]
    return [(event.event, *struct.unpack(f"<{len(event.data) // 8}q", event.data)) for event in kernel]


def info(chain: Legs) -> Any:
    real, dream = (leg.programs()[0] for leg in (chain.machine, chain.mirror))
    assert real == dream
    return real


def upgraded(chain: Legs, *, fee: str = "0.5") -> Sequence[Record]:
    """Two holders, then the switch on all legs; events of its opening."""
    chain.one(VAULT, "put", 5)
    deployment = announced(chain, fee=fee)
    events = chain.open(deployment, upgrade=NEXT)
    chain.bundles[VAULT] = (NEXT,)
    return events


def test_the_switch_keeps_the_state_and_migrates_it() -> None:
    chain = legs()
    events = upgraded(chain)
    code = compiled(NEXT)[1].wasm
    assert [row[0] for row in told(events)] == [places.KERNEL_EVENT_UPGRADED]
    assert info(chain).version == 2 and info(chain).code_hash == chain.hash_of(code)
    state = chain.state(VAULT)
    assert (state["total"], state["shares"], state["holders"]) == (5, [(SIGNER, 5)], 1)
    assert state["fee"] == 5 * 10**17 and state["fees"] == [(SIGNER, 5 * 10**17)] and state["mode"] == 2
    assert chain.ask(VAULT, "put", 2) == 1
    chain.seal()


def test_entries_that_are_gone_are_unknown() -> None:
    chain = legs()
    gone = chain.call_of(VAULT, "old_only")
    upgraded(chain)
    assert chain.run([chain.signed(gone)]).outcomes[0].reason == "unknown entry"
    chain.seal()


@pytest.mark.parametrize(("how", "why"), [({"fee": "2"}, "fee too high"), ({"spin": 10**9}, "out of gas")])
def test_a_migration_that_fails_leaves_the_old_version(how: dict[str, Any], why: str) -> None:
    chain = legs()
    chain.one(VAULT, "put", 5)
    before = chain.state(VAULT)
    deployment = announced(chain, **how)
    events = chain.open(deployment)
    assert told(events) == [(places.KERNEL_EVENT_UPGRADE_FAILED, 1, Rejected(why).reason.word)]
    assert info(chain).version == 1 and info(chain).upgrade_time_ms is None
    assert chain.state(VAULT) == before and chain.ask(VAULT, "old_only") == 1
    chain.seal()
    chain.open()
    assert chain.ask(VAULT, "put", 1) == 6
    chain.seal()


def test_the_time_lock_is_waited_for() -> None:
    chain = legs()
    assert act(chain, "set_time_lock(account,duration)", number(2_500)) == ""
    assert info(chain).time_lock_ms == 2_500
    deployment = announced(chain)
    assert info(chain).upgrade_time_ms == 3_500
    for height in (2, 3):
        assert told(chain.open(*([deployment] if height == 2 else []))) == []
        assert chain.ask(VAULT, "old_only") == 1
        chain.seal()
    assert told(chain.open(upgrade=NEXT, deployment=deployment))[0][0] == places.KERNEL_EVENT_UPGRADED
    chain.bundles[VAULT] = (NEXT,)
    chain.seal()


def test_a_longer_lock_holds_at_once_a_shorter_one_when_the_present_has_passed() -> None:
    chain = legs()
    act(chain, "set_time_lock(account,duration)", number(1_500))
    (event,) = told(acts(chain, "set_time_lock(account,duration)", number(100)).events)
    assert event == (places.KERNEL_EVENT_TIME_LOCK, 1, 100, 2_500)
    locks = [info(chain).time_lock_ms]
    for _ in range(2):
        chain.seal()
        chain.open()
        locks.append(info(chain).time_lock_ms)
    assert locks == [1_500, 1_500, 100]
    assert act(chain, "set_time_lock(account,duration)", number(200)) == ""
    assert info(chain).time_lock_ms == 200
    chain.seal()


@pytest.mark.parametrize("lock", [-1, places.TIME_LOCK_MAX + 1])
def test_a_lock_has_bounds(lock: int) -> None:
    assert act(legs(), "set_time_lock(account,duration)", number(lock)) == "bad argument"


@pytest.mark.parametrize(
    "signature", ["set_admin(account,account)", "set_time_lock(account,duration)", "cancel_upgrade(account)"]
)
def test_only_the_admin_acts(signature: str) -> None:
    chain = legs()
    rest = bytes(8 * KERNEL_ENTRIES[selector(signature)] - 24)
    assert act(chain, signature, rest, signer=STRANGER) == "not authorised"


def test_only_the_admin_announces() -> None:
    chain = legs()
    outcome = chain.both([announcement(chain, signer=STRANGER)]).outcomes[0]
    assert (outcome.status, outcome.reason, outcome.created) == ("failed", "not authorised", None)


def test_giving_up_is_for_ever_and_gives_up_what_was_announced() -> None:
    chain = legs()
    deployment = announced(chain)
    chain.open()
    rows = told(acts(chain, "set_admin(account,account)", bytes(24)).events)
    assert [row[0] for row in rows] == [places.KERNEL_EVENT_UPGRADE_CANCELLED, places.KERNEL_EVENT_ADMIN]
    assert act(chain, "set_admin(account,account)", account(ADMIN)) == "not authorised"
    assert act(chain, "set_admin(account,account)", account(ADMIN), signer=bytes(20)) == "not authorised"
    chain.seal()
    assert told(chain.open(deployment)) == [] and info(chain).version == 1
    chain.seal()


def test_another_admin_takes_over() -> None:
    chain = legs()
    assert act(chain, "set_admin(account,account)", account(STRANGER)) == ""
    assert act(chain, "cancel_upgrade(account)") == "not authorised"
    assert act(chain, "cancel_upgrade(account)", signer=STRANGER) == "no upgrade pending"
    assert info(chain).admin == STRANGER


@pytest.mark.parametrize("staged", [False, True])
def test_what_was_cancelled_does_not_switch(staged: bool) -> None:
    chain = legs()
    act(chain, "set_time_lock(account,duration)", number(1_500))
    deployment = announced(chain)
    chain.open(*([deployment] if staged else []))
    assert act(chain, "cancel_upgrade(account)") == "" and info(chain).upgrade_time_ms is None
    again = announced(chain)
    assert told(chain.open(*([] if staged else [deployment]))) == []
    chain.seal()
    assert told(chain.open(again, upgrade=NEXT))[0][0] == places.KERNEL_EVENT_UPGRADED


def test_one_version_at_a_time() -> None:
    chain = legs()
    announced(chain)
    chain.open()
    assert chain.both([announcement(chain)]).outcomes[0].reason == "upgrade pending"


def test_a_layout_that_does_not_grow_fails_when_it_is_staged() -> None:
    chain = legs()
    upgraded(chain)
    chain.seal()
    chain.open()
    back = announced(chain, name="vault")
    assert told(chain.open(back)) == [(places.KERNEL_EVENT_UPGRADE_FAILED, 1, Rejected("layout").reason.word)]
    assert info(chain).version == 2
    chain.seal()


def timeline(chain: Legs, start: int = 0) -> list[Sealed]:
    """Blocks 1 to 5: put, announce under a lock, stage, switch, put; from the block after `start` on."""
    sealed = []
    for height in range(start + 1, 6):
        if height > 1:
            chain.open(*([chain.deployment] if height == 3 else []), **({"upgrade": NEXT} if height == 4 else {}))
        if height == 1:
            act(chain, "set_time_lock(account,duration)", number(1_500))
            chain.one(VAULT, "put", 9)
        if height == 2:
            signed = announcement(chain)
            assert chain.both([signed]).outcomes[0].status == "done"
            chain.deployment = recorded(signed)
        if height == 4:
            chain.bundles[VAULT] = (NEXT,)
        if height == 5:
            chain.one(VAULT, "put", 4)
        sealed.append(chain.seal())
    return sealed


@pytest.mark.parametrize("height", [1, 2, 3, 4])
def test_going_back_across_the_switch_and_replaying_is_the_same(height: int) -> None:
    chain = legs()
    chain.twin = None
    sealed = timeline(chain)
    used = [0, 2, 3, 3, 3][height]
    for leg in (chain.machine, chain.mirror):
        leg.rollback(height)
        assert leg.programs()[0].version == (2 if height == 4 else 1)
    chain.height, chain.sequence = height, used
    chain.bundles[VAULT] = (NEXT,) if height == 4 else ("vault",)
    assert timeline(chain, height) == sealed[height:]


def test_an_open_block_that_switched_is_dropped_without_a_trace() -> None:
    chain = legs()
    chain.twin = None
    sealed = timeline(chain)
    for leg in (chain.machine, chain.mirror):
        leg.rollback(3)
    chain.height, chain.sequence, chain.bundles[VAULT] = 3, 3, ("vault",)
    proof = chain.machine.prover(VAULT)(0)
    chain.open()
    assert info(chain).version == 2 and chain.machine.prover(VAULT)(0) == proof
    for leg in (chain.machine, chain.mirror):
        leg.rollback(3)
    chain.height = 3
    assert timeline(chain, 3) == sealed[3:]


@pytest.mark.parametrize("height", [1, 2, 3, 4, 5])
def test_a_checkpoint_carries_what_is_staged_and_what_was_switched(height: int) -> None:
    chain = legs()
    chain.twin = None
    sealed = timeline(chain)
    chain.machine.rollback(height)
    meta, pages = chain.machine.checkpoint_meta(), list(chain.machine.export(None))
    other = Machine(lambda _: None)  # type: ignore[arg-type, return-value]
    assert other.restore(SPEC, meta, iter(pages)) == sealed[height - 1].state_root
    chain.machine = other
    chain.mirror.rollback(height)
    chain.height, chain.sequence = height, [0, 2, 3, 3, 3, 4][height]
    chain.bundles[VAULT] = (NEXT,) if height >= 4 else ("vault",)
    assert timeline(chain, height) == sealed[height:]


def test_the_checkpoint_while_a_switching_block_is_open_is_of_the_version_before() -> None:
    chain = legs()
    chain.twin = None
    sealed = timeline(chain)
    for leg in (chain.machine, chain.mirror):
        leg.rollback(3)
    chain.height = 3
    chain.open()
    other = Machine(lambda _: None)  # type: ignore[arg-type, return-value]
    assert other.restore(SPEC, chain.machine.checkpoint_meta(), chain.machine.export(None)) == sealed[2].state_root
    assert other.programs()[0].version == 1


def test_a_deployment_that_nobody_announced_changes_nothing() -> None:
    chain = legs()
    chain.seal()
    deployment = replace(recorded(announcement(chain)), transaction_id=b"x" * 32)
    assert told(chain.open(deployment)) == [] and info(chain).version == 1
    chain.seal()


def test_to_programs_the_kernel_is_no_program() -> None:
    """As under CPython, which knows of no admins."""
    chain = Legs((VAULT, (), ("vault",)), (b"C" * 20, (), ("climber", "registry")), admin=b"C" * 20)
    chain.open()
    assert chain.one(b"C" * 20, "take", KERNEL_ADDRESS, VAULT).reason == "unknown program"
    assert chain.machine.programs()[0].admin == b"C" * 20
    chain.seal()
