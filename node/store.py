"""
Everything a node keeps, in one LevelDB: the one file that imports plyvel.

A block is one atomic synced write: header, body, receipts, index of its transactions, cursors, and the end of its
batch log. The batch log holds what was acknowledged of the block still open, synced batch by batch. A checkpoint's
pages are written once, in small writes beside those they replace, and count from the write that commits them; a crash
leaves the old or the new one. A snapshot from elsewhere is gathered likewise, over several lives if need be, and
replaces chain and state in one write; blocks below `first` are pruned, and swept one by one. Every checksum is verified
on every read. A full disk, a failed sync and a damaged file raise Corrupt with the path: the store is not to be used
after it. Methods may be called from any thread; one process at a time opens the folder.
"""

from __future__ import annotations

import re
import struct
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from errno import ENOSPC
from itertools import islice
from os import strerror
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, Self

import plyvel

from genesis.errors import Corrupt, Invalid, Unavailable
from node.disk import SyncPace
from node.log import logger
from node.meters import Histogram
from node.store_files import CURRENT, damaged_logs, damaged_tables, lacks_current, torn_logs

log = logger("store")

OpenDb = Callable[..., Any]
"""`plyvel.DB`, or what fails like it."""
FORMAT = 2
PAGE_BYTES = 1024
WRITE_BUFFER_BYTES = 32 << 20
CACHE_BYTES = 64 << 20
BLOOM_BITS = 10
TABLE_SUFFIX = ".ldb"
LOCK_HELD = "IO error: lock "
"""So begins what LevelDB says when another process has the store; not when the lock's file cannot be made."""
REMEDY = " Run `tenor node repair`: it keeps what is whole, the rest comes from other validators."
TABLES_SEARCHED_MAX = 32
"""So many tables, of 2 MiB, are looked through for the damage that a read has met: seconds."""
DROPPED_MAX = 4_096
"""Rows dropped per write: short enough that a synced batch never waits long behind one."""

_IDENTITY, _HEAD, _CHECKPOINT, _UNFINISHED = b"identity", b"head", b"checkpoint", b"unfinished"
_FIRST, _TREES, _REPLACED, _GATHERED = b"first", b"trees", b"replaced", b"gathered"
_HEADER, _BODY, _RECEIPTS, _TRANSACTION, _CURSOR, _LOG, _PAGE, _REVERTED, _NOTE = (bytes([n]) for n in range(1, 10))
_U64 = struct.Struct(">Q")
_U64_U32 = struct.Struct(">QI")
_U64_U64 = struct.Struct(">QQ")
_U64_U8 = struct.Struct(">QB")
_TABLE_LISTED = re.compile(
    r"^ (?P<number>\d+):\d+\['(?P<first>.*)' @ \d+ : [01] \.\. '(?P<last>.*)' @ \d+ : [01]\]$", re.MULTILINE
)
_PAGE_KEY = struct.Struct(">III")  # program, page, serial of the checkpoint that wrote it


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """Canonical bytes as they came; the store looks into none. transactions: ids of 32 bytes in the block's order."""

    height: int
    header: bytes
    body: bytes
    receipts: bytes
    transactions: Sequence[bytes] = field(default=())


@dataclass(frozen=True, slots=True)
class Note:
    """What consensus must not forget of a view: one row of each kind, 0 to 255."""

    view: int
    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Position:
    """Where a transaction stands: its block and its place among the block's transactions, from 0."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class Pages:
    """Consecutive 1 KiB state pages of one program (0 is the kernel)."""

    program: int
    first_page: int
    data: bytes


@dataclass(slots=True)
class _Serials:
    """The newest checkpoint that wrote each page, four bytes a page; 0 for none."""

    _programs: dict[int, array[int]] = field(default_factory=dict)

    def replace(self, program: int, page: int, serial: int) -> int:
        """Note the page's serial; the one before."""
        pages = self._programs.setdefault(program, array("I"))
        if page >= len(pages):
            pages.frombytes(bytes(pages.itemsize * (page + 1 - len(pages))))
        old = pages[page]
        pages[page] = serial
        return old


