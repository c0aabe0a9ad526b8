"""
Settlement takes back more blocks than the chain waits for: it goes back to where it stands, and grows again.

Deposits in the part that was reorganised count once, transactions run again, and no height is signed twice in one view.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from execution.vm.machine import Machine
from genesis.chain import Receipt
from genesis.devkeys import development_address
from genesis.errors import Corrupt
from genesis.spec import ChainSpec, genesis_hash
from node import reorganisation
from node.audit import audit
from node.genesis_code import folder_plan
from node.recovery import Recovered, recover, stored_block
from node.reorganisation import Rollback, fork_height, rollbacks
from node.store import Store
from settlement.adapter import Head, Reorganisation
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local
from tests.node.running import SETTLEMENT_BLOCK_MS, SPEC, UNIT, Node, now_ms, running

TRADER = 8
ADDRESS = development_address(TRADER)
DEEP = replace(SPEC, challenge_blocks=5_000)
"""Reorganisations as deep as a slow machine makes the test; nothing becomes final in it."""
EXPIRY_MS = 1_500
BEGIN = 6
"""Settlement blocks before anything happens."""
SHORT = replace(DEEP, rollback_blocks=1)
"""Images of one block are kept: going back goes by the checkpoint, or from genesis."""


async def pay(node: Node) -> Receipt:
    return await node.send(TRADER, node.programs["bank"].call("transfer", 0, development_address(9), "1"))


async def balance(node: Node) -> int:
    whole, _, part = str((await node.client.account(ADDRESS))["balances"]["BTC"]).partition(".")
    return int(whole) * UNIT + int(part.ljust(18, "0"))


async def credited(node: Node, count: int) -> None:
    async def there() -> bool:
        return await balance(node) == count * UNIT + start(node)

    await node.until(there)


def start(node: Node) -> int:
    return sum(one.amount for one in node.spec.allocations if one.account == ADDRESS and one.asset == 1)


async def deposit(node: Node, number: int) -> None:
    await node.settlement.fund(ADDRESS, 1, UNIT)
    await node.settlement.deposit(ADDRESS, 1, UNIT, b"%d" % number)


async def final_at(node: Node, height: int) -> None:
    async def is_final() -> bool:
        return bool((await node.client.chain_info())["final_height"] >= height)

    await node.until(is_final)


async def posted_at(node: Node, height: int) -> None:
    async def is_posted() -> bool:
        return bool((await node.client.chain_info())["posted_height"] >= height)

    await node.until(is_posted)


async def begun(node: Node) -> None:
    """Until the chain stands on anchors that stay."""
    while (await node.settlement.head()).settlement_height < BEGIN:
        await node.next_block()
    await node.next_block()


async def below_all(settlement: LocalSettlement) -> None:
    await settlement.reorganise((await settlement.head()).settlement_height - BEGIN + 1)


async def go_through(node: Node) -> list[Receipt]:
    """Deposits and payments, then a reorganisation below them all; return the payments' first receipts."""
    await begun(node)
    for number in range(3):
        await deposit(node, number)
    receipts = [await pay(node) for _ in range(2)]
    await credited(node, 3)
    receipts += [await pay(node) for _ in range(2)]
    await node.next_block()
    async with node.client.subscribe("stages") as stages, node.client.subscribe("receipts") as told:
        await below_all(node.settlement)
        while "reverted_first" not in (note := (await stages.receive()).result):
            pass
        given_up = range(note["reverted_first"], note["reverted_last"] + 1)
        assert all(receipt.height in given_up for receipt in receipts[2:]), "they stand on the deposits"
        reverted = {receipt.transaction for receipt in receipts if receipt.height in given_up}
        heard: set[bytes] = set()
        while not reverted <= heard:
            rows = [row for row in (await told.receive()).result if row["stage"] == "reverted"]
            heard |= {bytes.fromhex(row["transaction"].removeprefix("0x")) for row in rows}
    await credited(node, 3)
    for first in receipts:
        await node.until(lambda first=first: executed_again(node, first))
    assert (await pay(node)).status == "done"
    await posted_at(node, (await node.next_block())["height"])
    assert await balance(node) == 3 * UNIT + start(node)
    await node.settlement.audit()
    return receipts


async def executed_again(node: Node, first: Receipt) -> bool:
    again = await node.client.receipt(first.transaction)
    return again.stage != "reverted" and again.status == "done"


def check_folder(folder: Path, spec: ChainSpec) -> tuple[Rollback, ...]:
    """The audit, and views that grow past all that were given up."""
    report = audit(folder, spec, lambda *_: None)
    assert report.passed, report.first_difference
    assert report.deposits == 3
    chain = genesis_hash(spec, Machine(folder_plan(folder, spec)).genesis(spec))
    with Store(folder / "store", chain) as store:
        made = rollbacks(store)
        headers = [stored_block(row)[0].header for row in store.blocks(1, store.head() or 0)]
    views = [header.view for header in headers]
    assert views == sorted(set(views))
    for one in made:
        assert all(header.view > one.view or header.height <= one.fork for header in headers)
    return made


