"""
Simplex (Chan and Pass, "Simplex Consensus", 2023), pure: events in, actions out; no clock, no disk, no network.

A view has one leader and ends when a quorum has notarised its block or nullified it. Whoever sees a block notarised in
a view that he did not give up votes to finalise it. A block is final when a quorum did, and all before it with it; a
certificate is a quorum of finalise votes, so those before it that lack one are finalised after the fact.

The last block of a validator set (`Rules.ends`) has no children here: until it is certified, each view that follows
votes for it once more, without a leader, as for a child that holds nothing. Then the next set begins, with a machine of
its own.

Why no fork: a validator notarises one block a view, so no two are notarised; it never both finalises and nullifies a
view that is undecided, so a view with a final block is never skipped, and every later block descends from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from genesis.chain import Certificate, VoteKind
from genesis.errors import Corrupt
from node.consensus.actions import (
    Accuse,
    Action,
    Cast,
    Commit,
    Diverge,
    Execute,
    Expose,
    Fetch,
    Lead,
    Remind,
)
from node.consensus.schedule import leader
from node.consensus.tally import VIEWS_AHEAD_MAX, Tally
from node.consensus.words import NO_BLOCK, Ballot, Link, Quorum, Rules, Said

NOTARISE, NULLIFY, FINALISE = VoteKind.NOTARISE, VoteKind.NULLIFY, VoteKind.FINALISE
BACK_OFF_ROUNDS_MAX = 5
"""Time-outs double that often at most: with each round of leaders that failed, and each block that came too late."""
BARREN_MAX = BACK_OFF_ROUNDS_MAX
"""Blocks of a leader in a row, none final, each notarised after its view was given up; time-outs grow meanwhile."""
REMINDERS_A_TIMEOUT = 2
CERTIFICATES_LATE_MAX = 2
"""So many final blocks may wait for a certificate of their own before peers are asked for the first one's."""


