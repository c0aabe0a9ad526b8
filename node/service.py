"""
What the node answers: the methods of the interface, by name, and the pushes of its topics.

Takes transactions in (mempool) and answers from the store, from receipts of the open block and from view calls that run
on the engine's thread between batches. Shapes of parameters were checked by the gateway; their meaning is checked here.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

import trio

from execution.executor import Answer, BatchResult, Executor, Query
from genesis import chain
from genesis.chain import Receipt, SignedTransaction
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import decode_trusted
from node import proofs
from node.batcher import Stages
from node.catalogue import Catalogue
from node.consensus.service import Consensus
from node.corelink import CoreLink, Later, refusal
from node.deployments import check as check_deployment
from node.deployments import prepare
from node.engine import EngineThread
from node.evidence import stored_evidence
from node.gateway.frames import CALLS, SEND
from node.line import Line
from node.mempool import Mempool, Pending
from node.open_block import OpenBlock, decode_results, receipt_in
from node.open_block import refusal as not_executable
from node.reads import Reads
from node.recovery import stored_block
from node.store import Position, Store
from node.sync_meter import SyncMeter
from node.tip import Tip
from node.views import receipt_view

STORED_POLL_S = 0.005
"""How often a proof looks whether its block, sealed already, is stored."""
RECEIPTS_KEPT = 50_000
"""Receipts of the newest blocks held in memory, so that asking for them costs no disk."""


class Follows(Protocol):
    """Set on a node that does not take part in consensus."""

    def view(self) -> dict[str, Any]: ...

    def lags(self) -> bool: ...


class Carrier(Protocol):
    """Takes transactions to whoever leads (`Forwarder`, or `Sending` of a node that only follows)."""

    def takes(self) -> bool: ...

    async def at_home(self) -> None: ...

    def submit(self, pending: Pending) -> None: ...


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
        self._recent: OrderedDict[bytes, bytes] = OrderedDict()
        self._received: set[bytes] = set()
        self._told: OrderedDict[bytes, tuple[Receipt, int]] = OrderedDict()
        """What another node has run and no certified block here has shown yet: its receipt, and when it expires."""
        self._line: Line | None = None
        self._leaving = False
        self.forwarder: Carrier | None = None
        self.consensus: Consensus | None = None
        self.following: Follows | None = None
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
        self._line = line
        await self._learn_programs()

    async def handle(self, method: str, payload: Any) -> Any:
        """Answer one request. Raises Invalid or Unavailable, which travel to whoever asked."""
        if method == SEND:
            if self._leaving:
                raise Unavailable("This node is leaving; send to another one, or again once it is back.")
            return await self._send(payload)
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
        self._remember(open_block, receipts)
        if receipts and self.link.wanted("receipts"):
            self.link.publish("receipts", [receipt_view(receipt) for receipt in receipts])
        if events and self.link.wanted("events"):
            height = open_block.opening.height
            self.link.publish("events", [self._catalogue.event_view(event, height) for event in events])

    async def sealed(self, block: chain.Block, certificate: chain.Certificate, open_block: OpenBlock) -> None:
        for receipt in open_block.receipts:
            self._told.pop(receipt.transaction, None)
        self.link.publish("blocks", _block_view(block, "certified"))

    async def reopened(self, open_block: OpenBlock) -> None:
        self._remember(open_block, open_block.receipts)

    async def reverted(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            self._recent.pop(receipt.transaction, None)
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

    # Transactions

    async def _send(self, payload: dict[str, Any]) -> Any:
        """Admit a frame in its order; the answer comes at once, or when the last of it is compiled and executed."""
        signed = [decode_trusted(*entry) for entry in payload["transactions"]]
        frame, again = _Frame(signed, payload["wait"] == "executed"), bool(payload.get("again"))
        if self.forwarder is not None:
            if not again:
                await self.forwarder.at_home()
            if self.forwarder.takes():
                return self._elsewhere(frame, signed)
        deployments: list[tuple[int, Pending]] = []
        refused = await self._admit(frame, tuple(enumerate(signed)), again, deployments)
        if again and refused:
            assert self._line is not None, "attach comes before the first request"
            async with self._line.turn:  # nothing runs meanwhile: what has run has its receipt, and the rest can wait
                new = [(index, one) for index, one, _ in refused if not await self._answer_as_before(frame, index, one)]
                refused = await self._admit(frame, new, again, deployments)
        for index, _, reason in refused:
            frame.put(index, refusal(reason))
        if frame.left == 0:
            return frame.answers
        return Later(partial(self._finish, frame, deployments))

    async def _admit(
        self,
        frame: _Frame,
        transactions: Sequence[tuple[int, SignedTransaction]],
        again: bool,
        deployments: list[tuple[int, Pending]],
    ) -> list[tuple[int, SignedTransaction, Invalid | Unavailable]]:
        """
        Let a frame's transactions in, each by its index, deployments among them to be compiled; those that are refused.
        again: what waits here already is answered together.
        """
        signed = [one for _, one in transactions]
        self._mempool.forget(signed)
        while keys := self._mempool.unknown(signed):
            self._mempool.learn(keys, await self._engine.run(self._executor.sequences, keys))
        now_ms = time.time_ns() // 1_000_000
        refused: list[tuple[int, SignedTransaction, Invalid | Unavailable]] = []
        for index, one in transactions:
            if again and self._mempool.join(one.id, frame.executed(index)):
                continue
            pending = Pending(one, self._settled(one.id, frame.executed(index)))
            try:
                if not isinstance(one.transaction, chain.Transaction):
                    check_deployment(one, self._spec)
                    self._mempool.hold(pending, now_ms)
                    deployments.append((index, pending))
                else:
                    self._mempool.admit(pending, now_ms)
                    frame.received(index)
                self._received.add(one.id)
            except (Invalid, Unavailable) as error:
                refused.append((index, one, error))
        return refused

    async def _answer_as_before(self, frame: _Frame, index: int, one: SignedTransaction) -> bool:
        """Whether a transaction has run already, and so has its receipt. Needs the line's turn."""
        with suppress(Invalid):  # its block is pruned
            receipt = await self._run(one.id)
            if receipt is not None:
                frame.executed(index)(receipt)
                return True
        return False

    def _settled(self, transaction: bytes, answer: Callable[[Any], None]) -> Callable[[Any], None]:
        """
        What is called with the outcome of a transaction that was received. Refused, for a leader before had run it, it
        has the receipt that it had then.
        """

        def settled(outcome: Any) -> None:
            self._received.discard(transaction)
            before = self._recent.get(transaction) if isinstance(outcome, Invalid) else None
            answer(outcome if before is None else Receipt.decode(before))

        return settled

    def _settled_elsewhere(self, one: SignedTransaction, answer: Callable[[Any], None]) -> Callable[[Any], None]:
        """The same, of one that another node runs: until its block is here, what that node says of it is known."""
        settled = self._settled(one.id, answer)

        def told(outcome: Any) -> None:
            if isinstance(outcome, Receipt):
                self._told[one.id] = outcome, one.transaction.expiry
                while len(self._told) > RECEIPTS_KEPT:
                    self._told.popitem(last=False)
            settled(outcome)

        return told

    def _elsewhere(self, frame: _Frame, transactions: Sequence[SignedTransaction]) -> Any:
        """Another node leads, and says what can run."""
        assert self.forwarder is not None
        now_ms = time.time_ns() // 1_000_000
        for index, one in enumerate(transactions):
            try:
                self._mempool.check_standing(one, now_ms)
                self.forwarder.submit(Pending(one, self._settled_elsewhere(one, frame.executed(index))))
                self._received.add(one.id)
                frame.received(index)
            except (Invalid, Unavailable) as error:
                frame.put(index, refusal(error))
        return frame.answers if frame.left == 0 else Later(frame.wait)

    async def run_here(self, transactions: Sequence[SignedTransaction]) -> Callable[[], Awaitable[list[Any]]]:
        """
        Take in what another node forwards, or once more what a leader had. What is returned waits: per transaction for
        a receipt's bytes, the one that there is if it has run already; or a refusal.
        """
        entries = [(signed.raw, signed.signer, signed.id) for signed in transactions]
        answer = await self._send({"transactions": entries, "wait": "executed", "again": True})
        if isinstance(answer, Later):
            return answer.wait

        async def at_once() -> list[Any]:
            return list(answer)

        return at_once

    async def _finish(self, frame: _Frame, deployments: Sequence[tuple[int, Pending]]) -> list[Any]:
        """Compile a frame's deployments, while their lanes wait for them; then wait for all outcomes."""
        async with trio.open_nursery() as nursery:
            for index, pending in deployments:
                nursery.start_soon(self._compile, frame, index, pending)
        return await frame.wait()

    async def _compile(self, frame: _Frame, index: int, pending: Pending) -> None:
        t = pending.signed.transaction
        try:
            if await self._reads.fee_balance(t.account) < t.gas * t.fee:
                raise not_executable("fee unpayable")
            work = await prepare(pending.signed, self._spec, partial(self._engine.run, self._executor.programs))
        except (Invalid, Unavailable) as error:
            self._mempool.drop(pending, error)
        except BaseException:
            self._mempool.drop(pending, Unavailable("The node ends; send the deployment again."))
            raise
        else:
            self._mempool.release(pending, work)
            frame.received(index)

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
        return told.view() | {"sync": self._sync.view(self._height(), told.lags())}

    async def _evidence(self) -> list[dict[str, Any]]:
        """Proofs that validators contradicted themselves, of this life and earlier ones."""
        kept = await trio.to_thread.run_sync(stored_evidence, self._store)
        names = ("validator", "view", "kind", "proof")
        return [{**dict(zip(names, one.fields(), strict=True)), "slashable": one.slashable} for one in kept]

    async def _receipt(self, transaction: bytes, proof: bool) -> dict[str, Any]:
        """What became of a transaction so far; with proof, from "certified" on, what proves it."""
        receipt = await self._found(transaction)
        if receipt is None:
            return {"transaction": transaction, "stage": "received"} | ({"proof": None} if proof else {})
        view = receipt_view(receipt)
        if proof:
            shown = receipt.stage in ("certified", "posted", "final")
            position = Position(receipt.height, receipt.position)
            prove = partial(proofs.show_receipt, self._spec, self._store, position, receipt.stage)
            view["proof"] = await trio.to_thread.run_sync(prove) if shown else None
        return view

    async def _found(self, transaction: bytes) -> Receipt | None:
        """None while it waits for a batch. Raises Invalid "not_found"."""
        receipt = await self._run(transaction)
        if receipt is not None:
            return self._staged(receipt)
        told, expiry = self._told.get(transaction, (None, 0))
        if told is not None and told.height > self._height():
            return told
        if transaction in self._received or expiry > time.time_ns() // 1_000_000:
            return None  # the block it was told to be in came without it; another may run it still
        reverted = await trio.to_thread.run_sync(self._store.reverted, transaction)
        if reverted is None and (first := await trio.to_thread.run_sync(self._store.first)) > 1:
            raise Invalid(
                f"No block from {first} on holds 0x{transaction.hex()}; older ones are pruned here, ask a node that "
                "keeps all.",
                "pruned",
            )
        if reverted is None:
            raise Invalid(f"Nothing is known here of transaction 0x{transaction.hex()}.", "not_found")
        return Receipt.decode(reverted, "reverted")

    async def _run(self, transaction: bytes) -> Receipt | None:
        """Of a block that this node has executed. Raises Invalid "pruned"."""
        recent = self._recent.get(transaction)
        if recent is not None:
            return Receipt.decode(recent)
        position = await trio.to_thread.run_sync(self._store.position, transaction)
        if position is None:
            return None
        blob = await trio.to_thread.run_sync(self._store.receipts, position.height)
        if blob is None:
            await trio.to_thread.run_sync(self._store.check_kept, position.height)
        assert blob is not None, "the index names stored blocks only"
        return receipt_in(blob, position.index)

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

    def _staged(self, receipt: Receipt) -> Receipt:
        return replace(receipt, stage=self._stages.of(receipt.height, self._height()))

    def _remember(self, block: OpenBlock, receipts: Sequence[Receipt]) -> None:
        """Encoded: many small objects held for long would cost time whenever memory is looked through."""
        for receipt in receipts:
            self._recent[receipt.transaction] = block.encoded[receipt.position]
        while len(self._recent) > RECEIPTS_KEPT:
            self._recent.popitem(last=False)


class _Frame:
    """
    Answers to transactions sent together, and an event for when all are there.

    until_executed: an answer is the receipt, encoded; else the id, as soon as the transaction is taken in.
    """

    __slots__ = ("_done", "_signed", "_until_executed", "answers", "left")

    def __init__(self, signed: Sequence[SignedTransaction], until_executed: bool) -> None:
        self._signed, self._until_executed = signed, until_executed
        self.answers: list[Any] = [None] * len(signed)
        self.left = len(signed)
        self._done = trio.Event()

    def put(self, index: int, answer: Any) -> None:
        """The first answer stands."""
        if self.answers[index] is None:
            self.answers[index] = answer
            self.left -= 1
            if self.left == 0:
                self._done.set()

    def received(self, index: int) -> None:
        if not self._until_executed:
            self.put(index, {"transaction": self._signed[index].id})

    def executed(self, index: int) -> Callable[[Any], None]:
        def put(answer: Receipt | Invalid | Unavailable) -> None:
            self.put(index, answer.encode() if isinstance(answer, Receipt) else refusal(answer))

        return put

    async def wait(self) -> list[Any]:
        await self._done.wait()
        return self.answers


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
