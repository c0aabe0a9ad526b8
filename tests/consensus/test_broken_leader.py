"""A leader whose connections break is given no time, and what it proposed last is not lost if one has it."""

from __future__ import annotations

import trio

from genesis import crypto
from node.consensus.service import Consensus
from node.simulation import scheduler
from p2p.memory import Weather, open_memory_network
from tests.consensus.test_recall import RULES, Village

SEEDS = range(4)


def last_words(make: type[Consensus], seed: int) -> tuple[bool, float]:
    """
    A leader reaches one validator with its last proposal and dies; whether that block is certified, and after how long
    the next one is.
    """

    async def live() -> tuple[bool, float]:
        async with open_memory_network(seed, Weather(0.005, 0.005)) as hub, trio.open_nursery() as nursery:
            village = Village(hub, nursery, make)
            with village.watch.stop:
                village.start()
                await village.grown(5)
                leader = village.leader
                one, *others = (member for member in village.members if member is not leader)
                hub.partition([[leader.place.name, one.place.name], [other.place.name for other in others]])
                assert leader.service is not None and one.service is not None
                view = leader.service.machine.view
                own = crypto.address_of(leader.place.key)

                def proposed() -> list[bytes]:
                    blocks = one.service._blocks.items() if one.service else ()
                    return [name for name, b in blocks if b.header.proposer == own and b.header.view >= view]

                await village.until(lambda: bool(proposed()))
                block = proposed()[-1]
                height = len(village.watch.chain)
                leader.down_s = 1e6
                leader.crash()
                hub.heal()
                begun = trio.current_time()
                await village.grown(1)
                took_s = trio.current_time() - begun
                await village.grown(3)
                found = block in {link.hash for link in village.watch.chain[height - 1 :]}
            nursery.cancel_scope.cancel()
        return found, took_s

    return scheduler.run(live, seed)


def test_what_it_proposed_last_reaches_all_through_the_one_that_has_it() -> None:
    for seed in SEEDS:
        found, took_s = last_words(Consensus, seed)
        assert found and took_s < RULES.timeout_ms / 1000


class Silent(Consensus):
    """Keeps what it has."""

    def _pass_on(self, proposer: bytes) -> None:
        return


def test_without_that_it_is_lost() -> None:
    assert not any(last_words(Silent, seed)[0] for seed in SEEDS)
