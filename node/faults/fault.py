"""
The file a node leaves behind when it came to another result than a quorum: the block, who stands behind it, the state
it ran on, what came out. Enough to find the difference without the node.

    "TENORFLT" · version u16 · SHA-256 of what follows · canonical msgpack, deflated

Bounded: at most FILE_BYTES_MAX, of which a state that is larger than PAGES_MAX keeps only the pages that matter.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from execution.executor import PAGE_BYTES, CheckpointChunk
from genesis import codec
from genesis.chain import Block, Deployment, Header, Withdrawal
from genesis.errors import Invalid
from node.faults.observed import Point
from node.open_block import Anchor
from node.tip import Tip

MAGIC = b"TENORFLT"
VERSION = 1
VERSION_BYTES, DIGEST_BYTES = 2, 32
PAGES_MAX = 65_536
"""64 MiB of state in all; of a larger one only pages that the block touched and those that changed by themselves."""
CONTENT_BYTES_MAX = 160 << 20
FILE_BYTES_MAX = 160 << 20
SUFFIX = ".fault"
FOLDER = "faults"
"""Beside the store."""

Spot = tuple[int, int]
"""Program number and page."""


@dataclass(frozen=True, slots=True)
class Came:
    """What came out here. header: with proposer and view of the block's own. pages: as they were left, if changed."""

    header: Header
    receipts: tuple[bytes, ...]
    pages: Mapping[Spot, bytes]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Fault:
    """
    genesis: the chain's genesis hash. node: the validator's address. software: names and versions. reason: what
    differed when the block was run first. again: likewise the second time, "" if it came out then. quorum: what stands
    behind the block, as `consensus.words.Quorum` encodes; empty when only a descendant's is known.

    parent: the header before, None for block 1. active: deployments that became programs in this block. span:
    withdrawals of the commitment span before it. meta: kernel and programs, see `Executor.checkpoint_meta`.

    pages: the state after the parent as it was found in memory; whole: all of it. strays: the hashes that such pages
    have under the parent's root as are not what was sealed. came: None when the engine failed altogether.
    """

    genesis: bytes
    node: bytes
    software: tuple[tuple[str, str], ...]
    reason: str
    again: str
    block: Block
    quorum: bytes
    parent: Header | None
    active: tuple[Deployment, ...]
    span: tuple[Withdrawal, ...]
    meta: bytes
    whole: bool
    pages: Mapping[Spot, bytes]
    strays: Mapping[Spot, bytes]
    came: Came | None

    @property
    def height(self) -> int:
        return self.block.header.height

    def tip(self) -> Tip:
        """Before the block."""
        header = self.parent
        waiting = {self.height: self.active}
        if header is None:
            return Tip(None, self.genesis, 0, Anchor(0, bytes(32), 0), [], waiting)
        anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
        return Tip(header, header.hash(), header.time_ms, anchor, list(self.span), waiting)


def chunks_of(pages: Mapping[Spot, bytes]) -> Iterable[CheckpointChunk]:
    """As `Executor.restore` takes them."""
    return (CheckpointChunk(program, page, content) for (program, page), content in sorted(pages.items()))


def write(fault: Fault, folder: Path) -> Path:
    """Keep it, synced, under height and block hash; an earlier file of the same block is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{fault.height}-{fault.block.hash().hex()[:16]}{SUFFIX}"
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        file.write(encode(fault))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    return path


def read(path: Path) -> Fault:
    """Raises Invalid "bad_file", saying what is wrong with it."""
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Invalid("it is too large", "too_large")
        return decode(path.read_bytes())
    except (OSError, Invalid) as error:
        raise Invalid(f"{path} is no fault bundle that this Tenor reads: {error}.", "bad_file") from error


def encode(fault: Fault) -> bytes:
    came = fault.came
    body = codec.encode(
        (
            fault.genesis, fault.node, fault.software, fault.reason, fault.again, fault.block.encode(), fault.quorum,
            None if fault.parent is None else fault.parent.fields(),
            tuple(one.fields() for one in fault.active), tuple(one.fields() for one in fault.span), fault.meta,
            fault.whole, _rows(fault.pages), _rows(fault.strays),
            None if came is None else (
                came.header.fields(), came.receipts, _rows(came.pages), tuple(one.fields() for one in came.points),
            ),
        )
    )  # fmt: skip
    packed = zlib.compress(body)
    return MAGIC + VERSION.to_bytes(VERSION_BYTES, "big") + sha256(packed).digest() + packed


def decode(data: bytes) -> Fault:
    """Raises Invalid for bytes that `encode` cannot have written."""
    start = len(MAGIC) + VERSION_BYTES
    if data[: len(MAGIC)] != MAGIC:
        raise Invalid("it does not begin as one", "malformed")
    version = int.from_bytes(data[len(MAGIC) : start], "big")
    if version != VERSION:
        raise Invalid(f"it has version {version}, this Tenor reads {VERSION}", "other_version")
    packed = data[start + DIGEST_BYTES :]
    if sha256(packed).digest() != data[start : start + DIGEST_BYTES]:
        raise Invalid("its checksum is wrong, so it was cut or changed", "damaged")
    inflating = zlib.decompressobj()
    try:
        body = inflating.decompress(packed, CONTENT_BYTES_MAX)
    except zlib.error as error:
        raise Invalid(f"it does not inflate: {error}", "malformed") from error
    (
        genesis, node, software, reason, again, block, quorum, parent, active, span, meta, whole, pages,
        strays, came,
    ) = codec.decode_array(body, 15, CONTENT_BYTES_MAX, "A fault bundle")  # fmt: skip
    return Fault(
        genesis, node, software, reason, again, Block.decode(block), quorum,
        None if parent is None else Header.of(parent),
        tuple(map(Deployment.of, active)), tuple(map(Withdrawal.of, span)), meta, whole, _spots(pages, PAGE_BYTES),
        _spots(strays, DIGEST_BYTES), None if came is None else _came(came),
    )  # fmt: skip


def _came(members: object) -> Came:
    header, receipts, pages, points = codec.expect_array(members, 4, "What came out")
    return Came(Header.of(header), receipts, _spots(pages, PAGE_BYTES), tuple(map(Point.of, points)))


def _rows(spots: Mapping[Spot, bytes]) -> tuple[tuple[int, int, bytes], ...]:
    return tuple((program, page, content) for (program, page), content in sorted(spots.items()))


def _spots(rows: object, size: int) -> dict[Spot, bytes]:
    found: dict[Spot, bytes] = {}
    for row in codec.expect_array(rows, None, "Pages"):
        program, page, content = codec.expect_array(row, 3, "A page")
        codec.check_bytes(content, size, "A page")
        found[program, page] = content
    return found
