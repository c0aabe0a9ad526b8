"""
Reads that need several view calls: an account, its positions, a book. Each is one trip to the engine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from execution.compiler.abi_values import pack
from execution.executor import Answer, Query
from genesis import chain
from genesis.errors import Invalid
from genesis.spec import FEE_ASSET, ChainSpec
from node.batcher import Stages
from node.catalogue import Catalogue
from node.open_block import decode_results
from node.store import Store

DEPTH_MAX = 100
"""Levels of a side; the exchange shows as many."""

Ask = Callable[[Sequence[Query]], Awaitable[tuple[Answer, ...]]]


class Reads:
    def __init__(self, spec: ChainSpec, ask: Ask, catalogue: Catalogue) -> None:
        self._spec, self._ask, self._catalogue = spec, ask, catalogue

    async def account(self, account: bytes) -> dict[str, Any]:
        """Balances in the bank by symbol, and the account's standing in clearing."""
        assets = range(len(self._spec.assets))
        balances = [self._view("bank", "balance", account, index) for index in assets]
        names = ("cash", "equity", "margin")
        standing = [self._view("clearing", name, account) for name in names]
        values = await self._values([*balances, *standing])
        held = dict(zip(self._spec.assets, values, strict=False))
        return {"account": account, "balances": held, **dict(zip(names, values[len(assets) :], strict=True))}

    async def unpaid(self, signed: chain.SignedTransaction, now_ms: int) -> str:
        """Why the kernel would not run a deployment now, in its words; "" when the signer may and the account can."""
        t = signed.transaction
        balance, may = await self._ask(
            (
                self._view("bank", "balance", t.account, FEE_ASSET),
                self._view("bank", "may_act", t.account, signed.signer, bytes(20), now_ms),
            )
        )
        if not int.from_bytes(may.result, "little"):
            return "not authorised"
        return "fee unpayable" if int.from_bytes(balance.result, "little", signed=True) < t.gas * t.fee else ""

    async def positions(self, account: bytes) -> list[dict[str, Any]]:
        """Every contract in which the account has a position or open orders, with its mark (None before the first)."""
        (count,) = await self._values([self._view("clearing", "contract_count")])
        calls = [
            self._view("clearing", name, *args) for c in range(count) for name, args in _position_calls(account, c)
        ]
        values = await self._values(calls, tolerated=("no mark",))
        rows = [{"contract": c, **values[2 * c], "mark": values[2 * c + 1]} for c in range(count)]
        return [row for row in rows if any(row[key] != "0" for key in ("quantity", "buying", "selling"))]

    async def book(self, market: int, depth: int) -> dict[str, Any]:
        """Best levels first; state of the market beside them."""
        levels = range(min(depth, DEPTH_MAX))
        calls = [self._view("exchange", "book", market, side, at) for side in ("BUY", "SELL") for at in levels]
        state, *rows = await self._values([self._view("exchange", "market", market), *calls])
        bids, asks = rows[: len(levels)], rows[len(levels) :]
        return {"market": market, **state, "bids": _filled(bids), "asks": _filled(asks)}

    def withdrawals(self, store: Store, stages: Stages, account: bytes, first_height: int) -> list[dict[str, Any]]:
        """
        An account's withdrawals in blocks from first_height on, oldest first; those under a final commitment with
        the proof that pays them. Reads the store: call it on a thread.
        """
        head = store.head() or 0
        found: list[dict[str, Any]] = []
        height = max(first_height, 1)
        while height <= head:
            first, last = chain.commitment_span(height, self._spec.commitment_blocks)
            rows = [decode_results(row.receipts).withdrawals for row in store.blocks(first, min(last, head))]
            span = [withdrawal for row in rows for withdrawal in row]
            store.check_kept(first)  # asked afterwards: what is pruned meanwhile is missing above
            for position, withdrawal in enumerate(span):
                if withdrawal.account == account:
                    proof = chain.prove_withdrawal(span, position, last) if last <= stages.final else None
                    found.append(_withdrawal_view(withdrawal, stages.of(last, head), proof))
            height = last + 1
        return found

    def _view(self, program: str, name: str, *arguments: Any) -> Query:
        address, abi = self._catalogue.genesis(program)
        entry = abi.entry(name)
        return Query(address, entry.selector, pack(entry, arguments), self._spec.gas_query_max)

    async def _values(self, calls: Sequence[Query], tolerated: Sequence[str] = ()) -> list[Any]:
        """
        Readable results, None where a view refuses for a tolerated reason.

        Raises:
            Invalid: "rejected" with the reason, when a view refuses for another.
        """
        answers = await self._ask(calls)
        for answer in answers:
            if answer.reason and answer.reason not in tolerated:
                raise Invalid(f"The chain cannot answer this: {answer.reason}.", "rejected")
        return [
            None if answer.reason else self._catalogue.result_view(call.program, call.selector, answer.result)
            for call, answer in zip(calls, answers, strict=True)
        ]


def _position_calls(account: bytes, contract: int) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    return (("position", (account, contract)), ("mark", (contract,)))


def _filled(levels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [level for level in levels if level["orders"]]


def _withdrawal_view(withdrawal: chain.Withdrawal, stage: str, proof: chain.WithdrawalProof | None) -> dict[str, Any]:
    w = withdrawal
    shown = (
        None
        if proof is None
        else {"height": proof.height, "position": proof.position, "siblings": list(proof.siblings)}
    )
    return {
        "index": w.index,
        "account": w.account,
        "asset": w.asset,
        "amount": str(w.amount),
        "stage": stage,
        "proof": shown,
    }
