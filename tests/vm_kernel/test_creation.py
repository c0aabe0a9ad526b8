"""Programs made by programs: an option factory on WASM, on the mirror and under CPython."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from execution.executor import Record
from execution.lang import Decimal
from execution.vm.kernel import places
from execution.vm.machine import Machine
from genesis.derived import created_address, derived_address
from genesis.gas import GAS_TABLE, instance_price
from tests.vm_kernel.legs import SPEC, Legs, compiled

OPTION, FACTORY = b"O" * 20, b"F" * 20
FIRST, SECOND = (created_address(FACTORY, number) for number in (0, 1))
STRIKE = Decimal(100)
EXPIRY = 90_000


def legs() -> Legs:
    made = Legs(
        (OPTION, (Decimal(1), EXPIRY), ("option",)),
        (FACTORY, (OPTION,), ("factory", "option")),
    )
    made.open()
    return made


def told(events: Any) -> list[tuple[int, int, bytes]]:
    """The kernel's events: number, first word, address; all of programs that the factory made."""
    return [_told(event) for event in events if event.program == 0]


def _told(event: Record) -> tuple[int, int, bytes]:
    first, address, creator = struct.unpack("<q20s4x20s4x", event.data)
    assert creator == FACTORY
    return event.event, first, address


def created(chain: Legs, *addresses: bytes) -> None:
    """What the legs know of programs that came since."""
    for address in addresses:
        chain.bundles[address] = ("option",)


def test_a_program_made_by_a_program_is_there_in_the_next_block() -> None:
    chain = legs()
    assert chain.ask(FACTORY, "list", STRIKE, EXPIRY).data == FIRST
    assert chain.one(FACTORY, "buy", STRIKE, 3).reason == "unknown program"
    chain.seal()
    events = chain.open()
    assert told(events) == [(places.KERNEL_EVENT_CREATED, 3, FIRST)]
    created(chain, FIRST)
    assert [event.program for event in events] == [3, 0], "its own event stands before the kernel's"
    assert chain.ask(FACTORY, "buy", STRIKE, 3) == 3
    chain.seal()
    state = chain.state(FIRST)
    assert (state["factory"], state["strike"], state["held"]) == (FACTORY, 100 * 10**18, 3)
    assert chain.state(OPTION)["held"] == 0


def test_its_code_and_layout_are_the_templates_and_its_admin_is_chosen() -> None:
    chain = legs()
    chain.ask(FACTORY, "list", STRIKE, EXPIRY)
    chain.seal()
    chain.open()
    created(chain, FIRST)
    template, made = chain.machine.programs()[0], chain.machine.programs()[2]
    assert (made.code_hash, made.abi_json, made.name) == (template.code_hash, template.abi_json, template.name)
    assert (made.number, made.address, made.admin) == (3, FIRST, FACTORY)
    assert template.admin == bytes(20)


def test_addresses_count_by_creator_and_lie_beside_sub_accounts() -> None:
    chain = legs()
    assert [chain.ask(FACTORY, "list", Decimal(n), EXPIRY).data for n in (1, 2)] == [FIRST, SECOND]
    assert len({FIRST, SECOND, *(derived_address(FACTORY, number) for number in (-1, 0, 1))}) == 5


def test_a_refused_create_leaves_no_program_and_says_why() -> None:
    chain = legs()
    chain.ask(FACTORY, "list", Decimal(-1), EXPIRY)
    chain.ask(FACTORY, "list", STRIKE, EXPIRY)
    chain.seal()
    events = chain.open()
    refused = [event for event in events if event.event == places.KERNEL_EVENT_NOT_CREATED]
    assert told(refused)[0][2] == FIRST and told(events)[1] == (places.KERNEL_EVENT_CREATED, 3, SECOND)
    created(chain, SECOND)
    assert chain.twin is not None
    (failure,) = chain.twin.chain.not_created
    assert told(refused)[0][1] == failure.reason.word and failure.reason.text == "strike must be positive"
    assert chain.one(FACTORY, "buy", Decimal(-1), 1).reason == "unknown program"
    assert chain.ask(FACTORY, "buy", STRIKE, 1) == 1
    chain.seal()


def test_a_checkpoint_does_without_a_program_whose_create_was_refused() -> None:
    """Its pages are in the block's journal all the same."""
    chain = legs()
    chain.seal()
    chain.open()
    since = chain.machine.sealed_height()
    chain.ask(FACTORY, "list", Decimal(-1), EXPIRY)
    chain.seal()
    chain.open()
    chain.seal()
    exported = {chunk.program for chunk in chain.machine.export(since)}
    assert exported and max(exported) <= len(chain.machine.programs())


def test_a_call_that_fails_asked_for_nothing() -> None:
    chain = legs()
    assert chain.one(FACTORY, "list_and_fail", STRIKE).reason == "changed my mind"
    assert chain.ask(FACTORY, "list", STRIKE, EXPIRY).data == FIRST
    chain.seal()
    assert told(chain.open()) == [(places.KERNEL_EVENT_CREATED, 3, FIRST)]


def test_a_hook_creates_as_a_call_does() -> None:
    chain = legs()
    chain.one(FACTORY, "list_later", 2_000)
    chain.seal()
    chain.open()
    assert chain.state(FACTORY)["series"] == [(7 * 10**18, FIRST)]
    chain.seal()
    assert told(chain.open()) == [(places.KERNEL_EVENT_CREATED, 3, FIRST)]
    created(chain, FIRST)
    chain.seal()


