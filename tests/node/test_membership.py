"""The set that certifies a block follows from its parent's anchor: through a change, a restart and an audit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from genesis.crypto import sign
from genesis.devkeys import development_address, development_key
from genesis.membership import STAKE_UNIT, possession_digest
from genesis.spec import Validator
from genesis.verify import verify_state
from node.audit import audit
from settlement.actions import Exit, Register
from tests.node.running import SPEC, Node, activate, running

SMALL = 5
OWNER = development_address(6)
STAYING = replace(
    SPEC, validators=(Validator(development_address(0), 10),), validators_delay_blocks=2, confirmation_blocks=1
)
"""A first validator with so much stake that it stays a quorum alone when a small one joins."""


async def until_set(node: Node, version: int) -> dict[str, Any]:
    """The first final block that a set certified, seen from the newest."""

    async def there() -> dict[str, Any] | None:
        info = await node.client.chain_info()
        block = await node.client.block(info["final_height"]) if info["final_height"] else None
        return block if block is not None and block["validators"] == version else None

    block: dict[str, Any] = await node.until(there)
    return block


def test_blocks_name_the_set_that_holds_at_their_parents_anchor(tmp_path: Path) -> None:
    key = development_key(SMALL)
    consent = sign(possession_digest(STAYING.chain_id, OWNER), key)
    with running(tmp_path, spec=STAYING, market=False) as node:

        async def join() -> dict[str, Any]:
            await node.settlement.fund(OWNER, 0, STAKE_UNIT)
            await node.settlement.act(OWNER, Register(development_address(SMALL), 1, consent), b"")
            await activate(node.settlement, SMALL)
            return await until_set(node, 1)

        block = node.do(join)
        (_, second) = node.do(node.settlement.validator_sets, 0, 10**9)
        first = next(
            height
            for height in range(block["height"], 0, -1)
            if node.do(node.client.block, height - 1 or 1)["validators"] == 0
        )
        assert node.do(node.client.block, first - 1)["anchor"] >= second.from_height
        assert node.do(node.client.block, first - 2)["anchor"] < second.from_height
        answer = node.do(node.client.proof, node.programs["bank"].address, 0)
        assert verify_state(answer, STAYING.chain_id, second.stakes).header.validators == 1
    with running(tmp_path, spec=STAYING, market=False) as node:
        node.do(until_set, node, 1)

        async def leave() -> None:
            await node.settlement.act(OWNER, Exit(development_address(SMALL)), b"")
            await until_set(node, 2)

        node.do(leave)
    report = audit(tmp_path, STAYING, lambda *_: None)
    assert report.passed, report.first_difference
