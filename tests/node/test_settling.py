"""Money and blocks cross to the settlement chain and back exactly once, through outages and reorganisations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import trio

from genesis.chain import Withdrawal, WithdrawalProof
from genesis.devkeys import development_address
from genesis.errors import Invalid, Unavailable
from genesis.merkle import verify_page
from genesis.spec import GENESIS_PROGRAMS
from node.views import parse_bytes
from tests.node.running import SPEC, UNIT, Node, running

TRADER, OTHER = 8, 9
ADDRESS = development_address(TRADER)
STAGES = ("executed", "certified", "posted", "final")


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("chain"), market=False) as running_node:
        yield running_node


async def balance(node: Node, account: bytes = ADDRESS) -> int:
    whole, _, part = str((await node.client.account(account))["balances"]["BTC"]).partition(".")
    return int(whole) * UNIT + int(part.ljust(18, "0"))


async def deposit(node: Node, amount: int, nonce: bytes) -> None:
    """Asset 1, of which nobody pays fees. Repeated, as a careful user does who got no answer."""
    await node.settlement.fund(ADDRESS, 1, amount)
    for _ in range(2):
        await node.settlement.deposit(ADDRESS, 1, amount, nonce)


async def until_final(node: Node, height: int) -> None:
    async def is_final() -> bool:
        return bool((await node.client.chain_info())["final_height"] >= height)

    await node.until(is_final)


async def audit(node: Node) -> None:
    """What settlement has locked is the chain's supply, but for what was allotted at genesis and is on its way."""
    supply = await node.programs["bank"].view(node.client, "supply", 1)
    locked = (await node.settlement.audit()).get(1, 0)
    assert locked == supply.raw, (locked, supply)


async def all_covered(node: Node) -> int:
    """Every final height once: spans follow one another, each block's parent is the block before it."""
    final = int((await node.client.chain_info())["final_height"])
    committed = await node.settlement.committed()
    assert committed.height >= final and committed.height % SPEC.commitment_blocks == 0
    assert (await node.client.block(committed.height))["hash"] == "0x" + committed.block_hash.hex()
    return final


def test_a_receipt_rises_from_executed_to_final(node: Node) -> None:
    async def watch() -> list[str]:
        call = node.programs["bank"].call("transfer", 0, development_address(OTHER), "1")
        receipt = await node.send(TRADER, call)
        seen = [receipt.stage]
        while seen[-1] != "final":
            stage = (await node.client.receipt(receipt.transaction)).stage
            if stage != seen[-1]:
                seen.append(stage)
            await trio.sleep(0.002)
        again = await node.client.receipt(receipt.transaction)
        assert (again.height, again.position, again.results, again.fee) == (
            receipt.height, receipt.position, receipt.results, receipt.fee,
        )  # fmt: skip
        return seen

    assert tuple(node.do(watch)) == STAGES


def test_stages_are_told_to_subscribers(node: Node) -> None:
    async def watch() -> list[tuple[int, int]]:
        async with node.client.subscribe("stages") as told:
            return [(one["posted"], one["final"]) for one in [(await told.receive()).result for _ in range(4)]]

    heights = node.do(watch)
    assert heights == sorted(heights) and all(posted >= final for posted, final in heights)


def test_a_deposit_is_credited_once(node: Node) -> None:
    async def run() -> None:
        before = await balance(node)
        await deposit(node, 5 * UNIT, b"once")

        async def credited() -> bool:
            return await balance(node) > before

        await node.until(credited)
        await until_final(node, (await node.next_block())["height"])
        assert await balance(node) == before + 5 * UNIT

    node.do(run)


def test_an_asset_that_the_bank_does_not_know_cannot_be_deposited(node: Node) -> None:
    """It could never be credited, and a chain that has to credit it stops."""

    async def run() -> None:
        unknown = len(SPEC.assets)
        await node.settlement.fund(ADDRESS, unknown, UNIT)
        with pytest.raises(Invalid, match="none of the chain's"):
            await node.settlement.deposit(ADDRESS, unknown, UNIT, b"unknown")

    node.do(run)


