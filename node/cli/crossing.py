"""
Money across the border: deposits from the local settlement chain, withdrawals paid out there against their proof.
"""

from __future__ import annotations

import secrets
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import trio

from execution.lang.decimal import Decimal
from genesis.chain import Withdrawal, WithdrawalProof
from genesis.errors import Invalid, Unavailable
from node.chains import load_chain
from node.cli.edge import progress
from node.cli.options import Stage
from node.cli.sending import POLL_SECONDS, Sender, wait_for
from node.cli.session import Session, units
from node.client import Client
from node.views import parse_bytes
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local

NONCE_BYTES = 16


def deposit(sender: Sender, file: Path, chain: str, amount: str, asset: str | None) -> None:
    """Lock money on the settlement chain, then wait until the bank has credited it."""
    raw = _raw(amount)

    async def work(session: Session) -> dict[str, Any]:
        index, account = session.names.asset(asset), session.wallet.account
        async with await _opened(session.client, file, chain) as settlement:
            start = (await session.client.chain_info())["height"]
            await settlement.deposit(account, index, raw, secrets.token_bytes(NONCE_BYTES))
            progress("locked on the settlement chain, waiting until it is credited")
            height = await _credited(session.client, account, index, raw, start, sender.timeout)
            left = await settlement.balance(account, index)
        return {"account": account, "asset": session.names.assets[index], "amount": units(raw), "height": height,
                "left_on_settlement": units(left)}  # fmt: skip

    sender.finish(sender.run(work), "height")


def withdraw(sender: Sender, file: Path, chain: str, amount: str, asset: str | None) -> None:
    """Burn money in the bank, wait until the block is final, and collect it on the settlement chain."""

    async def work(session: Session) -> dict[str, Any]:
        index = session.names.asset(asset)
        call = session.programs["bank"].call("withdraw", index, amount)
        async with await _opened(session.client, file, chain) as settlement:  # before anything is burnt
            receipt = await session.wallet.send(call)
            view = await session.receipt_view(receipt, [call])
            if receipt.status != "done":
                return view
            number = session.programs["bank"].result("withdraw", receipt.results[0])
            receipt = await wait_for(session.client, receipt, Stage.FINAL, sender.timeout)
            paid = await _collect(session, settlement, number, receipt.height, sender.timeout)
        return await session.receipt_view(receipt, [call]) | {"paid_on_settlement": units(paid)}

    sender.finish(sender.run(work), "transaction")


async def _credited(client: Client, account: bytes, asset: int, raw: int, start: int, seconds: float) -> int:
    """Height of the block above `start` that credits the deposit."""
    wanted = (account, asset, raw)
    with trio.move_on_after(seconds):
        while True:
            head = (await client.chain_info())["height"]
            for height in range(start + 1, head + 1):
                deposits = (await client.block(height))["deposits"]
                if wanted in {(parse_bytes(d["account"]), d["asset"], int(d["amount"])) for d in deposits}:
                    return height
            start = head
            await trio.sleep(POLL_SECONDS)
    raise Unavailable(f"Not credited within {seconds:g} s; the money is locked and will be, see `tenor tx account`.")


async def _collect(session: Session, settlement: LocalSettlement, number: int, height: int, seconds: float) -> int:
    """Show the proof once the commitment is final, wait until a block has paid; the amount, raw."""
    account = session.wallet.account
    with trio.move_on_after(seconds):
        while True:
            for row in await session.client.withdrawals(account, height):
                if row["index"] == number and row["proof"] is not None:
                    proof = row["proof"]
                    siblings = tuple(parse_bytes(one) for one in proof["siblings"])
                    burnt = Withdrawal(number, account, row["asset"], int(row["amount"]))
                    shown = WithdrawalProof(proof["height"], proof["position"], siblings)
                    await _paid(settlement, await settlement.withdraw(burnt, shown))
                    return burnt.amount
            await trio.sleep(POLL_SECONDS)
    raise Unavailable(f"Withdrawal {number} is not paid within {seconds:g} s; it is burnt and stays collectable.")


async def _paid(settlement: LocalSettlement, posting: bytes) -> None:
    while (standing := await settlement.standing(posting)) == "pending":
        await trio.sleep(POLL_SECONDS)
    if standing == "absent":
        raise Unavailable(
            "So much of this asset was never deposited: the settlement chain has too little of it locked. It is burnt "
            "and stays collectable."
        )


async def _opened(client: Client, file: Path, chain: str) -> AbstractAsyncContextManager[LocalSettlement]:
    """The settlement chain of the node's chain, which a preset or file specifies. Raises Invalid for another one."""
    spec = load_chain(chain, Path())
    if spec.hash() != parse_bytes((await client.chain_info())["spec_hash"]):
        raise Invalid(f"The node is of another chain than {chain}; name its specification with --chain.", "bad_spec")
    return open_local(existing(file), Terms.of(spec))


def existing(file: Path) -> Path:
    """The file, which must be there: opening one that is not would make a new chain. Raises Invalid."""
    if not file.is_file():
        raise Invalid(f"There is no settlement chain at {file}; name the file that the node uses.", "not_found")
    return file


def _raw(amount: str) -> int:
    try:
        raw = Decimal(amount).raw
    except (ValueError, TypeError, OverflowError) as error:
        raise Invalid(f"{amount} is no amount ({error}); write a decimal such as 12.5.", "bad_argument") from error
    if raw <= 0:
        raise Invalid(f"The amount is {amount}; it must be positive.", "bad_argument")
    return raw
