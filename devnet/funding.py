"""
Money for agents, through the settlement chain as anyone's would come, and back through it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import trio

from devnet.trader import Trader
from genesis.chain import Withdrawal, WithdrawalProof
from genesis.errors import Invalid, Unavailable
from genesis.spec import genesis_address
from node.views import parse_bytes
from settlement.local import LocalSettlement

ASSET = 0
RAW = 10**18
POLL_S = 0.1
CONSENT_MS = 2**60


@dataclass(slots=True)
class Cashier:
    """
    deposited: accounts that have put money in. paid: withdrawals paid out, by index. owed: accounts whose withdrawals
    are still to be paid.
    """

    settlement: LocalSettlement
    deposited: set[bytes] = field(default_factory=set)
    paid: set[int] = field(default_factory=set)
    owed: set[bytes] = field(default_factory=set)

    async def fund(self, trader: Trader, amount: int) -> None:
        """Deposit `amount` whole units on the settlement chain, wait until they are here, and move them to clearing."""
        await self.deposit(trader.address, amount)
        while await trader.view("bank", "balance", trader.address, ASSET) == 0:
            await trio.sleep(POLL_S)
        clearing = genesis_address("clearing")
        spare = max(1, amount // 100)
        await trader.must(
            trader.programs["bank"].call("allow", clearing, ASSET, str(amount), CONSENT_MS),
            trader.programs["clearing"].call("deposit", str(amount - spare)),
        )

    async def deposit(self, account: bytes, amount: int) -> None:
        """Once per account, whatever happens in between: also when a node asked later is behind the one before."""
        if account not in self.deposited:
            await self.settlement.fund(account, ASSET, amount * RAW)
            await self.settlement.deposit(account, ASSET, amount * RAW, account + b"devnet")
            self.deposited.add(account)

    async def pay_out(self, trader: Trader) -> None:
        """Claim every withdrawal of the account that is final and not paid yet."""
        rows = await trader.client.withdrawals(trader.address)
        for row in rows:
            if row["proof"] is not None and row["index"] not in self.paid:
                await self._claim(row)
        if rows and all(row["index"] in self.paid for row in rows):
            self.owed.discard(trader.address)

    async def _claim(self, row: dict[str, Any]) -> None:
        proof = row["proof"]
        siblings = tuple(parse_bytes(sibling) for sibling in proof["siblings"])
        withdrawal = Withdrawal(row["index"], parse_bytes(row["account"]), row["asset"], int(row["amount"]))
        try:
            await self.settlement.withdraw(withdrawal, WithdrawalProof(proof["height"], proof["position"], siblings))
        except Invalid as error:
            if error.code != "not_final":
                raise
            return
        except Unavailable:
            return
        self.paid.add(row["index"])
