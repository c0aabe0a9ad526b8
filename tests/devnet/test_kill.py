"""A node killed at random moments under load comes back by itself and contradicts nothing it has said."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trio

from devnet.agents import Prices, report
from devnet.feeds import Model
from devnet.funding import Cashier
from devnet.market import MARKET, MODELLED, listing_calls
from devnet.process import NodeProcess
from devnet.trader import CANCEL, Trader
from execution.vm.machine import Machine
from genesis.chain import Receipt, commitment_span
from genesis.crypto import keccak256
from genesis.devkeys import development_key
from genesis.errors import Unavailable
from genesis.presets import load_preset
from genesis.receipt import Stage
from genesis.spec import genesis_hash
from node.genesis_code import folder_plan
from node.localnet import write_folder
from node.open_block import decode_results
from node.recovery import stored_block
from node.store import Store
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local

KILLS = 30
SEED = 20_240_501
TRADERS = 4
LAST_ANSWERS = 40
SETTLEMENT_BLOCK_MS = 250
SPEC = load_preset("devnet")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Witness:
    """Everything the node ever said: receipts answered, and hashes of blocks told."""

    receipts: dict[bytes, Receipt] = field(default_factory=dict)
    hashes: dict[int, str] = field(default_factory=dict)

    def heard(self, block: dict[str, Any]) -> None:
        assert self.hashes.setdefault(block["height"], block["hash"]) == block["hash"], "a height was signed twice"

    async def check(self, trader: Trader) -> None:
        """Compare what the node says now with what it said last before it was killed."""
        for identity in list(self.receipts)[-LAST_ANSWERS:]:
            said, says = self.receipts[identity], await trader.client.receipt(identity)
            assert says.fields() == said.fields(), "an answered receipt was changed"
        for height in sorted(self.hashes)[-20:]:
            self.heard(await trader.client.block(height))


async def trade(trader: Trader, witness: Witness, source: random.Random) -> None:
    """Orders that rest, trade and are cancelled, as fast as the node answers."""
    exchange = trader.programs["exchange"]
    for number in range(1 << 30):
        price = str(MODELLED.to_tick(Model().start + source.randrange(-30, 31)))
        side = source.choice(("BUY", "SELL"))
        calls = [exchange.call("place", MARKET, side, price, "0.01", "LIMIT", number, False)]
        receipt = await trader.send(calls)
        witness.receipts[receipt.transaction] = receipt
        if number % 5 == 0:
            receipt = await trader.send([exchange.call("cancel_all", MARKET, 20)], CANCEL)
            witness.receipts[receipt.transaction] = receipt


class Run:
    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"ws://127.0.0.1:{port}/ws"
        self.folder = folder
        self.node = NodeProcess(write_folder(folder, port, SETTLEMENT_BLOCK_MS))
        self.witness = Witness()
        self.source = random.Random(SEED)

    def trader(self, key: bytes) -> Trader:
        return Trader(key, [self.url], SPEC.chain_id, SPEC.fee_min)

    async def run(self) -> None:
        terms = Terms.of(SPEC)
        async with open_local(self.folder / "settlement.sqlite", terms, SETTLEMENT_BLOCK_MS) as settlement:
            cashier = Cashier(settlement)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self.node.run)
                    await self.prepare(nursery, cashier)
                    await self.kill_again_and_again()
                    await self.check_settlement(settlement, cashier)
                    await self.node.stop()
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope(shield=True):
                    await self.node.stop()

    async def prepare(self, nursery: trio.Nursery, cashier: Cashier) -> None:
        admin = self.trader(development_key(1))
        prices = Prices(next(Model().ticks(SEED)))

        async def list_market() -> None:
            await admin.must(*listing_calls(admin.programs, MODELLED))

        await admin.keep(list_market)
        for key in (2, 3):
            reporter = self.trader(development_key(key))
            nursery.start_soon(reporter.keep, lambda reporter=reporter: report(reporter, prices))
        for number in range(TRADERS):
            trader = self.trader(keccak256(f"kill test {number}".encode()))
            await trader.keep(lambda trader=trader: cashier.fund(trader, 1_000_000))
            source = random.Random(f"{SEED}/{number}")
            nursery.start_soon(trader.keep, lambda trader=trader, source=source: trade(trader, self.witness, source))
        watcher = self.trader(development_key(5))
        nursery.start_soon(watcher.keep, lambda: self.watch(watcher))

    async def watch(self, watcher: Trader) -> None:
        async with watcher.client.subscribe("blocks") as blocks:
            async for note in blocks:
                self.witness.heard(note.result)
        raise Unavailable("the node is gone")

    async def kill_again_and_again(self) -> None:
        checker = self.trader(development_key(5))
        for _ in range(KILLS):
            before = len(self.witness.receipts)
            with trio.fail_after(100):
                while len(self.witness.receipts) < before + 5:
                    await trio.sleep(0.02)
            await trio.sleep(self.source.uniform(0, 0.6))
            assert self.node.pid is not None
            os.kill(self.node.pid, signal.SIGKILL)
            with trio.fail_after(100):
                await checker.keep(lambda: self.witness.check(checker))
        assert self.node.restarts == KILLS

    def check_store(self) -> None:
        """All that was ever answered or told stands in the stored blocks, word for word."""
        code = folder_plan(self.folder, SPEC)
        root = Machine(code).genesis(SPEC)
        stored: dict[bytes, Receipt] = {}
        with Store(self.folder / "store", genesis_hash(SPEC, root)) as store:
            for row in store.blocks(1, store.head() or 0):
                block, _ = stored_block(row)
                said = self.witness.hashes.get(row.height, "0x" + block.hash().hex())
                assert said == "0x" + block.hash().hex(), "a height was signed twice"
                stored.update((r.transaction, r) for r in decode_results(row.receipts).receipts)
        for identity, said_receipt in self.witness.receipts.items():
            assert stored[identity].fields() == said_receipt.fields(), "an answered receipt was lost or changed"

    async def check_settlement(self, settlement: LocalSettlement, cashier: Cashier) -> None:
        """Every span once and in order, up to the newest; every deposit credited once."""
        checker = self.trader(development_key(5))

        async def check() -> None:
            head = (await checker.client.chain_info())["height"]
            last = commitment_span(head, SPEC.commitment_blocks)[0] - 1
            with trio.fail_after(100):
                while (await settlement.committed()).height < last:
                    await trio.sleep(0.1)
            committed = await settlement.committed()
            block = await checker.client.block(committed.height)
            assert block["hash"] == "0x" + committed.block_hash.hex()
            for height in range(SPEC.commitment_blocks, committed.height + 1, SPEC.commitment_blocks):
                assert await settlement.standing(height) in ("pending", "posted", "final")
            assert (await checker.client.block())["inbox_count"] == len(cashier.deposited) == TRADERS

        await checker.keep(check)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_node_killed_thirty_times_under_load_contradicts_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    run = Run(tmp_path)
    trio.run(run.run)
    run.check_store()
    stages: set[Stage] = {receipt.stage for receipt in run.witness.receipts.values()}
    assert stages == {"executed"}, "an answer says executed before anything else"
    print(f"seed {SEED}: {KILLS} kills, {len(run.witness.receipts)} receipts, {time.monotonic() - started:.0f} s")
