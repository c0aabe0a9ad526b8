"""What finds no room in a batch comes again, in order, without anybody noticing; after a crash just as before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from execution.executor import Executor, Opening
from genesis.chain import Receipt, SignedTransaction
from genesis.devkeys import development_address
from genesis.errors import Invalid
from node.open_block import Anchor, Logged, OpenBlock, encode_logged, reopen
from tests.node.running import SPEC, Node, running, transaction
from tests.node.test_mempool import BOB, TAKE, Pool
from tests.node.test_mempool import transaction as unsent
from tests.vm_kernel.tiny import Node as Tiny
from tests.vm_kernel.tiny import call_of, dispatch, machine, planned, spec

ROOM_FOR_ONE = spec(gas_batch_max=5_050_000)
PARENT = bytes(32)
LANE = 5


# The mempool


def test_what_is_put_back_stands_first_again_and_in_its_order() -> None:
    pool = Pool()
    sent = [pool.put(unsent(n, lane=lane)) for n, lane in ((0, 0), (1, 0), (0, 3), (2, 0))]
    taken = pool.take(*TAKE)
    assert taken == sent and len(pool) == 0 and not pool.arrived.is_set()
    later = pool.put(unsent(0, signer=BOB))
    pool.settle(sent[0], refused=False)
    pool.put_back(sent[1:])
    assert pool.arrived.is_set() and len(pool) == 4
    assert pool.statistics()["bytes"] == sum(one.size for one in (*sent[1:], later))
    assert pool.take(*TAKE) == [*sent[1:], later] and pool.answers == {}


def test_what_is_put_back_falls_with_one_before_it_in_lane_0() -> None:
    pool = Pool()
    first, second = pool.put(unsent(0)), pool.put(unsent(1))
    pool.take(*TAKE)
    pool.settle(first, refused=True)
    pool.put_back([second])
    assert pool.take(*TAKE) == []
    assert isinstance(pool.answers[second.signed.id], Invalid)


# The open block


class Leader:
    """Cuts batches as the sequencer does, several before it knows what the first had room for."""

    def __init__(self) -> None:
        self.executor: Executor = machine(planned(0, dispatch), of=ROOM_FOR_ONE)
        self.block = OpenBlock(Opening(1, 1_000, 0, PARENT, ()), Anchor(0, bytes(32), 0))
        self.rows: list[bytes] = []
        self.executed: list[SignedTransaction] = []

    def cut(self, *batches: Sequence[SignedTransaction]) -> list[SignedTransaction]:
        """Run them all; what comes again."""
        back: list[SignedTransaction] = []
        for batch in batches:
            first = not self.rows
            opening, anchor = (self.block.opening, self.block.anchor) if first else (None, None)
            self.rows.append(encode_logged(Logged(opening, anchor, tuple(batch), ())))
            ready = self.block.ready(batch)
            answers = self.block.add(ready, (), self.executor.apply(self.block.opening, ready))
            assert all(answer is None or isinstance(answer, Receipt) for answer in answers), answers
            done = {one.id for one, answer in zip(ready, answers, strict=True) if answer is not None}
            self.executed += [one for one in ready if one.id in done]
            back += [one for one in batch if one.id not in done]
        return back


def transactions(count: int) -> list[SignedTransaction]:
    """In two lanes, one of them where a later sequence may overtake; each alone fills a batch by its limit."""
    sender = Tiny(planned(0, dispatch))
    lanes = [(0, LANE)[n % 2] for n in range(count)]
    return [sender.signed(call_of(0, "set(int)", n), lane=lane, gas=5_000_000) for n, lane in enumerate(lanes)]


def test_nothing_is_overtaken_in_its_lane_or_lost_and_a_log_runs_again_alike() -> None:
    leader, left = Leader(), transactions(16)
    sent = list(left)
    cuts = 0
    while left:
        left = leader.cut(left[:6], left[6:8], left[8:])
        cuts += 1
    assert cuts > 1 and leader.executed == sent, "not even across lanes"
    again: Any = machine(planned(0, dispatch), of=ROOM_FOR_ONE)
    block = reopen(again, PARENT, leader.rows)
    assert block is not None and block.encoded == leader.block.encoded
    assert block.turned_away == leader.block.turned_away == {}
    assert again.seal() == leader.executor.seal()


def test_a_block_that_has_no_room_for_one_alone_takes_no_more() -> None:
    leader = Leader()
    leader.executor = machine(planned(0, dispatch), of=replace(ROOM_FOR_ONE, gas_block_max=5_050_000))
    left = transactions(4)
    while not leader.block.stalled:
        left = leader.cut(left)
    assert 0 < len(left) < 4 and left == transactions(4)[-len(left) :]


# A node


async def burst(node: Node, count: int, gas: int) -> list[Receipt]:
    """From two keys, each in two lanes, all at once."""
    bank = node.programs["bank"]
    call = bank.call("transfer", 0, development_address(9), "1")
    lanes = [(key, lane) for key in (7, 8) for lane in (0, LANE)]
    first = {(key, lane): await node.client.sequence(development_address(key), lane) for key, lane in lanes}
    frame = [
        transaction(key, [call], sequence=first[key, lane] + n, gas=gas, lane=lane)
        for n in range(count)
        for key, lane in lanes
    ]
    answers = await node.client.send_many(frame)
    assert all(isinstance(answer, Receipt) and answer.status == "done" for answer in answers), answers
    return [answer for answer in answers if isinstance(answer, Receipt)]


def test_large_limits_keep_nobody_out_and_change_no_order(tmp_path: Path) -> None:
    """A batch has room for one transaction by its limit, and for a dozen by what they use."""
    small = replace(SPEC, gas_transaction_max=1_000_000, gas_batch_max=1_600_000, gas_block_max=6_000_000)
    with running(tmp_path, spec=small, market=False) as node:
        receipts = [receipt for _ in range(3) for receipt in node.do(burst, node, 12, 1_000_000)]
        places = [(receipt.height, receipt.position) for receipt in receipts]
        batches = 0
        for height in {receipt.height for receipt in receipts}:
            node.do(node.next_block)
            batches += node.do(node.client.block, height)["batch_count"]
    assert places == sorted(places) and len(set(places)) == 144
    assert batches < 100, "more than one in a batch, though limits allow only one"
