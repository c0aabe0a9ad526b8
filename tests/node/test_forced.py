"""Transactions forced through the settlement chain: run by the opening alone, so nobody can leave one out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execution.executor import Executor, Opening
from execution.forced import within_block
from execution.transition import check_roots, replay_block
from execution.vm.machine import Machine
from genesis.chain import (
    Block,
    DeployTransaction,
    Deposit,
    Forced,
    InboxEntry,
    Receipt,
    SignedTransaction,
    Withdrawal,
    sign,
    sign_block,
)
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Invalid
from genesis.spec import genesis_address, genesis_hash
from node.audit import audit
from node.compiled import genesis_code
from node.open_block import Anchor, Logged, OpenBlock, encode_logged, reopen
from node.programs import Programs
from node.recovery import initial_tip
from node.recovery import replay_block as replay_stored
from node.tracing import trace
from settlement.actions import Force
from tests.node.running import SPEC, Node, running, transaction

TRADER, OTHER = 8, 9
BANK = genesis_address("bank")
FAR_MS = 1 << 50
CALLS = 90
"""Nearly as many as FORCED_BYTES_MAX holds; they use about 390,000 gas."""
LARGEST = 400_000


@pytest.fixture(scope="module")
def programs(node: Node) -> Programs:
    return node.programs


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain"), market=False) as started:
        yield started


def started() -> tuple[Machine, bytes]:
    """At genesis, and the hash that block 1 stands on."""
    machine = Machine(genesis_code(SPEC).plan())
    return machine, genesis_hash(SPEC, machine.genesis(SPEC))


def opening(parent: bytes, *entries: InboxEntry) -> Opening:
    return Opening(1, 1_000, 0, parent, entries)


def block_of(machine: Executor, opened: Opening, *batches: Sequence[SignedTransaction]) -> tuple[Block, OpenBlock]:
    """What a leader makes of an opening and its batches."""
    made = OpenBlock(opened, Anchor(7, b"\7" * 32, len(opened.inbox)))
    for batch in batches:
        ready = made.ready(batch)
        made.add(ready, (), machine.apply(opened, ready))
    sealed = machine.seal()
    burnt = [Withdrawal(w.index, w.account, w.asset, w.amount) for w in sealed.withdrawals]
    header = made.header(sealed, burnt, development_address(0), 0, 1)
    return sign_block(header, made.body(), development_key(0)), made


def transfer(programs: Programs, key: int = TRADER, **fields: Any) -> SignedTransaction:
    call = programs["bank"].call("transfer", 0, development_address(OTHER), "0.25")
    return transaction(key, [call], **({"expiry": FAR_MS} | fields))


def refused(programs: Programs) -> list[bytes]:
    """What is taken in without effect, each for another reason."""
    head = {"account": development_address(TRADER), "lane": 0, "sequence": 0, "expiry": FAR_MS, "gas": 2_000_000}
    source = DeployTransaction(
        chain=SPEC.chain_id, fee=SPEC.fee_min, name="x", files=(("x.py", "x"),), arguments=b"", **head
    )
    return [
        b"\x20 is no transaction",
        transfer(programs, chain=SPEC.chain_id + 1).raw,
        transfer(programs, fee=SPEC.fee_min - 1).raw,
        sign(source, development_key(TRADER)).raw,
        transfer(programs, sequence=7).raw,
        transfer(programs, expiry=999).raw,
        transfer(programs, account=development_address(OTHER)).raw,
        transfer(programs, gas=SPEC.gas_transaction_max + 1).raw,
    ]


def test_they_run_first_and_everybody_who_replays_runs_them(programs: Programs) -> None:
    machine, parent = started()
    forced, cancel = transfer(programs, sequence=0), transfer(programs, lane=2 << 30, sequence=1)
    usual = transfer(programs, sequence=1)
    entries = (Deposit(0, development_address(TRADER), 1, 10**18, 3), Forced(1, forced.raw, 4))
    block, made = block_of(machine, opening(parent, *entries), [cancel, usual], [])
    assert [receipt.transaction for receipt in made.receipts] == [forced.id, cancel.id, usual.id]
    assert [receipt.status for receipt in made.receipts] == ["done", "failed", "done"]
    assert block.body.inbox == entries and forced.raw not in block.body.batches[0].transactions
    again, _ = started()
    check_roots(block, replay_block(again, block, ()))
    third, _ = started()
    tip = replay_stored(SPEC, third, initial_tip(SPEC, third.genesis(SPEC)), Block.decode(block.encode()))
    assert tip.hash == block.hash() and tip.anchor.count == 2


def test_who_leaves_one_out_has_another_block(programs: Programs) -> None:
    entry = Forced(0, transfer(programs, sequence=0).raw, 4)
    honest, parent = started()
    block, _ = block_of(honest, opening(parent, entry), [])
    censor, _ = started()
    left_out, made = block_of(censor, opening(parent), [])
    header = replace(left_out.header, body_root=block.header.body_root, inbox_count=1)
    forged = sign_block(header, block.body, development_key(0))
    other, _ = started()
    with pytest.raises(Corrupt, match="does not replay"):
        replay_stored(SPEC, other, initial_tip(SPEC, other.genesis(SPEC)), forged)
    assert made.receipts == []


def test_what_cannot_run_is_taken_in_without_effect(programs: Programs) -> None:
    for raw in refused(programs):
        machine, parent = started()
        block, made = block_of(machine, opening(parent, Forced(0, raw, 4)), [])
        plain, _ = started()
        bare, _ = block_of(plain, opening(parent), [])
        assert (made.receipts, made.forced, block.header.inbox_count) == ([], [], 1)
        assert block.header.claims_root == bare.header.claims_root and block.header.gas_used == bare.header.gas_used
        assert machine.sequences([(development_address(TRADER), 0)]) == (-1,)


def test_a_failed_one_pays_and_uses_its_sequence(programs: Programs) -> None:
    machine, parent = started()
    call = programs["bank"].call("transfer", 1, development_address(OTHER), "1000000000000")
    failing = transaction(TRADER, [call], expiry=FAR_MS)
    _, made = block_of(machine, opening(parent, Forced(0, failing.raw, 4)), [])
    assert [(receipt.status, receipt.fee > 0) for receipt in made.receipts] == [("failed", True)]
    assert machine.sequences([(development_address(TRADER), 0)]) == (0,)


def test_a_block_takes_in_so_many_and_no_more(programs: Programs) -> None:
    most = SPEC.forced_block_max
    entries = [Forced(index, bytes([index + 1]), 4) for index in range(most + 3)]
    assert within_block(entries, SPEC) == entries[:most]
    mixed = [Deposit(0, BANK, 0, 1, 4), *entries]
    assert within_block(mixed, SPEC) == mixed[: most + 1]
    deposits = [Deposit(index, BANK, 0, 1, 4) for index in range(SPEC.inbox_block_max + 1)]
    assert within_block(deposits, SPEC) == deposits[:-1]
    machine, parent = started()
    with pytest.raises(Invalid, match="at most"):
        machine.apply(opening(parent, *entries), ())
    machine.apply(opening(parent, *entries[:most]), ())


def test_so_many_of_the_largest_fit_their_batch(programs: Programs) -> None:
    """Where each uses up nearly all that a transaction may, the last one still finds room."""
    small = replace(SPEC, gas_transaction_max=LARGEST, gas_batch_max=5 * LARGEST + 1)
    machine = Machine(genesis_code(small).plan())
    parent = genesis_hash(small, machine.genesis(small))
    keys = range(TRADER, TRADER + small.forced_block_max)
    calls = [programs["bank"].call("allow", bytes([1, at]) * 10, 0, "1", FAR_MS) for at in range(CALLS)]
    largest = [transaction(key, calls, gas=LARGEST, atomic=False, expiry=FAR_MS) for key in keys]
    opened = opening(parent, *(Forced(index, one.raw, 4) for index, one in enumerate(largest)))
    _, made = block_of(machine, opened, [])
    assert [receipt.transaction for receipt in made.receipts] == [one.id for one in largest]
    assert min(receipt.gas_used for receipt in made.receipts) > 0.9 * LARGEST


def test_an_open_block_is_taken_up_again_with_them(programs: Programs) -> None:
    machine, parent = started()
    opened = opening(parent, Forced(0, transfer(programs, sequence=0).raw, 4))
    usual = transfer(programs, sequence=1)
    made = OpenBlock(opened, Anchor(7, b"\7" * 32, 1))
    made.add((usual,), (), machine.apply(opened, (usual,)))
    logged = encode_logged(Logged(opened, made.anchor, (usual,), ()))
    other, _ = started()
    again = reopen(other, parent, (logged,))
    assert again is not None and again.receipts == made.receipts and again.forced == made.forced
    assert other.seal() == machine.seal()


def test_a_block_rolled_back_runs_them_again(programs: Programs) -> None:
    machine, parent = started()
    opened = opening(parent, Forced(0, transfer(programs, sequence=0).raw, 4))
    first, _ = block_of(machine, opened, [])
    machine.rollback(0)
    machine.begin(opened)
    machine.rollback(0)
    assert machine.sequences([(development_address(TRADER), 0)]) == (-1,)
    second, _ = block_of(machine, opened, [])
    assert first == second


# A whole node


async def force(node: Node, raw: bytes, nonce: bytes = b"") -> None:
    await node.settlement.act(development_address(OTHER), Force(raw), nonce)


async def found(node: Node, signed: SignedTransaction) -> Receipt:
    async def there() -> Receipt | None:
        try:
            return await node.client.receipt(signed.id)
        except Invalid:
            return None

    receipt: Receipt = await node.until(there)
    return receipt


def test_a_forced_transaction_has_a_receipt_like_any_other(node: Node) -> None:
    async def run() -> list[str]:
        signed = transfer(node.programs, sequence=await node.client.sequence(development_address(TRADER)))
        wanted = "0x" + signed.id.hex()
        async with (
            node.client.subscribe("receipts", transaction=[wanted]) as receipts,
            node.client.subscribe("events", event="Transferred") as events,
        ):
            await force(node, b"nothing")
            await force(node, signed.raw)
            receipt = await found(node, signed)
            seen = [(await receipts.receive()).result[0]["status"], (await events.receive()).result[0]["event"]]
        await node.next_block()
        block = await node.client.block(receipt.height)
        assert {"index": 1, "transaction": "0x" + signed.raw.hex()} in block["forced"] and block["inbox_count"] >= 2
        assert block["transactions"][0] == "0x" + signed.id.hex()
        usual = await node.send(TRADER, node.programs["bank"].call("transfer", 0, development_address(OTHER), "1"))
        return [*seen, usual.status]

    assert node.do(run) == ["done", "Transferred", "done"]


def test_the_pool_goes_on_when_a_sequence_was_used_behind_its_back(node: Node) -> None:
    async def run() -> str:
        call = node.programs["bank"].call("transfer", 0, development_address(OTHER), "0.5")
        await node.send(TRADER, call)
        signed = await node.signed(TRADER, call, expiry=FAR_MS)
        await force(node, signed.raw)
        await found(node, signed)
        return (await node.send(TRADER, call)).status

    assert node.do(run) == "done"


def test_an_auditor_and_a_tracer_run_them_too(tmp_path: Path) -> None:
    with running(tmp_path, market=False) as node:

        async def run() -> tuple[SignedTransaction, Receipt]:
            first, signed = (transfer(node.programs, sequence=sequence) for sequence in (0, 1))
            await force(node, first.raw)
            await force(node, signed.raw)
            receipt = await found(node, signed)
            await node.next_block()
            return signed, receipt

        signed, receipt = node.do(run)
    with running(tmp_path, market=False) as node:
        assert node.do(node.client.receipt, signed.id).status == "done"
    report = audit(tmp_path, SPEC, lambda *_: None)
    assert report.passed, report.first_difference
    traced = trace(tmp_path, SPEC, signed.id, lambda *_: None)
    assert (traced.outcome.status, traced.outcome.gas_used) == ("done", receipt.gas_used)
    assert [call.number for call in traced.host.calls] == [1], "its own call, not those before it"
