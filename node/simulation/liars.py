"""
All kinds of liars by name, and one who is of every kind in turn.
"""

from __future__ import annotations

from collections.abc import Iterable

from genesis.chain import Block
from node.simulation.lies import Conflicter, Liar, Lie, Nuller, Outdated, Silent, Spoken
from node.simulation.lies_forging import Impersonator, Ranges
from node.simulation.lies_leading import Equivocator, Miscounter, Prophet, Usurper
from node.simulation.scenario import Kind

LIES: dict[Kind, type[Lie]] = {
    Kind.SILENT: Silent,
    Kind.EQUIVOCATOR: Equivocator,
    Kind.MISCOUNTER: Miscounter,
    Kind.PROPHET: Prophet,
    Kind.CONFLICTER: Conflicter,
    Kind.NULLER: Nuller,
    Kind.OUTDATED: Outdated,
    Kind.IMPERSONATOR: Impersonator,
    Kind.USURPER: Usurper,
    Kind.RANGES: Ranges,
}


class Changing(Lie):
    """All lies in turn, a message each; the silent one seldom."""

    def __init__(self, liar: Liar) -> None:
        super().__init__(liar)
        self._lies = [lie(liar) for lie in LIES.values()]

    def hears(self, block: Block) -> None:
        for lie in self._lies:
            lie.hears(block)

    def say(self, peer: str, protocol: str, payload: bytes) -> Iterable[Spoken]:
        return self.liar.dice.choice(self._lies).say(peer, protocol, payload)

    def answer(self, protocol: str, answer: bytes) -> bytes | None:
        return self.liar.dice.choice(self._lies).answer(protocol, answer)


def lie_of(kind: Kind, liar: Liar) -> Lie:
    return Changing(liar) if kind is Kind.ALL else LIES[kind](liar)