@pytest.mark.parametrize(("spec", "every"), [(DEEP, 240), (DEEP, 3), (SHORT, 240), (SHORT, 3)])
def test_the_chain_goes_back_to_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: ChainSpec, every: int
) -> None:
    """By images in memory, from a checkpoint, and from genesis; then again after a start."""
    replays: list[int] = []

    def counted(*arguments: Any) -> Recovered:
        recovered = recover(*arguments)
        replays.append(recovered.replayed)
        return recovered

    monkeypatch.setattr(reorganisation, "recover", counted)
    flags: dict[str, Any] = {"market": False, "spec": spec, "sequencer__checkpoint_blocks": str(every)}
    with running(tmp_path, **flags) as node:
        receipts = node.do(go_through, node)
    made = check_folder(tmp_path, spec)
    assert len(made) == 1 and made[0].fork < made[0].height
    assert spec is DEEP or len(replays) == 1
    with running(tmp_path, **flags) as node:
        for receipt in receipts:
            assert node.do(node.client.receipt, receipt.transaction).status == "done"
        assert node.do(balance, node) == 3 * UNIT + start(node)
        assert node.do(pay, node).status == "done"


def test_reorganisations_without_end_are_survived(tmp_path: Path) -> None:
    """One after another, each below the confirmation depth; when they end, all there was becomes final."""

    async def again_and_again(node: Node) -> None:
        while (await node.settlement.head()).settlement_height < 6:
            await node.next_block()
        for number in range(3):
            await deposit(node, number)
        receipt = await pay(node)
        for _ in range(10):
            await node.settlement.reorganise(4)
            await node.client.chain_info()
            await trio.sleep(0.05)
        await credited(node, 3)
        await node.until(lambda: executed_again(node, receipt))
        await final_at(node, (await node.next_block())["height"])
        await node.settlement.audit()

    with running(tmp_path, market=False) as node:
        node.do(again_and_again, node)
    check_folder(tmp_path, SPEC)


def test_a_reorganisation_while_the_node_is_down_is_seen_at_the_start(tmp_path: Path) -> None:
    """What expired meanwhile does not run again: its receipt is "reverted", its payment did not happen."""

    async def first(node: Node) -> Receipt:
        await begun(node)
        for number in range(3):
            await deposit(node, number)
        await credited(node, 3)
        call = node.programs["bank"].call("transfer", 0, development_address(9), "1")
        receipt = await node.send(TRADER, call, expiry=now_ms() + EXPIRY_MS)
        await node.next_block()
        return receipt

    async def second(node: Node) -> None:
        await credited(node, 3)

        async def reverted() -> bool:
            return (await node.client.receipt(receipt.transaction)).stage == "reverted"

        await node.until(reverted)
        assert (await pay(node)).status == "done"
        await posted_at(node, (await node.next_block())["height"])
        assert (await node.client.receipt(receipt.transaction)).stage == "reverted"
        assert await node.client.sequence(ADDRESS, 0) == 1
        await node.settlement.audit()

    with running(tmp_path, market=False, spec=DEEP) as node:
        receipt = node.do(first, node)
    sent = now_ms()

    async def reorganise() -> None:
        open_file = open_local(tmp_path / "settlement.sqlite", Terms.of(DEEP), SETTLEMENT_BLOCK_MS, clock=lambda: 0)
        async with open_file as settlement:
            await below_all(settlement)

    trio.run(reorganise)
    trio.run(trio.sleep, max(0, EXPIRY_MS / 1000 - (now_ms() - sent) / 1000) + 0.01)
    with running(tmp_path, market=False, spec=DEEP) as node:
        node.do(second, node)
    (made,) = check_folder(tmp_path, DEEP)
    assert made.fork < receipt.height


class Holding:
    """A settlement chain without the chain's anchors that holds what was posted all the same."""

    def __init__(self, standing: str) -> None:
        self._standing = standing

    async def reorganisations(self, since: Head) -> Reorganisation:
        return Reorganisation(0, since)

    async def standing(self, posting: int) -> str:
        return self._standing


def test_what_settlement_holds_is_never_given_up(tmp_path: Path) -> None:
    with running(tmp_path, market=False) as node:
        height = node.do(node.next_block)["height"]
        while node.do(node.client.block, height)["anchor"] == 0:
            height = node.do(node.next_block)["height"]
    chain = genesis_hash(SPEC, Machine(folder_plan(tmp_path, SPEC)).genesis(SPEC))
    with Store(tmp_path / "store", chain) as store:
        for standing in ("final", "posted"):
            with pytest.raises(Corrupt, match="bad_anchor"):
                trio.run(fork_height, store, Holding(standing), height)
        for standing in ("pending", "absent"):
            assert trio.run(fork_height, store, Holding(standing), height) < height
