"""
Carries out what the protocol asks for: one task that takes events in order, and what it set going beside it.

An event is fed to `Simplex`, its actions are worked off until none is left; then all that must survive is synced in one
write; only then does anything leave this node. So a crash can lose what nobody has heard, and nothing else. When
another validator set certifies what follows the newest block, another machine goes on from there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import trio

from genesis.chain import Block, check_certificate
from genesis.errors import Invalid, Unavailable
from node.consensus import reasons, recall, wire
from node.consensus.accusation import Accusation
from node.consensus.actions import Accuse, Action, Cast, Commit, Diverge, Execute, Expose, Fetch, Lead, Remind
from node.consensus.doors import Certified, Kept, Ledger, Sets, Signer, Withheld
from node.consensus.post import BLOCKS_WAITING_MAX, VOTES_WAITING_MAX, Post
from node.consensus.ranges import WINDOW_BLOCKS, Fetched, Ranges
from node.consensus.reasons import Reason
from node.consensus.recall import Recall
from node.consensus.simplex import Memory, Simplex
from node.consensus.toll import Toll
from node.consensus.words import Ballot, Link, Quorum, Said, ballot_of, check_quorum, taken_over
from node.log import logger
from node.sync_meter import SyncMeter
from p2p.network import Message, Network, Offence, Peer, Statistics

EVENTS_WAITING_MAX = 4_096
VIEWS_AHEAD_PUSHED_MAX = 4
"""A block that nobody asked for is taken in that far ahead of the present view."""
BEHIND_BLOCKS = 2
"""A peer whose certified height is that far above makes this node catch up by ranges instead of by votes."""
ASK_TIMEOUT_S = 2.0
EARLY_GLANCE_MS = 50
"""How often a node that waits for a block's time looks whether the view has passed meanwhile."""
EXECUTE_AGAIN_S = 0.02
"""How long a block waits that could not be executed now."""
EVIDENCE_MAX = 64
GLANCE_S = 0.05
"""How often a node that may not vote yet looks whether it may."""
SIGN_AGAIN_S = 0.25
"""How often a vote waits for a signer that is away."""

log = logger("consensus")

Event = Callable[[int], list[Action]]
"""Feeds the machine; given the time."""


@dataclass(slots=True)
class Counters:
    """Since the start."""

    committed: int = 0
    voted: int = 0
    reminded: int = 0
    fetched: int = 0
    caught_up: int = 0
    blamed: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Stage:
    """What an event left: to be synced, then to be sent, then to be set going."""

    said: list[Said] = field(default_factory=list)
    proposals: list[Block] = field(default_factory=list)
    quorums: list[Quorum] = field(default_factory=list)
    committed: list[Certified] = field(default_factory=list)
    ballots: list[Ballot] = field(default_factory=list)
    blocks: list[wire.Proposal] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    def kept(self) -> Kept:
        return Kept(tuple(self.said), tuple(self.proposals), tuple(self.quorums), tuple(self.committed))


