"""Damage that nobody reads is found in the background, slowly, and ends the node as any other."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
import trio
from trio.testing import MockClock

from execution.vm.machine import Machine
from genesis.errors import Corrupt
from genesis.spec import genesis_hash
from node import store, store_check
from node.engine import on_engine_stack
from node.genesis_code import folder_plan
from node.store import PAGE_BYTES, Pages, Store
from node.store_check import BYTES_A_SECOND, CURSOR, PAUSE_S, STEP_ROWS, StoreCheck
from tests.node.running import SPEC, running

CHAIN = b"g" * 32
PAGES = 6 << 10
NEVER_READ = b"\x08", Random(1).randbytes(64 << 10)
"""As a receipt of a block rolled back: large enough to share no block of a table with what a start reads."""


@pytest.fixture
def filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of 6 MiB in tables of 1 MiB each, and one with what came last; packed, so that none goes by itself."""
    monkeypatch.setattr(store, "WRITE_BUFFER_BYTES", 1 << 20)
    random = Random(0)
    pages = [Pages(0, at, random.randbytes(256 * PAGE_BYTES)) for at in range(0, PAGES, 256)]
    with Store(tmp_path / "db", CHAIN) as fresh:
        fresh.put_checkpoint(1, b"", pages)
        fresh._db.compact_range()
    return tmp_path / "db"


def flip(table: Path, at: int) -> None:
    data = bytearray(table.read_bytes())
    data[at] ^= 1
    table.write_bytes(data)


def passed(opened: Store) -> tuple[StoreCheck, float]:
    """The check after a whole pass, and the seconds that it took."""
    check = StoreCheck(opened)

    async def run() -> float:
        begun = trio.current_time()
        await check.read_through()
        return trio.current_time() - begun

    return check, trio.run(run, clock=MockClock(autojump_threshold=0))


def test_a_pass_reads_every_row_within_its_bounds(filled: Path) -> None:
    with Store(filled, CHAIN) as opened:
        check, took_s = passed(opened)
        assert check.checked_s > 0
        rows: list[int] = []
        key: bytes | None = b""
        while key is not None:
            key, size = opened.read_behind(key, STEP_ROWS, 1 << 30)
            rows.append(size)
    assert sum(rows) > PAGES * PAGE_BYTES
    assert took_s >= max(sum(rows) / BYTES_A_SECOND, len(rows) * PAUSE_S) - PAUSE_S


def test_damage_that_nobody_reads_is_named_in_whichever_table(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of a store with more tables than are looked through."""
    monkeypatch.setattr(store, "TABLES_SEARCHED_MAX", 2)
    tables = sorted(path for path in filled.glob("*.ldb") if path.stat().st_size > 1 << 20)
    assert len(tables) > 4
    for table in (tables[0], tables[len(tables) // 2], tables[-1]):
        at = table.stat().st_size // 2
        flip(table, at)
        with Store(filled, CHAIN) as opened, pytest.raises(Corrupt, match=f"read it through.*{table.name}"):
            passed(opened)
        flip(table, at)
    with Store(filled, CHAIN) as opened:
        passed(opened)


class Ended(Exception):
    pass


class ShortLived(Store):
    """Ends its node after a few steps of the check."""

    steps = 5

    def read_behind(self, key: bytes, rows_max: int, bytes_max: int) -> tuple[bytes | None, int]:
        self.steps -= 1
        if self.steps < 0:
            raise Ended
        return super().read_behind(key, rows_max, bytes_max)


def test_a_pass_goes_on_where_an_earlier_life_came_to(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the lives are, the last row is reached; then it begins anew."""
    monkeypatch.setattr(store_check, "NOTE_S", 0.0)
    began: list[bytes] = []
    whole = False
    while not whole:
        with ShortLived(filled, CHAIN) as opened:
            began.append(opened.cursor(CURSOR) or b"")
            with suppress(Ended):
                passed(opened)
                whole = True
            last = opened.cursor(CURSOR)
    assert len(began) > 2 and began[0] == b"" and began == sorted(set(began))
    assert last == b""


def test_bits_that_flip_while_the_store_is_open_are_met_at_the_next_pass(filled: Path) -> None:
    """What a pass has read it does not keep."""
    with Store(filled, CHAIN) as opened:
        passed(opened)
        table = sorted(filled.glob("*.ldb"))[1]
        with table.open("r+b") as file:
            file.seek(table.stat().st_size // 2)
            file.write(bytes(8))
        with pytest.raises(Corrupt, match=table.name):
            passed(opened)


def test_a_node_stops_at_a_flipped_bit_that_it_has_not_asked_for(tmp_path: Path) -> None:
    chain = genesis_hash(SPEC, on_engine_stack(lambda: Machine(folder_plan(tmp_path, SPEC)).genesis(SPEC)))
    with Store(tmp_path / "store", chain) as fresh:
        fresh.put_small_rows([NEVER_READ])
    Store(tmp_path / "store", chain).close()  # moves the log into a table
    (table,) = (path for path in (tmp_path / "store").glob("*.ldb") if NEVER_READ[1] in path.read_bytes())
    flip(table, table.read_bytes().find(NEVER_READ[1]) + len(NEVER_READ[1]) // 2)
    with pytest.raises(Corrupt, match=table.name), running(tmp_path, market=False) as node:
        node.ended(90.0)
