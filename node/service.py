"""
What the node answers: the methods of the interface, by name, and the pushes of its topics.

Hands transactions to the `intake`; answers from the store, from the `outcomes` of transactions and from view calls that
run on the engine's thread between batches. The gateway has checked the shapes of parameters; their meaning is checked
here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import trio

from execution.executor import Answer, BatchResult, Executor, Query
from genesis import chain
from genesis.chain import Receipt
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from node import proofs
from node.batcher import Stages
from node.catalogue import Catalogue
from node.consensus.service import Consensus
from node.corelink import CoreLink
from node.engine import EngineThread
from node.evidence import stored_evidence
from node.gateway.frames import CALLS, SEND
from node.intake import Intake
from node.line import Line
from node.mempool import Mempool
from node.open_block import OpenBlock, decode_results
from node.outcomes import Outcomes
from node.reads import Reads
from node.recovery import stored_block
from node.store import Position, Store
from node.sync_meter import SyncMeter
from node.tip import Tip
from node.views import receipt_view

STORED_POLL_S = 0.005
"""How often a proof looks whether its block, sealed already, is stored."""


class Follows(Protocol):
    """Set on a node that does not take part in consensus."""

    def view(self) -> dict[str, Any]: ...

    def lags(self) -> bool: ...


class Service:
    """Also the line's Listener."""

    link: CoreLink

    def __init__(
        self,
        spec: ChainSpec,
        store: Store,
        engine: EngineThread,
        executor: Executor,
        mempool: Mempool,
        stages: Stages,
        sync: SyncMeter | None = None,
    ) -> None:
        self._sync = sync or SyncMeter(begun="")
        self._spec, self._store, self._engine, self._executor = spec, store, engine, executor
        self._mempool, self._stages = mempool, stages
        self._catalogue = Catalogue()
        self._reads = Reads(spec, self._query, self._catalogue)
        self._outcomes = Outcomes(store)
        self.intake = Intake(spec, engine, executor, mempool, self._outcomes, self._reads.unpaid)
        self._line: Line | None = None
        self._leaving = False
        self.consensus: Consensus | None = None
        self.following: Follows | None = None
        self.entering: Callable[[], str] = lambda: ""
        self._methods: dict[str, Callable[..., Awaitable[Any]]] = {
            "tenor_chainInfo": self._chain_info,
            "tenor_getConsensus": self._consensus_view,
            "tenor_getEvidence": self._evidence,
            "tenor_getReceipt": self._receipt,
            "tenor_getBlock": self._block,
            "tenor_getSequence": self._sequence,
            "tenor_getAccount": self._reads.account,
            "tenor_getPositions": self._reads.positions,
            "tenor_getBook": self._reads.book,
            "tenor_getPrograms": self._programs,
            "tenor_getProof": self._proof,
            "tenor_getWithdrawals": self._withdrawals,
            "tenor_simulate": self._simulate,
        }

    def leave(self) -> None:
        """Take no client's transaction any more; what is asked is answered until the node ends."""
        self._leaving = True

    async def attach(self, line: Line) -> None:
        """Called before the node serves, and again whenever the chain has gone back."""
        self._line = self.intake.line = line
        await self._learn_programs()

    async def handle(self, method: str, payload: Any) -> Any:
        """Answer one request. Raises Invalid or Unavailable, which travel to whoever asked."""
        if method == SEND:
            if self._leaving:
                raise Unavailable("This node is leaving; send to another one, or again once it is back.")
            return await self.intake.send(**payload)
        if method == CALLS:
            return await self._calls(payload)
        return await self._methods[method](**payload)

    # What the line tells

    async def executed(self, open_block: OpenBlock, receipts: Sequence[Receipt], result: BatchResult) -> None:
        if result.programs_changed:
            await self._learn_programs()  # their first events are among these
        events = result.events
        if result.forced is not None:
            receipts, events = [*open_block.forced, *receipts], [*result.forced.events, *events]
        self._outcomes.executed(open_block, receipts)
        if receipts and self.link.wanted("receipts"):
            self.link.publish("receipts", [receipt_view(receipt) for receipt in receipts])
        if events and self.link.wanted("events"):
            height = open_block.opening.height
            self.link.publish("events", [self._catalogue.event_view(event, height) for event in events])

    async def sealed(self, block: chain.Block, certificate: chain.Certificate, open_block: OpenBlock) -> None:
        self._outcomes.certified(block.header.height, open_block.receipts)
        self.link.publish("blocks", _block_view(block, "certified"))

    async def reopened(self, open_block: OpenBlock) -> None:
        self._outcomes.executed(open_block, open_block.receipts)

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
        self._outcomes.reverted(receipts)
        if receipts and self.link.wanted("receipts"):
            self.link.publish("receipts", [receipt_view(replace(receipt, stage="reverted")) for receipt in receipts])

    async def rolled_back(self, first: int, last: int, reverted: Sequence[Receipt]) -> None:
        """Stored blocks `first` to `last` are no more; their transactions have these receipts now, "reverted"."""
        await self.reverted(reverted)
        stages = self._stages
        told = {"posted": stages.posted, "final": stages.final, "reverted_first": first, "reverted_last": last}
        self.link.publish("stages", told)

    def staged(self, stages: Stages) -> None:
        """Posted or final heights grew."""
        self.link.publish("stages", {"posted": stages.posted, "final": stages.final})

    # Chain

    async def _chain_info(self) -> dict[str, Any]:
        spec, tip = self._spec, self._tip()
        return {
            "chain_id": spec.chain_id,
            "spec_hash": spec.hash(),
            "height": tip.header.height if tip.header else 0,
            "block_hash": tip.hash,
            "time_ms": tip.time_ms,
            "state_root": tip.header.state_root if tip.header else b"",
            "posted_height": self._stages.posted,
            "final_height": self._stages.final,
            "block_time_ms": spec.block_time_ms,
            "fee_min": spec.fee_min,
            "deposit_byte": spec.deposit_byte,
            "gas_transaction_max": spec.gas_transaction_max,
            "assets": list(spec.assets),
            "programs": self._catalogue.genesis_addresses(),
            "mempool": self._mempool.statistics(),
        }

    async def _consensus_view(self) -> dict[str, Any]:
        told = self.following or self.consensus
        if told is None:
            raise Unavailable("The node is still coming up; ask again in a moment.")
        return told.view() | {"entering": self.entering(), "sync": self._sync.view(self._height(), told.lags())}

    async def _evidence(self) -> list[dict[str, Any]]:
        """Proofs that validators contradicted themselves, of this life and earlier ones."""
        kept = await trio.to_thread.run_sync(stored_evidence, self._store)
        names = ("validator", "view", "kind", "proof")
        return [{**dict(zip(names, one.fields(), strict=True)), "slashable": one.slashable} for one in kept]

    async def _receipt(self, transaction: bytes, proof: bool) -> dict[str, Any]:
        """What became of a transaction so far; with proof, from "certified" on, what proves it."""
        receipt = await self._outcomes.ran(transaction)
        if receipt is not None:
            receipt = replace(receipt, stage=self._stages.of(receipt.height, self._height()))
        else:
            receipt = await self._outcomes.elsewhere(transaction, self._height())
        if receipt is None:
            return {"transaction": transaction, "stage": "received"} | ({"proof": None} if proof else {})
        view = receipt_view(receipt)
        if proof:
            shown = receipt.stage in ("certified", "posted", "final")
            position = Position(receipt.height, receipt.position)
            prove = partial(proofs.show_receipt, self._spec, self._store, position, receipt.stage)
            view["proof"] = await trio.to_thread.run_sync(prove) if shown else None
        return view

    async def _block(self, height: int | None) -> dict[str, Any]:
        tip = self._tip()
        wanted = height if height is not None else tip.header.height if tip.header else 0
        rows = await trio.to_thread.run_sync(lambda: list(self._store.blocks(wanted, wanted)))
        if not rows:
            await trio.to_thread.run_sync(self._store.check_kept, max(wanted, 1))
            raise Invalid(
                f"There is no block {wanted}; the newest is {tip.header.height if tip.header else 0}.", "not_found"
            )
        block, certificate = stored_block(rows[0])
        results = decode_results(rows[0].receipts)
        view = _block_view(block, self._stages.of(wanted, wanted))
        return view | {
            "transactions": [receipt.transaction for receipt in results.receipts],
            "deposits": [_inbox_view(entry) for entry in block.body.inbox if isinstance(entry, chain.Deposit)],
            "forced": [_inbox_view(entry) for entry in block.body.inbox if isinstance(entry, chain.Forced)],
            "withdrawals": [_withdrawal_view(withdrawal) for withdrawal in results.withdrawals],
            "events": [self._catalogue.event_view(event, wanted) for event in results.events],
            "certificate": certificate.encode(),
        }

    async def _sequence(self, signer: bytes, lane: int) -> int:
        (last,) = await self._engine.read(self._executor.sequences, ((signer, lane),))
        return last + 1

    async def _withdrawals(self, account: bytes, first_height: int) -> list[dict[str, Any]]:
        """The account's withdrawals from a height on, those under a final commitment with their proof."""
        return await trio.to_thread.run_sync(self._reads.withdrawals, self._store, self._stages, account, first_height)

    # Programs

    async def _programs(self) -> list[dict[str, Any]]:
        await self._learn_programs()  # admins change with any transaction
        return [self._catalogue.view(info) for info in self._catalogue.all()]

    async def _proof(self, program: bytes, page: int | None, field: str | None, path: list[str]) -> dict[str, Any]:
        """A page, or a named value with the pages that finding it read, under the header of a block that is stored."""
        number, abi = self._catalogue.numbered(program)
        if page is not None and field is None:
            show = partial(proofs.show_page, self._executor, program, number, page)
        elif page is None and field is not None:
            show = partial(proofs.show_value, self._executor, program, number, abi, field, path)
        else:
            raise Invalid("Name either a page, or a field and the path from it to the value.", "invalid_params")
        while True:
            line = self._line
            height, shown = await self._engine.read(lambda: (self._executor.sealed_height(), show()))
            while self._tip().height < height and line is self._line:
                await trio.sleep(STORED_POLL_S)
            if line is self._line:  # else the chain went back, and that block is no more
                return await trio.to_thread.run_sync(proofs.certified, self._store, height) | shown

    async def _calls(self, calls: list[tuple[bytes, bytes, bytes, int]]) -> list[tuple[str, bytes, int]]:
        """View calls, as many in one turn of the engine as may use no more gas together than one of them."""
        most = self._spec.gas_query_max
        answers: list[Answer] = []
        turn: list[Query] = []
        left = most
        for program, selector, arguments, gas in calls:
            query = Query(program, int.from_bytes(selector, "little"), arguments, min(gas or most, most))
            if query.gas > left:
                answers += await self._query(turn)
                turn, left = [], most
            turn.append(query)
            left -= query.gas
        answers += await self._query(turn)
        return [(answer.reason, answer.result, answer.gas_used) for answer in answers]

    async def _simulate(
        self, account: bytes, calls: list[dict[str, Any]], signer: bytes | None, atomic: bool, gas: int
    ) -> dict[str, Any]:
        spec, tip = self._spec, self._tip()
        key = (signer or account, 0)
        (last,) = await self._engine.run(self._executor.sequences, (key,))
        members = tuple(chain.Call(**call) for call in calls)
        transaction = chain.Transaction(
            chain=spec.chain_id, account=account, lane=0, sequence=last + 1, expiry=2**62,
            gas=gas or spec.gas_transaction_max, fee=0, atomic=atomic, calls=members,
        )  # fmt: skip
        batch = (chain.unsigned(transaction, key[0]),)
        result = await self._engine.read(self._executor.simulate, batch)
        outcome = result.outcomes[0]
        events = [self._catalogue.event_view(event, 0) for event in result.events[slice(*outcome.events)]]
        return {
            "height": tip.header.height if tip.header else 0,
            "status": outcome.status,
            "reason": outcome.reason,
            "gas_used": outcome.gas_used,
            "results": list(outcome.results),
            "call_reasons": list(outcome.call_reasons),
            "events": events,
        }

    # Inside

    async def _query(self, calls: Sequence[Query]) -> tuple[Answer, ...]:
        return await self._engine.read(self._executor.query, calls)

    async def _learn_programs(self) -> None:
        self._catalogue.learn(await self._engine.run(self._executor.programs))

    def _tip(self) -> Tip:
        assert self._line is not None, "attach comes before the first request"
        return self._line.tip

    def _height(self) -> int:
        """Of the newest certified block."""
        header = self._tip().header
        return header.height if header else 0