@dataclass(slots=True)
class _Block:
    """good: None while execution has not answered. running: Execute has been asked for; vouched: as it was."""

    link: Link
    running: bool = False
    good: bool | None = None
    vouched: bool = False


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What a node had synced before it started again: its votes, the blocks they were for, quorums; the committed block's
    certificate among them.
    """

    said: tuple[Said, ...] = ()
    links: tuple[Link, ...] = ()
    quorums: tuple[Quorum, ...] = ()


@dataclass(slots=True)
class _Cast:
    """What this validator has said in a view, or is about to."""

    notarised: bytes | None = None
    nullified: bool = False
    finalised: bytes | None = None


@dataclass(slots=True)
class Standing:
    """For the status page: where the protocol stands, and what it waits for."""

    view: int
    leader: bytes
    leads: bool
    committed: int
    failed_views: int
    waits: str


@dataclass(slots=True)
class _Outbox:
    actions: list[Action] = field(default_factory=list)
    proofs: list[Quorum] = field(default_factory=list)


class Simplex:
    """
    One validator's part, from a committed block on. Every method returns what is to be done, in order.

    me: its address; None for one who only follows and never votes.
    """

    def __init__(self, rules: Rules, me: bytes | None, committed: Link, memory: Memory, now_ms: int) -> None:
        self.rules = rules
        self.me = me if me in rules.stakes else None
        self.committed = committed
        self._final = committed
        self._chain: list[Link] = []
        """Final blocks that are not committed yet, ascending."""
        self._blocks: dict[bytes, _Block] = {}
        self._first: dict[tuple[int, bytes], Link] = {}
        """By view and proposer: the block that was heard first."""
        self._tally = Tally(rules)
        self._said: dict[int, _Cast] = {}
        self._fetched: set[bytes] = set()
        self._led: tuple[int, bytes] | None = None
        self._failed = 0
        """Views in a row that brought no block and whose time this node saw pass."""
        self._late = False
        """Whether the present view's time has passed."""
        self._hurried = 0
        """Views in a row that brought a block, but after their time: nobody may have voted to finalise it."""
        self.gone: set[bytes] = set()
        """Validators whose connection broke and has not come back."""
        self._diverged = False
        self._floor = 0
        """Up to this view, which is decided, votes given may be forgotten; see `speak`."""
        self._out = _Outbox()
        self._deadline_ms = self._remind_ms = now_ms
        self.view = committed.view
        self._enter(committed.view + 1, now_ms)
        self._remember(memory, now_ms)

    # Events

    def start(self, now_ms: int) -> list[Action]:
        """Once, before any other; the votes remembered have been signed again and heard."""
        return self._settle(now_ms)

    def hear(self, ballot: Ballot, now_ms: int) -> list[Action]:
        """A vote, one's own included."""
        if not self._in_reach(ballot.said.view):
            return []
        quorum, contradicted = self._tally.add(ballot)
        if contradicted is not None:
            self._out.actions.append(Accuse(contradicted, ballot))
        if quorum is not None:
            self._noted(quorum)
        elif contradicted is None and not self._resigns(ballot):
            return []  # a vote that completes no quorum changes nothing that a rule looks at
        return self._settle(now_ms)

    def learn(self, quorums: Iterable[Quorum], now_ms: int) -> list[Action]:
        """Quorums whose signatures have been checked."""
        new = [self._learn(quorum) for quorum in quorums]
        return self._settle(now_ms) if any(new) else []

    def propose(self, link: Link, proofs: Iterable[Quorum], now_ms: int, own: bool = False) -> list[Action]:
        """
        A block signed by the proposer it names, from its leader or fetched; proofs have been checked.

        own: made here, hence executed.
        """
        for quorum in proofs:
            self._learn(quorum)
        if self._in_reach(link.view) and link.hash not in self._blocks:
            self._take(link, own)
        return self._settle(now_ms)

    def executed(self, link: Link, good: bool, now_ms: int) -> list[Action]:
        """The answer to Execute; good: everything its header says is what came out."""
        block = self._blocks.get(link.hash)
        if block is not None:
            block.good = good
        return self._settle(now_ms)

    def dropped(self, link: Link, now_ms: int) -> list[Action]:
        """Execute was not carried out (its parent had gone, the node was going back); it will be asked for anew."""
        block = self._blocks.get(link.hash)
        if block is not None:
            block.running = False
        return self._settle(now_ms)

    def adopt(self, link: Link, certificate: Certificate, now_ms: int) -> list[Action]:
        """The chain has been caught up to a certified block, by blocks or by a snapshot."""
        if link.height > self.committed.height:
            if any(one.height == link.height and one.hash != link.hash for one in self._chain):
                raise Corrupt(f"height {link.height} has two certified blocks: a fork")
            self.committed = link
            self._chain = [one for one in self._chain if one.height > link.height]
            if self._final.height <= link.height:
                self._final, self._chain = link, []
            if self.view <= link.view:
                self._enter(link.view + 1, now_ms)
            self._forget()
            if certificate.validators == self.rules.version:
                self._tally.learn(Quorum.of_certificate(certificate))
        return self._settle(now_ms)

    def tick(self, now_ms: int) -> list[Action]:
        """Time has passed; call at `wake_ms` or before."""
        if now_ms >= self._deadline_ms:
            self._late = True
            self._nullify(self.view)
        if now_ms >= self._remind_ms:
            self._remind_ms = now_ms + max(1, self._timeout_ms() // REMINDERS_A_TIMEOUT)
            self._fetched.clear()
            self._out.actions.append(self.reminder())
        return self._settle(now_ms)

    def suspect(self, validator: bytes, now_ms: int) -> list[Action]:
        """The connection to a validator broke: until it is back, no view that it leads is waited for."""
        self.gone.add(validator)
        return self._settle(now_ms)

    def trust(self, validator: bytes) -> None:
        """The connection to a validator has come about."""
        self.gone.discard(validator)

    def resign(self, now_ms: int) -> list[Action]:
        """Give up the view that one leads, having proposed nothing, so that nobody waits for it."""
        if self.me is not None and self._leads_idly(self.me):
            self._nullify(self.view)
        return self._settle(now_ms)

    def silence(self) -> None:
        """Neither vote nor lead from now on."""
        self.me = None

    def speak(self, me: bytes, floor: int, now_ms: int) -> list[Action]:
        """
        Vote and lead again, or for the first time; not after a Diverge.

        floor: up to this view, which has a certificate, what this validator has said may be forgotten.
        """
        self.me = me if me in self.rules.stakes else None
        self._floor = floor
        return self._settle(now_ms)

    def wake_ms(self) -> int:
        """When `tick` has something to do."""
        said = self._cast(self.view)
        gives_up = self.me is not None and not said.nullified and said.finalised is None
        return min(self._remind_ms, self._deadline_ms) if gives_up else self._remind_ms

    def reminder(self) -> Remind:
        """What a peer that is behind, or has lost messages, needs."""
        ballots: list[Ballot] = []
        quorums: list[Quorum] = []
        for view in range(self.committed.view, self.view + 1):
            if self.me is not None:
                ballots += self._tally.own(self.me, view)
            found = (self._tally.quorum(view, kind) for kind in (FINALISE, NOTARISE, NULLIFY))
            quorums += [quorum for quorum in found if quorum is not None]
        return Remind(tuple(ballots), tuple(quorums))

    def heard(self, who: bytes) -> tuple[Ballot, ...]:
        """What a validator has said since the last committed block, as far as it is known here."""
        views = range(self.committed.view, self.view + VIEWS_AHEAD_MAX + 1)
        return tuple(ballot for view in views for ballot in self._tally.own(who, view))

    def standing(self) -> Standing:
        who = self._leader()
        candidates = self._candidates()
        if self.me is None:
            waits = "the next certified block"
        elif not candidates:
            waits = "a proposal"
        elif all(block.good is None for block in candidates):
            waits = "execution"
        else:
            waits = "votes"
        return Standing(self.view, who, who == self.me, self.committed.height, self._failed, waits)

    def lacks(self, quorum: Quorum) -> bool:
        """Whether a quorum would be news, as far as its words go."""
        known = self._tally.quorum(quorum.said.view, quorum.said.kind)
        return quorum.said.view >= self.committed.view and (known is None or known.said != quorum.said)

    def unheard(self, said: Said, signature: bytes) -> bool:
        """Whether a vote would change anything: who gave it need not be recovered otherwise."""
        return self._in_reach(said.view) and not self._tally.has(said, signature)

    def has_notarised(self, link: Link) -> bool:
        """Whether this validator has voted for the block."""
        said = self._said.get(link.view)
        return said is not None and said.notarised == link.hash

    def block(self, block_hash: bytes) -> Link | None:
        """A block above the committed one that is known here."""
        found = self._blocks.get(block_hash)
        return found.link if found else None

    # Rules, applied until none has anything to do

    def _settle(self, now_ms: int) -> list[Action]:
        self._end_views(now_ms)
        self._find_final()
        self._commit()
        self._ask_execution()
        self._give_up_the_barren()
        self._vote_notarise()
        self._vote_finalise()
        self._give_up_the_gone()
        self._lead()
        out, self._out.actions = self._out.actions, []
        return out

    def _end_views(self, now_ms: int) -> None:
        """A quorum of any kind ends its view and all before it."""
        view = self._tally.newest
        if view >= self.view:
            if self._decided(view) is None:
                self._failed += self._late
            else:
                self._failed, self._hurried = 0, self._hurried + 1 if self._late else 0
            self._enter(view + 1, now_ms)

    def _find_final(self) -> None:
        """The newest block with a certificate whose ancestors are all here makes them final."""
        for view in range(self.view, self._final.view, -1):
            quorum = self._tally.quorum(view, FINALISE)
            if quorum is None:
                continue
            path = self._path(quorum.said.hash, quorum.said.height, view)
            if path:
                self._final = path[-1]
                self._chain += path
                return

    def _path(self, block_hash: bytes, height: int, view: int) -> list[Link] | None:
        """From above the final block up to this one; asks for what is missing."""
        path: list[Link] = []
        while block_hash != self._final.hash:
            if height <= self._final.height:
                raise Corrupt(f"a quorum finalised a block that does not descend from final height {height}: a fork")
            block = self._blocks.get(block_hash)
            if block is None:
                self._fetch(block_hash, height, view)
                return None
            path.append(block.link)
            block_hash, height = block.link.parent, height - 1
        return path[::-1]

    def _commit(self) -> None:
        """Final blocks in order, each when it has been executed and has a certificate of its own."""
        while self._chain:
            link = self._chain[0]
            block = self._blocks[link.hash]
            quorum = self._certificate(link)
            if quorum is None and len(self._chain) > CERTIFICATES_LATE_MAX:
                self._fetch(link.hash, link.height, link.view)
            if not block.good or quorum is None:
                return
            self._out.actions.append(Commit(link, quorum.certificate(self.rules)))
            self.committed = link
            self._chain.pop(0)
            self._forget()

    def _ask_execution(self) -> None:
        """What a quorum stands behind, and what may be voted for in this view, each when its parent has been."""
        for block in sorted(self._blocks.values(), key=lambda one: one.link.view):
            link, parent = block.link, self._parent(block.link)
            stands = self._stands(link)
            if stands and block.good is False:
                self._doubt(block)
            if stands and parent is None:
                self._fetch(link.parent, link.height - 1, 0)
            if block.running or block.good is not None or parent is None or not self._is_good(parent):
                continue
            if stands or (link.view == self.view and self._may_vote(link, parent)):
                block.running, block.vouched = True, stands
                self._out.actions.append(Execute(link, stands))

    def _doubt(self, block: _Block) -> None:
        """A refused block that a quorum stands behind is asked for anew, if more than execution was asked before."""
        if not block.vouched:
            block.good, block.running = None, False
        elif not self._diverged:
            self._diverged = True
            quorum = self._decided(block.link.view) or self._tally.quorum(self._final.view, FINALISE)
            self._out.actions.append(Diverge(block.link, quorum))

    def _vote_notarise(self) -> None:
        """The first block of this view that is right in every way; a leader that is wrong loses its view at once."""
        if self.me is None:
            return
        last = self._last()
        if last is not None and last != self.committed and self._is_good(last):
            self._notarise(last)
        candidates = self._candidates()
        for block in candidates:
            if block.good:
                self._notarise(block.link)
        if any(block.good is False for block in candidates) and self._cast(self.view).notarised is None:
            self._nullify(self.view)

    def _vote_finalise(self) -> None:
        """Notarised blocks of views not given up; and ancestors of final blocks, whatever was said of their views."""
        if self.me is None:
            return
        for block in sorted(self._blocks.values(), key=lambda one: one.link.view):
            for view in self._views(block.link) if block.good else ():
                link, said = block.link, self._cast(view)
                late = view == link.view and link in self._chain
                open_yet = view > self._floor and self._names(view, link) and not said.nullified
                if said.finalised is None and (late or open_yet):
                    said.finalised = link.hash
                    self._say(Said(FINALISE, view, link.height, link.hash), None)

    def _give_up_the_gone(self) -> None:
        """A leader out of reach that has proposed nothing here gets no time."""
        if not self.gone or self._candidates():
            return
        parent = self._best_parent()
        if parent is None or self.rules.ends(parent):
            return
        if leader(self.rules, parent, self.view) in self.gone:
            self._nullify(self.view)

    def _give_up_the_barren(self) -> None:
        """
        A leader whose blocks come to nothing loses the lead, though none is wrong: it may time its words so that each
        block is notarised just when its view has been given up, and would go on so for all its lease.
        """
        parent = self._best_parent()
        if parent is not None and self._is_barren(parent, leader(self.rules, parent, self.view)):
            self._hurried = 0
            self._nullify(self.view)

    def _lead(self) -> None:
        """Propose on the newest block that may have children, if that makes this validator the leader of the view."""
        parent = self._best_parent()
        if self.me is None or parent is None or self._cast(self.view).notarised is not None or self.rules.ends(parent):
            return
        if leader(self.rules, parent, self.view) != self.me or not self._is_good(parent):
            return
        if self._is_barren(parent, self.me):
            return
        if self._led != (self.view, parent.hash):
            self._led = (self.view, parent.hash)
            child = Link(self.view, parent.height + 1, NO_BLOCK, parent.hash, self.me, 0)
            again = leader(self.rules, child, self.view + 1) == self.me
            self._out.actions.append(Lead(self.view, parent, self._proofs(parent), again))

    # Steps

    def _enter(self, view: int, now_ms: int) -> None:
        assert view > self.view, "views only grow"
        self.view = view
        self._late = False
        timeout_ms = self._timeout_ms()
        self._deadline_ms = self._remind_ms = now_ms + timeout_ms
        self._fetched.clear()

    def _timeout_ms(self) -> int:
        rounds = min(self._failed // len(self.rules.stakes) + self._hurried, BACK_OFF_ROUNDS_MAX)
        return min(self.rules.timeout_ms << rounds, self.rules.timeout_ms_max)

    def _nullify(self, view: int) -> None:
        said = self._cast(view)
        if self.me is not None and not said.nullified and said.finalised is None:
            said.nullified = True
            self._say(Said(NULLIFY, view), None)

    def _leads_idly(self, who: bytes) -> bool:
        """Whether this validator leads the view, and nothing is known of a proposal."""
        return self._leader() == who and not self._candidates()

    def _resigns(self, ballot: Ballot) -> bool:
        """A leader that gives up its own view is not waited for."""
        said = ballot.said
        if said.kind is not NULLIFY or said.view != self.view or not self._leads_idly(ballot.signer):
            return False
        self._nullify(self.view)
        return True

    def _notarise(self, link: Link) -> None:
        """Vote for a block in this view, if for none yet."""
        if self._cast(self.view).notarised is None:
            self._cast(self.view).notarised = link.hash
            self._say(Said(NOTARISE, self.view, link.height, link.hash), link)

    def _say(self, said: Said, link: Link | None) -> None:
        proofs, self._out.proofs = tuple(self._out.proofs), []
        self._out.actions.append(Cast(said, link, proofs))

    def _learn(self, quorum: Quorum) -> bool:
        """Whether it was new."""
        if not self.committed.view <= quorum.said.view <= self.view + VIEWS_AHEAD_MAX:
            return False
        known = self._tally.quorum(quorum.said.view, quorum.said.kind)
        if known is not None and known.said != quorum.said:
            raise Corrupt(f"two quorums of one kind in view {quorum.said.view}: more than a third of the stake lies")
        if self._tally.learn(quorum) is None:
            return False
        self._noted(quorum)
        return True

    def _noted(self, quorum: Quorum) -> None:
        said, final = quorum.said, {self.committed.hash, *(one.hash for one in self._chain)}
        if said.kind is FINALISE and said.view <= self._final.view and said.hash not in final:
            raise Corrupt(f"a quorum finalised a block of view {said.view} beside the final chain: a fork")
        self._out.proofs.append(quorum)

    def _take(self, link: Link, own: bool) -> None:
        """Keep a block, if its leader has not shown another one in its view, or a quorum stands behind it."""
        if own:  # of several built on different parents, only the one voted for leaves this node
            if self._cast(link.view).notarised not in (None, link.hash):
                return
            self._first[link.view, link.proposer] = link
        first = self._first.setdefault((link.view, link.proposer), link)
        if first.hash != link.hash:
            self._out.actions.append(Expose(first, link))
            if link.view == self.view and self._cast(self.view).notarised is None:
                self._nullify(self.view)
            if not self._named(link):
                return
        self._blocks[link.hash] = _Block(link, running=own, good=True if own else None)

    def _fetch(self, block_hash: bytes, height: int, view: int) -> None:
        if block_hash not in self._fetched:
            self._fetched.add(block_hash)
            self._out.actions.append(Fetch(block_hash, height, view))

    def _forget(self) -> None:
        """Drop what lies at or below the committed block, but the votes of its own view: latecomers may need them."""
        view = self.committed.view
        self._tally.forget(view)
        self._blocks = {name: block for name, block in self._blocks.items() if block.link.view > view}
        self._first = {key: link for key, link in self._first.items() if key[0] > view}
        self._said = {at: said for at, said in self._said.items() if at > view}

    def _remember(self, memory: Memory, now_ms: int) -> None:
        """Votes of an earlier life bind; the view goes on where the last one was given."""
        for quorum in memory.quorums:
            self._learn(quorum)
        self._out.proofs.clear()
        for link in memory.links:
            if link.view > self.committed.view:
                self._take(link, own=False)
        for said in memory.said:
            if said.view > self.committed.view:
                cast = self._cast(said.view)
                cast.notarised = said.hash if said.kind is NOTARISE else cast.notarised
                cast.nullified |= said.kind is NULLIFY
                cast.finalised = said.hash if said.kind is FINALISE else cast.finalised
        newest = max((view for view, said in self._said.items() if said.notarised or said.nullified), default=0)
        if newest > self.view:
            self._enter(newest, now_ms)

    # What holds

    def _in_reach(self, view: int) -> bool:
        """Views that are not decided for good, and not so far ahead that they would fill the memory."""
        return self.committed.view < view <= self.view + VIEWS_AHEAD_MAX

    def _cast(self, view: int) -> _Cast:
        return self._said.setdefault(view, _Cast())

    def _parent(self, link: Link) -> Link | None:
        if link.parent == self.committed.hash:
            return self.committed
        block = self._blocks.get(link.parent)
        return block.link if block else None

    def _is_good(self, link: Link) -> bool:
        """Whether a block has been executed here and found right."""
        return link.hash == self.committed.hash or bool(self._blocks[link.hash].good)

    def _stands(self, link: Link) -> bool:
        """Whether a quorum stands behind the block."""
        return link.hash == self.committed.hash or link in self._chain or self._named(link)

    def _named(self, link: Link) -> bool:
        return any(self._names(view, link) for view in range(link.view, self.view))

    def _names(self, view: int, link: Link) -> bool:
        """Whether a quorum stands behind the block in a view."""
        quorum = self._decided(view)
        return quorum is not None and quorum.said.hash == link.hash

    def _views(self, link: Link) -> Iterable[int]:
        """Views passed in which the block may have been voted for."""
        return range(link.view, self.view if self.rules.ends(link) else min(link.view + 1, self.view))

    def _certificate(self, link: Link) -> Quorum | None:
        found = (self._tally.quorum(view, FINALISE) for view in self._views(link))
        return next((quorum for quorum in found if quorum is not None and quorum.said.hash == link.hash), None)

    def _last(self) -> Link | None:
        """The last block of the set, once nothing but it may be voted for."""
        parent = self._best_parent()
        return parent if parent is not None and self.rules.ends(parent) else None

    def _decided(self, view: int) -> Quorum | None:
        """The quorum that stands behind a block of the view."""
        return self._tally.quorum(view, FINALISE) or self._tally.quorum(view, NOTARISE)

    def _skipped(self, parent: Link, view: int) -> bool:
        """Whether all views between a block and `view` are nullified."""
        between = range(parent.view + 1, view)
        return all(self._tally.quorum(one, NULLIFY) is not None for one in between)

    def _may_vote(self, link: Link, parent: Link) -> bool:
        """The rules of a proposal that need no execution."""
        return (
            link.height == parent.height + 1
            and link.view > parent.view
            and not self.rules.ends(parent)
            and self._stands(parent)
            and leader(self.rules, parent, link.view) == link.proposer
            and self._skipped(parent, link.view)
            and not self._is_barren(parent, link.proposer)
        )

    def _is_barren(self, parent: Link, proposer: bytes) -> bool:
        """Whether the last BARREN_MAX blocks, this one included, are a proposer's, and could not be finalised here."""
        one: Link | None = parent
        for _ in range(BARREN_MAX):
            if one is None or one.height <= self._final.height or one.proposer != proposer:
                return False
            if not self._cast(one.view).nullified:
                return False
            one = self._parent(one)
        return True

    def _candidates(self) -> list[_Block]:
        """Blocks of this view that may be voted for as far as can be told without executing them."""
        found = []
        for block in self._blocks.values():
            parent = self._parent(block.link) if block.link.view == self.view else None
            if parent is not None and self._may_vote(block.link, parent):
                found.append(block)
        return found

    def _best_parent(self) -> Link | None:
        """The newest block that a child in this view may have; None while it is not here, or views between are open."""
        for view in range(self.view - 1, self.committed.view, -1):
            quorum = self._decided(view)
            if quorum is not None:
                block = self._blocks.get(quorum.said.hash)
                if block is None:
                    self._fetch(quorum.said.hash, quorum.said.height, view)
                return block.link if block else None
            if self._tally.quorum(view, NULLIFY) is None:
                return None
        return self.committed

    def _leader(self) -> bytes:
        """Who leads this view as far as this node can tell."""
        return leader(self.rules, self._best_parent() or self._final, self.view)

    def _proofs(self, parent: Link) -> tuple[Quorum, ...]:
        """Why a child of `parent` may be proposed in this view."""
        skipped = (self._tally.quorum(view, NULLIFY) for view in range(parent.view + 1, self.view))
        return tuple(quorum for quorum in (self._decided(parent.view), *skipped) if quorum is not None)
