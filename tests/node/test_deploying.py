"""Four whole nodes while a program is deployed: blocks and transfers go on, and who cannot pay has nothing compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from genesis.chain import DeployTransaction, SignedTransaction, sign
from genesis.crypto import ZERO_ADDRESS
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from node import ahead, compiling
from node.wallet import Wallet
from tests.node.running import SPEC
from tests.node.test_validators import COUNT, Town, play

SOURCE = """
from execution.lang import Program, view


class Two(Program):
    @view
    def two(self) -> int:
        return 2
"""


@pytest.mark.slow
def test_blocks_and_transfers_go_on_while_four_nodes_compile_a_deployment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody's compiling ends before the node that takes in the deployment has had a transfer executed meanwhile."""
    compile_once, paid = compiling._compile, [0]
    began, needed = trio.Event(), list[int]()

    async def slow(request: bytes) -> tuple[bytes, bytes, str]:
        needed.append(paid[0] + 2)
        began.set()
        mine = needed[-1]
        while paid[0] < mine:
            await trio.sleep(0.01)
        return await compile_once(request)

    monkeypatch.setattr(compiling, "_compile", slow)
    monkeypatch.setattr(ahead, "AHEAD_S", 200.0)

    async def test(town: Town) -> None:
        await town.grown(0, 2)
        through = (await town.leader() + 1) % COUNT
        client = town.members[through].client
        wallet = await Wallet.open(client, development_key(7))
        signed = await wallet.sign_deployment("two", {"two.py": SOURCE}, b"")
        found = list[Any]()

        async def deploy() -> None:
            found.append(await wallet.send_signed(signed))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(deploy)
            await began.wait()
            while not found:
                receipt = await town.pay(through)
                await town.grown(through, max(0, receipt.height - await town.height(through)))
                paid[0] += 1
        assert found[0].status == "done"
        assert len(needed) == COUNT, "each has compiled it, ahead of the block, and nobody once more to judge it"
        await town.grown(through, 2)
        await town.level()

    play(tmp_path, test)


@pytest.mark.slow
def test_nothing_is_compiled_ahead_that_the_chain_would_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_: bytes) -> tuple[bytes, bytes, str]:
        raise AssertionError("it is compiled")

    monkeypatch.setattr(compiling, "_compile", never)

    async def test(town: Town) -> None:
        used = (await town.pay(1)).height
        await town.grown(0, max(0, used - await town.height(0)))
        await town.kill(3)
        liar = town.hub.join("v3")
        for signed, code in CASES:
            with pytest.raises(Invalid) as refused:
                await liar.request("v0", ahead.PROTOCOL, signed.raw, 60.0)
            assert refused.value.code == code

    play(tmp_path, test)


@pytest.mark.slow
def test_what_does_not_compile_is_refused_through_whomever_it_comes(tmp_path: Path) -> None:
    async def test(town: Town) -> None:
        await town.grown(0, 2)
        client = town.members[(await town.leader() + 1) % COUNT].client
        wallet = await Wallet.open(client, development_key(7))
        signed = await wallet.sign_deployment("two", {"two.py": SOURCE.replace("2", "nothing")}, b"")
        with trio.fail_after(120), pytest.raises(Invalid) as refused:
            await wallet.send_signed(signed)
        assert refused.value.code == "does_not_compile"
        await town.level()

    play(tmp_path, test)


def deployment(key: int, **fields: Any) -> SignedTransaction:
    values = {
        "chain": SPEC.chain_id, "account": development_address(key), "lane": 0, "sequence": 0, "expiry": 1 << 50,
        "gas": SPEC.gas_transaction_max, "fee": SPEC.fee_min, "name": "two", "files": (("two.py", SOURCE),),
        "arguments": b"", "admin": b"",
    }  # fmt: skip
    return sign(DeployTransaction(**{**values, **fields}), development_key(key))


CASES = (
    (deployment(7, chain=1), "wrong_chain"),
    (deployment(7, expiry=1), "expired"),
    (deployment(7, gas=SPEC.gas_transaction_min), "gas_limit"),
    (deployment(7, files=(("a.py", ""), ("b.py", ""))), "bad_bundle"),
    (deployment(6), "sequence_used"),
    (deployment(7, account=development_address(8)), "not_authorised"),
    (deployment(7, account=ZERO_ADDRESS), "not_authorised"),
    (deployment(7, fee=1 << 62), "fee_unpayable"),
)