def _block_view(block: chain.Block, stage: str) -> dict[str, Any]:
    header = block.header
    return {
        "height": header.height,
        "hash": header.hash(),
        "parent": header.parent,
        "time_ms": header.time_ms,
        "gap_ms": header.gap_ms,
        "view": header.view,
        "proposer": header.proposer,
        "validators": header.validators,
        "anchor": header.anchor_number,
        "inbox_count": header.inbox_count,
        "state_root": header.state_root,
        "claims_root": header.claims_root,
        "withdrawals_root": header.withdrawals_root,
        "receipts_root": header.receipts_root,
        "events_root": header.events_root,
        "gas_used": header.gas_used,
        "transaction_count": sum(len(batch.transactions) for batch in block.body.batches),
        "batch_count": len(block.body.batches),
        "stage": stage,
    }


def _inbox_view(entry: chain.InboxEntry) -> dict[str, Any]:
    if isinstance(entry, chain.Forced):
        return {"index": entry.index, "transaction": entry.raw}
    return {"index": entry.index, "account": entry.account, "asset": entry.asset, "amount": str(entry.amount)}


def _withdrawal_view(withdrawal: chain.Withdrawal) -> dict[str, Any]:
    w = withdrawal
    return {"index": w.index, "account": w.account, "asset": w.asset, "amount": str(w.amount)}