class _Lowest:
    """
    The lowest height, or view, whose rows may still be there. LevelDB walks over all that was deleted until it has
    packed its tables: whoever looks for such rows begins here.
    """

    def __init__(self) -> None:
        self._number = 0
        self._lock = Lock()

    def has(self, number: int) -> None:
        """Rows of this one have been written."""
        with self._lock:
            self._number = min(self._number, number)

    def passed(self, last: int) -> range:
        """Numbers up to `last` that may have rows, which are dropped now."""
        with self._lock:
            numbers = range(self._number, last + 1)
            self._number = max(self._number, last + 1)
            return numbers


class Pinned:
    """
    A checkpoint that stays as it was while the store goes on, and the blocks of that moment; costs disk until it is
    released. height, meta, trees: as `Store.put_checkpoint` was given them. May be read from any thread.
    """

    def __init__(self, snapshot: Any, guarded: Callable[[str], AbstractContextManager[None]]) -> None:
        self._snapshot, self._guarded = snapshot, guarded
        row = self._get(_CHECKPOINT)
        self.height, self._serial = (0, 0) if row is None else _U64_U64.unpack(row[:16])
        self.meta = b"" if row is None else row[16:]
        self.trees = (self._get(_TREES) or b"") if row is not None else b""

    def release(self) -> None:
        self._snapshot.close()

    def block(self, height: int) -> StoredBlock | None:
        """Without transaction ids; None when it is not here."""
        rows = [self._get(kind + _U64.pack(height)) for kind in (_HEADER, _BODY, _RECEIPTS)]
        header, body, receipts = rows
        if header is None or body is None or receipts is None:
            return None
        return StoredBlock(height, header, body, receipts)

    def pages(self, program: int, first: int, count: int) -> dict[int, bytes]:
        """Those of these pages that a checkpoint has ever written, by number."""
        start, stop = (_PAGE + _PAGE_KEY.pack(program, page, 0) for page in (first, first + count))
        found: dict[int, bytes] = {}
        with (
            self._guarded("read"),
            self._snapshot.iterator(start=start, stop=stop, verify_checksums=True) as rows,
        ):
            for key, data in rows:
                _, page, serial = _PAGE_KEY.unpack(key[1:])
                if serial <= self._serial:
                    found[page] = data
        return found

    def _get(self, key: bytes) -> bytes | None:
        with self._guarded("read"):
            row: bytes | None = self._snapshot.get(key, verify_checksums=True)
        return row


