"""
The protocol alone among validators that crash, lie and lose messages: events in a heap, replayed by their seed.

No network, disk or engine: blocks are names, execution is an answer. What it shows is the protocol; the whole node
under the same weather is shown by `tenor network simulate`.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from genesis import crypto
from genesis.chain import Certificate, VoteKind, check_certificate
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
from node.consensus.simplex import Memory, Simplex
from node.consensus.words import NO_BLOCK, Ballot, Link, Quorum, Rules, Said, check_quorum

GENESIS = Link(0, 0, crypto.sha256(b"genesis"), bytes(32), bytes(20), 0)
BLOCK_MS = 100
KEYS = tuple(crypto.sha256(b"validator %d" % number) for number in range(7))


def rules_of(count: int, lease_views: int = 12) -> Rules:
    stakes = {crypto.address_of(key): 1 for key in KEYS[:count]}
    return Rules(7, stakes, 0, lease_views, 400, 6400)


@dataclass(frozen=True, slots=True)
class Weather:
    """Chances of a message; delays in ms."""

    loss: float = 0.0
    twice: float = 0.0
    delay_ms: int = 5
    jitter_ms: int = 10


@dataclass(slots=True)
class Journal:
    """What survives a crash."""

    said: list[Said] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    quorums: list[Quorum] = field(default_factory=list)
    chain: list[Link] = field(default_factory=lambda: [GENESIS])
    certificates: list[Certificate] = field(default_factory=list)

    def memory(self) -> Memory:
        certificates = tuple(map(Quorum.of_certificate, self.certificates[-1:]))
        return Memory(tuple(self.said), tuple(self.links), (*certificates, *self.quorums))


class Member:
    """
    An honest validator: carries out what its machine asks for, in order. tired: leaves leading to others. picky:
    refuses every block that no quorum stands behind.
    """

    tired = picky = False

    def __init__(self, town: Town, number: int, journal: Journal) -> None:
        self.town, self.number, self.journal = town, number, journal
        self.key = KEYS[number]
        self.alive = True
        self.proofs: tuple[Quorum, ...] = ()
        address = crypto.address_of(self.key)
        self.machine = town.make(town.rules, address, journal.chain[-1], journal.memory(), town.now)
        for said in journal.said:
            self.do(self.machine.hear(self.sign(said), town.now))
        self.do(self.machine.start(town.now))
        self._wake()

    def sign(self, said: Said) -> Ballot:
        return Ballot(said, crypto.address_of(self.key), crypto.sign(said.digest(self.town.rules), self.key))

    def _wake(self) -> None:
        self.town.at(max(self.town.now + 1, self.machine.wake_ms()), self._tick)

    def _tick(self) -> None:
        if self.alive:
            self.do(self.machine.tick(self.town.now))
            self._wake()

    def do(self, actions: Iterable[Action]) -> None:
        for action in actions:
            self.carry_out(action)

    def carry_out(self, action: Action) -> None:
        town, machine = self.town, self.machine
        match action:
            case Cast(said, link, proofs):
                self.journal.quorums += proofs
                self.journal.links += [link] if link else []
                self.journal.said.append(said)
                ballot = self.sign(said)
                if link is not None and link.proposer == machine.me:
                    town.send(self.number, "propose", (link, self.proofs))
                town.send(self.number, "hear", ballot)
                self.do(machine.hear(ballot, town.now))
            case Lead() if self.tired:
                self.do(machine.resign(town.now))
            case Lead(view, parent, proofs, _):
                town.at(town.now + town.dice.randint(1, BLOCK_MS), lambda: self.build(view, parent, proofs))
            case Execute(link, vouched):
                town.at(town.now + town.dice.randint(1, 20), lambda: self.answer(link, vouched or not self.picky))
            case Fetch(name, height, _):
                town.at(town.now + town.dice.randint(5, 50), lambda: self.fetch(name, height))
            case Commit(link, certificate):
                check_certificate(certificate, town.rules.chain, town.rules.stakes)
                town.committed(self, link, certificate)
            case Remind(ballots, quorums):
                town.send(self.number, "remind", (ballots, quorums))
            case Accuse(first, second):
                assert first.signer == second.signer and first.said.view == second.said.view
                town.accused.add(first.signer)
            case Expose(first_link, _):
                town.accused.add(first_link.proposer)
            case Diverge(link, _):
                town.broken.append(f"{self.number} diverged at {link.height}")

    def build(self, view: int, parent: Link, proofs: tuple[Quorum, ...]) -> None:
        machine = self.machine
        if self.alive and machine.view == view:
            link = self.town.block(view, parent, self.key, b"")
            self.proofs = proofs
            self.do(machine.propose(link, proofs, self.town.now, own=True))

    def answer(self, link: Link, willing: bool) -> None:
        if self.alive:
            self.do(self.machine.executed(link, willing and link.hash not in self.town.invalid, self.town.now))

    def fetch(self, name: bytes, height: int) -> None:
        """From whoever has committed that height, else from whoever has the block."""
        if not self.alive:
            return
        for other in self.town.reachable(self.number):
            chain = other.journal.chain
            if len(chain) > height > self.machine.committed.height:
                for link in chain[self.machine.committed.height + 1 : height + 1]:
                    self.town.committed(self, link, other.journal.certificates[link.height - 1])
                newest = self.journal.certificates[-1]
                self.do(self.machine.adopt(self.journal.chain[-1], newest, self.town.now))
                return
        if any(name in other.known() for other in self.town.reachable(self.number)):
            self.do(self.machine.propose(self.town.blocks[name], (), self.town.now))

    def known(self) -> set[bytes]:
        return {link.hash for link in self.journal.links}

    def receive(self, sender: int, way: str, what: Any) -> None:
        machine, town = self.machine, self.town
        match way:
            case "hear":
                self.do(machine.hear(what, town.now))
            case "propose":
                link, proofs = what
                for quorum in proofs:
                    if machine.lacks(quorum):
                        check_quorum(quorum, town.rules)
                self.do(machine.propose(link, proofs, town.now))
            case "remind":
                ballots, quorums = what
                self.do(machine.learn(quorums, town.now))
                for ballot in ballots:
                    self.do(machine.hear(ballot, town.now))
                height = max((q.said.height for q in quorums if q.said.kind is VoteKind.FINALISE), default=0)
                if height > machine.committed.height + 1:
                    self.fetch(NO_BLOCK, height - 1)


class Town:
    """
    count validators, the last `liars` of them byzantine; `make` builds the machine of each honest one.
    """

    def __init__(
        self,
        seed: int,
        count: int = 4,
        liars: dict[int, Callable[[Town, int], Any]] | None = None,
        make: Callable[..., Simplex] = Simplex,
        rules: Rules | None = None,
    ) -> None:
        self.dice = random.Random(f"town {seed}")
        self.rules = rules or rules_of(count)
        self.make = make
        self.now = 0
        self._heap: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self.weather = Weather()
        self.side: dict[int, int] = {}
        self.blocks: dict[bytes, Link] = {GENESIS.hash: GENESIS}
        self.invalid: set[bytes] = set()
        self.accused: set[bytes] = set()
        self.broken: list[str] = []
        self.heights: dict[int, bytes] = {}
        self.liars = {number: make_liar(self, number) for number, make_liar in (liars or {}).items()}
        self.members = {n: Member(self, n, Journal()) for n in range(count) if n not in self.liars}

    # Time

    def at(self, when: int, work: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, work))

    def run(self, until: int) -> None:
        while self._heap and self._heap[0][0] <= until and not self.broken:
            self.now, _, work = heapq.heappop(self._heap)
            work()
        self.now = until

    # Messages

    def send(self, sender: int, way: str, what: Any, only: Iterable[int] | None = None) -> None:
        for number in range(len(self.rules.stakes)) if only is None else only:
            if number == sender or self.side.get(sender, 0) != self.side.get(number, 0):
                continue
            for _ in range(1 + (self.dice.random() < self.weather.twice)):
                if self.dice.random() >= self.weather.loss:
                    delay = self.weather.delay_ms + self.dice.randint(0, self.weather.jitter_ms)
                    self.at(self.now + delay, lambda number=number: self._deliver(sender, number, way, what))  # type: ignore[misc]

    def _deliver(self, sender: int, number: int, way: str, what: Any) -> None:
        if number in self.liars:
            self.liars[number].receive(sender, way, what)
        elif self.members[number].alive:
            self.members[number].receive(sender, way, what)

    def reachable(self, number: int) -> list[Member]:
        side = self.side.get(number, 0)
        return [
            one
            for one in self.members.values()
            if one.alive and one.number != number and self.side.get(one.number, 0) == side
        ]

    # Blocks

    def block(self, view: int, parent: Link, key: bytes, salt: bytes, good: bool = True) -> Link:
        address = crypto.address_of(key)
        name = crypto.sha256(parent.hash + view.to_bytes(8, "big") + address + salt)
        height = parent.height + 1
        link = Link(view, height, name, parent.hash, address, self.now, anchor=height)
        self.blocks[name] = link
        if not good:
            self.invalid.add(name)
        return link

    def committed(self, member: Member, link: Link, certificate: Certificate) -> None:
        """What must hold of every block that anybody takes for certified."""
        chain = member.journal.chain
        if link.height != len(chain) or link.parent != chain[-1].hash:
            self.broken.append(f"{member.number} committed {link.height} on {len(chain) - 1}")
        if self.heights.setdefault(link.height, link.hash) != link.hash:
            self.broken.append(f"fork at {link.height}")
        if link.hash in self.invalid:
            self.broken.append(f"invalid block committed at {link.height}")
        if leader(self.rules, chain[-1], link.view) != link.proposer:
            self.broken.append(f"height {link.height} was not its proposer's turn")
        chain.append(link)
        member.journal.certificates.append(certificate)

    # Faults

    def crash(self, number: int) -> None:
        self.members[number].alive = False

    def vanish(self, number: int) -> None:
        """Crash, and everybody sees the connection break."""
        self.crash(number)
        for other in self.reachable(number):
            other.do(other.machine.suspect(crypto.address_of(KEYS[number]), self.now))

    def appear(self, number: int) -> None:
        """Restart, and connect to everybody."""
        self.restart(number)
        for other in self.reachable(number):
            other.machine.trust(crypto.address_of(KEYS[number]))

    def restart(self, number: int) -> None:
        self.members[number] = Member(self, number, self.members[number].journal)

    def height(self) -> int:
        """Of the slowest honest validator that lives."""
        return min(len(one.journal.chain) - 1 for one in self.members.values() if one.alive)


def storm(town: Town, steps: int, step_ms: int = 400) -> None:
    """Random partitions, weather, crashes and restarts, then health."""
    dice, honest = town.dice, sorted(town.members)
    for _ in range(steps):
        match dice.randrange(5):
            case 0:
                town.side = {number: dice.randrange(2) for number in range(len(town.rules.stakes))}
            case 1:
                town.side = {}
            case 2:
                town.weather = Weather(
                    dice.random() * 0.4, dice.random() * 0.3, dice.randint(1, 100), dice.randint(1, 400)
                )
            case 3:
                town.crash(dice.choice(honest))
            case 4:
                for number in honest:
                    if not town.members[number].alive and dice.random() < 0.7:
                        town.restart(number)
        town.run(town.now + dice.randint(1, 2 * step_ms))
    town.side, town.weather = {}, Weather()
    for number in honest:
        if not town.members[number].alive:
            town.restart(number)


@dataclass
class Silent:
    """Says nothing, ever."""

    town: Town
    number: int

    def receive(self, sender: int, way: str, what: Any) -> None:
        pass


class Liar:
    """Signs all it hears of, gives up every view too, leads with two blocks, on old parents, to different halves."""

    def __init__(self, town: Town, number: int) -> None:
        self.town, self.number, self.key = town, number, KEYS[number]
        self.address = crypto.address_of(self.key)
        self.seen: set[Said] = set()
        self.heard: list[Link] = []
        self.led: set[int] = set()

    def sign(self, said: Said) -> Ballot:
        return Ballot(said, self.address, crypto.sign(said.digest(self.town.rules), self.key))

    def receive(self, sender: int, way: str, what: Any) -> None:
        if way == "propose":
            link, _ = what
            self.heard.append(link)
            self.say(Said(VoteKind.NOTARISE, link.view, link.height, link.hash))
            self.lead(link.view + 1)
        elif way == "hear":
            said = what.said
            self.say(said)
            if said.kind is not VoteKind.NULLIFY:
                self.say(Said(VoteKind.FINALISE, said.view, said.height, said.hash))
                self.lead(said.view + 1)
            self.say(Said(VoteKind.NULLIFY, said.view))

    def say(self, said: Said) -> None:
        if said in self.seen:
            return
        self.seen.add(said)
        dice = self.town.dice
        others = [n for n in range(len(self.town.rules.stakes)) if n != self.number]
        self.town.send(self.number, "hear", self.sign(said), dice.sample(others, dice.randint(1, len(others))))

    def lead(self, view: int) -> None:
        """On any block heard of lately, old ones too, that would make it the leader."""
        if view in self.led:
            return
        rules, dice = self.town.rules, self.town.dice
        parents = [p for p in self.heard[-8:] if p.view < view and leader(rules, p, view) == self.address]
        if not parents:
            return
        self.led.add(view)
        parent = dice.choice(parents)
        others = [n for n in range(len(rules.stakes)) if n != self.number]
        dice.shuffle(others)
        half = len(others) // 2
        for salt, group in ((b"a", others[:half]), (b"b", others[half:])):
            link = self.town.block(view, parent, self.key, salt, good=dice.random() < 0.7)
            self.town.send(self.number, "propose", (link, ()), group)
            self.say(Said(VoteKind.NOTARISE, view, link.height, link.hash))


class Twins:
    """One key, two honest machines that know nothing of each other: each talks to half of the others."""

    def __init__(self, town: Town, number: int) -> None:
        self.town, self.number = town, number
        others = [n for n in range(len(town.rules.stakes)) if n != number]
        self.halves = (others[::2], others[1::2])
        self.twins: list[Member] = []
        town.at(0, self.begin)

    def begin(self) -> None:
        for half in self.halves:
            self.twins.append(Twin(self.town, self.number, half))

    def receive(self, sender: int, way: str, what: Any) -> None:
        for half, twin in zip(self.halves, self.twins, strict=False):
            if sender in half:
                twin.receive(sender, way, what)


class Twin(Member):
    def __init__(self, town: Town, number: int, half: list[int]) -> None:
        self._half = half
        journal = Journal()
        super().__init__(_Half(town, half), number, journal)  # type: ignore[arg-type]


class _Half:
    """The town as one twin sees it."""

    def __init__(self, town: Town, half: list[int]) -> None:
        self._town, self._half = town, half

    def __getattr__(self, name: str) -> Any:
        return getattr(self._town, name)

    def send(self, sender: int, way: str, what: Any, only: Iterable[int] | None = None) -> None:
        self._town.send(sender, way, what, self._half)

    def committed(self, member: Member, link: Link, certificate: Certificate) -> None:
        if link.height == len(member.journal.chain):
            member.journal.chain.append(link)
            member.journal.certificates.append(certificate)

    def block(self, view: int, parent: Link, key: bytes, salt: bytes, good: bool = True) -> Link:
        return self._town.block(view, parent, key, salt + bytes(self._half), good)


__all__ = ["GENESIS", "KEYS", "Liar", "Member", "Silent", "Town", "Twins", "Weather", "replace", "rules_of", "storm"]