class Consensus:
    """One node's part among the validators, from a ledger that was brought to its newest certified block."""

    def __init__(
        self,
        sets: Sets,
        signer: Signer | None,
        network: Network,
        peers: Mapping[bytes, Peer],
        ledger: Ledger,
        now_ms: Callable[[], int],
        time_ahead_ms_max: int,
        make: Callable[..., Simplex] = Simplex,
        recalls: bool = True,
        sync: SyncMeter | None = None,
    ) -> None:
        """
        Args:
            signer: None for a node that only follows.
            peers: validators' addresses → names in the network, without this node.
            now_ms: wall clock; only differences and `time_ahead_ms_max` depend on it.
            recalls: asks the others what it has signed before it votes; not needed again in one life of a node.
        """
        self._sets, self._signer, self._network, self._ledger, self._make = sets, signer, network, ledger, make
        self._peers = dict(peers)
        self._now_ms, self._ahead_ms = now_ms, time_ahead_ms_max
        rooms = {wire.VOTES: VOTES_WAITING_MAX, wire.BLOCKS: BLOCKS_WAITING_MAX}
        self._post = Post(network, tuple(sorted(self._peers.values())), rooms, self._greet, self._lost)
        remembered = ledger.remembered()
        self._blocks = {block.hash(): block for block in remembered.kept.proposals}
        self._rules = rules = sets.next(remembered.tip.anchor)
        tip, certificate = taken_over(remembered.tip, rules), remembered.certificate
        certificates = () if certificate is None or tip != remembered.tip else (Quorum.of_certificate(certificate),)
        memory = Memory(
            remembered.kept.said,
            tuple(map(Link.of, (block.header for block in remembered.kept.proposals))),
            (*certificates, *remembered.kept.quorums),
        )
        self._remembered = remembered.kept.said
        self.machine = make(rules, self._address(), tip, memory, self._clock())
        self._recalls = recalls
        self._recall = self._begin_recall(remembered.kept)
        self._send, self._events = trio.open_memory_channel[Event](EVENTS_WAITING_MAX)
        self._stage = _Stage()
        self._proofs: tuple[Quorum, ...] = ()
        self._executing: deque[tuple[Link, bool]] = deque()
        self._work = trio.Event()
        self._catching_up = False
        self._held_up, self._early_ms = "", 0
        self._ranges = Ranges(network, self._check_certified, ledger.prepare, ledger.beside, sync)
        self._unsigned: list[Cast] = []
        self._withheld = False
        self._away = ""
        self.counters = Counters()
        self.evidence: list[tuple[Ballot, Ballot]] = []
        self.exposed: list[tuple[Link, Link]] = []
        self.diverged: Link | None = None
        self.moved: Callable[[], None] = lambda: None
        """Called when another view has begun."""
        self._declined = -1
        """Certified height at which leading was last left to others."""
        self._leaving = False
        self._fault = ""
        """Where what may tell why is kept."""

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """
        Until cancelled.

        Raises:
            Corrupt: the disk failed, or more than a third of the stake has contradicted itself.
        """
        votes, blocks = self._network.listen(wire.VOTES), self._network.listen(wire.BLOCKS)
        self._network.serve(wire.BLOCK, self._answer_block)
        self._network.serve(wire.RANGE, self._answer_range)
        self._network.serve(wire.KNOWN, self._answer_known)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            nursery.start_soon(self._post.run)
            nursery.start_soon(self._receive, votes, wire.VOTES, self._votes)
            nursery.start_soon(self._receive, blocks, wire.BLOCKS, self._proposal)
            nursery.start_soon(self._execute)
            await self._begin()
            if self._recall is not None:
                nursery.start_soon(self._find_voice, self._recall)
            task_status.started()
            await self._loop()

    def leave(self) -> None:
        """Leave leading to others from now on, and at once if this node leads; it votes on."""
        self._leaving = True

        def event(now_ms: int) -> list[Action]:
            leads = self.machine.standing().leads
            return self.machine.resign(now_ms) if leads and self._declines() else []

        self._event(event)

    def meet(self, peers: Mapping[bytes, Peer]) -> None:
        """The others are these from now on."""
        self._peers = dict(peers)
        self._post.meet(sorted(self._peers.values()))

    def statistics(self) -> dict[str, int]:
        return {
            "view": self.machine.view,
            "certified": self.machine.committed.height,
            "committed": self.counters.committed,
            "voted": self.counters.voted,
            "reminded": self.counters.reminded,
            "fetched": self.counters.fetched,
            "caught_up": self.counters.caught_up,
            "messages_lost": self._post.lost,
            "peers_blamed": self.counters.blamed,
            "refused_by_signer": self.counters.refused,
            "evidence": len(self.evidence) + len(self.exposed),
        }

    def view(self) -> dict[str, Any]:
        """
        For people: who leads, what this node waits for, and if it does not vote, why and what to do. votes is true
        exactly when why is "".
        """
        standing, connected = self.machine.standing(), self.connected()
        me = self._signer.address if self._signer else None
        members = [
            {"address": address, "stake": stake, "connected": address in connected}
            for address, stake in self._rules.stakes.items()
        ]
        found = self.reasons()
        return {
            "validator": me,
            "votes": not found,
            "why": found[0].why if found else "",
            "remedy": found[0].remedy if found else "",
            "burden": self._ledger.burden(),
            "view": standing.view,
            "leader": standing.leader,
            "waits_for": standing.waits,
            "failed_views": standing.failed_views,
            "certified_height": standing.committed,
            "validators": members,
            "evidence": [ballot.signer for ballot, _ in self.evidence] + [link.proposer for link, _ in self.exposed],
            "counters": self.statistics(),
        }

    def reasons(self) -> list[Reason]:
        """Why this node's votes do not count, the gravest first; empty when they do."""
        if self._signer is None:
            return [reasons.follows()]
        if self.diverged is not None:
            return [reasons.diverged(self.diverged.height, self._fault)]
        if self.machine.me is None and self._recall is None:
            return [reasons.not_in_set(self._rules.version)]
        found = [] if self._recall is None else [reasons.recalling(self._recall.why())]
        if not self.has_quorum():
            connected, stakes = self.connected(), self._rules.stakes
            found.append(reasons.cut_off(sum(stakes[one] for one in connected), 2 * sum(stakes.values()) // 3 + 1))
        if self._ranges.pruned:
            found.append(reasons.pruned())
        if self._away:
            found.append(reasons.unfit(self._away) if self._withheld else reasons.signer_away(self._away))
        if self._catching_up:
            found.append(reasons.catching_up(self.machine.committed.height))
        if self._early_ms:
            found.append(reasons.clock(self._early_ms))
        if self._held_up:
            found.append(reasons.held_up(self._held_up))
        return found

    def unready(self) -> str:
        """What would keep its votes from counting if its key were in the set; "" when nothing would."""
        found = [reason for reason in self.reasons() if reason.word != "not_in_set"]
        if not found and self.lags():
            found = [reasons.pruned() if self._ranges.pruned else reasons.catching_up(self.machine.committed.height)]
        return found[0].why if found else ""

    def lags(self) -> bool:
        """Whether it takes blocks by ranges, or lacks such as its peers have pruned."""
        return self.diverged is None and (self._catching_up or self._ranges.pruned)

    def connected(self) -> set[bytes]:
        """Validators of the set that can be reached now, this one included."""
        return self._validators(self._network.peers())

    def _validators(self, names: Collection[Peer]) -> set[bytes]:
        """Those of the set at these nodes, and this one."""
        own = self._signer.address if self._signer else None
        return {one for one in self._rules.stakes if one == own or self._peers.get(one) in names}

    def has_quorum(self) -> bool:
        """Whether enough validators can be reached for blocks to be certified."""
        return self._rules.has_quorum(self.connected())

    def suffice(self, names: Collection[Peer]) -> bool:
        """Whether the validators at these nodes and this one are a quorum."""
        return self._rules.has_quorum(self._validators(names))

    def spare(self) -> int | None:
        """How many connected validators may be lost, heaviest first, with a quorum left; None when alone."""
        if not self._peers:
            return None
        connected = self.connected()
        others = sorted(connected & self._peers.keys(), key=lambda one: self._rules.stakes[one])
        own = connected - self._peers.keys()
        spare = 0
        while others and self._rules.has_quorum((*others[:-1], *own)):
            others.pop()
            spare += 1
        return spare

    def network(self) -> Statistics:
        return self._network.statistics()

    # The loop

    async def _begin(self) -> None:
        if self.machine.me is not None:
            await self._do(self._said_before())
        await self._do(self.machine.start(self._clock()))
        await self._flush()

    def _said_before(self) -> list[Action]:
        """What an earlier life had synced is signed again: whether it was ever sent, nobody knows."""
        return [Cast(said, None, ()) for said in self._remembered if said.view > self.machine.committed.view]

    def _begin_recall(self, kept: Kept) -> Recall | None:
        """
        For a validator that has not voted in this life: what it remembers of the present set's views is not believed
        before the others were asked.
        """
        me = self.machine.me
        if not self._recalls or not self._peers or me is None:
            return None
        self.machine.silence()
        return Recall(self._rules, me, self._network, self._peers, self.machine.committed.view, kept)

    async def _find_voice(self, asked: Recall) -> None:
        """Vote once nothing that the others have heard of this validator can be contradicted."""
        await asked.ask(self._told)
        while asked is self._recall and not asked.may_vote(self.machine.view, self.machine.committed.view):
            await trio.sleep(GLANCE_S)
        self._event(partial(self._speak, asked))

    def _told(self, peer: Peer, votes: wire.Votes) -> None:
        """What else is in an answer about this validator: how far its teller is. Raises Invalid."""
        self._event(partial(self.machine.learn, self._new(votes.quorums)))
        self._compare(peer, votes)

    def _speak(self, asked: Recall, now_ms: int) -> list[Action]:
        if asked is not self._recall:
            return []  # another set has taken over, of which the others are asked anew
        self._recall, self._recalls = None, False
        if self.diverged is not None or self._signer is None:
            return []
        self._stage.after.append(self._repeat_own)  # who greeted this node before has not been told of it
        return [*self._said_before(), *self.machine.speak(self._signer.address, asked.floor, now_ms)]

    async def _loop(self) -> None:
        while True:
            event: Event = self.machine.tick
            with trio.move_on_after(max(0, self.machine.wake_ms() - self._clock()) / 1000):
                event = await self._events.receive()
            view = self.machine.view
            await self._take(event)
            while True:
                try:
                    event = self._events.receive_nowait()
                except trio.WouldBlock:
                    break
                await self._take(event)
            await self._flush()
            await self._hand_over()
            if self.machine.view != view:
                if not self.machine.standing().leads:
                    self._ledger.stand_back()
                self.moved()

    async def _take(self, event: Event) -> None:
        """An event, by what is known by now of where the set ends."""
        rules = self._sets.next(self.machine.committed.anchor)
        if rules.version == self._rules.version:
            self._rules = self.machine.rules = rules
        await self._do(event(self._clock()))

    async def _hand_over(self) -> None:
        """
        Go on with the set that certifies what follows the newest block, if that is another one.

        What the one before had in hand above that block can come to nothing: its last block has no children, and a set
        that is replaced is lost.
        """
        rules = self._sets.next(self.machine.committed.anchor)
        if rules.version == self._rules.version:
            return
        self._rules, tip = rules, taken_over(self.machine.committed, rules)
        self._blocks, self._proofs = {}, ()
        gone = self.machine.gone
        self.machine = self._make(rules, self._address(), tip, Memory(), self._clock())
        self.machine.gone |= gone
        if self._recall is not None:
            self._recall.give_up()
        self._recall = self._begin_recall(Kept())
        if self._recall is not None:
            self._nursery.start_soon(self._find_voice, self._recall)
        if self.diverged is not None:
            self.machine.silence()
        log.info("another validator set certifies", version=rules.version, height=tip.height)
        await self._do(self.machine.start(self._clock()))
        await self._flush()
        self._post.send(wire.VOTES, wire.Votes(rules.version, tip.height, True, ()).encode())

    async def _do(self, actions: list[Action]) -> None:
        """Work off actions and what they lead to."""
        waiting = deque(actions)
        while waiting:
            waiting.extend(await self._carry_out(waiting.popleft()))

    async def _carry_out(self, action: Action) -> list[Action]:
        stage = self._stage
        match action:
            case Cast(_, _, proofs):
                stage.quorums += proofs
                return await self._cast(action)
            case Lead() if self._declines():
                stage.after.append(self._ledger.stand_back)
                return self.machine.resign(self._clock())
            case Lead(view, parent, proofs, again):
                built = partial(self._built, proofs)
                stage.after.append(partial(self._ledger.lead, view, parent, built, again))
            case Execute(link, vouched):
                self._executing.append((link, vouched))
                self._work.set()
            case Fetch(block_hash, height, _):
                stage.after.append(partial(self._nursery.start_soon, self._fetch, block_hash, height))
            case Commit(link, certificate):
                stage.committed.append(Certified(self._blocks[link.hash], certificate))
            case Remind(ballots, quorums):
                self.counters.reminded += 1
                message = self._said(ballots, quorums, asks=True)
                stage.after.append(partial(self._post.send, wire.VOTES, message))
                stage.after.append(self._repeat_own)
            case Accuse(first, second):
                self.evidence = [*self.evidence, (first, second)][:EVIDENCE_MAX]
                log.error("validator has voted twice", validator=first.signer.hex(), view=first.said.view)
                if first.said.hash != second.said.hash:  # of one block at two heights settlement knows nothing
                    self._accuse(Accusation.of_votes(first, second, self._rules))
            case Expose(one, other):
                self.exposed = [*self.exposed, (one, other)][:EVIDENCE_MAX]
                log.error("leader has proposed twice", validator=one.proposer.hex(), view=one.view)
            case Diverge(link, quorum):
                self.diverged = link
                self.machine.silence()
                log.error("a quorum stands behind a block that came out differently here", height=link.height)
                block = self._blocks[link.hash]
                stage.after.append(partial(self._nursery.start_soon, self._keep_fault, block, quorum))
        return []

    def _declines(self) -> bool:
        """
        Whether to leave leading to others, for this node is leaving, or would be slow at it. Once for a height: they
        may be, too.
        """
        burden = "this node is leaving" if self._leaving else self._ledger.burden()
        height = self.machine.committed.height
        if not burden or not self._peers or height == self._declined:
            return False
        self._declined = height
        log.warning("leading is left to others", view=self.machine.view, why=burden)
        return True

    async def _keep_fault(self, block: Block, quorum: Quorum | None) -> None:
        try:
            self._fault = await self._ledger.diverged(block, quorum)
        except Unavailable as error:
            log.error("what may tell why could not be kept", height=block.header.height, reason=str(error))

    async def _flush(self) -> None:
        """Sync, then send, then go on."""
        stage, self._stage = self._stage, _Stage()
        kept = stage.kept()
        if kept != Kept():
            await self._ledger.keep(kept)
        for proposal in stage.blocks:
            self._post.send(wire.BLOCKS, proposal.encode())
        if stage.ballots:
            self._post.send(wire.VOTES, self._said(tuple(stage.ballots)))
        for work in stage.after:
            work()
        if stage.committed:
            self.counters.committed += len(stage.committed)
            self._held_up = ""
            self._forget()

    # Voting

    async def _cast(self, cast: Cast) -> list[Action]:
        """Sign a vote, to be synced and sent with the block it is for; what the signer refuses is never said."""
        said, link, stage = cast.said, cast.link, self._stage
        if link is not None and link.hash not in self._blocks:
            return []  # it waited for the signer, and the chain has passed it
        ballot = await self._sign(cast)
        if ballot is None:
            return []
        stage.said.append(said)
        stage.ballots.append(ballot)
        self.counters.voted += 1
        if link is not None:
            block = self._blocks[link.hash]
            stage.proposals.append(block)
            if link.proposer == self.machine.me:
                stage.blocks.append(wire.Proposal(block, self._proofs))
        return self.machine.hear(ballot, self._clock())

    async def _sign(self, cast: Cast) -> Ballot | None:
        """None when the signer refuses, and when it is away: then the vote waits for it."""
        assert self._signer is not None, "who follows is asked for no vote"
        said = cast.said
        try:
            signature = await self._signer.sign(said, self._rules)
        except Invalid as error:
            self.counters.refused += 1
            log.error("the signer refuses a vote", view=said.view, kind=said.kind.name, reason=str(error))
            return None
        except Unavailable as error:
            self._wait_for_signer(cast, error)
            return None
        if self._away:
            self._away = ""
            log.info("the signer is back", view=said.view)
        return ballot_of(said, signature, self._rules)

    def _wait_for_signer(self, cast: Cast, error: Unavailable) -> None:
        if not self._away:
            log.error("the signer does not sign, so this node does not vote", view=cast.said.view, reason=str(error))
        self._away, self._withheld = str(error), isinstance(error, Withheld)
        self._unsigned.append(cast)
        if len(self._unsigned) == 1:
            self._nursery.start_soon(self._cast_again)

    async def _cast_again(self) -> None:
        await trio.sleep(SIGN_AGAIN_S)

        def event(_: int) -> list[Action]:
            waiting, self._unsigned = self._unsigned, []
            silent = self.machine.me is None
            return [] if silent else [cast for cast in waiting if cast.said.view > self.machine.committed.view]

        self._event(event)

    def _said(self, ballots: tuple[Ballot, ...], quorums: tuple[Quorum, ...] = (), asks: bool = False) -> bytes:
        return wire.Votes(self._rules.version, self.machine.committed.height, asks, ballots, quorums).encode()

    def _address(self) -> bytes | None:
        return self._signer.address if self._signer else None

    def _accuse_proposer(self, two: Expose) -> None:
        first, second = self._blocks.get(two.first.hash), self._blocks.get(two.second.hash)
        if first is not None and second is not None:
            self._accuse(Accusation.of_blocks(first, second))

    def _accuse(self, accusation: Accusation) -> None:
        self._stage.after.append(partial(self._nursery.start_soon, self._ledger.accuse, accusation))

    def _event(self, event: Event) -> None:
        """Queue an event of this node's own; the queue is never full of those alone."""
        try:
            self._send.send_nowait(event)
        except trio.WouldBlock:
            self._nursery.start_soon(self._send.send, event)

    def _forget(self) -> None:
        view = self.machine.committed.view
        self._blocks = {name: block for name, block in self._blocks.items() if block.header.view >= view}

    # What is built and executed here

    def _built(self, proofs: tuple[Quorum, ...], block: Block) -> None:
        """Called by the ledger."""

        def event(now_ms: int) -> list[Action]:
            link = Link.of(block.header)
            if link.validators != self._rules.version:
                return []  # begun before another set took over
            self._blocks[link.hash] = block
            self._proofs = proofs
            return self.machine.propose(link, (), now_ms, own=True)

        self._event(event)

    async def _execute(self) -> None:
        """One block after another; the answer goes back as an event."""
        while True:
            while not self._executing:
                self._work = trio.Event()
                await self._work.wait()
            link, vouched = self._executing.popleft()
            block = self._blocks.get(link.hash)
            if block is None or link.height <= self.machine.committed.height:
                continue
            try:
                await self._not_too_early(link)
                good = await self._ledger.execute(block, vouched)
            except Unavailable as error:
                self._held_up = str(error)
                log.info("block not executed now", height=link.height, reason=str(error))
                await trio.sleep(EXECUTE_AGAIN_S)
                self._event(partial(self.machine.dropped, link))
            else:
                self._held_up = ""
                self._event(partial(self.machine.executed, link, good))

    async def _not_too_early(self, link: Link) -> None:
        """A block of the future waits, unless its view has passed: then others have vouched for its time."""
        while self.machine.view <= link.view and (early_ms := link.time_ms - self._ahead_ms - self._now_ms()) > 0:
            self._early_ms = early_ms
            await trio.sleep(min(early_ms, EARLY_GLANCE_MS) / 1000)
        self._early_ms = 0

    # What arrives

    async def _receive(
        self,
        messages: trio.MemoryReceiveChannel[Message],
        protocol: str,
        take: Callable[[Peer, bytes], Event | None],
    ) -> None:
        toll = Toll()
        async for message in messages:
            if not toll.admits(message.peer, protocol, len(message.payload), trio.current_time()):
                self._network.report(message.peer, Offence.FLOOD)
                continue
            try:
                event = take(message.peer, message.payload)
            except Invalid as error:
                if error.code != "other_set":
                    self._blame(message.peer, error)
                continue
            if event is not None:
                await self._send.send(event)

    def _votes(self, peer: Peer, payload: bytes) -> Event:
        votes = wire.decode_votes(payload, self._known(), self.machine.unheard)
        quorums = self._new(votes.quorums)

        def event(now_ms: int) -> list[Action]:
            actions = self.machine.learn(quorums, now_ms)
            for ballot in votes.ballots:
                actions += self.machine.hear(ballot, now_ms)
            if votes.asks:
                self._stage.after.append(partial(self._remind, peer))
            self._compare(peer, votes)
            return actions

        return event

    def _proposal(self, peer: Peer, payload: bytes) -> Event | None:
        proposal = wire.decode_proposal(payload, self._known())
        proofs = self._new(proposal.proofs)
        if proposal.block.header.view > self.machine.view + VIEWS_AHEAD_PUSHED_MAX:
            return partial(self.machine.learn, proofs)
        return self._taking(proposal.block, proofs)

    def _known(self) -> wire.Known:
        return {self._rules.version: self._rules}

    def _new(self, quorums: Iterable[Quorum]) -> tuple[Quorum, ...]:
        """Those that say something new, checked. Raises Invalid."""
        new = tuple(quorum for quorum in quorums if self.machine.lacks(quorum))
        for quorum in new:
            check_quorum(quorum, self._rules)
        return new

    def _taking(self, block: Block, proofs: tuple[Quorum, ...]) -> Event:
        """The event that hands a block to the machine, and keeps it if the machine does."""

        def event(now_ms: int) -> list[Action]:
            link = Link.of(block.header)
            self._blocks.setdefault(link.hash, block)
            actions = self.machine.propose(link, proofs, now_ms)
            for two in (action for action in actions if isinstance(action, Expose)):
                self._accuse_proposer(two)
            if self.machine.block(link.hash) is None and link.hash != self.machine.committed.hash:
                del self._blocks[link.hash]
            return actions

        return event

    def _blame(self, peer: Peer, error: Invalid) -> None:
        self.counters.blamed += 1
        self._network.report(peer, Offence.INVALID)
        log.warning("peer sent what no validator sends", peer=peer, code=error.code, reason=str(error))

    def _greet(self, peer: Peer) -> None:
        """A stream to a peer has come about."""

        def event(_: int) -> list[Action]:
            for address in self._keys_of(peer):
                self.machine.trust(address)
            self._stage.after.append(partial(self._remind, peer))
            return []

        self._event(event)

    def _lost(self, peer: Peer) -> None:
        """A stream to a peer broke: if it leads, waiting for its time-out is waiting in vain."""

        def event(now_ms: int) -> list[Action]:
            actions: list[Action] = []
            for address in self._keys_of(peer):
                self._stage.after.append(partial(self._pass_on, address))
                actions += self.machine.suspect(address, now_ms)
            return actions

        self._event(event)

    def _keys_of(self, peer: Peer) -> list[bytes]:
        """A node may be listed under a key that left and one that came."""
        return [address for address, name in self._peers.items() if name == peer]

    def _pass_on(self, proposer: bytes) -> None:
        """What a leader proposed that broke off goes to the others from here: it may have reached nobody else."""
        for block in self._blocks.values():
            if block.header.view == self.machine.view and block.header.proposer == proposer:
                self._post.send(wire.BLOCKS, wire.Proposal(block, ()).encode())

    def _remind(self, peer: Peer) -> None:
        """Tell one peer what it may have missed. Called when all that was said is synced."""
        reminder = self.machine.reminder()
        self._post.send(wire.VOTES, self._said(reminder.ballots, reminder.quorums), peer)
        self._repeat_own(peer)

    def _repeat_own(self, peer: Peer | None = None) -> None:
        """The proposal of the present view, if it is this node's, once more."""
        for block in self._blocks.values():
            header = block.header
            own = header.view == self.machine.view and header.proposer == self.machine.me
            if own and self.machine.has_notarised(Link.of(header)):
                self._post.send(wire.BLOCKS, wire.Proposal(block, self._proofs).encode(), peer)

    # What is asked for and what others ask for

    def _compare(self, peer: Peer, votes: wire.Votes) -> None:
        """Votes of a later set tell nothing but that this node lacks the last block of its own."""
        ahead = votes.height - self.machine.committed.height
        behind = ahead >= BEHIND_BLOCKS or (ahead > 0 and votes.validators > self._rules.version)
        if behind and not self._catching_up and self.diverged is None:
            self._catching_up = True
            self._nursery.start_soon(self._catch_up, peer, votes.height)

    async def _catch_up(self, peer: Peer, height: int) -> None:
        """Take certified blocks from whoever has them, up to where a peer claims to be; then votes go on from there."""
        connected = set(self._network.peers())
        others = [other for other in sorted(self._peers.values()) if other in connected and other != peer]
        try:
            await self._ranges.fetch([peer, *others], self.machine.committed.height + 1, height, self._adopt)
        finally:
            self._catching_up = False

    def _check_certified(self, one: Certified) -> None:
        """On a thread. Raises Invalid, Unavailable."""
        header, certificate = one.block.header, one.certificate
        rules = self._sets.named(header.validators, header.anchor_number)
        if certificate.validators != rules.version:
            raise Invalid(f"Block {header.height} is not certified by the set it names.", "wrong_set")
        check_certificate(certificate, rules.chain, rules.stakes)

    async def _adopt(self, fetched: Fetched) -> bool:
        """Execute and keep a certified block; whether the next one can follow."""
        one, parent = fetched.certified, self.machine.committed
        header = one.block.header
        if header.height <= parent.height:
            return True  # votes were quicker
        if header.parent != parent.hash:
            log.error("a certified block does not follow the one before it", height=header.height, peer=fetched.peer)
            return False
        try:
            rules = await self._sets.of(parent.anchor, header.anchor_number)
            if header.validators != rules.version:
                self._blame(fetched.peer, Invalid(f"Block {header.height} is of set {rules.version}.", "wrong_set"))
                return False
            good = await self._ledger.execute(one.block, vouched=True)
        except Unavailable as error:
            log.info("block not executed now", height=header.height, reason=str(error))
            return False
        if not good:
            self._event(partial(self._diverged, one))
            return False
        taken = trio.Event()
        await self._send.send(partial(self._adopting, one, taken))
        await taken.wait()  # not until it is synced: the next one is executed meanwhile
        return True

    def _adopting(self, one: Certified, taken: trio.Event, now_ms: int) -> list[Action]:
        """The event that commits a block another node has certified, if votes have not done so meanwhile."""
        taken.set()
        link = Link.of(one.block.header)
        if link.height != self.machine.committed.height + 1:
            return []
        if link.validators != self._rules.version:  # of a set that has been replaced meanwhile
            link = replace(link, view=self.machine.committed.view)
        self.counters.caught_up += 1
        self._stage.committed.append(one)
        return self.machine.adopt(link, one.certificate, now_ms)

    def _diverged(self, one: Certified, _: int) -> list[Action]:
        link = Link.of(one.block.header)
        self._blocks[link.hash] = one.block
        return [Diverge(link, Quorum.of_certificate(one.certificate))]

    async def _fetch(self, block_hash: bytes, height: int) -> None:
        """A block that a quorum names, from whoever has it; asked of all in turn."""
        if height > self.machine.committed.height + BEHIND_BLOCKS and self._catching_up:
            return
        for peer in sorted(self._peers.values()):
            try:
                data = await self._network.request(peer, wire.BLOCK, block_hash, ASK_TIMEOUT_S)
                block = wire.decode_block(data, self._known())
            except Unavailable:
                continue
            except Invalid as error:
                if error.code not in ("not_found", "other_set"):
                    self._blame(peer, error)
                continue
            if block.hash() == block_hash:
                self.counters.fetched += 1
                await self._send.send(self._taking(block, ()))
                return

    async def _answer_block(self, peer: Peer, payload: bytes) -> bytes:
        block = self._blocks.get(payload)
        if block is None:
            raise Invalid("No such block is here; ask another.", "not_found")
        return block.encode()

    async def _answer_known(self, peer: Peer, payload: bytes) -> bytes:
        who, reminder = payload, self.machine.reminder()
        height, heard = self.machine.committed.height, self.machine.heard(who)
        votes = wire.Votes(self._rules.version, height, False, heard, reminder.quorums)
        headers = ((block.header, block.signature) for block in self._blocks.values())
        return recall.encode_known(votes, tuple(one for one in headers if one[0].proposer == who))

    async def _answer_range(self, peer: Peer, payload: bytes) -> bytes:
        first, last = wire.decode_range(payload)
        last = min(last, first + WINDOW_BLOCKS - 1)
        return wire.encode_certified(await self._ledger.certified(first, last, wire.RANGE_BYTES_MAX))

    def _clock(self) -> int:
        """Milliseconds that only grow, for time-outs."""
        return int(trio.current_time() * 1000)
