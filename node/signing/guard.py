"""
What a key has signed: one small file, synced before the signature leaves, so that no crash and no caller makes it
contradict itself.

The file is replaced whole: written beside, synced, renamed, the folder synced; a checksum stands before it. One that is
damaged or missing is refused, never begun anew: an empty memory signs anything. Words of the newest WINDOW_VIEWS views
are kept; an older view gets no new word. One process at a time holds the file.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from genesis import codec, crypto
from genesis.chain import Header, VoteKind
from genesis.errors import Corrupt, Invalid, Unavailable
from node.consensus.words import Said

FORMAT = b"tenor guard 1\n"
PROPOSAL = 3
"""Kind of a word that is a proposed header; 0 to 2 are votes."""
WINDOW_VIEWS = 256
"""Votes after the fact reach back that far at most (`tally.VIEWS_AHEAD_MAX`)."""
FILE_BYTES_MAX = 1 << 20
_NAMES = {PROPOSAL: "proposal"} | {int(kind): f"{kind.name.lower()} vote" for kind in VoteKind}


@dataclass(frozen=True, slots=True, order=True)
class Word:
    """
    What is signed, but for chain and validator set: two words of one kind and view contradict each other whatever set
    they name. A nullify vote has height 0 and no hash.
    """

    view: int
    kind: int
    height: int
    hash: bytes

    @classmethod
    def of_vote(cls, said: Said) -> Word:
        return cls(said.view, int(said.kind), said.height, said.hash)

    @classmethod
    def of_proposal(cls, header: Header) -> Word:
        return cls(header.view, PROPOSAL, header.height, header.hash())

    def __str__(self) -> str:
        return f"{_NAMES[self.kind]} of view {self.view}, height {self.height}, block {self.hash.hex()[:16]}"


class Guard:
    """
    chain, address: what the key may sign for, and the key's address. floor: no view up to it gets a new word. Use as a
    context manager, or call close().
    """

    def __init__(self, path: Path) -> None:
        """
        Raises:
            Unavailable: another process holds it. Corrupt: it is missing, damaged, or cannot be read.
        """
        self.path = path
        self._lock = _locked(path)
        try:
            self.chain, self.address, self.floor, words = _read(path)
        except BaseException:
            self.close()
            raise
        self._words = {(word.view, word.kind): word for word in words}

    @staticmethod
    def create(path: Path, chain: int, address: bytes, floor: int = 0) -> None:
        """
        An empty memory. floor: for a key that has signed before, a view above all of that. Raises Invalid "exists".
        """
        if path.exists():
            raise Invalid(f"{path} exists; what a key has signed is never forgotten: name another folder.", "exists")
        _write(path, (chain, address, floor, ()))

    def close(self) -> None:
        """Let another process have it; harmless when repeated."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def admit(self, word: Word) -> None:
        """
        Remember a word; on return it may be signed. The very word again is admitted again, and costs nothing.

        Raises:
            Invalid: "double_sign", saying what stands against it.
            Corrupt: it could not be synced; nothing may be signed any more.
        """
        known = self._words.get((word.view, word.kind))
        if known == word:
            return
        if known is not None:
            raise Invalid(f"It signed another one: {known}; asked for is a {word}.", "double_sign")
        if word.view <= self.floor:
            raise Invalid(f"It signs nothing new up to view {self.floor}; asked for is a {word}.", "double_sign")
        if word.kind == VoteKind.NULLIFY and (word.view, int(VoteKind.FINALISE)) in self._words:
            raise Invalid(f"It voted to finalise view {word.view}, and never gives that up.", "double_sign")
        floor = max(self.floor, max(self.newest, word.view) - WINDOW_VIEWS)
        words = self._words | {(word.view, word.kind): word}
        self._keep(floor, {key: one for key, one in words.items() if one.view > floor})

    @property
    def newest(self) -> int:
        """The highest view it has signed in; 0 for none."""
        return max((view for view, _ in self._words), default=0)

    @property
    def words(self) -> int:
        """How many are remembered."""
        return len(self._words)

    def sync(self) -> None:
        """Write it once more, to see that it can be. Raises Corrupt."""
        self._keep(self.floor, self._words)

    def _keep(self, floor: int, words: dict[tuple[int, int], Word]) -> None:
        rows = tuple((word.view, word.kind, word.height, word.hash) for word in words.values())
        _write(self.path, (self.chain, self.address, floor, rows))
        self.floor, self._words = floor, words


def _locked(path: Path) -> int:
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise Unavailable(f"Another signer holds {path}; stop it first.") from error
    return descriptor


def _read(path: Path) -> tuple[int, bytes, int, tuple[Word, ...]]:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise _damaged(path, f"it cannot be read: {error.strerror}") from error
    head, rest = data[: len(FORMAT)], data[len(FORMAT) :]
    if head != FORMAT or crypto.sha256(rest[crypto.HASH_BYTES :]) != rest[: crypto.HASH_BYTES]:
        raise _damaged(path, "its checksum does not fit")
    try:
        members = codec.decode_array(rest[crypto.HASH_BYTES :], 4, FILE_BYTES_MAX, "A guard", depth_max=3)
        chain, address, floor, rows = members
        return chain, address, floor, tuple(Word(*codec.expect_array(row, 4, "A word")) for row in rows)
    except Invalid as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, why: str) -> Corrupt:
    return Corrupt(
        f"What this key has signed is not known: {path}: {why}. Nothing is signed without it: restore this file as it "
        "was last written, or go on under a new key (`tenor validator rotate-key`)."
    )


def _write(path: Path, members: Any) -> None:
    """All of it or nothing, and for good. Raises Corrupt."""
    body = codec.encode(members)
    beside = path.with_name(path.name + ".new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(FORMAT + crypto.sha256(body) + body)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise Corrupt(f"{path} cannot be written: {error}. Nothing is signed until the disk is well.") from error


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
