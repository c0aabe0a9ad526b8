"""The store: atomic blocks, a batch log that survives, checkpoints that are old or new but never torn."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import plyvel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis.errors import Corrupt, Invalid, Unavailable
from node.store import _LOG, _NOTE, _PAGE, PAGE_BYTES, Note, Pages, Position, Store, StoredBlock

CHAIN = b"g" * 32


def block(height: int, transactions: tuple[bytes, ...] = ()) -> StoredBlock:
    return StoredBlock(height, b"header%d" % height, b"body%d" % height, b"receipts%d" % height, transactions)


def page(letter: bytes) -> bytes:
    return letter * PAGE_BYTES


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "db", CHAIN) as opened:
        yield opened


def test_block_returns_whole_with_index_and_notes(store: Store) -> None:
    ids = (b"a" * 32, b"b" * 32)
    store.put([block(1, ids)], [Note(4, 0, b"vote"), Note(5, 3, b"proposal")], 4)
    assert store.head() == 1
    assert (store.header(1), store.body(1), store.receipts(1)) == (b"header1", b"body1", b"receipts1")
    assert store.position(b"b" * 32) == Position(1, 1)
    assert store.position(b"c" * 32) is None
    assert store.notes() == (Note(5, 3, b"proposal"),)


def test_notes_last_until_their_view_is_decided(store: Store) -> None:
    store.put([], [Note(2, 0, b"one"), Note(2, 1, b"two"), Note(300, 0, b"far")])
    assert store.notes() == (Note(2, 0, b"one"), Note(2, 1, b"two"), Note(300, 0, b"far"))
    store.put([block(1)], [Note(3, 0, b"next")], 2)
    assert store.notes() == (Note(3, 0, b"next"), Note(300, 0, b"far"))
    store.roll_back(0, [], {})
    assert store.notes() == ()


class Searched:
    """A LevelDB that remembers where it was asked to begin reading."""

    def __init__(self, path: str, **options: Any) -> None:
        self._db, self.starts = plyvel.DB(path, **options), list[bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    def iterator(self, **options: Any) -> Any:
        self.starts.append(options["start"])
        return self._db.iterator(**options)


def test_what_a_block_ends_is_looked_for_behind_what_the_last_one_ended(tmp_path: Path) -> None:
    """LevelDB walks over deleted rows. What was written late, below it, is found nevertheless."""
    with Store(tmp_path / "db", CHAIN, Searched) as store:
        for height in range(1, 4):
            store.append_batch(height, 0, b"batch")
            store._db.starts.clear()
            store.put([block(height)], [Note(height + 1, 0, b"vote")], height)
            lowest = height if height > 1 else 0  # an earlier life may have left anything
            assert store._db.starts == [kind + lowest.to_bytes(8, "big") for kind in (_LOG, _NOTE)]
        store.append_batch(2, 0, b"late")
        store.put([], [Note(2, 0, b"late")])
        store.put([block(4)], [], 4)
        assert (store.logged(), store.notes()) == ((), ())


def test_the_first_batch_of_a_block_replaces_what_was_logged(store: Store) -> None:
    for height in (1, 2):
        for number in range(3):
            store.append_batch(height, number, b"old")
    assert store.logged() == (1, 2)
    store.append_batch(1, 0, b"new")
    assert store.batches(1) == (b"new",) and store.logged() == (1,)


def test_everything_is_absent_in_an_empty_store(store: Store) -> None:
    assert store.head() is None
    assert store.header(1) is None
    assert store.cursor("inbox") is None
    assert store.checkpoint() is None
    assert list(store.pages()) == []
    assert store.batches(1) == ()


def test_blocks_iterate_as_far_as_they_go(store: Store) -> None:
    for height in (1, 2, 3):
        store.put([block(height)])
    assert [b.height for b in store.blocks(2, 9)] == [2, 3]


def test_a_gap_in_heights_is_a_broken_invariant(store: Store) -> None:
    store.put([block(1)])
    with pytest.raises(AssertionError, match="does not follow"):
        store.put([block(3)])
    assert store.head() == 1


def test_batch_log_keeps_order_and_ends_with_its_block(store: Store) -> None:
    for number in range(300):
        store.append_batch(1, number, b"%d" % number)
    assert store.batches(1) == tuple(b"%d" % n for n in range(300))
    store.put([block(1)])
    assert store.batches(1) == ()


def test_a_hole_in_the_batch_log_is_corrupt(store: Store) -> None:
    store.append_batch(1, 0, b"")
    store.append_batch(1, 2, b"")
    with pytest.raises(Corrupt, match="batch log of block 1 goes from 0 to 2"):
        store.batches(1)


def test_cursors_outside_blocks(store: Store) -> None:
    store.put_cursors({"posted": b"1", "final": b"2"})
    assert (store.cursor("posted"), store.cursor("final")) == (b"1", b"2")


def test_checkpoints_accumulate_pages(store: Store) -> None:
    store.put_checkpoint(4, b"meta4", [Pages(0, 0, page(b"a") * 2), Pages(1, 5, page(b"b"))])
    store.put_checkpoint(8, b"meta8", [Pages(0, 1, page(b"c"))])
    assert store.checkpoint() == (8, b"meta8")
    assert list(store.pages()) == [Pages(0, 0, page(b"a") + page(b"c")), Pages(1, 5, page(b"b"))]


def test_a_checkpoint_that_fails_midway_leaves_the_old_one(store: Store, tmp_path: Path) -> None:
    store.put_checkpoint(4, b"old", [Pages(0, 0, page(b"a"))])

    def broken() -> Iterator[Pages]:
        yield Pages(0, 0, page(b"z"))
        raise RuntimeError("engine stopped")

    with pytest.raises(RuntimeError, match="engine stopped"):
        store.put_checkpoint(8, b"new", broken())
    store.close()
    with Store(tmp_path / "db", CHAIN) as again:
        assert again.checkpoint() == (4, b"old")
        assert list(again.pages()) == [Pages(0, 0, page(b"a"))]


def test_a_committed_checkpoint_stands_before_what_it_replaced_is_gone(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(store: Store, keys: Iterable[bytes]) -> None:
        raise KeyboardInterrupt

    store.put_checkpoint(4, b"old", [Pages(3, 1, page(b"k")), Pages(3, 2, page(b"o"))])
    with monkeypatch.context() as patched:
        patched.setattr(Store, "_drop_pages", crash)
        with pytest.raises(KeyboardInterrupt):
            store.put_checkpoint(8, b"new", [Pages(3, 2, page(b"n"))])
    store.close()
    with Store(tmp_path / "db", CHAIN) as again:
        assert again.checkpoint() == (8, b"new")
        assert list(again.pages()) == [Pages(3, 1, page(b"k") + page(b"n"))]
        again.put_checkpoint(12, b"newer", [Pages(3, 1, page(b"l"))])
        assert list(again.pages()) == [Pages(3, 1, page(b"l") + page(b"n"))]


def test_what_a_checkpoint_replaced_takes_no_room(store: Store, tmp_path: Path) -> None:
    for height in range(40):
        store.put_checkpoint(height, b"", [Pages(0, 0, page(b"%d" % (height % 10)) * 64)])
    assert sum(1 for _ in store._keys(_PAGE)) == 64


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    rounds=st.lists(
        st.lists(
            st.tuples(st.integers(0, 2), st.integers(0, 20), st.integers(1, 4), st.binary(min_size=1, max_size=1)),
            max_size=5,
        ),
        max_size=4,
    ),
    chunk=st.integers(1, 5),
)
def test_pages_equal_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[int, int, int, bytes]]], chunk: int
) -> None:
    """Whatever is written in whatever chunks, reading gives the last content of every page, in order."""
    model: dict[tuple[int, int], bytes] = {}
    with Store(tmp_path_factory.mktemp("db"), CHAIN) as store:
        for height, writes in enumerate(rounds):
            for program, first, count, letter in writes:
                model.update({(program, first + n): page(letter) for n in range(count)})
            store.put_checkpoint(height, b"", [Pages(p, f, page(letter) * n) for p, f, n, letter in writes])
        read = {
            (pages.program, pages.first_page + n): pages.data[n * PAGE_BYTES : (n + 1) * PAGE_BYTES]
            for pages in store.pages(chunk)
            for n in range(len(pages.data) // PAGE_BYTES)
        }
    assert read == model
    assert list(read) == sorted(read)


def test_a_folder_of_another_chain_is_refused(store: Store, tmp_path: Path) -> None:
    store.close()
    with pytest.raises(Invalid, match="belongs to the chain with genesis"):
        Store(tmp_path / "db", b"h" * 32)


def test_a_folder_in_use_is_unavailable(store: Store, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="open in another process"):
        Store(tmp_path / "db", CHAIN)


def test_a_damaged_file_is_corrupt_and_named(store: Store, tmp_path: Path) -> None:
    store.put([StoredBlock(1, os.urandom(4096), os.urandom(4096), b"")])
    store.close()
    Store(tmp_path / "db", CHAIN).close()  # moves the log into a table
    table = max((tmp_path / "db").glob("*.ldb"), key=lambda path: path.stat().st_size)
    data = bytearray(table.read_bytes())
    data[2000:2100] = bytes(100)
    table.write_bytes(data)
    with pytest.raises(Corrupt, match=str(tmp_path / "db")), Store(tmp_path / "db", CHAIN) as damaged:
        damaged.header(1)
        damaged.body(1)


def test_a_full_disk_is_corrupt_and_named(tmp_path: Path) -> None:
    """A process whose files may not grow sees what a full disk shows: writes fail."""
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\n"
        "from genesis.errors import Corrupt\nfrom node.store import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); store = Store(Path(sys.argv[1]), b'g' * 32)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "try:\n    for n in range(400): store.append_batch(1, n, b'x' * 10_000)\n"
        "except Corrupt as error: print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "db")], capture_output=True, text=True, check=True
    )
    assert str(tmp_path / "db") in ran.stdout
    assert "the disk failed" in ran.stdout


def test_a_killed_process_loses_nothing_acknowledged(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from node.store import *\n"
        "store = Store(Path(sys.argv[1]), b'g' * 32)\n"
        "for height in range(1, 1000):\n"
        "    for number in range(3):\n"
        "        store.append_batch(height, number, b'%d.%d' % (height, number))\n"
        "        print(height, number, flush=True)\n"
        "    block = StoredBlock(height, b'h', b'b', b'r', [b'%032d' % height])\n"
        "    store.put([block], [Note(height, 3, b'%d' % height)], height - 1)\n"
        "    print(height, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path / "db")], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    process.wait()
    lines += process.stdout.readlines()
    process.stdout.close()
    acknowledged = [line.split() for line in lines if line.endswith("\n")]
    with Store(tmp_path / "db", CHAIN) as store:
        head = store.head()
        assert head is not None
        assert head >= max(int(words[0]) for words in acknowledged if len(words) == 1)
        assert store.notes() == (Note(head, 3, b"%d" % head),)
        assert [b.height for b in store.blocks(1, head + 5)] == list(range(1, head + 1))
        open_block = [words for words in acknowledged if len(words) == 2 and int(words[0]) == head + 1]
        assert len(store.batches(head + 1)) >= len(open_block)


def test_going_back_leaves_nothing_of_later_blocks_but_their_receipts(tmp_path: Path) -> None:
    """Also no checkpoint of a later height, and no page of it beside a later one."""
    with Store(tmp_path, CHAIN) as store:
        for height in range(1, 6):
            store.put([block(height, (bytes([height]) * 32,))])
        store.append_batch(6, 0, b"open")
        store.put_checkpoint(4, b"meta", [Pages(0, 0, b"p" * 1024)])
        store.roll_back(4, [(b"\x05" * 32, b"was")], {"why": b"because"})
        assert store.head() == 4 and store.header(5) is None and store.batches(6) == ()
        assert store.checkpoint() == (4, b"meta") and store.cursor("why") == b"because"
        assert store.position(b"\x05" * 32) is None and store.reverted(b"\x05" * 32) == b"was"
        assert store.position(b"\x04" * 32) == Position(4, 0) and store.reverted(b"\x04" * 32) is None
        store.roll_back(2, [], {})
        assert store.checkpoint() is None and not list(store.pages())
        store.put([block(3)])
        assert store.head() == 3
        store.roll_back(0, [], {})
        assert store.head() is None
        store.put([block(1)])
