"""
What a leader has begun, on its way to whoever leads next: its block's opening, and every batch before it runs.

The next leader goes on under the same opening, so that what clients were told as executed comes out the same to the
bit. It believes nothing: signers are recovered, and the opening must satisfy what a proposal's must. A proposal tells
all of its block, whatever of its batches was lost. What cannot go on as it stands, or comes when another block has
begun, is left as `orphans`: transactions that are to run again, whoever had run them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, Protocol

import trio

from execution.executor import Opening
from execution.transition import opening_of
from genesis import codec, crypto
from genesis.chain import Block, InboxEntry, SignedTransaction, decode, inbox_entry
from genesis.errors import Invalid, Unavailable
from genesis.spec import ChainSpec
from genesis.transaction import KINDS_WITH_SOURCE
from node.consensus.post import Post
from node.log import logger
from node.open_block import Anchor
from node.tip import Tip, gap_ms
from p2p.network import Message, Network, Peer

BATCHES = "batches/2"
BATCHES_WAITING_MAX = 64
"""For one peer; beyond it the oldest are lost to it, and with them what follows in their block."""
BATCH_BYTES_MAX = 4 << 20
HEIGHTS_MAX = 4
"""Of one leader: a block on its way to be certified, the next one, and room."""
BATCHES_MAX = 1_024
"""Of one block; what comes later is not kept."""
BLOCK_BYTES_MAX = 6 << 20
"""Of one block; what comes later is not kept."""
ORPHANS_MAX, ORPHAN_BYTES_MAX = 100_000, 64 << 20
"""Beyond either the oldest are forgotten."""
ORPHAN_BLOCKS_MAX = 16
"""After so many blocks more, whoever led has run them or nobody will."""

log = logger("heritage")


@dataclass(frozen=True, slots=True)
class Left:
    """A block that another leader had begun. complete: it had been sealed; there is a next one."""

    opening: Opening
    anchor: Anchor
    batches: tuple[tuple[SignedTransaction, ...], ...]
    complete: bool


class Heirs(Protocol):
    """Where a leader's work comes from and goes to."""

    def tell(self, opening: Opening, anchor: Anchor, number: int, batch: Sequence[SignedTransaction]) -> None:
        """This node leads and is about to run batch `number` of its open block."""

    async def left(self, tip: Tip, before: Sequence[bytes]) -> Left | None:
        """What one of these, the first that did, had begun above `tip`; each block is given once."""

    async def take_over(self, block: Block, parent: Tip, before: Sequence[bytes]) -> bool:
        """
        Go on from what was executed here and failed, as it is, to propose it again; whether that can be: not if it is
        voted for no more, or one of these, who led after its proposer, had begun something else. What was begun on it
        is `left` from now on.
        """


class NoHeirs:
    """Of a validator alone."""

    def tell(self, opening: Opening, anchor: Anchor, number: int, batch: Sequence[SignedTransaction]) -> None:
        return

    async def left(self, tip: Tip, before: Sequence[bytes]) -> Left | None:
        return None

    async def take_over(self, block: Block, parent: Tip, before: Sequence[bytes]) -> bool:
        return False

    def meet(self, peers: Mapping[bytes, Peer]) -> None:
        return

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()

    def proposed(self, block: Block) -> None:
        return

    def certified(self, block: Block) -> None:
        return

    def orphans(self, count_max: int) -> list[bytes]:
        return []


class OpeningJudge(Protocol):
    async def check_opening(self, opening: Opening, anchor: Anchor, parent: Tip) -> None:
        """Raises Invalid when no validator would vote for such a block, Unavailable when that cannot be told now."""


@dataclass(frozen=True, slots=True)
class _Head:
    """What a leader chose when it opened a block; the rest follows from the parent."""

    time_ms: int
    parent: bytes
    inbox: tuple[InboxEntry, ...]
    anchor: Anchor


@dataclass(slots=True)
class _Begun:
    """
    batches: from the first on, without a gap. loose: of batches behind a gap. sealed: all of them are here. taken: this
    node has gone on with it, or could not.
    """

    head: _Head
    batches: list[Sequence[bytes]]
    size: int = 0
    loose: list[Sequence[bytes]] = field(default_factory=list)
    sealed: bool = False
    taken: bool = False


