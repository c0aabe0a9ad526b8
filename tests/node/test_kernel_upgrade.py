"""A chain outlives the kernel it began with: an older folder runs on, and its admin lets another kernel take over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from execution.vm import upgrade
from execution.vm.kernel.build import build_kernel
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Receipt, SignedTransaction, sign
from genesis.crypto import sha256
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from genesis.transaction import DeployTransaction
from node import app, compiled
from node.audit import audit
from tests.node.command import tenor
from tests.node.running import ADMIN, SPEC, Node, now_ms, running

NEW = build_kernel(SPEC.gas)
OLD = NEW + b"\x00\x06\x05older"
"""The same kernel in other bytes: what an earlier Tenor might have built."""
TRADER = 8
FLAGS: dict[str, Any] = {"market": False, "sequencer__checkpoint_blocks": "3"}


def older(spec: ChainSpec) -> Any:
    return replace(compiled.genesis_code(spec), kernel=OLD)


async def pay(node: Node) -> Receipt:
    return await node.send(TRADER, node.programs["bank"].call("transfer", 0, development_address(9), "1"))


async def upgrading(node: Node, key: int, wasm: bytes) -> SignedTransaction:
    made = DeployTransaction(
        chain=SPEC.chain_id, account=development_address(key), lane=0,
        sequence=await node.client.sequence(development_address(key), 0), expiry=now_ms() + 60_000,
        gas=SPEC.gas_transaction_max, fee=SPEC.fee_min, name=upgrade.NAME,
        files=((upgrade.FILE, upgrade.packed(wasm)),), arguments=b"",
    )  # fmt: skip
    return sign(made, development_key(key))


async def kernel_hash(node: Node) -> bytes:
    """As the state root of the newest block has it."""
    (page,) = (await node.client.proof(KERNEL_ADDRESS, 0))["pages"]
    joined = "".join(page["proof"])
    return next(wasm for wasm in (OLD, NEW) if sha256(wasm).hex() in joined)


def test_a_chain_of_an_older_kernel_goes_on_and_is_upgraded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as earlier:
        earlier.setattr(app, "genesis_code", older)
        with running(tmp_path, **FLAGS) as node:
            first = node.do(pay, node)
            node.do(node.next_block)
            assert node.do(kernel_hash, node) == OLD
    with running(tmp_path, **FLAGS) as node:
        assert node.do(node.client.receipt, first.transaction).height == first.height
        assert node.do(kernel_hash, node) == OLD
        node.do(others_are_refused, node)
        told = tenor(
            capsys, "program", "kernel", "--dev-key", ADMIN, "--url", f"ws://127.0.0.1:{node.ready.port}/ws", "--json"
        )
        assert told.code == 0 and told.result["kernel"] == "0x" + sha256(NEW).hex(), told.err
        receipt = node.do(node.client.receipt, bytes.fromhex(told.result["transaction"].removeprefix("0x")))
        assert receipt.status == "done" and receipt.created == KERNEL_ADDRESS
        node.do(node.next_block, receipt.height + SPEC.deployment_delay_blocks - 1)
        assert node.do(pay, node).status == "done"
        node.do(node.next_block)
        assert node.do(kernel_hash, node) == NEW
    with running(tmp_path, **FLAGS) as node:
        assert node.ready.replayed < 5
        assert node.do(kernel_hash, node) == NEW
        assert node.do(pay, node).status == "done"
        node.do(node.next_block)
    report = audit(tmp_path, SPEC, lambda *_: None)
    assert report.passed and report.blocks > receipt.height + SPEC.deployment_delay_blocks, report.first_difference


async def others_are_refused(node: Node) -> None:
    with pytest.raises(Invalid, match="admin alone"):
        await node.client.send(await upgrading(node, TRADER, NEW))
    with pytest.raises(Invalid, match="no kernel"):
        await node.client.send(await upgrading(node, ADMIN, b"\x00asm\x01"))
