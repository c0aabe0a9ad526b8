"""
The block that is being built: what was fixed when its first batch was cut, and all that its batches left.

Plain values and functions, the same for the leader that builds a block, the node that takes it up again after a crash,
and whoever replays it from the store.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from execution.executor import BatchResult, Executor, Opening, Outcome, Record, Sealed
from genesis import chain, codec
from genesis.block import event_item
from genesis.chain import Batch, Body, Deployment, Header, Receipt, SignedTransaction, Withdrawal, inbox_entry
from genesis.errors import Corrupt, Invalid
from genesis.header import HEADER_VERSION
from genesis.merkle import leaf, list_root_of_leaves
from genesis.transaction import decode_trusted

LOG_BYTES_MAX = 256 << 20


@dataclass(frozen=True, slots=True)
class Anchor:
    """Settlement block up to which deposits are read; count: inbox entries consumed over the chain's life."""

    number: int
    hash: bytes
    count: int


@dataclass(frozen=True, slots=True)
class Logged:
    """One batch as the batch log keeps it; opening and anchor stand in a block's first batch only."""

    opening: Opening | None
    anchor: Anchor | None
    transactions: tuple[SignedTransaction, ...]
    deployments: tuple[Deployment, ...]


@dataclass(slots=True)
class OpenBlock:
    opening: Opening
    anchor: Anchor
    batches: list[Batch] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    forced: list[Receipt] = field(default_factory=list)
    """The first of the receipts: of forced transactions, which stand in no batch."""
    events: list[Record] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    encoded: list[bytes] = field(default_factory=list)
    """Of the receipts."""
    receipt_leaves: list[bytes] = field(default_factory=list)
    event_leaves: list[bytes] = field(default_factory=list)
    """Hashed batch by batch, so that sealing is short."""
    gas_used: int = 0
    size: int = 0
    """Bytes of its transactions and of what deployments record."""
    turned_away: dict[tuple[bytes, int], int] = field(default_factory=dict)
    """By signer and lane: sequence of the first that found no room in its batch and has not come again."""
    stalled: bool = False
    """A batch found no room for any of its transactions: the block takes no more."""

    def ready(self, transactions: Sequence[SignedTransaction]) -> tuple[SignedTransaction, ...]:
        """
        Those of a batch that may run: not what would overtake, in its lane, one that found no room in the batch before.
        Batches are logged several at a time, before anybody knows whether the first has room for all it holds.
        """
        if not self.turned_away:
            return tuple(transactions)
        away = dict(self.turned_away)
        chosen: list[SignedTransaction] = []
        for signed in transactions:
            lane, sequence = (signed.signer, signed.transaction.lane), signed.transaction.sequence
            if away.get(lane, sequence) < sequence:
                continue
            away.pop(lane, None)
            chosen.append(signed)
        self.stalled |= bool(transactions) and not chosen
        return tuple(chosen)

    def add(
        self, transactions: Sequence[SignedTransaction], prepared: Sequence[Deployment], result: BatchResult
    ) -> list[Receipt | Invalid | None]:
        """
        Take in what a batch left, and answer each of its transactions, those that were `ready`, in the order given.
        Receipts of forced transactions stand before those of the first batch.

        A refused one changed nothing and paid nothing: it gets its reason, and no place in the block. None: there was
        no room for it, and it comes again.
        """
        if result.forced is not None:
            first_event = self._events(result.forced)
            ran = [outcome for outcome in result.forced.outcomes if outcome.status != "refused"]
            self.forced = [self._keep(outcome, first_event) for outcome in ran]
        first_event = self._events(result)
        answers: list[Receipt | Invalid | None] = []
        kept: list[bytes] = []
        for signed, outcome in zip(transactions, result.outcomes, strict=True):
            lane = (signed.signer, signed.transaction.lane)
            if outcome.status == "refused" and outcome.reason == NO_ROOM:
                self.turned_away.setdefault(lane, signed.transaction.sequence)
                answers.append(None)
                continue
            if self.turned_away:
                self.turned_away.pop(lane, None)
            if outcome.status == "refused":
                answers.append(refusal(outcome.reason))
                continue
            kept.append(signed.raw)
            answers.append(self._keep(outcome, first_event))
        self.stalled |= bool(answers) and all(answer is None for answer in answers)
        done = {receipt.transaction for receipt in self.receipts if receipt.status == "done"} if prepared else set()
        self.batches.append(Batch(tuple(kept)))
        recorded = [item for item in prepared if item.transaction_id in done]
        self.deployments.extend(recorded)
        self.size += sum(map(len, kept)) + sum(len(item.wasm) + len(item.abi) for item in recorded)
        return answers

    def _events(self, result: BatchResult) -> int:
        """Take in a batch's events and gas; the place of its first event among the block's."""
        first, events = len(self.events), tuple(result.events)
        self.events.extend(events)
        self.event_leaves.extend(leaf(event_item(e.program, e.event, e.data)) for e in events)
        self.gas_used += result.gas_used
        return first

    def _keep(self, outcome: Outcome, first_event: int) -> Receipt:
        receipt = _receipt(outcome, self.opening.height, len(self.receipts), first_event)
        self.receipts.append(receipt)
        row = receipt.encode()
        self.encoded.append(row)
        self.receipt_leaves.append(leaf(row))
        return receipt

    def body(self) -> Body:
        return Body(tuple(self.batches), self.opening.inbox, tuple(self.deployments))

    def results(self, withdrawals: Sequence[Withdrawal]) -> bytes:
        """What the store keeps of the block's execution, one blob; decoded when somebody asks."""
        events = codec.encode(tuple((e.program, e.event, e.data) for e in self.events))
        burnt = codec.encode(tuple(w.fields() for w in withdrawals))
        return codec.encode_array_of((codec.encode_array_of(self.encoded), events, burnt))

    def header(
        self, sealed: Sealed, span_withdrawals: Sequence[Withdrawal], proposer: bytes, validators: int, view: int
    ) -> Header:
        """span_withdrawals: all of the commitment span so far, this block's included. view: above the parent's."""
        opening = self.opening
        return Header(
            version=HEADER_VERSION,
            height=opening.height,
            time_ms=opening.time_ms,
            gap_ms=opening.gap_ms,
            parent=opening.parent,
            view=view,
            proposer=proposer,
            validators=validators,
            anchor_number=self.anchor.number,
            anchor_hash=self.anchor.hash,
            inbox_count=self.anchor.count,
            body_root=self.body().root(),
            receipts_root=list_root_of_leaves(self.receipt_leaves),
            events_root=list_root_of_leaves(self.event_leaves),
            withdrawals_root=chain.withdrawals_root(span_withdrawals),
            claims_root=sealed.claims_root,
            state_root=sealed.state_root,
            gas_used=self.gas_used,
        )


