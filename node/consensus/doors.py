"""
The doors of consensus: to the chain's content, which it never looks into, to who certifies it, and to whoever signs.

`Ledger` is implemented over engine and store (`node/ledger.py`) and in memory with a disk that fails
(`node/simulation/ledger.py`); both keep the same promises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from genesis.chain import Block, Certificate, Header
from genesis.errors import Unavailable
from genesis.membership import Readiness
from node.consensus.accusation import Accusation
from node.consensus.words import Link, Quorum, Rules, Said


@dataclass(frozen=True, slots=True)
class Certified:
    """A block of the chain, for good."""

    block: Block
    certificate: Certificate


@dataclass(frozen=True, slots=True)
class Kept:
    """What must be on disk together before anybody hears of it. proposals: the blocks that notarise votes are for."""

    said: tuple[Said, ...] = ()
    proposals: tuple[Block, ...] = ()
    quorums: tuple[Quorum, ...] = ()
    committed: tuple[Certified, ...] = ()


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    What was kept by an earlier life and still matters: votes, blocks and quorums above the newest certified block.

    tip: that block, a link of height 0 before the first; certificate: its own.
    """

    tip: Link
    certificate: Certificate | None
    kept: Kept


class Ledger(Protocol):
    def remembered(self) -> Remembered:
        """Where to go on. Called once, before anything else."""

    def lead(self, view: int, parent: Link, built: Callable[[Block], None], again: bool) -> None:
        """
        Build a block of this view on `parent`, which has been executed, and hand it to `built` when its time has come.

        Replaces what was asked for before. Returns at once. again: a child of that block is likely to be asked for
        next, so work on it may begin.
        """

    def burden(self) -> str:
        """What keeps this node from leading well, in words; "" when nothing does."""

    def stand_back(self) -> None:
        """Stop building; what was taken in waits for whoever leads now."""

    async def beside(self, work: Callable[[], Sequence[Certified]]) -> Sequence[Certified]:
        """Run what takes long to compute where it holds nobody up."""

    def prepare(self, block: Block) -> None:
        """Do ahead what can be done of executing a certified block; only speed depends on it. Called by such work."""

    async def execute(self, block: Block, vouched: bool) -> bool:
        """
        Run a block whose parent has been executed; whether everything its header says came out, and, unless a quorum
        vouches for it, whether it may stand there: its time, deposits and deployments.

        Raises:
            Unavailable: it cannot be run now.
        """

    async def keep(self, kept: Kept) -> None:
        """
        Sync all of it in one write. Blocks committed were executed before, and follow one another.

        Raises:
            Corrupt: the disk failed; nothing may be signed any more.
        """

    async def diverged(self, block: Block, quorum: Quorum | None) -> str:
        """
        Keep what may tell why a block that a quorum stands behind did not come out here; where that is. Nothing is
        signed any more by then.

        Raises:
            Unavailable: its parent is not here. Corrupt: the engine failed altogether.
        """

    async def accuse(self, accusation: Accusation) -> None:
        """Keep a proof that a validator contradicted itself, synced; nothing when it is known. Raises Corrupt."""

    async def certified(self, first: int, last: int, bytes_max: int) -> Sequence[Certified]:
        """Stored blocks from `first` on, at least one if there is any, in all not much above bytes_max."""


class Sets(Protocol):
    """Which validators certify what, as far as this node has read the settlement chain."""

    def next(self, anchor: int) -> Rules:
        """Of the set that certifies the next block on one with this anchor, up to which all is read."""

    def named(self, version: int, anchor: int) -> Rules:
        """
        Of a set that a block with this anchor names; on any thread.

        Raises:
            Invalid: "wrong_set" when it certifies no such block, whatever its parent. Unavailable: it is not read here.
        """

    async def of(self, parent_anchor: int, anchor: int) -> Rules:
        """Of the set that certifies a block. Raises Unavailable while settlement cannot be read up to its anchor."""


class Withheld(Unavailable):
    """The key is there, and is not used now, for the reason given."""


class Signer(Protocol):
    """
    Holds a validator's key. Refuses to contradict what it signed before, whatever its caller says; the very words it
    has signed it signs again, with the same signature: after a crash nobody knows whether the first one was kept.
    """

    @property
    def address(self) -> bytes:
        """Of the key that signs now."""

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Of all keys it holds, in the order in which they shall sign."""

    async def sign(self, said: Said, rules: Rules) -> bytes:
        """
        Sign a vote.

        Raises:
            Invalid: "double_sign" when it has signed another vote of this kind and view.
            Unavailable: it cannot be asked now; the same words may be signed later.
        """

    async def propose(self, header: Header) -> bytes:
        """Sign a header as its proposer. Raises as `sign`; one that remembers proposals signs one a view."""

    async def declare(self, ready: Readiness) -> bytes:
        """
        Sign that one of its keys is ready to vote, which contradicts nothing it may have signed.

        Raises:
            Invalid: it does not hold that key. Unavailable: it could not sign a vote now either.
        """

    async def probe(self) -> None:
        """See that it could sign now, without a word of consensus. Raises as `sign`."""
