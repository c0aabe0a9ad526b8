"""
The embedded settlement chain: blocks that come by the clock, a pool of postings, reorganisations.

No background task makes blocks: whoever uses the file next makes those that are due, so any number of processes
agree. Everything here is synchronous and runs inside one SQLite transaction that `local` opens. What postings do is
in `local_books`.
"""

from __future__ import annotations

from genesis import codec
from genesis.crypto import ZERO_HASH, sha256
from genesis.errors import Invalid
from settlement.adapter import Head, Reorganisation
from settlement.contract import Terms
from settlement.local_books import Books
from settlement.local_tables import Tables

BLOCK_TIME_MS = 500
CATCH_UP_BLOCKS_MAX = 64
"""Blocks made at once after nobody looked for long; the time before them passed without blocks."""
POSTINGS_BLOCK_MAX = 4_096
RULES = 2
"""
Version of the contract's rules, in the file's identity: a process with others must not make blocks here. 2: who has
registered enters once it is ready. A file of the first is taken over; what its blocks have taken in stands.
"""


class LocalChain:
    """Blocks of one file; `advance` comes before anything else in a transaction."""

    def __init__(self, tables: Tables, terms: Terms, block_time_ms: int | None) -> None:
        """block_time_ms: None is what the file has, BLOCK_TIME_MS in a new one."""
        self._tables = tables
        self._terms = terms
        self._block_time_ms = block_time_ms or 0
        self.books = Books(tables, terms)

    def begin(self, now_ms: int) -> None:
        """Create block 0, or check that the file is of this chain. Raises Invalid "wrong_chain"."""
        t = self._terms
        found, kept_ms = self._tables.meta("identity"), self._tables.meta("block_time_ms")
        self._block_time_ms = self._block_time_ms or kept_ms or BLOCK_TIME_MS
        stakes = tuple(sorted(t.stakes.items()))
        waits = (t.delay_blocks, t.exit_blocks, t.replace_blocks, t.forced_window_blocks, t.forced_block)
        lengths = (t.commitment_blocks, t.challenge_blocks, self._block_time_ms, *waits)
        terms = (t.chain, lengths, stakes, t.stake_min, t.admin)
        first, identity = codec.encode(terms), codec.encode((RULES, terms))
        if found is None:
            self._tables.set_meta("identity", identity)
            self._tables.set_meta("block_time_ms", self._block_time_ms)
            self._tables.set_meta("fork", 0)
            self._tables.set_meta("outage", 0)
            self._tables.write("INSERT INTO block VALUES (0, ?, ?, ?)", sha256(identity), ZERO_HASH, now_ms)
            self.books.begin()
        elif found == first:
            self._tables.set_meta("identity", identity)
        elif found != identity:
            raise Invalid(
                "The settlement file is of another chain, other terms or a later release; use another.",
                "wrong_chain",
            )

    def advance(self, now_ms: int) -> None:
        """Make the blocks that are due by the clock. A clock that went back makes none."""
        (last_ms,) = self._tables.row("SELECT time_ms FROM block ORDER BY height DESC LIMIT 1")
        due = (now_ms - last_ms) // self._block_time_ms
        for number in range(max(0, due - CATCH_UP_BLOCKS_MAX) + 1, due + 1):
            self._make_block(last_ms + number * self._block_time_ms, self._waiting())

    def head(self, confirmations: int) -> Head:
        """The block so many below the tip, at least block 0."""
        (tip,) = self._tables.row("SELECT MAX(height) FROM block")
        height = max(0, tip - confirmations)
        return Head(height, self._tables.row("SELECT hash FROM block WHERE height = ?", height)[0])

    def reorganisation(self, since: Head) -> Reorganisation | None:
        """See `SettlementAdapter.reorganisations`."""
        found = self._tables.row("SELECT height FROM block WHERE hash = ?", since.hash)
        if found:
            return None
        ancestor = since.hash
        while not found:
            orphan = self._tables.row("SELECT parent FROM orphan WHERE hash = ?", ancestor)
            if orphan is None:
                raise Invalid(f"{since.hash.hex()} never was a block of this settlement chain.", "unknown_block")
            ancestor = orphan[0]
            found = self._tables.row("SELECT height FROM block WHERE hash = ?", ancestor)
        return Reorganisation(found[0], self.head(0))

    def reorganise(self, depth: int) -> Head:
        """
        Replace the last `depth` blocks by empty ones; what stood in them waits again, deposits in reversed order.

        Raises:
            Invalid: "too_deep" beyond the challenge window (a final commitment stays) or beyond block 1.
        """
        tip = self.head(0).settlement_height
        limit = min(tip, self._terms.challenge_blocks)
        if not 1 <= depth <= limit:
            raise Invalid(f"A reorganisation takes 1 to {limit} blocks here, not {depth}.", "too_deep")
        above = "FROM block WHERE height > ?"
        gone = self._tables.rows(f"SELECT height, hash, parent, time_ms {above} ORDER BY height", tip - depth)
        self.books.undo_above(tip - depth)
        for height, block_hash, parent, _ in gone:
            self._tables.write("INSERT INTO orphan VALUES (?, ?, ?)", block_hash, height, parent)
        self._tables.write(f"DELETE {above}", tip - depth)
        self._tables.set_meta("fork", self._tables.meta("fork") + 1)
        for _, _, _, time_ms in gone:
            self._make_block(time_ms, [])
        return self.head(0)

    def _waiting(self) -> list[int]:
        """Numbers of the postings the next block takes, in its order."""
        statement = "SELECT number FROM posting WHERE height IS NULL AND dropped = 0 ORDER BY kind, queue LIMIT ?"
        return [number for (number,) in self._tables.rows(statement, POSTINGS_BLOCK_MAX)]

    def _make_block(self, time_ms: int, postings: list[int]) -> None:
        parent = self.head(0)
        height = parent.settlement_height + 1
        content = codec.encode((height, parent.hash, self._tables.meta("fork"), time_ms, tuple(postings)))
        self._tables.write("INSERT INTO block VALUES (?, ?, ?, ?)", height, sha256(content), parent.hash, time_ms)
        for number in postings:
            self.books.take_in(number, height)