class Heritage:
    """See `Heirs`. peers: the other validators, by address."""

    def __init__(
        self,
        spec: ChainSpec,
        own: bytes,
        network: Network,
        peers: Mapping[bytes, Peer],
        judge: OpeningJudge,
        now_ms: Callable[[], int],
    ) -> None:
        self._spec, self._own, self._network, self._judge, self._now_ms = spec, own, network, judge, now_ms
        self._addresses = {peer: address for address, peer in peers.items()}
        self._post = Post(network, tuple(peers.values()), {BATCHES: BATCHES_WAITING_MAX}, _nobody, _nobody)
        self._begun: dict[bytes, dict[int, _Begun]] = {address: {} for address in peers}
        self._orphans: deque[tuple[int, bytes]] = deque()
        """With the height that each was run at."""
        self._orphan_bytes = 0
        self._goes_on: tuple[tuple[bytes, ...], int, int] | None = None
        """Whose sealed block was taken over last, and who led before; its height and time."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._post.run)
            messages = self._network.listen(BATCHES)
            task_status.started()
            async for message in messages:
                self._hear(message)

    def meet(self, peers: Mapping[bytes, Peer]) -> None:
        """The other validators are these from now on."""
        self._addresses = {peer: address for address, peer in peers.items()}
        self._begun = {address: self._begun.get(address, {}) for address in peers}
        self._post.meet(peers.values())

    def statistics(self) -> dict[str, int]:
        return {"blocks": sum(map(len, self._begun.values())), "orphans": len(self._orphans)}

    # A leader's side

    def tell(self, opening: Opening, anchor: Anchor, number: int, batch: Sequence[SignedTransaction]) -> None:
        head: Any = None
        if number == 0:
            inbox = tuple(entry.fields() for entry in opening.inbox)
            head = (opening.time_ms, opening.parent, inbox, anchor.number, anchor.hash, anchor.count)
        raws = tuple(signed.raw for signed in batch)
        self._post.send(BATCHES, codec.encode((opening.height, number, head, raws)))

    # A follower's side

    def _hear(self, message: Message) -> None:
        author = self._addresses.get(message.peer)
        if author is None:
            return
        try:
            self._take_in(self._begun[author], message.payload)
        except Invalid as error:
            log.warning("peer tells of what is no batch", peer=message.peer, reason=str(error))

    def _take_in(self, begun: dict[int, _Begun], payload: bytes) -> None:
        """Raises Invalid."""
        height, number, head, raws = codec.decode_array(payload, 4, BATCH_BYTES_MAX, "A batch", depth_max=4)
        codec.check_uint(height, 63, "A batch's height")
        codec.check_uint(number, 31, "A batch's number")
        rows = codec.expect_array(raws, None, "A batch's transactions")
        if not all(type(raw) is bytes for raw in rows):
            raise Invalid("A batch's transactions are bytes.", "malformed")
        if number == 0 and not _is_told(begun.get(height), opening := _head_of(head)):
            for gone in [one for one in begun if one >= height]:
                del begun[gone]
            self._begin(begun, height, _Begun(opening, []))
        block = begun.get(height)
        if block is None or block.sealed or number >= BATCHES_MAX or block.size + len(payload) > BLOCK_BYTES_MAX:
            return
        block.size += len(payload)
        if block.taken:
            self._orphan(height, [rows])
        else:
            (block.batches if number == len(block.batches) else block.loose).append(rows)

    def _begin(self, begun: dict[int, _Begun], height: int, block: _Begun) -> None:
        begun[height] = block
        while len(begun) > HEIGHTS_MAX:
            del begun[min(begun)]

    def proposed(self, block: Block) -> None:
        """A block signed by its proposer, who may have told of all of it, of some, or of nothing yet."""
        header, begun = block.header, self._begun.get(block.header.proposer)
        if begun is None or _is_told(begun.get(header.height), head := _head_in(block)):
            return
        after = begun.get(header.height + 1)
        if after is not None and after.head.parent != block.hash():
            for gone in [one for one in begun if one > header.height]:
                del begun[gone]
        batches: list[Sequence[bytes]] = [batch.transactions for batch in block.body.batches]
        self._begin(begun, header.height, _Begun(head, batches, sealed=True))

    def certified(self, block: Block) -> None:
        """A block is for good; what others than its proposer had begun up to it, and is not in it, is orphaned."""
        height = block.header.height
        for author, begun in self._begun.items():
            for gone in [one for one in begun if one <= height]:
                other = begun.pop(gone)
                batches = [batch for batch in (*other.batches, *other.loose) if batch]
                if author != block.header.proposer and batches:
                    there = {raw for batch in block.body.batches for raw in batch.transactions}
                    self._orphan(gone, [[raw for raw in batch if raw not in there] for batch in batches])
        while self._orphans and self._orphans[0][0] + ORPHAN_BLOCKS_MAX < height:
            self._oldest_orphan()

    def orphans(self, count_max: int) -> list[bytes]:
        """Transactions, as they were signed, that this node is to run if it leads; each is given once."""
        return [self._oldest_orphan() for _ in range(min(count_max, len(self._orphans)))]

    async def left(self, tip: Tip, before: Sequence[bytes]) -> Left | None:
        height, goes_on = tip.height + 1, self._goes_on
        own = tip.header is not None and tip.header.proposer == self._own
        follows = goes_on is not None and own and goes_on[1:] == (tip.height, tip.time_ms)
        followed = goes_on[0] if goes_on is not None and follows else ()
        self._goes_on = None
        for number, author in enumerate((*followed, *before)):
            begun = self._begun.get(author, {})
            block = begun.get(height)
            if block is None or block.taken:
                continue
            begun[height] = _Begun(block.head, [], block.size, sealed=block.sealed, taken=True)
            found = None
            if block.head.parent == tip.hash or number < len(followed):
                found = await self._judged(block, tip, block.sealed or height + 1 in begun)
            self._orphan(height, (*block.batches[len(found.batches) if found else 0 :], *block.loose))
            if found is not None:
                if found.complete:
                    self._goes_on = (author, *before), height, found.opening.time_ms
                return found
        return None

    async def take_over(self, block: Block, parent: Tip, before: Sequence[bytes]) -> bool:
        header, batches = block.header, [batch.transactions for batch in block.body.batches]
        for author in takewhile(lambda one: one != header.proposer, before):
            begun = self._begun.get(author, {}).get(header.height)
            if begun is not None and any(begun.batches) and begun.batches != batches[: len(begun.batches)]:
                return False
        try:
            await self._judge.check_opening(opening_of(block, ()), _head_in(block).anchor, parent)
        except (Invalid, Unavailable) as error:
            log.info("what failed cannot be proposed again", height=header.height, reason=str(error))
            return False
        self._goes_on = (header.proposer, *before), header.height, header.time_ms
        return True

    async def _judged(self, block: _Begun, tip: Tip, complete: bool) -> Left | None:
        """None when it cannot be taken over at all. A deployment would have to be compiled first, and ends it."""
        head, height = block.head, tip.height + 1
        gap = gap_ms(tip.time_ms, head.time_ms, height, self._spec)
        active = tip.waiting_deployments.get(height, ())
        opening = Opening(height, head.time_ms, gap, tip.hash, head.inbox, active)
        try:
            if head.time_ms > self._now_ms() + self._spec.time_ahead_ms_max:
                raise Invalid("It is of the future.", "bad_time")
            await self._judge.check_opening(opening, head.anchor, tip)
            batches = await trio.to_thread.run_sync(lambda: [tuple(map(decode, batch)) for batch in block.batches])
        except (Invalid, Unavailable) as error:
            log.info("what a leader had begun cannot be taken over", height=height, reason=str(error))
            return None
        kept = tuple(takewhile(_needs_no_compiler, batches))
        return Left(opening, head.anchor, kept, complete and len(kept) == len(batches)) if kept else None

    def _orphan(self, height: int, batches: Sequence[Sequence[bytes]]) -> None:
        for raw in (raw for batch in batches for raw in batch):
            self._orphans.append((height, raw))
            self._orphan_bytes += len(raw)
        while len(self._orphans) > ORPHANS_MAX or self._orphan_bytes > ORPHAN_BYTES_MAX:
            self._oldest_orphan()

    def _oldest_orphan(self) -> bytes:
        """Which is no orphan any more."""
        _, raw = self._orphans.popleft()
        self._orphan_bytes -= len(raw)
        return raw


def _needs_no_compiler(batch: Sequence[SignedTransaction]) -> bool:
    return all(signed.transaction.kind not in KINDS_WITH_SOURCE for signed in batch)


def _is_told(block: _Begun | None, head: _Head) -> bool:
    """Whether all of this very block is here, or it was taken: what is told of it on another stream comes late."""
    return block is not None and (block.sealed or block.taken) and block.head == head


def _head_in(block: Block) -> _Head:
    header = block.header
    anchor = Anchor(header.anchor_number, header.anchor_hash, header.inbox_count)
    return _Head(header.time_ms, header.parent, block.body.inbox, anchor)


def _head_of(members: object) -> _Head:
    """Raises Invalid."""
    time_ms, parent, inbox, number, anchor_hash, count = codec.expect_array(members, 6, "A block's opening")
    for value in (time_ms, number, count):
        codec.check_uint(value, 63, "A number of a block's opening")
    for name in (parent, anchor_hash):
        codec.check_bytes(name, crypto.HASH_BYTES, "A hash of a block's opening")
    entries = tuple(map(inbox_entry, codec.expect_array(inbox, None, "A block's inbox")))
    return _Head(time_ms, parent, entries, Anchor(number, anchor_hash, count))


def _nobody(_: Peer) -> None:
    """Batches missed are of no interest later."""
