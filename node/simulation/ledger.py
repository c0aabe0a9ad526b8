"""
The ledger of `node.consensus.doors` over a toy chain and a disk that fails: one record for each `keep`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import trio

from genesis import codec
from genesis.chain import Block, Certificate, Header
from genesis.errors import Unavailable
from node.consensus.accusation import Accusation
from node.consensus.doors import Certified, Kept, Remembered
from node.consensus.words import Link, Quorum, said_of
from node.simulation import toy
from node.simulation.council import Reader
from node.simulation.disk import Disk

RECORDS_REMEMBERED_MAX = 8_192


class Author(Protocol):
    """Who leads: makes blocks and says when."""

    async def propose(self, header: Header) -> bytes: ...

    @property
    def address(self) -> bytes: ...

    def now_ms(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things take, in seconds: from a parent to its child, and running a block."""

    block_s: float = 0.15
    execute_s: float = 0.004


class ToyLedger:
    """kept: told of what has been synced, before anybody else. nursery: of this life, where blocks are built."""

    def __init__(
        self,
        disk: Disk,
        author: Author,
        sets: Reader,
        nursery: trio.Nursery,
        pace: Pace,
        kept: Callable[[Kept], None],
    ) -> None:
        self._disk, self._author, self._sets = disk, author, sets
        self._nursery, self._pace, self._told = nursery, pace, kept
        self._life = self.read(disk)
        self.chain = [one for kept in self._life for one in kept.committed]
        for height, one in enumerate(self.chain, 1):
            assert one.block.header.height == height, f"the disk has no block {height}"
        self._states = {toy.GENESIS.hash: (toy.GENESIS, toy.GENESIS_STATE)}
        for one in self.chain:
            self._came_out(one.block)
        self._leading = trio.CancelScope()
        self._built = 0
        self.accused: list[Accusation] = []

    @staticmethod
    def read(disk: Disk) -> list[Kept]:
        """All that was ever kept, in order."""
        return [_kept_of(record) for record in disk.records()]

    def remembered(self) -> Remembered:
        tip = Link.of(self.chain[-1].block.header) if self.chain else toy.GENESIS
        certificate = self.chain[-1].certificate if self.chain else None
        return Remembered(tip, certificate, _above(self._life, tip.view))

    def lead(self, view: int, parent: Link, built: Callable[[Block], None], again: bool) -> None:
        self.stand_back()
        self._leading = trio.CancelScope()
        self._nursery.start_soon(self._build, self._leading, view, parent, built)

    def burden(self) -> str:
        return ""

    def stand_back(self) -> None:
        self._leading.cancel()

    async def beside(self, work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
        await trio.lowlevel.checkpoint()
        return work()

    def prepare(self, block: Block) -> None:
        """Nothing of a toy takes long."""

    async def execute(self, block: Block, vouched: bool) -> bool:
        await trio.sleep(self._pace.execute_s)
        if block.header.parent not in self._states:
            raise Unavailable("The parent has not been executed here; ask again when it has.")
        parent, state = self._states[block.header.parent]
        rules = await self._sets.of(parent.anchor, block.header.anchor_number)
        good = toy.comes_out(block, parent, state) and block.header.validators == rules.version
        if good:
            self._came_out(block)
        return good

    async def keep(self, kept: Kept) -> None:
        for height, one in enumerate(kept.committed, len(self.chain) + 1):
            assert one.block.header.height == height, f"block {one.block.header.height} where {height} comes next"
            assert one.block.hash() in self._states, f"block {height} is kept without having been executed"
        await self._disk.append(_encode(kept))
        self.chain += kept.committed
        self._told(kept)

    async def diverged(self, block: Block, quorum: Quorum | None) -> str:
        return f"block {block.header.height} of view {block.header.view}"

    async def accuse(self, accusation: Accusation) -> None:
        accusation.check(toy.CHAIN)
        self.accused.append(accusation)

    async def certified(self, first: int, last: int, bytes_max: int) -> Sequence[Certified]:
        await trio.lowlevel.checkpoint()
        return self.chain[max(first, 1) - 1 : last]

    async def _build(self, scope: trio.CancelScope, view: int, parent: Link, built: Callable[[Block], None]) -> None:
        with scope:
            await trio.sleep(self._pace.block_s)
            self._built += 1
            author, (parent, state) = self._author, self._states[parent.hash]
            body = toy.body_of(*(b"%d %d %d" % (view, self._built, number) for number in range(view % 3)))
            time_ms, anchor = max(author.now_ms(), parent.time_ms + 1), max(self._sets.height(), parent.anchor)
            version = (await self._sets.of(parent.anchor, anchor)).version
            header = toy.header_of(toy.Draft(view, author.address, time_ms, anchor, version), parent, body, state)
            block = Block(header, body, await author.propose(header))
            self._came_out(block)
            built(block)

    def _came_out(self, block: Block) -> None:
        self._states[block.hash()] = (Link.of(block.header), block.header.state_root)


def _above(life: Sequence[Kept], view: int) -> Kept:
    """What was kept of views above one."""
    return Kept(
        tuple(said for kept in life for said in kept.said if said.view > view),
        tuple(block for kept in life for block in kept.proposals if block.header.view > view),
        tuple(quorum for kept in life for quorum in kept.quorums if quorum.said.view > view),
    )


def _encode(kept: Kept) -> bytes:
    return codec.encode(
        (
            tuple((int(said.kind), said.view, said.height, said.hash) for said in kept.said),
            tuple(block.encode() for block in kept.proposals),
            tuple(quorum.fields() for quorum in kept.quorums),
            tuple((one.block.encode(), one.certificate.fields()) for one in kept.committed),
        )
    )


@lru_cache(RECORDS_REMEMBERED_MAX)
def _kept_of(record: bytes) -> Kept:
    said, proposals, quorums, committed = codec.decode_trusted(record)
    return Kept(
        tuple(said_of(*one) for one in said),
        tuple(map(Block.decode, proposals)),
        tuple(map(Quorum.of, quorums)),
        tuple(_certified_of(*one) for one in committed),
    )


def _certified_of(block: bytes, certificate: Any) -> Certified:
    return Certified(Block.decode(block), Certificate.of(certificate))
