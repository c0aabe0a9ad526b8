"""Receipts of the newest blocks in memory, so that asking for them costs no disk."""

from __future__ import annotations

from collections import OrderedDict

KEPT_MAX = 50_000
KEPT_BYTES_MAX = 16 << 20
"""Of encoded receipts, whose results vary; a transfer's takes about 74."""


class Recent:
    """
    By transaction, the oldest forgotten first. Encoded: many small objects held for long would cost time whenever
    memory is looked through.
    """

    def __init__(self) -> None:
        self._rows: OrderedDict[bytes, bytes] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, transaction: bytes) -> bool:
        return transaction in self._rows

    def get(self, transaction: bytes) -> bytes | None:
        return self._rows.get(transaction)

    def put(self, transaction: bytes, row: bytes) -> None:
        self.forget(transaction)
        self._rows[transaction] = row
        self._bytes += len(row)
        while len(self._rows) > KEPT_MAX or self._bytes > KEPT_BYTES_MAX:
            self._bytes -= len(self._rows.popitem(last=False)[1])

    def forget(self, transaction: bytes) -> None:
        self._bytes -= len(self._rows.pop(transaction, b""))
