"""
LevelDB's files looked at without LevelDB: which one is damaged, and where.

LevelDB says that a checksum was wrong, not in which file. Formats: `doc/table_format.md` and `doc/log_format.md` of
LevelDB; checksums are CRC-32C (Castagnoli), masked, over content and type. About 8 MB/s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from genesis.errors import Invalid

TABLES = ("*.ldb", "*.sst")
LOGS = ("*.log", "MANIFEST-*")
CURRENT = "CURRENT"
"""Names the manifest. Where it is not, LevelDB begins anew, and deletes what it then does not know."""
POLYNOMIAL = 0x82F63B78
MASK = 0xA282EAD8
FOOTER_BYTES = 48
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TRAILER_BYTES = 5
"""Behind each block of a table: type, checksum."""
LOG_BLOCK_BYTES = 32 << 10
RECORD_HEAD_BYTES = 7
"""Checksum 4, length 2, type 1."""
WORD_BITS = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Damage:
    """torn: a log ends amid a record, as after a power cut, or when its end is gone; all before it is sound."""

    file: Path
    what: str
    torn: bool = False

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def find_damage(folder: Path) -> Iterator[Damage]:
    """What is wrong with the files of a database that nobody has open: the first fault of each, logs first."""
    if lacks_current(folder):
        yield Damage(folder / CURRENT, "it is missing")
    yield from damaged_logs(folder)
    yield from damaged_tables(sorted(found for pattern in TABLES for found in folder.glob(pattern)))


def lacks_current(folder: Path) -> bool:
    """Whether a database is here that LevelDB would not see. One that was never written to has no such file either."""
    written = (path for pattern in (*TABLES, "*.log") for path in folder.glob(pattern))
    return not (folder / CURRENT).exists() and any(path.stat().st_size for path in written)


def damaged_logs(folder: Path) -> Iterator[Damage]:
    """Of a database that nobody has open: a log that is being written looks torn."""
    for path in sorted(found for pattern in LOGS for found in folder.glob(pattern)):
        yield from _checked(path, _check_log)


def torn_logs(folder: Path) -> Iterator[Damage]:
    """Logs that end amid a record, checksums left aside: quick, for every start."""
    for path in sorted(found for pattern in LOGS for found in folder.glob(pattern)):
        yield from _checked(path, partial(_check_log, checksums=False))


def damaged_tables(paths: Iterable[Path]) -> Iterator[Damage]:
    for path in paths:
        yield from _checked(path, _check_table)


def _checked(path: Path, check: Callable[[Path, bytes], Damage | None]) -> Iterator[Damage]:
    try:
        damage = check(path, path.read_bytes())
    except OSError as error:
        damage = Damage(path, f"it cannot be read: {error.strerror}")
    if damage is not None:
        yield damage


def _check_log(path: Path, data: bytes, checksums: bool = True) -> Damage | None:
    at = 0
    while at < len(data):
        left = LOG_BLOCK_BYTES - at % LOG_BLOCK_BYTES
        if left < RECORD_HEAD_BYTES:
            at += left
            continue
        head = data[at : at + RECORD_HEAD_BYTES]
        if not any(head):
            return Damage(path, f"nothing but zeros from byte {at} on", torn=True)
        length = int.from_bytes(head[4:6], "little")
        record = data[at + RECORD_HEAD_BYTES - 1 : at + RECORD_HEAD_BYTES + length]
        if len(record) < length + 1:
            return Damage(path, f"it ends amid a record, at byte {len(data)}", torn=True)
        if checksums and _masked(crc32c(record)) != int.from_bytes(head[:4], "little"):
            return Damage(path, f"the checksum of the record at byte {at} is wrong")
        at += RECORD_HEAD_BYTES + length
    return None


def _check_table(path: Path, data: bytes) -> Damage | None:
    if data[-len(MAGIC) :] != MAGIC or len(data) < FOOTER_BYTES:
        return Damage(path, f"it has no end of a table, at byte {len(data)}")
    try:
        footer = data[-FOOTER_BYTES:]
        _, at = _handle(footer, 0)
        index, _ = _handle(footer, at)
        for place in (index, *_handles(_block(data, *index))):
            _block(data, *place)
    except Invalid as error:
        return Damage(path, str(error))
    return None


def _block(data: bytes, offset: int, size: int) -> bytes:
    """A block's content. Raises Invalid."""
    stored = data[offset : offset + size + TRAILER_BYTES]
    if len(stored) != size + TRAILER_BYTES or _masked(crc32c(stored[:-4])) != int.from_bytes(stored[-4:], "little"):
        raise Invalid(f"the checksum of the block at byte {offset} is wrong", "damaged")
    return stored[:size]


def _handles(index: bytes) -> Iterator[tuple[int, int]]:
    """Where the blocks lie that an index block names."""
    end = len(index) - 4 - 4 * int.from_bytes(index[-4:], "little")
    at = 0
    while at < end:
        _, at = _varint(index, at)
        own, at = _varint(index, at)
        length, at = _varint(index, at)
        place, _ = _handle(index, at + own)
        yield place
        at += own + length


def _handle(data: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _varint(data, at)
    size, at = _varint(data, at)
    return (offset, size), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
    raise Invalid("a number in it has no end", "damaged")


def crc32c(data: bytes) -> int:
    crc, table = WORD_BITS, _TABLE
    for byte in data:
        crc = table[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ WORD_BITS


def _masked(crc: int) -> int:
    return ((crc >> 15 | crc << 17) + MASK) & WORD_BITS


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ (POLYNOMIAL if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_entry, range(256)))