NO_ROOM = "block full"
"""The kernel's reason for leaving a transaction, and all after it, to the next batch."""
REFUSALS = {
    "expired": ("expired", "It expired before a block took it; sign it again with a later expiry."),
    "gas too low": ("gas_limit", "Its gas limit does not cover what the transaction costs before it runs; raise it."),
    "gas too high": ("gas_limit", "Its gas limit is above the chain's; lower it."),
    "fee unpayable": ("fee_unpayable", "The account's free balance is below gas limit · fee; deposit or lower them."),
    "sequence used": ("sequence_used", "Its sequence was used in the meantime; ask for the next one."),
    "sequence gap": ("sequence_gap", "A transaction before it in lane 0 was refused; send both again."),
    "too many lanes": ("too_many_lanes", "The signer has used as many lanes as it may; use one of those."),
    "not authorised": ("not_authorised", "The signer is not the account, nor its agent for every program called."),
}
"""The kernel's reasons for not running a transaction: the code, and what to do."""


def refusal(reason: str) -> Invalid:
    """The error that a refused transaction's sender gets."""
    code, message = REFUSALS.get(reason, ("refused", f"The transaction cannot run: {reason}."))
    return Invalid(message, code)


@dataclass(frozen=True, slots=True)
class Results:
    """What a block's execution left."""

    receipts: tuple[Receipt, ...]
    events: tuple[Record, ...]
    withdrawals: tuple[Withdrawal, ...]


