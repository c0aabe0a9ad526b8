"""Whatever is done about validators and posting costs, through reorganisations: units add up, no set is rewritten."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path
from typing import Any

import trio
from trio.testing import MockClock

from genesis.chain import Commitment, VoteKind, sign_vote
from genesis.crypto import sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.membership import STAKE_UNIT, Evidence, ValidatorSet, possession_digest
from settlement.actions import Action, Announce, Claim, Exit, Force, Register, Replace, RotateKey
from settlement.local import LocalSettlement
from settlement.local_fees import COIN, FEE_BASE
from tests.settlement.test_adapter_contract import ADMIN, CHAIN, POSTER, TERMS, Chain, blocks, local, readiness

SEEDS, STEPS = 6, 150
FEES_FUNDED = 4
OWNERS = (6, 7)
KEYS = range(16)
WRONG = (
    "active", "insufficient_balance", "key_used", "last_validator", "left", "not_announced", "not_lost", "not_owner",
    "nothing_held", "pending", "stale_commitment", "still_held", "time_lock", "unknown_validator",
)  # fmt: skip
"""What a random action may run into; nothing else may happen."""


def some_action(dice: random.Random, owner: int, newest: Commitment | None, around: list[int]) -> Force | Action:
    """around: keys that are in the set or wait, which half of all actions are about."""
    key, other = dice.choice(around if dice.random() < 0.5 else KEYS), dice.choice(KEYS)
    digest = possession_digest(CHAIN, development_address(owner))
    consent = sign(digest, development_key(other))
    vote = partial(sign_vote, VoteKind.NOTARISE, CHAIN, 5, dice.randrange(9), validators=0)
    named, asked = development_address(key), development_address(other)
    votes = [vote(block_hash=block * 32, private_key=development_key(key)) for block in (b"1", b"2")]
    choices: tuple[tuple[int, Force | Action], ...] = (
        (5, Register(asked, dice.randint(1, 3), consent)),
        (4, Exit(named)),
        (6, Claim(named)),
        (6, RotateKey(named, asked, consent)),
        (1, Evidence(votes[0], votes[1])),
        (2, Announce(tuple(development_address(first) for first in range(4) if first != key % 4))),
        (2, Replace()),
        (1, Force(bytes([key + 1]))),
    )
    if newest is not None:
        choices = (*choices, (8, readiness(key, newest)))
    return dice.choices([action for _, action in choices], [weight for weight, _ in choices])[0]


async def walk(folder: Path, seed: int) -> dict[str, int]:
    """Take random steps; what was tried and taken in, by name."""
    dice, done = random.Random(seed), dict[str, int]()
    async with local(folder) as s:
        for owner in OWNERS:
            await s.fund(development_address(owner), 0, 60 * STAKE_UNIT)
        settled: tuple[ValidatorSet, ...] = ()
        chain, newest = Chain(), None
        for step in range(STEPS):
            owner = dice.choice(OWNERS)
            action = some_action(dice, owner, newest, await _around(s))
            by = ADMIN if isinstance(action, Announce) else development_address(owner)
            if isinstance(action, Exit | Claim) and dice.random() < 0.3:
                by = action.key  # of a first validator, which is its own owner
            try:
                await s.act(by, action, str(step).encode())
                done[type(action).__name__] = done.get(type(action).__name__, 0) + 1
            except Invalid as error:
                assert error.code in WRONG, (error.code, action)
            blocks(dice.choice((0, 0, 1, 2, 5, 9)))
            settled = await _look(s, dice, settled)
            if step % 10 == 9:
                await s.set_fees(dice.random() < 0.8)
                newest = await _commit(s, chain, done) or newest
    return done


async def _around(s: LocalSettlement) -> list[int]:
    there = {*(await s.validator_sets(0, 10**9))[-1].stakes, *await s.pending_validators()}
    return [key for key in KEYS if development_address(key) in there]


async def _look(s: LocalSettlement, dice: random.Random, settled: tuple[ValidatorSet, ...]) -> tuple[ValidatorSet, ...]:
    """Audit; go back now and then; sets that hold at the tip never change but with settlement's own blocks."""
    tip = (await s.head()).settlement_height
    await s.audit()
    sets = await s.validator_sets(0, tip)
    assert sets[: len(settled)] == settled, "a set that holds was rewritten"
    assert [one.version for one in sets] == list(range(len(sets)))
    assert not set(await s.pending_validators()) & set(sets[-1].stakes), "who is not ready is in no set"
    assert all(one.stakes for one in await s.validator_sets(0, 10**9)), "somebody always certifies"
    if tip > 1 and dice.random() < 0.1:
        depth = dice.randint(1, min(tip, TERMS.challenge_blocks))
        await s.reorganise(depth)
        await s.audit()
        return await s.validator_sets(0, tip - depth)
    return sets


async def _commit(s: LocalSettlement, chain: Chain, done: dict[str, int]) -> Commitment | None:
    """
    The rest of a span, committed at the tip by everybody who validates there, all of the inbox consumed. A poster
    whose money has run out gets some, and None is returned.
    """
    head = await s.head()
    now = (await s.validator_sets(0, head.settlement_height))[-1]
    keys = tuple(key for key in KEYS if development_address(key) in now.stakes)
    chain.inbox_count = len(await s.inbox(0, head.settlement_height))
    committed = await s.committed()
    chain.height = committed.height
    count = 4 - committed.height % 4
    changes: dict[str, Any] = {"count": count, "keys": keys, "validators": now.version}
    commitment = chain.commit(head, **changes)
    try:
        await s.submit(commitment)
    except Invalid as error:
        assert error.code == "insufficient_balance", error
        await s.fund(POSTER, COIN, FEES_FUNDED * FEE_BASE)
        done["unpaid"] = done.get("unpaid", 0) + 1
        return None
    done["paid"] = done.get("paid", 0) + 1
    return commitment


def test_every_unit_adds_up_whatever_happens(tmp_path: Path) -> None:
    done: dict[str, int] = {}
    for seed in range(SEEDS):
        (tmp_path / str(seed)).mkdir()
        for name, count in trio.run(partial(walk, tmp_path / str(seed), seed), clock=MockClock()).items():
            done[name] = done.get(name, 0) + count
    names = "Register", "Activate", "Exit", "Claim", "RotateKey", "Evidence", "Announce", "Force"
    wanted = {*names, "paid", "unpaid"}
    assert wanted <= done.keys(), done
