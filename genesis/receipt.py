"""
Receipts: what became of one transaction.

All but `stage` is fixed by execution and committed to by the header's receipts root; the stage is what a node knows
about the block around it, so it stands outside the committed bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from genesis import codec
from genesis.errors import Invalid

Status = Literal["done", "failed", "refused"]
"""done; failed: undone, fee charged; refused: not executable, no fee, sequence not used."""
Stage = Literal["executed", "certified", "posted", "final", "reverted"]

STATUSES: tuple[Status, ...] = get_args(Status)
STAGES: tuple[Stage, ...] = get_args(Stage)
RECEIPT_BYTES_MAX = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Receipt:
    """
    One transaction's result.

    height, position: its block, and its place among all transactions of the block in the leader's order.
    reason: "" when done. fee: raw 10⁻¹⁸ of the fee asset. results: packed words of each call, empty for a failed one.
    call_reasons: per call, "" when it succeeded. events: first and past-last index among the block's events.
    created: address of the program a deployment made, else None.
    """

    transaction: bytes
    height: int
    position: int
    status: Status
    reason: str
    gas_used: int
    fee: int
    results: tuple[bytes, ...]
    call_reasons: tuple[str, ...]
    events: tuple[int, int]
    created: bytes | None = None
    stage: Stage = "executed"

    def fields(self) -> tuple[Any, ...]:
        """Members of the committed array: all but the stage; status as its index in STATUSES."""
        return (
            self.transaction, self.height, self.position, STATUSES.index(self.status), self.reason, self.gas_used,
            codec.encode_amount(self.fee), self.results, self.call_reasons, self.events, self.created,
        )  # fmt: skip

    def encode(self) -> bytes:
        """Committed bytes; the leaf of the receipts root."""
        return codec.encode(self.fields())

    @classmethod
    def decode(cls, data: bytes, stage: Stage = "executed") -> Receipt:
        """Raises Invalid for bytes that `encode` cannot have written."""
        return cls.of(codec.decode_array(data, 11, RECEIPT_BYTES_MAX, "A receipt", depth_max=2), stage)

    @classmethod
    def of(cls, fields: object, stage: Stage = "executed") -> Receipt:
        """From the members of the committed array, already decoded. Raises Invalid."""
        members = list(codec.expect_array(fields, 11, "A receipt"))
        if type(members[3]) is not int or not 0 <= members[3] < len(STATUSES):
            raise Invalid("A receipt's status is 0, 1 or 2.", "malformed")
        members[3] = STATUSES[members[3]]
        members[6] = codec.decode_amount(members[6], "A receipt's fee")
        members.append(stage)
        return cls(*members)