def decode_results(blob: bytes) -> Results:
    """Inverse of `OpenBlock.results`. Raises Corrupt: only our own disk is read here."""
    try:
        receipts, events, withdrawals = codec.decode_array(blob, 3, LOG_BYTES_MAX, "A block's results")
        decoded = tuple(map(Receipt.of, receipts))
        records = tuple(Record(*members) for members in events)
        return Results(decoded, records, tuple(map(Withdrawal.of, withdrawals)))
    except Invalid as error:
        raise Corrupt(f"stored results do not decode: {error}") from error


def receipt_in(blob: bytes, index: int) -> Receipt:
    """The receipt at one place of a blob of `OpenBlock.results`, the others left as they are."""
    return Receipt.of(codec.decode_trusted(blob)[0][index])


def encode_logged(batch: Logged) -> bytes:
    head: Any = None
    if batch.opening is not None and batch.anchor is not None:
        o, a = batch.opening, batch.anchor
        inbox = tuple(entry.fields() for entry in o.inbox)
        active = tuple(deployment.fields() for deployment in o.deployments_active)
        head = (o.height, o.time_ms, o.gap_ms, o.parent, inbox, active, a.number, a.hash, a.count)
    rows = tuple((signed.raw, signed.signer) for signed in batch.transactions)
    return codec.encode((head, rows, tuple(deployment.fields() for deployment in batch.deployments)))


def decode_logged(data: bytes) -> Logged:
    """Inverse of encode_logged; signers are taken as they were recovered before. Raises Corrupt."""
    try:
        head, rows, deployments = codec.decode_array(data, 3, LOG_BYTES_MAX, "A logged batch")
        opening, anchor = None, None
        if head is not None:
            height, time_ms, gap_ms, parent, inbox, active, number, anchor_hash, count = head
            entries = tuple(inbox_entry(members) for members in inbox)
            opening = Opening(height, time_ms, gap_ms, parent, entries, tuple(map(Deployment.of, active)))
            anchor = Anchor(number, anchor_hash, count)
        signed = tuple(decode_trusted(raw, signer) for raw, signer in rows)
        return Logged(opening, anchor, signed, tuple(map(Deployment.of, deployments)))
    except Invalid as error:
        raise Corrupt(f"the batch log does not decode: {error}") from error


def reopen(executor: Executor, parent: bytes, logged: Sequence[bytes]) -> OpenBlock | None:
    """
    Run the logged batches of a block again, on a state that is its parent's; None when there are none.

    Raises:
        Corrupt: they do not decode, do not run, or stand on another block.
    """
    block: OpenBlock | None = None
    for data in logged:
        batch = decode_logged(data)
        if block is None:
            if batch.opening is None or batch.anchor is None:
                raise Corrupt("the batch log of the open block lacks its opening")
            if batch.opening.parent != parent:
                raise Corrupt(f"the batch log of block {batch.opening.height} stands on another block than is stored")
            block = OpenBlock(batch.opening, batch.anchor)
        try:
            run_batch(executor, block, batch.transactions, batch.deployments)
        except Invalid as error:
            raise Corrupt(f"the batch log of block {block.opening.height} does not replay: {error}") from error
    return block


def run_batch(
    executor: Executor, block: OpenBlock, transactions: Sequence[SignedTransaction], prepared: Sequence[Deployment] = ()
) -> tuple[list[Receipt], BatchResult]:
    """Run a batch, as it was cut, that somebody has run before; what the block takes of it. Raises Invalid."""
    ready = block.ready(transactions)
    result = executor.apply(block.opening, ready)
    answers = block.add(ready, prepared, result)
    return [answer for answer in answers if isinstance(answer, Receipt)], result


def _receipt(outcome: Outcome, height: int, position: int, first_event: int) -> Receipt:
    start, stop = outcome.events
    return Receipt(
        outcome.transaction, height, position, outcome.status, outcome.reason, outcome.gas_used, outcome.fee,
        outcome.results, outcome.call_reasons, (first_event + start, first_event + stop), outcome.created,
    )  # fmt: skip
