"""
The side that lacks: one snapshot from several peers, each piece proven before it is kept.

    certificate → header → state root → hashes of subtrees → pages        nothing else is believed of the state
    header → roots of receipts, events, withdrawals → what those blocks left

Only what no root vouches for (names and ABIs of programs) rests on a fingerprint that validators gave. A peer whose
piece does not prove itself is reported and left out; the piece comes from another. Until the one write at the end the
chain is as it was; a node that dies before it and starts again has the pages that had come, proves them anew, and asks
for those alone that it lacks, also when the snapshot is of a later height by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import trio

from execution.executor import ProgramTree
from execution.vm.checkpoint import check_meta, decode_trees, fingerprint
from genesis import chain, codec, crypto
from genesis.chain import Certificate, Header, Withdrawal
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.membership import ValidatorSet
from genesis.merkle import ABSENT, SUBTREE_PAGES, subtree_hash
from genesis.spec import ChainSpec
from node.log import logger
from node.open_block import decode_results
from node.recovery import stored_block
from node.store import Store, StoredBlock
from node.sync import wire
from node.sync_meter import SyncMeter
from p2p.network import Network, Offence, Peer

PEERS_MAX = 4
ASKED_OF_PEER_MAX = 2
ANSWER_TIMEOUT_S = 10.0
SETS_BEFORE_MAX = 1
"""Validator sets before the newest known one that may have certified a snapshot: who left long ago is not believed."""

T = TypeVar("T")

log = logger("sync")


@dataclass(frozen=True, slots=True)
class _Subtree:
    """SUBTREE_PAGES pages of a program, and their hash under the state root."""

    program: int
    number: int
    hash: bytes


class Download:
    """
    sets: validator sets by version, the newest that settlement has among them. code: fingerprint of the programs'
    code, as validators gave it. sources: peers that serve this height.
    """

    def __init__(
        self,
        spec: ChainSpec,
        store: Store,
        network: Network,
        sets: Sequence[ValidatorSet],
        height: int,
        code: bytes,
        sources: Sequence[Peer],
        meter: SyncMeter | None = None,
    ) -> None:
        self._spec, self._store, self._network, self._sets = spec, store, network, sets
        self._height, self._code, self._meter = height, code, meter or SyncMeter()
        self._sources = list(sources)
        self._left: deque[_Subtree] = deque()
        self.left_out: set[Peer] = set()
        """Sources that failed or lied."""

    async def prove(self) -> None:
        """Only see that validators have certified this height. Raises Unavailable."""
        await self._blob(wire.BLOCK, self._height, partial(self._checked_block, self._height))

    async def run(self) -> None:
        """
        Replace the store's chain by this snapshot and the blocks that end there.

        Raises:
            Unavailable: no peer brings all of it; the store is as it was.
        """
        header, _ = await self._blob(wire.BLOCK, self._height, partial(self._checked_block, self._height))
        trees = await self._blob(wire.TREES, 0, lambda data: (decode_trees(data, header.state_root), data))
        meta = await self._blob(wire.META, 0, partial(self._checked_meta, trees[0]))
        blocks = await self._blocks()
        await trio.to_thread.run_sync(self._store.begin_snapshot)
        await self._take_pages(trees[0])
        adopt = partial(self._store.adopt_snapshot, self._height, meta, trees[1], blocks, header.view)
        await trio.to_thread.run_sync(adopt)
        log.info("snapshot taken", height=self._height, blocks=len(blocks))

    # What comes in pieces

    async def _blob(self, kind: int, number: int, check: Callable[[bytes], T]) -> T:
        """Whole from one peer, or from the next one; checked on a thread. Raises Unavailable."""
        while self._sources:
            peer = self._sources[0]
            try:
                data = await self._whole(peer, kind, number)
            except (Invalid, Unavailable) as error:
                self._leave_out(peer, error, lied=False)
                continue
            try:
                return await trio.to_thread.run_sync(check, data)
            except (Invalid, Corrupt) as error:
                self._leave_out(peer, error, lied=True)
        raise Unavailable(f"No peer brings the snapshot of height {self._height}; a newer one may come.")

    async def _whole(self, peer: Peer, kind: int, number: int) -> bytes:
        """
        At most SIZES_MAX, in pieces as large as they may be, so that nobody can go on without end.

        Raises:
            Invalid, Unavailable.
        """
        pieces: list[bytes] = []
        had, size = 0, 0
        while not pieces or had < size:
            question = wire.encode_numbers(self._height, kind, number, had)
            told, piece = wire.decode_part(await self._network.request(peer, wire.PART, question, ANSWER_TIMEOUT_S))
            size = size or told
            due = min(wire.PART_BYTES_MAX, size - had)
            if told != size or not 0 < size <= wire.SIZES_MAX[kind] or len(piece) != due:
                raise Invalid(f"{len(piece)} bytes at {had} of {told} are no piece of {size}.", "malformed")
            pieces.append(piece)
            self._meter.came(len(piece))
            had += len(piece)
        return b"".join(pieces)

    def _leave_out(self, peer: Peer, error: Exception, lied: bool) -> None:
        if peer not in self._sources:
            return
        self._sources.remove(peer)
        self.left_out.add(peer)
        if lied:
            self._meter.lies += 1
            self._network.report(peer, Offence.FORGED)
        log.warning("peer is asked no more for the snapshot", peer=peer, lied=lied, reason=str(error))

    def _checked_meta(self, trees: Sequence[ProgramTree], meta: bytes) -> bytes:
        """Raises Invalid."""
        check_meta(meta, self._height, trees)
        if fingerprint(meta) != self._code:
            raise Invalid("The programs' names and ABIs are not what validators vouch for.", "bad_checkpoint")
        return meta

    # Blocks

    async def _blocks(self) -> list[StoredBlock]:
        """The snapshot's block, and those below it that the next one and its commitment span refer to, ascending."""
        spec = self._spec
        needed = max(1, self._height + 1 - spec.deployment_delay_blocks)
        first, _ = chain.commitment_span(needed, spec.commitment_blocks)
        blocks: list[StoredBlock] = []
        burnt: list[Withdrawal] = []
        for height in range(first, self._height + 1):
            if chain.commitment_span(height, spec.commitment_blocks)[0] == height:
                burnt = []
            check = partial(self._checked_block, height, burnt=burnt)
            row, own = await self._blob(wire.BLOCK, height, lambda data: check(data)[1])  # noqa: B023
            blocks.append(row)
            burnt = [*burnt, *own]
        return blocks

    def _checked_block(
        self, height: int, data: bytes, burnt: Sequence[Withdrawal] | None = None
    ) -> tuple[Header, tuple[StoredBlock, Sequence[Withdrawal]]]:
        """
        A certified block, what it left, and its withdrawals; these are only right if `burnt` says what its commitment
        span had before it. Raises Invalid, or Corrupt where our own decoders say so.
        """
        header_row, body, receipts = codec.decode_array(data, 3, wire.SIZES_MAX[wire.BLOCK], "A block with results")
        try:
            block, certificate = stored_block(StoredBlock(height, header_row, body, receipts))
            results = decode_results(receipts)
        except (TypeError, ValueError) as error:
            raise Invalid(f"Block {height} and its results do not decode: {error}", "malformed") from error
        header = block.header
        span = None if burnt is None else chain.withdrawals_root([*burnt, *results.withdrawals])
        right = (
            header.height == height
            and crypto.recover(header.proposal_digest(), block.signature) == header.proposer
            and block.body.root() == header.body_root
            and chain.receipts_root(receipt.encode() for receipt in results.receipts) == header.receipts_root
            and chain.events_root((e.program, e.event, e.data) for e in results.events) == header.events_root
            and span in (None, header.withdrawals_root)
        )
        if not right:
            raise Invalid(f"This is not block {height} and what it left.", "wrong_block")
        self._check_certificate(header, certificate)
        transactions = [receipt.transaction for receipt in results.receipts]
        return header, (StoredBlock(height, header_row, body, receipts, transactions), results.withdrawals)

    def _check_certificate(self, header: Header, certificate: Certificate) -> None:
        known = [one for one in self._sets[-1 - SETS_BEFORE_MAX :] if one.version == header.validators]
        if not known or (certificate.height, certificate.block_hash) != (header.height, header.hash()):
            raise Invalid(f"Block {header.height} is not certified by the present validators.", "wrong_certificate")
        chain.check_certificate(certificate, self._spec.chain_id, known[0].stakes)

    # Pages

    async def _take_pages(self, trees: Sequence[ProgramTree]) -> None:
        """Raises Unavailable when some are left that nobody brings."""
        wanted = {
            (program, number): tree.subtrees[32 * number : 32 * number + 32]
            for program, tree in enumerate(trees)
            for number in range(len(tree.subtrees) // 32)
        }
        wanted = {at: root for at, root in wanted.items() if root != ABSENT}
        self._meter.pieces, self._meter.pieces_total = 0, len(wanted)
        await trio.to_thread.run_sync(self._find_gathered, wanted)
        self._left.extend(_Subtree(*at, root) for at, root in wanted.items())
        while self._left and self._sources:  # once more for what a peer that fails leaves to those that had ended
            asked = self._sources[:PEERS_MAX]
            self._meter.peers = len(asked)
            async with trio.open_nursery() as nursery:
                for peer in asked:
                    nursery.start_soon(self._ask, peer)
        if self._left:
            raise Unavailable(f"{len(self._left)} pieces of the snapshot of {self._height} are brought by no peer.")

    def _find_gathered(self, wanted: dict[tuple[int, int], bytes]) -> None:
        """
        Take out of `wanted`, hashes by program and subtree, what an earlier download has brought; drop what does not
        belong here. On a thread.
        """
        found = 0
        for program, first, pages in self._store.gathered(SUBTREE_PAGES):
            trio.from_thread.check_cancelled()
            at = program, first // SUBTREE_PAGES
            if _hash(first, pages) == wanted.get(at):
                del wanted[at]
                found += 1
                self._meter.pieces = found
            else:
                self._store.drop_gathered(program, pages)
        if found:
            log.info("going on with a snapshot", pieces=found, left=len(wanted))

    async def _ask(self, peer: Peer) -> None:
        """Ask one peer for piece after piece, until none is left or one fails."""
        async with trio.open_nursery() as nursery:
            for _ in range(ASKED_OF_PEER_MAX):
                nursery.start_soon(self._bring_pages, peer, nursery.cancel_scope)

    async def _bring_pages(self, peer: Peer, scope: trio.CancelScope) -> None:
        while self._left:
            wanted = self._left.popleft()
            try:
                kept = await self._piece(peer, wanted)
            except BaseException:
                self._left.append(wanted)
                raise
            if not kept:
                self._left.append(wanted)
                scope.cancel()
                return

    async def _piece(self, peer: Peer, wanted: _Subtree) -> bool:
        """Whether the peer has brought it."""
        question = wire.encode_numbers(self._height, wanted.program, wanted.number)
        try:
            data = await self._network.request(peer, wire.PAGES, question, ANSWER_TIMEOUT_S)
        except (Invalid, Unavailable) as error:
            self._leave_out(peer, error, lied=False)
            return False
        try:
            await trio.to_thread.run_sync(self._keep, wanted, data)
        except Invalid as error:
            self._leave_out(peer, error, lied=True)
            return False
        self._meter.pieces += 1
        self._meter.came(len(data))
        return True

    def _keep(self, wanted: _Subtree, data: bytes) -> None:
        """Raises Invalid unless the pages have the hash wanted."""
        first = wanted.number * SUBTREE_PAGES
        pages = wire.decode_pages(data, first)
        if _hash(first, pages) != wanted.hash:
            raise Invalid(f"Pages {first} and on of program {wanted.program} are not those of the root.", "bad_proof")
        self._store.add_pages(wanted.program, pages)


def _hash(first: int, pages: Mapping[int, bytes]) -> bytes:
    """Of the subtree whose first page that is; those that are not given are all zeros."""
    return subtree_hash([pages.get(first + at, b"") for at in range(SUBTREE_PAGES)])