class Store:
    """A node's folder. Use as a context manager, or call close(). syncs: how long synced writes took."""

    def __init__(self, path: Path, chain: bytes, open_db: OpenDb = plyvel.DB) -> None:
        """
        Open the folder, creating it when missing, and finish what a crash interrupted.

        Args:
            path: the LevelDB folder.
            chain: the genesis hash; a folder of another chain is refused.
            open_db: what opens it; tests give disks that fail.

        Raises:
            Invalid: the folder belongs to another chain or to another format of Tenor.
            Unavailable: another process has it open.
            Corrupt: a file is damaged, or the disk is full.
        """
        self.path = path
        self.pace, self.syncs = SyncPace(), Histogram()
        self._lowest_log, self._lowest_note = _Lowest(), _Lowest()
        self._serials: _Serials | None = None
        self._failed: Corrupt | None = None
        path.mkdir(parents=True, exist_ok=True)
        for torn in torn_logs(path):
            log.warning("a write was cut off; what was signed in it the other validators are asked for", file=str(torn))
        self._db: Any = None
        self._check_current()
        with self._guarded("open"):
            self._db = self._opened(open_db)
        try:
            self._check_identity(_U64.pack(FORMAT) + chain)
            if self._get(_GATHERED) is None:
                self._drop_unfinished()
            self._drop_replaced()
        except BaseException:
            self.close()
            raise

    def _opened(self, open_db: OpenDb, strict: bool = True) -> Any:
        return open_db(
            str(self.path),
            create_if_missing=strict,
            paranoid_checks=strict,
            write_buffer_size=WRITE_BUFFER_BYTES,
            lru_cache_size=CACHE_BYTES,
            bloom_filter_bits=BLOOM_BITS,
            compression=None,  # packing state pages takes longer than writing them
        )

    def close(self) -> None:
        """Release the folder; harmless when repeated."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Blocks

    def head(self) -> int | None:
        """The height of the newest block, None before the first."""
        row = self._get(_HEAD)
        return None if row is None else int(_U64.unpack(row)[0])

    def first(self) -> int:
        """The lowest height from which on all blocks up to the head are here; what lies below is pruned."""
        row = self._get(_FIRST)
        return 1 if row is None else int(_U64.unpack(row)[0])

    def check_kept(self, height: int) -> None:
        """Raises Invalid "pruned" for a block that is not here any more."""
        first = self.first()
        if height < first:
            raise Invalid(
                f"Block {height} is pruned: this node keeps blocks from {first} on; ask one that keeps all.", "pruned"
            )

    def put(self, blocks: Sequence[StoredBlock], notes: Sequence[Note] = (), decided: int = 0) -> None:
        """
        Write blocks with everything that belongs to them, and notes, in one synced write. Heights follow one another;
        the batch logs of their heights end, and with them the notes of views up to `decided`.
        """
        head = self.head() or 0
        with self._write("write a block", sync=True) as batch:
            for height, block in enumerate(blocks, head + 1):
                assert block.height == height, f"block {block.height} does not follow {height - 1}"
                _put_block(batch, block)
            if blocks:
                self._end(batch, _LOG, self._lowest_log.passed(blocks[-1].height))
                batch.put(_HEAD, _U64.pack(blocks[-1].height))
            if decided:
                self._end(batch, _NOTE, self._lowest_note.passed(decided))
            for note in notes:
                if note.view > decided:
                    batch.put(_NOTE + _U64_U8.pack(note.view, note.kind), note.data)
        for note in notes:
            self._lowest_note.has(note.view)

    def _end(self, batch: Any, kind: bytes, numbers: range) -> None:
        """Drop the rows of a kind whose height, or view, is one of these."""
        if numbers:
            first, stop = (kind + _U64.pack(number) for number in (numbers.start, numbers.stop))
            for key in list(self._keys(kind, first, stop)):
                batch.delete(key)

    def notes(self) -> tuple[Note, ...]:
        """All that stand, by view and kind."""
        found = ((_U64_U8.unpack(key[1:]), data) for key, data in self._rows(_NOTE))
        return tuple(Note(view, kind, data) for (view, kind), data in found)

    def roll_back(self, height: int, reverted: Iterable[tuple[bytes, bytes]], cursors: Mapping[str, bytes]) -> None:
        """
        Let the chain end at `height`, in one synced write: later blocks, batch log, notes and a later checkpoint go.

        Args:
            reverted: transactions of what goes, and their receipts, which are kept as such.
        """
        head = self.head() or 0
        checkpoint = self.checkpoint()
        with self._write("roll back", sync=True) as batch:
            for gone in range(height + 1, head + 1):
                for kind in (_HEADER, _BODY, _RECEIPTS):
                    batch.delete(kind + _U64.pack(gone))
            for transaction, receipt in reverted:
                batch.delete(_TRANSACTION + transaction)
                batch.put(_REVERTED + transaction, receipt)
            for kind in (_LOG, _NOTE):
                for key in list(self._keys(kind)):
                    batch.delete(key)
            for name, value in cursors.items():
                batch.put(_CURSOR + name.encode(), value)
            if checkpoint is not None and checkpoint[0] > height:
                batch.delete(_CHECKPOINT)
            if height:
                batch.put(_HEAD, _U64.pack(height))
            else:
                batch.delete(_HEAD)
        self._drop_unfinished()

    def reverted(self, transaction: bytes) -> bytes | None:
        """The receipt that a transaction had in a block rolled back since; it may stand in a newer one."""
        return self._get(_REVERTED + transaction)

    def header(self, height: int) -> bytes | None:
        return self._get(_HEADER + _U64.pack(height))

    def body(self, height: int) -> bytes | None:
        return self._get(_BODY + _U64.pack(height))

    def receipts(self, height: int) -> bytes | None:
        return self._get(_RECEIPTS + _U64.pack(height))

    def position(self, transaction: bytes) -> Position | None:
        """Where the transaction with this id stands, None when no block holds it."""
        row = self._get(_TRANSACTION + transaction)
        return None if row is None else Position(*_U64_U32.unpack(row))

    def blocks(self, first: int, last: int) -> Iterator[StoredBlock]:
        """The blocks from first to last, both included, as far as there are any; without transaction ids."""
        for height in range(first, last + 1):
            key = _U64.pack(height)
            header, body, receipts = (self._get(kind + key) for kind in (_HEADER, _BODY, _RECEIPTS))
            if header is None:
                return
            if body is None or receipts is None:
                if height < self.first():
                    return  # swept while it was read
                raise Corrupt(f"{self.path}: block {height} has a header but lacks its body or receipts.")
            yield StoredBlock(height, header, body, receipts)

    # Cursors

    def cursor(self, name: str) -> bytes | None:
        return self._get(_CURSOR + name.encode())

    def put_cursors(self, cursors: Mapping[str, bytes]) -> None:
        """Write cursors that belong to no block (what was posted, what is final), synced and all at once."""
        with self._write("write cursors", sync=True) as batch:
            for name, value in cursors.items():
                batch.put(_CURSOR + name.encode(), value)

    # Batch log

    def append_batch(self, height: int, number: int, *data: bytes) -> None:
        """
        Keep batch `number` (from 0) of the open block `height`, and those behind it; on return all survive. The first
        of a block replaces whatever was logged of this height and later ones.
        """
        with self._write("write the batch log", sync=True) as batch:
            for key in list(self._keys(_LOG, _LOG + _U64.pack(height))) if number == 0 else ():
                batch.delete(key)
            for at, one in enumerate(data, number):
                batch.put(_LOG + _U64_U32.pack(height, at), one)
        self._lowest_log.has(height)

    def batches(self, height: int) -> tuple[bytes, ...]:
        """The logged batches of the open block `height` in order. Raises Corrupt when one is missing between others."""
        found: list[bytes] = []
        for key, data in self._rows(_LOG + _U64.pack(height)):
            number = _U64_U32.unpack(key[1:])[1]
            if number != len(found):
                raise Corrupt(f"{self.path}: the batch log of block {height} goes from {len(found) - 1} to {number}.")
            found.append(data)
        return tuple(found)

    def logged(self) -> tuple[int, ...]:
        """Heights that have logged batches, ascending."""
        return tuple(sorted({_U64_U32.unpack(key[1:])[0] for key in self._keys(_LOG)}))

    # Checkpoint

    def put_checkpoint(self, height: int, meta: bytes, changed: Iterable[Pages], trees: bytes = b"") -> None:
        """
        Bring the checkpoint to `height`: pages changed since the last one, what the executor needs to restore them, and
        what proves them to others.

        One at a time. `changed` is consumed lazily and written in small pieces, so that other writes pass between them.
        """
        self._drop_unfinished()
        serials, serial = self._page_serials(), self._serial() + 1
        with self._write("begin a checkpoint") as batch:
            batch.put(_UNFINISHED, _U64.pack(serial))
        replaced: list[bytes] = []
        for pages in changed:
            assert len(pages.data) % PAGE_BYTES == 0, "a chunk holds whole pages"
            with self._write("write a checkpoint") as batch:
                for at in range(0, len(pages.data), PAGE_BYTES):
                    page = pages.first_page + at // PAGE_BYTES
                    batch.put(_page_key(pages.program, page, serial), pages.data[at : at + PAGE_BYTES])
                    old = serials.replace(pages.program, page, serial)
                    if old not in (0, serial):
                        replaced.append(_page_key(pages.program, page, old))
        with self._write("commit a checkpoint", sync=True) as batch:
            batch.put(_CHECKPOINT, _U64_U64.pack(height, serial) + meta)
            batch.put(_TREES, trees)
            batch.delete(_UNFINISHED)
        self._drop_pages(replaced)

    def trees(self) -> bytes:
        """What proves the checkpoint to others; b"" when nothing does."""
        return self._get(_TREES) or b""

    def pin(self) -> Pinned | None:
        """The checkpoint as it is now, for others to read while the store goes on; None when nothing proves one."""
        with self._guarded("read"):
            pinned = Pinned(self._db.snapshot(), self._guarded)
        if pinned.trees:
            return pinned
        pinned.release()
        return None

    # A chain from elsewhere

    def begin_snapshot(self) -> None:
        """
        From now on `add_pages` gathers another chain's state. What was gathered before, in this life or an earlier one,
        is still there (`gathered`); the next checkpoint of this chain forgets it.
        """
        if self._get(_GATHERED) is None:
            self._drop_unfinished()
            with self._write("begin a snapshot") as batch:
                batch.put(_GATHERED, _U64.pack(self._serial() + 1))

    def gathered(self, pages_each: int) -> Iterator[tuple[int, int, dict[int, bytes]]]:
        """
        Program, first page, and those pages by number that have been gathered of it and the pages_each - 1 behind it;
        nothing is synced, so some may be missing after a crash. They may be dropped on the way.
        """
        committed, found = self._serial(), dict[int, bytes]()
        at = 0, 0
        for key, data in self._rows(_PAGE):
            program, page, serial = _PAGE_KEY.unpack(key[1:])
            if serial <= committed:
                continue
            if found and at != (program, page - page % pages_each):
                yield *at, found
                found = {}
            at = program, page - page % pages_each
            found[page] = data
        if found:
            yield *at, found

    def drop_gathered(self, program: int, pages: Iterable[int]) -> None:
        self._drop_pages(_page_key(program, page, self._serial() + 1) for page in pages)

    def add_pages(self, program: int, pages: Mapping[int, bytes]) -> None:
        serial = self._serial() + 1
        with self._write("write a snapshot") as batch:
            for page, data in pages.items():
                batch.put(_page_key(program, page, serial), data)

    def adopt_snapshot(self, height: int, meta: bytes, trees: bytes, blocks: Sequence[StoredBlock], view: int) -> None:
        """
        Let the chain end at `height` with the state gathered and these blocks, the last ones, in one synced write.

        Blocks that were here stay if these follow them without a gap, else they count as pruned. Notes of views up to
        `view` go, and all batch logs.
        """
        assert blocks and blocks[-1].height == height, "the last block is the snapshot's"
        first = self.first() if blocks[0].height <= (self.head() or 0) + 1 else blocks[0].height
        serial = self._serial() + 1
        with self._write("adopt a snapshot", sync=True) as batch:
            for block in blocks:
                _put_block(batch, block)
            for key in list(self._keys(_LOG)):
                batch.delete(key)
            for key in list(self._keys(_NOTE)):
                if _U64_U8.unpack(key[1:])[0] <= view:
                    batch.delete(key)
            batch.put(_HEAD, _U64.pack(height))
            batch.put(_FIRST, _U64.pack(first))
            batch.put(_CHECKPOINT, _U64_U64.pack(height, serial) + meta)
            batch.put(_TREES, trees)
            batch.put(_REPLACED, _U64.pack(serial))
            batch.delete(_GATHERED)
        self._drop_replaced()

    def _drop_replaced(self) -> None:
        """All pages of the state before a snapshot, those too that it does not have."""
        row = self._get(_REPLACED)
        if row is not None:
            self._serials = None
            serial = _U64.unpack(row)[0]
            self._drop_pages(key for key in self._keys(_PAGE) if _PAGE_KEY.unpack(key[1:])[2] < serial)
            with self._write("forget what a snapshot replaced") as batch:
                batch.delete(_REPLACED)

    # Pruning

    def prune(self, first: int) -> None:
        """Blocks below `first`, which is not above the head, are not here from now on; `sweep` frees their room."""
        if first > self.first():
            with self._write("prune", sync=True) as batch:
                batch.put(_FIRST, _U64.pack(first))

    def pruned(self) -> StoredBlock | None:
        """The oldest block that is pruned and not swept yet, without transaction ids."""
        for key in self._keys(_HEADER):
            height = int(_U64.unpack(key[1:])[0])
            return next(self.blocks(height, height), None) if height < self.first() else None
        return None

    def sweep(self, height: int, transactions: Iterable[bytes]) -> None:
        """Remove a pruned block and what the index says of its transactions."""
        key = _U64.pack(height)
        with self._write("sweep a pruned block") as batch:
            for transaction in transactions:
                row = self._get(_TRANSACTION + transaction)
                if row is not None and row.startswith(key):
                    batch.delete(_TRANSACTION + transaction)
            for kind in (_HEADER, _BODY, _RECEIPTS):
                batch.delete(kind + key)

    def compact_pruned(self) -> None:
        """Give the room of swept blocks back to the disk; as long as it takes."""
        end = _U64.pack(self.first())
        with self._guarded("compact"):
            for kind in (_HEADER, _BODY, _RECEIPTS):
                self._db.compact_range(start=kind, stop=kind + end)

    def size(self, first: int, last: int) -> int:
        """About the bytes that these blocks have on disk, but for the index and what was written just now."""
        ends = _U64.pack(first), _U64.pack(last + 1)
        with self._guarded("read"):
            return sum(
                self._db.approximate_size(kind + ends[0], kind + ends[1]) for kind in (_HEADER, _BODY, _RECEIPTS)
            )

    def checkpoint(self) -> tuple[int, bytes] | None:
        """Height and meta of the checkpoint, None before the first."""
        row = self._get(_CHECKPOINT)
        return None if row is None else (_U64_U64.unpack(row[:16])[0], row[16:])

    def pages(self, chunk_pages_max: int = 256) -> Iterator[Pages]:
        """All pages of the checkpoint, by program and page, neighbours joined up to chunk_pages_max."""
        run: list[bytes] = []
        program = first = 0
        for at, data in self._newest_pages():
            if run and (at != (program, first + len(run)) or len(run) == chunk_pages_max):
                yield Pages(program, first, b"".join(run))
                run = []
            if not run:
                program, first = at
            run.append(data)
        if run:
            yield Pages(program, first, b"".join(run))

    def _newest_pages(self) -> Iterator[tuple[tuple[int, int], bytes]]:
        """Each page's newest row that a checkpoint has committed; the rows before it are on their way out."""
        committed = self._serial()
        found: tuple[tuple[int, int], bytes] | None = None
        for key, data in self._rows(_PAGE):
            program, page, serial = _PAGE_KEY.unpack(key[1:])
            if serial > committed:
                continue
            if found is not None and found[0] != (program, page):
                yield found
            found = (program, page), data
        if found is not None:
            yield found

    def _serial(self) -> int:
        """Number of the committed checkpoint; 0 before the first."""
        row = self._get(_CHECKPOINT)
        return 0 if row is None else int(_U64_U64.unpack(row[:16])[1])

    def _page_serials(self) -> _Serials:
        """Which checkpoint wrote each page last: read from the rows once, kept from then on. Older rows go."""
        if self._serials is None:
            self._serials = _Serials()
            stale: list[bytes] = []
            for key in self._keys(_PAGE):
                program, page, serial = _PAGE_KEY.unpack(key[1:])
                old = self._serials.replace(program, page, serial)
                if old:
                    stale.append(_page_key(program, page, old))
            self._drop_pages(stale)
        return self._serials

    def _drop_unfinished(self) -> None:
        """What was gathered, or left by a checkpoint that was not committed; without any checkpoint, all pages."""
        committed = self._serial()
        if committed == 0 or any(self._get(mark) is not None for mark in (_UNFINISHED, _GATHERED)):
            self._serials = None
            self._drop_pages(key for key in self._keys(_PAGE) if _PAGE_KEY.unpack(key[1:])[2] > committed)
            with self._write("forget an unfinished checkpoint") as batch:
                batch.delete(_UNFINISHED)
                batch.delete(_GATHERED)

    def _drop_pages(self, keys: Iterable[bytes]) -> None:
        remaining = iter(keys)
        while piece := list(islice(remaining, DROPPED_MAX)):
            with self._write("drop what a checkpoint replaced") as batch:
                for key in piece:
                    batch.delete(key)

    def read_behind(self, key: bytes, rows_max: int, bytes_max: int) -> tuple[bytes | None, int]:
        """
        Read the rows that follow a key, whatever they hold, past the cache; all, when begun with b"". More than
        bytes_max by one row.

        Returns:
            The last one's key, None when there is none; how many bytes they have.
        """
        last, size = None, 0
        with (
            self._guarded("read it through", key),
            self._db.iterator(start=key, include_start=False, verify_checksums=True, fill_cache=False) as rows,
        ):
            for last, data in islice(rows, rows_max):
                size += len(last) + len(data)
                if size >= bytes_max:
                    break
        return last, size

    # Taking over what is whole

    def small_rows(self) -> Iterator[tuple[bytes, bytes]]:
        """Cursors and receipts of blocks rolled back, for `put_small_rows`."""
        for kind in (_CURSOR, _REVERTED):
            yield from self._rows(kind)

    def put_small_rows(self, rows: Iterable[tuple[bytes, bytes]]) -> None:
        with self._write("take over cursors", sync=True) as batch:
            for key, value in rows:
                batch.put(key, value)

    def drop_checkpoint(self) -> None:
        """State is to come from the blocks alone."""
        with self._write("drop a checkpoint", sync=True) as batch:
            batch.delete(_CHECKPOINT)
        self._drop_unfinished()

    def chain(self) -> bytes | None:
        """Genesis hash of the chain that it is of; None when that is not there."""
        found = self._get(_IDENTITY)
        return None if found is None else found[8:]

    # LevelDB

    def _check_current(self) -> None:
        """Raises Corrupt where LevelDB would begin anew beside a store that is there."""
        if lacks_current(self.path):
            raise Corrupt(self._damage("open", f"{self.path / CURRENT}: it is missing"))

    def _check_identity(self, identity: bytes) -> None:
        found = self._get(_IDENTITY)
        if found is None:
            with self._write("write the identity", sync=True) as batch:
                batch.put(_IDENTITY, identity)
        elif found[:8] != identity[:8]:
            wrote = _U64.unpack(found[:8])[0]
            raise Invalid(
                f"{self.path} has storage format {wrote}, this Tenor reads {FORMAT}; name another folder.",
                "wrong_store",
            )
        elif found != identity:
            raise Invalid(
                f"{self.path} belongs to the chain with genesis {found[8:].hex()}, not {identity[8:].hex()}; "
                "name another folder.",
                "wrong_store",
            )

    def _get(self, key: bytes) -> bytes | None:
        with self._guarded("read", key):
            row: bytes | None = self._db.get(key, verify_checksums=True)
        return row

    def _rows(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        with (
            self._guarded("read", prefix),
            self._db.iterator(start=prefix, stop=_after(prefix), verify_checksums=True) as rows,
        ):
            yield from rows

    def _keys(self, prefix: bytes, start: bytes | None = None, stop: bytes | None = None) -> Iterator[bytes]:
        with (
            self._guarded("read", prefix),
            self._db.iterator(
                start=start or prefix, stop=stop or _after(prefix), include_value=False, verify_checksums=True
            ) as keys,
        ):
            yield from keys

    @contextmanager
    def _write(self, what: str, sync: bool = False) -> Iterator[Any]:
        """
        One atomic write; nothing is written when the block inside raises. Once one has failed nobody knows what the
        disk has of it: no other is tried.
        """
        if self._failed is not None:
            raise self._failed
        try:
            with self._guarded(what), self.pace.timed() if sync else nullcontext():
                with self._db.write_batch(transaction=True, sync=sync) as batch:
                    yield batch
                    begun = time.perf_counter()
                if sync:
                    self.syncs.observe(time.perf_counter() - begun)
        except Corrupt as error:
            self._failed = error
            raise

    @contextmanager
    def _guarded(self, what: str, key: bytes = b"") -> Iterator[None]:
        """key: where reading begins."""
        try:
            yield
        except plyvel.CorruptionError as error:
            raise Corrupt(self._damage(what, self._damaged_file(key) or _said(error))) from error
        except (plyvel.IOError, OSError) as error:
            text = _said(error)
            if text.startswith(LOCK_HELD):
                raise Unavailable(f"{self.path} is open in another process; stop that node first.") from error
            full = (isinstance(error, OSError) and error.errno == ENOSPC) or strerror(ENOSPC) in text
            if TABLE_SUFFIX in text and not full:
                raise Corrupt(self._damage(what, self._damaged_file(key) or text)) from error
            remedy = "The disk is full: free space" if full else "Look at the disk and replace it if need be"
            raise Corrupt(
                f"{self.path}: the disk failed (tried to {what}): {text}. {remedy}, then start again."
            ) from error

    def _damage(self, what: str, where: str) -> str:
        return f"{self.path} is damaged (tried to {what}): {where}.{REMEDY}"

    def _damaged_file(self, key: bytes) -> str:
        """The file whose checksum is wrong, of those with rows from `key` on, nearest first; "" when none is found."""
        if self._db is None:
            return next((str(found) for found in damaged_logs(self.path) if not found.torn), "")
        listed = self._db.get_property(b"leveldb.sstables").decode("latin-1")
        near = sorted(
            (max(_unescaped(one["first"]), key), int(one["number"]))
            for one in _TABLE_LISTED.finditer(listed)
            if _unescaped(one["last"]) >= key
        )
        tables = [self.path / f"{number:06}{TABLE_SUFFIX}" for _, number in near]
        return next(map(str, damaged_tables(tables[:TABLES_SEARCHED_MAX])), "")


class Wreck(Store):
    """
    A store's folder as it is, to read what is whole; each read may raise Corrupt. rebuilt: LevelDB had to gather its
    files anew, so newest rows may be missing and dropped ones be back. Nothing is written to it by us.
    """

    def __init__(self, path: Path) -> None:
        """Raises Corrupt when nothing can be read, Unavailable when a node has it open."""
        self.path, self.pace, self.syncs = path, SyncPace(), Histogram()
        self._serials, self._failed, self._db = None, None, None
        self.rebuilt = False
        try:
            self._check_current()
            with self._guarded("open"):
                self._db = self._opened(plyvel.DB, strict=False)
        except Corrupt:
            self.rebuilt = True
            with self._guarded("gather its files"):
                plyvel.repair_db(str(path))
                self._db = self._opened(plyvel.DB, strict=False)


def _put_block(batch: Any, block: StoredBlock) -> None:
    height = _U64.pack(block.height)
    batch.put(_HEADER + height, block.header)
    batch.put(_BODY + height, block.body)
    batch.put(_RECEIPTS + height, block.receipts)
    for index, transaction in enumerate(block.transactions):
        batch.put(_TRANSACTION + transaction, _U64_U32.pack(block.height, index))


def _after(prefix: bytes) -> bytes:
    """The first key behind all keys with this prefix; the prefix's last byte is below 255 or it is a height."""
    return (int.from_bytes(prefix, "big") + 1).to_bytes(len(prefix), "big")


def _said(error: Exception) -> str:
    """What LevelDB says comes as bytes."""
    said = error.args[0] if error.args else b""
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(error)


def _unescaped(text: str) -> bytes:
    """A key as LevelDB shows it."""
    return re.sub(r"\\x([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), text).encode("latin-1")


def _page_key(program: int, page: int, serial: int) -> bytes:
    return _PAGE + _PAGE_KEY.pack(program, page, serial)
