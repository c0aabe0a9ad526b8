"""
A disk that fails as disks do: what was not synced may survive a crash wholly, in part, or not at all.

It holds one log of framed records: length, checksum, bytes. A crash leaves of an unsynced tail a prefix, or some of its
sectors with zeros between; reading stops at the first frame that is not whole, and writing goes on from there. So an
append is atomic, which is what a store built on a log promises.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable, Iterator
from enum import StrEnum

import trio

from genesis import crypto
from genesis.errors import Corrupt

SECTOR_BYTES = 64
"""Small, so that records of a few hundred bytes are torn in many ways."""
CHECKSUM_BYTES = 8
HESITATION_S = 0.03
"""A sync that is about to go wrong takes so much longer: words that did not wait for it have reached others."""
HEAD_BYTES = 4 + CHECKSUM_BYTES


class Fault(StrEnum):
    """What befalls the next sync. Crashes: nothing, part, or all of it is on the disk, and the writer never hears."""

    FAIL = "fail"
    CRASH_BEFORE = "crash before"
    CRASH_WITHIN = "crash within"
    CRASH_AFTER = "crash after"


class Disk:
    """sync_s: how long a sync takes, drawn between half of it and all. faults: of the next syncs, in order."""

    def __init__(self, dice: random.Random) -> None:
        self.sync_s = 0.0
        self.faults: deque[Fault] = deque()
        self.failed = False
        self.crash: Callable[[], None] = lambda: None
        self._dice = dice
        self._synced = bytearray()
        self._unsynced = bytearray()

    async def append(self, record: bytes) -> None:
        """Write a record and sync. Raises Corrupt when the sync fails, and ever after in this life."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self.failed:
            raise Corrupt("the disk has failed before; nothing is written any more")
        self._unsynced += len(record).to_bytes(4, "big") + crypto.sha256(record)[:CHECKSUM_BYTES] + record
        fault = self.faults.popleft() if self.faults else None
        if fault is not None:
            await trio.sleep(HESITATION_S)
        if fault is Fault.CRASH_BEFORE:
            await self._crash()
        await trio.sleep(self.sync_s * (0.5 + 0.5 * self._dice.random()))
        if fault is Fault.CRASH_WITHIN:
            await self._crash()
        if fault is Fault.FAIL:
            self.failed = True
            self._tear()
            raise Corrupt("the disk could not be synced")
        self._synced += self._unsynced
        self._unsynced.clear()
        if fault is Fault.CRASH_AFTER:
            await self._crash()

    def come_back(self) -> None:
        """After a crash: what is on the disk now, the torn tail cut off; a disk that failed has been exchanged."""
        self._tear()
        self.failed = False
        self.faults.clear()
        del self._synced[sum(HEAD_BYTES + len(record) for record in self.records()) :]

    def records(self) -> Iterator[bytes]:
        """Whole records from the beginning."""
        at = 0
        while at + HEAD_BYTES <= len(self._synced):
            size = int.from_bytes(self._synced[at : at + 4], "big")
            record = bytes(self._synced[at + HEAD_BYTES : at + HEAD_BYTES + size])
            if crypto.sha256(record)[:CHECKSUM_BYTES] != self._synced[at + 4 : at + HEAD_BYTES] or len(record) < size:
                return
            yield record
            at += HEAD_BYTES + size

    async def _crash(self) -> None:
        self.crash()
        await trio.sleep_forever()

    def _tear(self) -> None:
        """Of the unsynced tail, let a prefix survive, or a subset of its sectors; either may be nothing or all."""
        tail, dice = self._unsynced, self._dice
        if dice.random() < 0.5:
            del tail[dice.randint(0, len(tail)) :]
        else:
            for at in range(0, len(tail), SECTOR_BYTES):
                if dice.random() < 0.5:
                    tail[at : at + SECTOR_BYTES] = bytes(len(tail[at : at + SECTOR_BYTES]))
        self._synced += tail
        tail.clear()
