"""
An archive's bytes: FORMAT, then frames of u32 length, checksum and canonical msgpack.

    [HEAD, genesis hash, spec, genesis code, validator sets, rollbacks, height of the last block]
    [BLOCK, height, header row, body]      from 1 on, without a gap; the header row holds signature and certificate
    [END, blocks]

A frame's checksum goes over the one before, too, so frames are where they were written, and all of them are there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from genesis import codec, crypto
from genesis.chain import BLOCK_BYTES_MAX
from genesis.errors import Invalid

FORMAT = b"tenor archive 1\n"
HEAD, BLOCK, END = range(3)
FRAME_BYTES_MAX = BLOCK_BYTES_MAX + (64 << 10)
CHECKSUM_BYTES = 8
_HEAD = struct.Struct(f">I{CHECKSUM_BYTES}s")


@dataclass(frozen=True, slots=True)
class Head:
    """
    genesis: hash, the parent of block 1. spec, code: encoded. sets, rollbacks: the store's rows, empty for none.
    last: height of the last block.
    """

    genesis: bytes
    spec: bytes
    code: bytes
    sets: bytes
    rollbacks: bytes
    last: int

    def fields(self) -> tuple[Any, ...]:
        return (self.genesis, self.spec, self.code, self.sets, self.rollbacks, self.last)


@dataclass(frozen=True, slots=True)
class BlockFrame:
    """header: the store's row, with signature and certificate."""

    height: int
    header: bytes
    body: bytes


class Writer:
    """Frames into a file that is open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._before = file, b""
        file.write(FORMAT)

    def head(self, head: Head) -> None:
        self._put((HEAD, *head.fields()))

    def block(self, block: BlockFrame) -> None:
        self._put((BLOCK, block.height, block.header, block.body))

    def end(self, blocks: int) -> None:
        self._put((END, blocks))

    def _put(self, members: tuple[Any, ...]) -> None:
        data = codec.encode(members)
        self._before = _checksum(self._before, data)
        self._file.write(_HEAD.pack(len(data), self._before) + data)


class Reader:
    """
    An archive's head, then its blocks by iterating; every error names file and byte. Use within `with open(…)`.

    Raises:
        Invalid: "bad_archive": it is none, damaged, cut off, or goes on after its end.
    """

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file, self._before, self._at = path, file, b"", len(FORMAT)
        if file.read(len(FORMAT)) != FORMAT:
            raise self._bad("it does not begin as an archive of Tenor does")
        kind, *members = self._next("its head")
        texts = [type(one) is bytes for one in members[:5]]
        if kind != HEAD or len(members) != 6 or not all(texts) or type(members[5]) is not int:
            raise self._bad("its head is none")
        self.head = Head(*members)

    def __iter__(self) -> Iterator[BlockFrame]:
        last = self.head.last
        for height in range(1, last + 1):
            what = f"block {height} of {last}"
            match self._next(what):
                case (int() as kind, int() as found, bytes() as header, bytes() as body) if kind == BLOCK:
                    if found != height:
                        raise self._bad(f"block {found} stands where {height} belongs")
                    yield BlockFrame(height, header, body)
                case _:
                    raise self._bad(f"{what} is none")
        if self._next("its end") != (END, last) or self._file.read(1):
            raise self._bad("it does not end after its last block")

    def _next(self, what: str) -> tuple[Any, ...]:
        head = self._read(_HEAD.size, what)
        length, checksum = _HEAD.unpack(head)
        if length > FRAME_BYTES_MAX:
            raise self._bad(f"{what} is damaged: {length} bytes are more than any")
        data = self._read(length, what)
        if _checksum(self._before, data) != checksum:
            raise self._bad(f"{what} is damaged: its checksum does not fit")
        self._before = checksum
        try:
            members = codec.expect_array(codec.decode(data, FRAME_BYTES_MAX), None, "A frame")
        except Invalid as error:
            raise self._bad(f"{what} does not decode: {error}") from error
        self._at += _HEAD.size + length
        return members

    def _read(self, length: int, what: str) -> bytes:
        data = self._file.read(length)
        if len(data) < length:
            raise self._bad(f"it is cut off within {what}")
        return data

    def _bad(self, why: str) -> Invalid:
        return Invalid(f"{self._path}, byte {self._at}: {why}. Write it anew with `tenor node export`.", "bad_archive")


def _checksum(before: bytes, data: bytes) -> bytes:
    return crypto.sha256(before + data)[:CHECKSUM_BYTES]
