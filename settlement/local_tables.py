"""
The tables of the embedded settlement chain, and the few statements that read and write them.

One SQLite file, write-ahead log, every commit synced. Amounts are text, since 128 bits exceed SQLite's integers. A
posting is anything somebody sent to the chain; height NULL means that it waits for a block.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path
from typing import Any

from genesis.errors import Corrupt, Unavailable

LOCK_WAIT_SECONDS = 10
LOCK_LOOK_SECONDS = 0.05

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS block(
    height INTEGER PRIMARY KEY, hash BLOB NOT NULL, parent BLOB NOT NULL, time_ms INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS orphan(hash BLOB PRIMARY KEY, height INTEGER NOT NULL, parent BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS posting(
    number INTEGER PRIMARY KEY, id BLOB UNIQUE NOT NULL, kind INTEGER NOT NULL, payload BLOB NOT NULL,
    queue INTEGER NOT NULL, place INTEGER, height INTEGER, dropped INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS posting_place ON posting(kind, dropped, place);
CREATE INDEX IF NOT EXISTS posting_height ON posting(height, kind);
CREATE TABLE IF NOT EXISTS balance(
    account BLOB NOT NULL, asset INTEGER NOT NULL, amount TEXT NOT NULL, PRIMARY KEY(account, asset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS registry(height INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS moved(
    height INTEGER NOT NULL, source BLOB NOT NULL, target BLOB NOT NULL, amount TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS fee(posting BLOB NOT NULL, amount TEXT NOT NULL);
"""


class Kind(IntEnum):
    """Kinds of posting, in the order a block takes them in."""

    DEPOSIT = 0
    FORCED = 1
    COMMITMENT = 2
    WITHDRAWAL = 3
    ACTION = 4


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Turn SQLite's errors into ours: locked, full or unreadable is Unavailable, a damaged file is Corrupt."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise Unavailable(f"The settlement file cannot be used now: {error}.") from error
    except sqlite3.DatabaseError as error:
        raise Corrupt(f"The settlement file is damaged: {error}; restore it or start a new chain.") from error


class Tables:
    """
    One connection. `place` of a deposit and of a forced transaction is its inbox index, of a commitment its last
    height, of a withdrawal its index. registry: the validators after a block that changed them; moved: what that
    moved. fee: what postings have cost.
    """

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
        self._log_ahead()
        self._sql.execute("PRAGMA synchronous = FULL")
        self._sql.executescript("BEGIN IMMEDIATE;" + _SCHEMA + "COMMIT;")

    def _log_ahead(self) -> None:
        """The one statement that does not wait for other processes by itself while they open the same new file."""
        until_s = time.monotonic() + LOCK_WAIT_SECONDS
        while True:
            try:
                self._sql.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until_s:
                    raise
            time.sleep(LOCK_LOOK_SECONDS)

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and alone: other processes wait."""
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._sql.execute("COMMIT")
        finally:
            if self._sql.in_transaction:
                self._sql.execute("ROLLBACK")

    def rows(self, statement: str, *values: Any) -> list[Any]:
        return self._sql.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> Any:
        """The first row, or None."""
        return self._sql.execute(statement, values).fetchone()

    def write(self, statement: str, *values: Any) -> None:
        self._sql.execute(statement, values)

    def meta(self, name: str) -> Any:
        """A named value, or None."""
        found = self.row("SELECT value FROM meta WHERE name = ?", name)
        return found[0] if found else None

    def set_meta(self, name: str, value: bytes | int) -> None:
        self.write("INSERT INTO meta VALUES (?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value", name, value)

    def balance(self, account: bytes, asset: int) -> int:
        found = self.row("SELECT amount FROM balance WHERE account = ? AND asset = ?", account, asset)
        return int(found[0]) if found else 0

    def move(self, account: bytes, asset: int, amount: int) -> int:
        """Add a signed amount to a balance; return the new one."""
        new = self.balance(account, asset) + amount
        self.write("INSERT OR REPLACE INTO balance VALUES (?, ?, ?)", account, asset, str(new))
        return new
