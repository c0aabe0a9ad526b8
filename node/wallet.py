"""
A key at work: transactions of one account, signed with the right chain, fee and sequence, over the typed client.

`wallet = await Wallet.open(client, key)`, then `receipt = await wallet.send(programs["bank"].call("transfer", …))`.
Sequences are asked for once per lane and counted here; a refusal makes the next transaction ask again. One wallet per
key and process: two that count the same lane get in each other's way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import trio

from genesis.chain import (
    Call,
    DeployTransaction,
    OrderClass,
    Receipt,
    SignedTransaction,
    Transaction,
    UpgradeTransaction,
    sign,
)
from genesis.crypto import address_of
from genesis.errors import Invalid, TenorError, Unavailable
from node.client import Client

VALID_MS = 60_000
"""From signing to expiry; clocks of sender and node may differ by less than this."""
ASK_AGAIN_S = 0.1
GAS_CALL = 2_000_000
"""Gas limit of a call where the caller names none: 2 ms of work, an order with dozens of fills."""
LANE_OF = {order: order.value << 30 for order in OrderClass}
"""First lane of each order class."""


class Wallet:
    """account: who acts, the key's own address unless the key is its agent."""

    def __init__(self, client: Client, key: bytes, account: bytes, chain: int, fee: int, gas_max: int) -> None:
        self.client, self.account, self.address = client, account, address_of(key)
        self._key, self._chain, self._fee, self._gas_max = key, chain, fee, gas_max
        self._next: dict[int, int] = {}

    @classmethod
    async def open(cls, client: Client, key: bytes, account: bytes | None = None) -> Wallet:
        """Ask the node for chain id, fee and limits."""
        info = await client.chain_info()
        signer = address_of(key)
        return cls(client, key, account or signer, info["chain_id"], info["fee_min"], info["gas_transaction_max"])

    async def sign(
        self, calls: Sequence[Call], *, order: OrderClass = OrderClass.TRADE, gas: int = 0, atomic: bool = True
    ) -> SignedTransaction:
        """The next transaction of the order class's first lane. gas 0: GAS_CALL a call, at most the chain's limit."""
        limit = gas or min(GAS_CALL * len(calls), self._gas_max)
        lane, sequence = await self._take(order)
        transaction = Transaction(
            self._chain, self.account, lane, sequence, _expiry(), limit, self._fee, atomic, tuple(calls)
        )
        return sign(transaction, self._key)

    async def sign_deployment(
        self, name: str, files: dict[str, str], arguments: bytes, *, admin: bytes = b"", gas: int = 0
    ) -> SignedTransaction:
        """A deployment; its address is `program_address(signer, lane, sequence)`."""
        lane, sequence = await self._take(OrderClass.TRADE)
        transaction = DeployTransaction(
            self._chain, self.account, lane, sequence, _expiry(), gas or self._gas_max, self._fee, name,
            tuple(sorted(files.items())), arguments, admin,
        )  # fmt: skip
        return sign(transaction, self._key)

    async def sign_upgrade(
        self, program: bytes, name: str, files: dict[str, str], arguments: bytes, *, gas: int = 0
    ) -> SignedTransaction:
        """A program's next version, by its admin. arguments: packed, of its @migrate."""
        lane, sequence = await self._take(OrderClass.TRADE)
        transaction = UpgradeTransaction(
            self._chain, self.account, lane, sequence, _expiry(), gas or self._gas_max, self._fee, program, name,
            tuple(sorted(files.items())), arguments,
        )  # fmt: skip
        return sign(transaction, self._key)

    async def send(self, *calls: Call, **options: Any) -> Receipt:
        """Sign, send and wait until executed. Raises Invalid when the node refuses it outright."""
        return await self.send_signed(await self.sign(calls, **options))

    async def send_signed(self, signed: SignedTransaction) -> Receipt:
        try:
            try:
                return await self.client.send(signed)
            except Unavailable as error:
                return await self._outcome(signed, error)
        except TenorError:
            self._next.pop(signed.transaction.lane, None)
            raise

    async def _outcome(self, signed: SignedTransaction, error: Unavailable) -> Receipt:
        """Of a transaction that a busy node has taken in, not answering in time. Raises the error if it has not."""
        while _now_ms() < signed.transaction.expiry:
            try:
                receipt = await self.client.found(signed.id)
            except Invalid:
                break
            if receipt is not None:
                return receipt
            await trio.sleep(ASK_AGAIN_S)
        raise error

    async def _take(self, order: OrderClass) -> tuple[int, int]:
        lane = LANE_OF[order]
        if lane not in self._next:
            self._next[lane] = await self.client.sequence(self.address, lane)
        sequence = self._next[lane]
        self._next[lane] = sequence + 1
        return lane, sequence


def _expiry() -> int:
    return _now_ms() + VALID_MS


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
