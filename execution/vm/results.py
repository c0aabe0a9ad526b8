"""
What a batch left in io, decoded when somebody asks: receipts as outcomes, events as records.

Both are sequences over one blob and its index; nothing is unpacked at the time of the batch.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping, Sequence
from typing import overload

from execution.executor import Outcome, Record
from execution.vm.kernel import places
from execution.vm.kernel.words import REASONS, reason
from execution.vm.state import KERNEL_ADDRESS
from execution.vm.upgrade import upgrades
from genesis.chain import DeployTransaction, SignedTransaction, UpgradeTransaction, program_address
from genesis.receipt import STATUSES

_RECEIPT = struct.Struct("<IIqqQqIIq")
_CALL = struct.Struct("<qq")
_EVENT = struct.Struct("<IIq")

assert _RECEIPT.size == places.RECEIPT_HEADER and _EVENT.size == places.EVENT_HEADER

KNOWN_REASONS: Mapping[int, str] = {reason(text): text for text in REASONS}


def reason_text(word: int, known: Mapping[int, str]) -> str:
    """The text of a reason word, "" for 0, the word in hex where nobody knows a text."""
    if word == 0:
        return ""
    return known.get(word) or f"0x{word & (1 << 64) - 1:016x}"


class Outcomes(Sequence[Outcome]):
    """Outcomes of a batch, in the order in which its transactions were given."""

    def __init__(
        self, batch: Sequence[SignedTransaction], receipts: bytes, index: array[int], known: Mapping[int, str]
    ) -> None:
        self._batch, self.receipts, self._index, self._known = batch, receipts, index, known

    def __len__(self) -> int:
        return len(self._batch)

    @overload
    def __getitem__(self, item: int) -> Outcome: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Outcome, ...]: ...
    def __getitem__(self, item: int | slice) -> Outcome | tuple[Outcome, ...]:
        if isinstance(item, slice):
            return tuple(self[i] for i in range(*item.indices(len(self))))
        return self._decode(range(len(self))[item])

    def _decode(self, position: int) -> Outcome:
        at = self._index[position]
        found, status, why, gas, low, high, first, last, calls = _RECEIPT.unpack_from(self.receipts, at)
        assert found == position, "receipt and transaction do not belong together"
        results, reasons = self._calls(at + _RECEIPT.size, calls)
        signed = self._batch[position]
        fee = low + (high << 64)
        text = reason_text(why, self._known)
        return Outcome(
            signed.id, STATUSES[status], text, gas, fee, results, reasons, (first, last), created(signed, status)
        )

    def _calls(self, at: int, count: int) -> tuple[tuple[bytes, ...], tuple[str, ...]]:
        results, reasons = [], []
        for _ in range(count):
            why, words = _CALL.unpack_from(self.receipts, at)
            at += _CALL.size
            results.append(self.receipts[at : at + 8 * words])
            reasons.append(reason_text(why, self._known))
            at += 8 * words
        return tuple(results), tuple(reasons)


def created(signed: SignedTransaction, status: int) -> bytes | None:
    """Address of the program that a deployment will become, or an upgrade changes, if it was done; or the kernel's."""
    t = signed.transaction
    if isinstance(t, UpgradeTransaction) and status == places.STATUS_DONE:
        return t.program
    if isinstance(t, DeployTransaction) and status == places.STATUS_DONE:
        if upgrades(t):
            return KERNEL_ADDRESS
        return program_address(signed.signer, t.lane, t.sequence)
    return None


class Records(Sequence[Record]):
    """Events of a batch, in the order in which they were emitted."""

    def __init__(self, events: bytes, index: array[int]) -> None:
        self.events, self._index = events, index

    def __len__(self) -> int:
        return len(self._index)

    @overload
    def __getitem__(self, item: int) -> Record: ...
    @overload
    def __getitem__(self, item: slice) -> tuple[Record, ...]: ...
    def __getitem__(self, item: int | slice) -> Record | tuple[Record, ...]:
        if isinstance(item, slice):
            return tuple(self[i] for i in range(*item.indices(len(self))))
        at = self._index[item]
        program, event, words = _EVENT.unpack_from(self.events, at)
        at += _EVENT.size
        return Record(program, event, self.events[at : at + 8 * words])