def test_a_withdrawal_is_burnt_proven_and_paid_once(node: Node) -> None:
    async def run() -> None:
        await deposit(node, 3 * UNIT, b"to withdraw")

        async def there() -> bool:
            return await balance(node) >= 3 * UNIT

        await node.until(there)
        before, held = await balance(node), await node.settlement.balance(ADDRESS, 1)
        receipt = await node.send(TRADER, node.programs["bank"].call("withdraw", 1, "2"))
        assert receipt.status == "done" and await balance(node) == before - 2 * UNIT
        withdrawal, proof = await proven(node, receipt.height)
        assert withdrawal.amount == 2 * UNIT
        for _ in range(3):
            await node.settlement.withdraw(withdrawal, proof)
        with pytest.raises(Invalid, match="proof"):
            await node.settlement.withdraw(Withdrawal(withdrawal.index, ADDRESS, 1, 3 * UNIT), proof)

        async def paid() -> bool:
            return await node.settlement.balance(ADDRESS, 1) > held

        await node.until(paid)
        await node.settlement.withdraw(withdrawal, proof)
        await until_final(node, (await node.next_block())["height"])
        assert await node.settlement.balance(ADDRESS, 1) == held + 2 * UNIT
        await audit(node)

    node.do(run)


async def proven(node: Node, height: int) -> tuple[Withdrawal, WithdrawalProof]:
    """The account's withdrawal of this height, once its commitment is final."""

    async def final() -> Any:
        rows = await node.client.withdrawals(ADDRESS, height)
        return rows[-1] if rows and rows[-1]["proof"] is not None else None

    row = await node.until(final)
    shown = row["proof"]
    proof = WithdrawalProof(shown["height"], shown["position"], tuple(map(parse_bytes, shown["siblings"])))
    return Withdrawal(row["index"], ADDRESS, row["asset"], int(row["amount"])), proof


def test_the_chain_goes_on_through_an_outage_and_catches_up(node: Node) -> None:
    async def run() -> None:
        before = await balance(node)
        await deposit(node, UNIT, b"before the outage")
        await node.settlement.set_outage(True)
        with pytest.raises(Unavailable):
            await node.settlement.head()
        posted = (await node.client.chain_info())["posted_height"]
        last = (await node.client.chain_info())["height"]
        while last < posted + 3 * SPEC.commitment_blocks:
            last = (await node.next_block())["height"]
        info = await node.client.chain_info()
        assert info["posted_height"] <= posted + SPEC.commitment_blocks and info["height"] >= last
        await node.settlement.set_outage(False)
        await until_final(node, last)
        assert await all_covered(node) >= last
        assert await balance(node) == before + UNIT
        await audit(node)

    node.do(run)


@pytest.mark.parametrize("depth", [1, 2])
def test_a_reorganisation_neither_doubles_nor_skips(node: Node, depth: int) -> None:
    """Up to the confirmation depth: commitments and deposits that were in the blocks gone come again."""

    async def run() -> None:
        before = await balance(node)
        for number in range(4):
            await deposit(node, UNIT, b"reorganised %d %d" % (depth, number))
            await node.settlement.reorganise(depth)
            await node.next_block()
        height = (await node.next_block())["height"]
        await until_final(node, height)

        async def credited() -> bool:
            return await balance(node) == before + 4 * UNIT

        await node.until(credited)
        await until_final(node, (await node.next_block())["height"])
        assert await balance(node) == before + 4 * UNIT
        await all_covered(node)
        await audit(node)

    node.do(run)


def test_indices_of_deposits_follow_one_another_over_all_blocks(node: Node) -> None:
    async def run() -> list[int]:
        before = await balance(node)
        for number in range(3):
            await deposit(node, UNIT, b"index %d" % number)

        async def credited() -> bool:
            return await balance(node) == before + 3 * UNIT

        await node.until(credited)
        await node.next_block()
        height = (await node.client.chain_info())["height"]
        blocks = [await node.client.block(number) for number in range(1, height + 1)]
        for block in blocks:
            counted = sum(len(one["deposits"]) for one in blocks[: block["height"]])
            assert block["inbox_count"] == counted
        return [entry["index"] for block in blocks for entry in block["deposits"]]

    indices = node.do(run)
    assert indices == list(range(len(indices))) and len(indices) >= 3


def test_a_page_is_proven_under_the_root_of_the_block_named(node: Node) -> None:
    """Asked again and again while blocks are sealed and stored: the height told is always the proof's own."""
    bank = node.programs["bank"].address
    number = GENESIS_PROGRAMS.index("bank") + 1

    async def ask() -> set[int]:
        heights: set[int] = set()
        while len(heights) < 4:
            answer = await node.client.proof(bank, 0)
            heights.add(answer["height"])
            root = parse_bytes((await node.client.block(answer["height"]))["state_root"])
            (shown,) = answer["pages"]
            proof = [parse_bytes(part) for part in shown["proof"]]
            assert len(verify_page(root, bank, number, 0, proof)) == 1024
        return heights

    assert len(node.do(ask)) == 4