def test_the_instance_and_the_gas_of_create_are_paid_by_whoever_asks() -> None:
    chain = legs()
    dear, cheap = (chain.one(FACTORY, "list_cheaply", STRIKE, gas).gas_used for gas in (300_000, 50_000))
    assert dear - cheap > 240_000 and cheap > instance_price(dict(GAS_TABLE)) + 50_000


def test_create_costs_at_most_what_was_paid() -> None:
    chain = legs()
    chain.twin = None  # gas decides
    chain.one(FACTORY, "list_cheaply", STRIKE, 100)
    chain.seal()
    ((event, _, address),) = told(chain.open())
    assert (event, address) == (places.KERNEL_EVENT_NOT_CREATED, FIRST)
    assert len(chain.machine.programs()) == 2


@pytest.mark.parametrize("gas", [0, -5])
def test_create_without_gas_does_not_run(gas: int) -> None:
    chain = legs()
    chain.one(FACTORY, "list_cheaply", STRIKE, gas)
    chain.seal()
    assert told(chain.open())[0][0] == places.KERNEL_EVENT_NOT_CREATED
    assert chain.twin is not None and chain.twin.chain.not_created[0].reason.text == "out of gas"


def test_one_block_opens_with_so_many_and_no_more() -> None:
    chain = legs()
    assert [chain.one(FACTORY, "list_many", 5).reason for _ in range(13)] == [""] * 12 + ["too many programs"]
    chain.seal()
    assert len(told(chain.open())) == 60 <= places.CREATIONS_MAX
    assert len(chain.machine.programs()) == len(chain.mirror.programs()) == 62


def test_an_unknown_template_is_refused_and_can_be_tolerated() -> None:
    chain = legs()
    assert chain.one(FACTORY, "list_from", b"?" * 20).reason == "unknown program"
    assert chain.ask(FACTORY, "list_unless_full", b"?" * 20) == 1
    chain.seal()
    assert told(chain.open()) == []


def test_a_template_that_takes_something_else_makes_nothing() -> None:
    chain = legs()
    chain.one(FACTORY, "list_from", FACTORY)
    chain.seal()
    ((event, why, _),) = told(chain.open())
    assert chain.twin is not None
    (failure,) = chain.twin.chain.not_created
    assert (event, why, failure.reason.text) == (
        places.KERNEL_EVENT_NOT_CREATED, failure.reason.word, "unknown entry"
    )  # fmt: skip


def played(chain: Legs) -> list[Any]:
    """Two series listed, then traded; what each block sealed."""
    chain.ask(FACTORY, "list", Decimal(1), EXPIRY)
    sealed = [chain.seal()]
    chain.open()
    chain.ask(FACTORY, "list", Decimal(2), EXPIRY)
    sealed.append(chain.seal())
    chain.open()
    chain.ask(FACTORY, "buy", Decimal(1), 4)
    return [*sealed, chain.seal()]


@pytest.mark.parametrize("height", [0, 1, 2])
def test_going_back_takes_programs_away_and_replaying_makes_them_again(height: int) -> None:
    chain = legs()
    sealed = played(chain)
    for leg in (chain.machine, chain.mirror):
        leg.rollback(height)
        assert len(leg.programs()) == 2 + max(0, height - 1)
    chain.twin = None
    chain.height, chain.sequence = height, max(0, height)
    again = []
    for step in range(height, 3):
        chain.open()
        call = [("list", Decimal(1), EXPIRY), ("list", Decimal(2), EXPIRY), ("buy", Decimal(1), 4)][step]
        assert chain.one(FACTORY, *call).status == "done"
        again.append(chain.seal())
    assert again == sealed[height:]


def test_a_dropped_block_asks_again() -> None:
    chain = legs()
    chain.ask(FACTORY, "list", STRIKE, EXPIRY)
    chain.seal()
    first = chain.open()
    for leg in (chain.machine, chain.mirror):
        leg.rollback(1)
    chain.height, chain.twin = 1, None
    assert told(chain.open()) == told(first)
    chain.seal()


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_checkpoint_keeps_what_waits_and_what_was_made(blocks: int) -> None:
    chain = legs()
    chain.ask(FACTORY, "list", STRIKE, EXPIRY)
    last = chain.seal()
    for _ in range(blocks - 1):
        chain.open()
        last = chain.seal()
    other = Machine(lambda _: None)  # type: ignore[arg-type, return-value]
    meta = chain.machine.checkpoint_meta()
    assert other.restore(SPEC, meta, chain.machine.export(None)) == last.state_root
    assert meta.count(compiled("option")[1].wasm) == 1, "code is kept once"
    chain.machine, chain.twin = other, None
    chain.open()
    assert chain.one(FACTORY, "buy", STRIKE, 1).status == "done"
    chain.seal()


def test_a_simulation_asks_for_nothing() -> None:
    chain = legs()
    outcome = chain.machine.simulate([chain.signed(chain.call_of(FACTORY, "list", STRIKE, EXPIRY))]).outcomes[0]
    assert outcome.status == "done"
    chain.sequence -= 1
    assert chain.ask(FACTORY, "list", STRIKE, EXPIRY).data == FIRST
    chain.seal()
    assert len(told(chain.open())) == 1
