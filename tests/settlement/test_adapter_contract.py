"""One suite for every implementation of the settlement door, under a virtual clock."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from genesis.chain import (
    Certificate,
    Commitment,
    Deposit,
    Forced,
    Header,
    VoteKind,
    Withdrawal,
    certify,
    prove_withdrawal,
    sign_vote,
    withdrawals_root,
)
from genesis.crypto import ZERO_ADDRESS, ZERO_HASH, sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.header import HEADER_VERSION
from genesis.membership import STAKE_UNIT, Evidence, Readiness, ValidatorSet, possession_digest
from genesis.settling import FORCED_BYTES_MAX
from settlement.actions import Activate, Announce, Claim, Exit, Force, Register, Replace, RotateKey
from settlement.adapter import Head
from settlement.contract import FORCED_PATIENCE, Terms
from settlement.local import LocalSettlement, open_local
from settlement.local_fees import COIN
from settlement.validators import BURNT, READINESS_COMMITMENTS, REWARD_PPM

BLOCK_TIME_MS = 500
CHAIN = 7357
ALICE, BOB, ADMIN = development_address(6), development_address(7), development_address(11)
POSTER, OTHER = development_address(0), development_address(1)
TERMS = Terms(CHAIN, 4, 4, {development_address(i): 1 for i in range(4)}, admin=ADMIN)


@asynccontextmanager
async def local(folder: Path, poster: bytes | None = POSTER) -> AsyncIterator[LocalSettlement]:
    clock = lambda: int(trio.current_time() * 1000)  # noqa: E731
    async with open_local(folder / "settlement.sqlite", TERMS, BLOCK_TIME_MS, clock, poster) as settlement:
        yield settlement


IMPLEMENTATIONS = {"local": local}
Test = Callable[[LocalSettlement], Awaitable[None]]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def run(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Test], None]:
    """Run an async test against one implementation; time moves only when the test says so."""
    opened: Callable[[Path], AbstractAsyncContextManager[LocalSettlement]] = IMPLEMENTATIONS[request.param]

    async def main(test: Test) -> None:
        async with opened(tmp_path) as settlement:
            await test(settlement)
            await settlement.audit()

    return lambda test: trio.run(partial(main, test), clock=MockClock())


def blocks(count: float) -> None:
    """Let so many settlement blocks pass."""
    clock = trio.lowlevel.current_clock()
    assert isinstance(clock, MockClock)
    clock.jump(count * BLOCK_TIME_MS / 1000)


@dataclass
class Chain:
    """A Tenor chain reduced to its headers, to make commitments from."""

    height: int = 0
    inbox_count: int = 0
    withdrawals: list[Withdrawal] = field(default_factory=list)

    def commit(self, anchor: Head, count: int = 4, keys: tuple[int, ...] = (0, 1, 2), **changes: Any) -> Commitment:
        first, self.height = self.height + 1, self.height + count
        header = Header(
            HEADER_VERSION, self.height, self.height * 250, 0, ZERO_HASH, 0, ZERO_ADDRESS, 0, anchor.settlement_height,
            anchor.hash, self.inbox_count, ZERO_HASH, ZERO_HASH, ZERO_HASH, withdrawals_root(self.withdrawals),
            ZERO_HASH, bytes([self.height % 256]) * 32, 0,
        )  # fmt: skip
        header = replace(header, **changes)
        return Commitment(first, header, certificate(header, keys))


def certificate(header: Header, keys: tuple[int, ...]) -> Certificate:
    hashed = header.hash()
    sign = partial(sign_vote, VoteKind.FINALISE, CHAIN, header.height, 0, hashed, header.validators)
    return certify(sign(development_key(key)) for key in keys)


async def code_of(call: Awaitable[Any]) -> str:
    with pytest.raises(Invalid) as caught:
        await call
    return caught.value.code


def test_a_commitment_goes_from_absent_over_pending_and_posted_to_final(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment = Chain().commit(await s.head())
        stages = [await s.standing(commitment.id)]
        await s.submit(commitment)
        for passed in (0, 1, TERMS.challenge_blocks):
            blocks(passed)
            stages.append(await s.standing(commitment.id))
        assert stages == ["absent", "pending", "posted", "final"]
        assert [await s.standing(height) for height in (1, 4, 5)] == ["final", "final", "absent"]

    run(test)


def test_the_same_commitment_twice_counts_once(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        chain = Chain()
        commitment = chain.commit(await s.head())
        assert await s.submit(commitment) == await s.submit(commitment)
        other_quorum = replace(commitment, certificate=certificate(commitment.header, (1, 2, 3)))
        assert await s.submit(other_quorum) == commitment.id
        blocks(1)
        await s.submit(commitment)
        assert (await s.committed()).height == 4
        await s.submit(chain.commit(await s.head()))
        assert (await s.committed()).height == 8

    run(test)


def test_a_commitment_that_does_not_follow_the_last_is_refused(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        anchor = await s.head()
        chain = Chain()
        await s.submit(chain.commit(anchor))
        assert await code_of(s.submit(Chain(height=8).commit(anchor))) == "not_next"
        assert await code_of(s.submit(Chain().commit(anchor, state_root=b"\7" * 32))) == "not_next"
        assert await code_of(s.submit(Chain(height=4).commit(anchor, count=5))) == "not_next"
        await s.submit(Chain(height=4).commit(anchor, count=1))
        assert (await s.committed()).height == 5

    run(test)


def test_only_a_quorum_of_registered_validators_certifies(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        anchor = await s.head()
        assert await code_of(s.submit(Chain().commit(anchor, keys=(0, 1)))) == "no_quorum"
        assert await code_of(s.submit(Chain().commit(anchor, keys=(0, 1, 9)))) == "unknown_validator"
        assert await code_of(s.submit(Chain().commit(anchor, validators=1))) == "wrong_validators"
        assert await s.validator_sets(0, 10**9) == (ValidatorSet(0, 0, TERMS.stakes),)
        assert (await s.committed()).height == 0

    run(test)


def test_deposits_are_numbered_in_order_and_shown_only_up_to_the_height_asked(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        await s.deposit(ALICE, 0, 60, b"a")
        assert await s.inbox(0, 10**9) == ()
        blocks(1)
        await s.deposit(ALICE, 0, 40, b"b")
        blocks(1)
        first, second = await s.inbox(0, 10**9)
        assert (first.index, first.amount, first.settlement_height) == (0, 60, 1)
        assert (second.index, second.amount, second.settlement_height) == (1, 40, 2)
        assert await s.inbox(0, 1) == (first,)
        assert await s.inbox(1, 2) == (second,)
        assert await s.audit() == {0: 100}

    run(test)


def test_a_deposit_repeated_with_its_nonce_counts_once_and_never_overdraws(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        assert await s.deposit(ALICE, 0, 60, b"a") == await s.deposit(ALICE, 0, 60, b"a")
        assert await s.balance(ALICE, 0) == 40
        assert await code_of(s.deposit(ALICE, 0, 60, b"b")) == "insufficient_balance"
        assert await code_of(s.deposit(ALICE, 0, 0, b"c")) == "malformed"
        blocks(1)
        assert await s.deposit(ALICE, 0, 60, b"a")
        blocks(1)
        assert len(await s.inbox(0, 10**9)) == 1

    run(test)


def test_inbox_counts_never_exceed_the_anchor_nor_shrink(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        before = await s.head()
        await s.deposit(ALICE, 0, 1, b"")
        blocks(1)
        after = await s.head()
        assert await code_of(s.submit(Chain(inbox_count=1).commit(before))) == "bad_inbox"
        assert await code_of(s.submit(Chain(inbox_count=2).commit(after))) == "bad_inbox"
        assert await code_of(s.submit(Chain().commit(Head(1, b"\1" * 32)))) == "bad_anchor"
        await s.submit(Chain(inbox_count=1).commit(after))
        assert await code_of(s.submit(Chain(height=4, inbox_count=0).commit(after))) == "bad_inbox"

    run(test)


async def final_withdrawals(s: LocalSettlement) -> tuple[Commitment, list[Withdrawal]]:
    """Lock 100, commit three withdrawals of 10, 20 and 30, wait until that is final."""
    await s.fund(ALICE, 0, 100)
    await s.deposit(ALICE, 0, 100, b"")
    blocks(1)
    withdrawals = [Withdrawal(index, BOB, 0, 10 * (index + 1)) for index in range(3)]
    commitment = Chain(inbox_count=1, withdrawals=withdrawals).commit(await s.head())
    await s.submit(commitment)
    blocks(1)
    await s.head()
    blocks(TERMS.challenge_blocks)
    return commitment, withdrawals


def test_a_withdrawal_is_paid_once_against_its_proof(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment, withdrawals = await final_withdrawals(s)
        proof = prove_withdrawal(withdrawals, 1, commitment.last_height)
        posting = await s.withdraw(withdrawals[1], proof)
        assert await s.withdraw(withdrawals[1], proof) == posting
        blocks(1)
        assert await s.withdraw(withdrawals[1], proof) == posting
        blocks(1)
        assert await s.balance(BOB, 0) == 20
        assert await s.audit() == {0: 80}

    run(test)


def test_a_withdrawal_needs_its_own_proof_under_a_final_commitment(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment, withdrawals = await final_withdrawals(s)
        proof = prove_withdrawal(withdrawals, 1, commitment.last_height)
        assert await code_of(s.withdraw(replace(withdrawals[1], amount=21), proof)) == "bad_proof"
        assert await code_of(s.withdraw(withdrawals[0], proof)) == "bad_proof"
        assert await code_of(s.withdraw(withdrawals[1], replace(proof, height=8))) == "not_final"
        following = Chain(height=4, inbox_count=1, withdrawals=[Withdrawal(3, BOB, 0, 5)]).commit(await s.head())
        await s.submit(following)
        blocks(1)
        late = prove_withdrawal([Withdrawal(3, BOB, 0, 5)], 0, 8)
        assert await code_of(s.withdraw(Withdrawal(3, BOB, 0, 5), late)) == "not_final"
        assert await s.balance(BOB, 0) == 0

    run(test)


def test_more_than_is_locked_is_never_paid(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        greedy = [Withdrawal(0, BOB, 0, 1)]
        await s.submit(Chain(withdrawals=greedy).commit(await s.head()))
        blocks(1)
        await s.head()
        blocks(TERMS.challenge_blocks)
        posting = await s.withdraw(greedy[0], prove_withdrawal(greedy, 0, 4))
        blocks(1)
        assert (await s.standing(posting), await s.balance(BOB, 0)) == ("absent", 0)

    run(test)


def test_an_outage_is_unavailable_and_loses_nothing(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment = Chain().commit(await s.head())
        await s.set_outage(True)
        for call in (s.submit(commitment), s.head(), s.inbox(0, 1), s.standing(1), s.quote_fee(1), s.poster()):
            with pytest.raises(Unavailable):
                await call
        blocks(3)
        await s.set_outage(False)
        assert (await s.head()).settlement_height == 3
        await s.submit(commitment)
        assert await s.standing(commitment.id) == "pending"

    run(test)


def test_a_reorganisation_is_reported_with_its_fork_and_only_to_whom_it_concerns(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        blocks(5)
        old, tip = await s.head(confirmations=3), await s.head()
        new = await s.reorganise(2)
        assert (new.settlement_height, new.hash != tip.hash) == (5, True)
        assert await s.reorganisations(old) is None
        reported = await s.reorganisations(tip)
        assert reported is not None
        assert (reported.fork_height, reported.head) == (3, new)
        second = await s.reorganise(4)
        reported = await s.reorganisations(tip)
        assert reported is not None
        assert (reported.fork_height, reported.head) == (1, second)
        assert await code_of(s.reorganisations(Head(5, b"\1" * 32))) == "unknown_block"
        assert await code_of(s.reorganise(TERMS.challenge_blocks + 1)) == "too_deep"

    run(test)


def test_deposits_come_back_after_a_reorganisation_each_once(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 1_000)
        for nonce in (b"a", b"b", b"c"):
            await s.deposit(ALICE, 0, 10 + nonce[0], nonce)
        blocks(2)
        before = await s.inbox(0, 10**9)
        await s.reorganise(2)
        assert await s.inbox(0, 10**9) == ()
        blocks(1)
        after = await s.inbox(0, 10**9)
        assert [e.amount for e in after] == [e.amount for e in reversed(before)], (
            "the order may change, the set may not"
        )
        assert [e.index for e in after] == [0, 1, 2]

    run(test)


def test_a_posted_commitment_waits_again_after_a_reorganisation_unless_its_anchor_is_gone(
    run: Callable[[Test], None],
) -> None:
    async def test(s: LocalSettlement) -> None:
        blocks(3)
        chain = Chain()
        early, late = chain.commit(await s.head(confirmations=2)), chain.commit(await s.head())
        await s.submit(early)
        await s.submit(late)
        blocks(1)
        assert [await s.standing(c.id) for c in (early, late)] == ["posted", "posted"]
        await s.reorganise(2)
        assert [await s.standing(c.id) for c in (early, late)] == ["pending", "pending"]
        blocks(1)
        assert [await s.standing(c.id) for c in (early, late)] == ["posted", "absent"]
        assert (await s.committed()).height == early.last_height

    run(test)


def test_a_paid_withdrawal_survives_a_reorganisation_paid_once(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment, withdrawals = await final_withdrawals(s)
        proof = prove_withdrawal(withdrawals, 2, commitment.last_height)
        await s.withdraw(withdrawals[2], proof)
        blocks(1)
        assert await s.balance(BOB, 0) == 30
        await s.reorganise(2)
        assert await s.balance(BOB, 0) == 0
        await s.withdraw(withdrawals[2], proof)
        blocks(1)
        assert await s.balance(BOB, 0) == 30

    run(test)


# What posting costs


async def fee_of(s: LocalSettlement, commitment: Commitment) -> int:
    return await s.quote_fee(len(commitment.encode()))


async def held(s: LocalSettlement) -> int:
    """The poster's coin."""
    poster = await s.poster()
    assert poster is not None and poster.account == POSTER
    return poster.balance


def test_where_posting_is_free_nobody_is_asked_for_a_purse(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        assert (await s.quote_fee(1_000), await s.poster()) == (0, None)
        await s.submit(Chain().commit(await s.head()))

    run(test)


def test_the_fee_grows_with_the_commitment(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.set_fees(True)
        assert 0 < await s.quote_fee(100) < await s.quote_fee(1_000)

    run(test)


def test_a_commitment_costs_its_fee_once_and_that_is_burnt(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.set_fees(True)
        commitment = Chain().commit(await s.head())
        fee = await fee_of(s, commitment)
        await s.fund(POSTER, COIN, 3 * fee)
        for _ in range(2):
            await s.submit(commitment)
            blocks(1)
        assert (await held(s), await s.balance(BURNT, COIN)) == (2 * fee, fee)

    run(test)


def test_a_poster_without_money_is_refused_until_there_is_some(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.set_fees(True)
        commitment = Chain().commit(await s.head())
        fee = await fee_of(s, commitment)
        await s.fund(POSTER, COIN, fee - 1)
        assert await code_of(s.submit(commitment)) == "insufficient_balance"
        assert (await s.committed()).height == 0
        assert (await s.standing(commitment.id), await held(s)) == ("absent", fee - 1)
        await s.fund(POSTER, COIN, 1)
        await s.submit(commitment)
        assert (await s.standing(commitment.id), await held(s)) == ("pending", 0)

    run(test)


def test_what_is_refused_costs_nothing_and_its_fault_is_told_before_the_poster_s(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.set_fees(True)
        refused = Chain(height=8).commit(await s.head())
        for amount in (0, 10**18):
            await s.fund(POSTER, COIN, amount)
            assert await code_of(s.submit(refused)) == "not_next"
            assert await held(s) == amount

    run(test)


def test_a_reorganisation_gives_no_fee_back_and_takes_none_again(run: Callable[[Test], None]) -> None:
    """Of one commitment that waits again, and of one that is dropped."""

    async def test(s: LocalSettlement) -> None:
        await s.set_fees(True)
        await s.fund(POSTER, COIN, 10**18)
        blocks(3)
        chain = Chain()
        early, late = chain.commit(await s.head(confirmations=2)), chain.commit(await s.head())
        paid = await fee_of(s, early) + await fee_of(s, late)
        await s.submit(early)
        await s.submit(late)
        blocks(1)
        await s.reorganise(2)
        await s.submit(early)
        blocks(1)
        assert [await s.standing(c.id) for c in (early, late)] == ["posted", "absent"]
        assert (await held(s), await s.balance(BURNT, COIN)) == (10**18 - paid, paid)

    run(test)


def test_the_coin_is_no_asset_that_could_be_deposited(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, COIN, 1)
        with pytest.raises(Invalid):
            await s.deposit(ALICE, COIN, 1, b"")
        assert await s.balance(ALICE, COIN) == 1

    run(test)


# Validators


def possession(key: int, owner: bytes = ALICE, chain: int = CHAIN) -> bytes:
    return sign(possession_digest(chain, owner), development_key(key))


def register(key: int, stake: int = 2, owner: bytes = ALICE) -> Register:
    return Register(development_address(key), stake, possession(key, owner))


def equivocation(key: int, kind: VoteKind = VoteKind.FINALISE, **changes: Any) -> Evidence:
    """Two votes in view 7; changes are of the second."""
    vote: dict[str, Any] = {
        "kind": kind, "chain": CHAIN, "height": 5, "view": 7, "block_hash": b"\1" * 32, "validators": 0,
        "private_key": development_key(key),
    }  # fmt: skip
    return Evidence(sign_vote(**vote), sign_vote(**(vote | {"block_hash": b"\2" * 32} | changes)))


def readiness(key: int, block: Commitment, signer: int | None = None, chain: int = CHAIN) -> Activate:
    """signer: who signs it in the key's place."""
    said = Readiness(chain, development_address(key), block.last_height, block.block_hash)
    signature = sign(said.digest(), development_key(key if signer is None else signer))
    return Activate(said.key, said.height, said.block_hash, signature)


async def committed(s: LocalSettlement, chain: Chain, **changes: Any) -> Commitment:
    """The next commitment, once a block has taken it in."""
    commitment = chain.commit(await s.head(), **changes)
    await s.submit(commitment)
    blocks(1)
    assert await s.standing(commitment.id) == "posted"
    return commitment


async def ready(s: LocalSettlement, chain: Chain, key: int, **changes: Any) -> None:
    """Let a key that is registered say that it is ready, and enter."""
    await s.activate(readiness(key, await committed(s, chain, **changes)))
    blocks(1 + TERMS.delay_blocks)


async def joined(s: LocalSettlement, chain: Chain, key: int = 5, stake: int = 2) -> ValidatorSet:
    """Let ALICE register a key, which is ready; the set that holds once it is in."""
    await s.fund(ALICE, 0, stake * STAKE_UNIT)
    await s.act(ALICE, register(key, stake), b"join")
    await ready(s, chain, key)
    return (await s.validator_sets(0, 10**9))[-1]


async def final(s: LocalSettlement, chain: Chain, keys: tuple[int, ...], **changes: Any) -> None:
    """Commit at the tip's anchor, wait until that is final."""
    await s.submit(chain.commit(await s.head(), keys=keys, **changes))
    blocks(1)
    await s.head()
    blocks(TERMS.challenge_blocks)


def test_a_validator_joins_at_a_stated_height_with_its_stake_bonded(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 3 * STAKE_UNIT)
        posting = await s.act(ALICE, register(5, 2), b"")
        assert await s.act(ALICE, register(5, 2), b"") == posting
        assert await s.balance(ALICE, 0) == STAKE_UNIT
        commitment = await committed(s, Chain())
        assert await s.pending_validators() == {development_address(5): 2}
        posting = await s.activate(readiness(5, commitment))
        assert await s.activate(readiness(5, commitment)) == posting
        blocks(1)
        assert await s.validator_sets(0, 10**9) == (
            ValidatorSet(0, 0, TERMS.stakes),
            ValidatorSet(1, 2 + TERMS.delay_blocks, TERMS.stakes | {development_address(5): 2}),
        )
        assert await s.pending_validators() == {}
        assert len(await s.validator_sets(0, 1 + TERMS.delay_blocks)) == 1, "only sets that hold by then"
        assert len(await s.validator_sets(1, 10**9)) == 1

    run(test)


def test_the_block_that_moves_the_anchor_is_the_last_of_its_set(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        before = await s.head()
        chain = Chain()
        await joined(s, chain)
        after = await s.head()
        assert await code_of(s.submit(replace(chain).commit(before, validators=1))) == "wrong_validators"
        assert await code_of(s.submit(replace(chain).commit(after, keys=(0, 1, 2, 3), validators=1))) == "no_quorum"
        await s.submit(chain.commit(before, keys=(0, 1, 2)))
        await s.submit(chain.commit(after, keys=(0, 1, 2)))
        assert await code_of(s.submit(replace(chain).commit(after, keys=(0, 1, 2, 3)))) == "wrong_validators"
        await s.submit(chain.commit(after, keys=(0, 1, 5, 2), validators=1))
        stale = replace(chain).commit(before)
        assert await code_of(s.submit(stale)) == "bad_anchor", "who left cannot go back to where he counted"

    run(test)


def test_registering_needs_the_key_the_money_and_a_new_key(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        assert await code_of(s.act(ALICE, register(5), b"")) == "insufficient_balance"
        await s.fund(ALICE, 0, 10 * STAKE_UNIT)
        assert await code_of(s.act(ALICE, register(5, 0), b"")) == "stake_too_low"
        for other in (register(5, owner=BOB), Register(development_address(5), 2, possession(5, chain=1))):
            assert await code_of(s.act(ALICE, other, b"")) == "bad_signature"
        assert await code_of(s.act(ALICE, register(0), b"")) == "key_used"
        await s.act(ALICE, register(5), b"a")
        second = await s.act(ALICE, register(5), b"b")
        blocks(1)
        assert await s.standing(second) == "absent", "dropped, and what came with it given back"
        assert await s.balance(ALICE, 0) == 8 * STAKE_UNIT

    run(test)


def test_stake_comes_back_after_leaving_when_it_can_be_held_to_account_no_more(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        chain, key = Chain(), development_address(5)
        await joined(s, chain)
        assert await code_of(s.act(BOB, Exit(key), b"")) == "not_owner"
        assert await code_of(s.act(ALICE, Exit(development_address(9)), b"")) == "unknown_validator"
        await s.act(ALICE, Exit(key), b"")
        blocks(1 + TERMS.delay_blocks)
        assert (await s.validator_sets(2, 10**9))[0].stakes == TERMS.stakes
        blocks(TERMS.exit_blocks)
        assert await code_of(s.act(ALICE, Claim(key), b"")) == "still_held", "no commitment is anchored there yet"
        await final(s, chain, (0, 1, 2), validators=2)
        await s.act(ALICE, Claim(key), b"")
        blocks(1)
        assert await s.balance(ALICE, 0) == 2 * STAKE_UNIT
        assert await code_of(s.act(ALICE, Claim(key), b"again")) == "nothing_held"

    run(test)


def test_the_delay_runs_from_leaving(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        chain, key = Chain(), development_address(5)
        await joined(s, chain)
        await s.act(ALICE, Exit(key), b"")
        blocks(1 + TERMS.delay_blocks)
        await final(s, chain, (0, 1, 2), validators=2)
        assert await code_of(s.act(ALICE, Claim(key), b"")) == "still_held"
        blocks(TERMS.exit_blocks)
        await s.act(ALICE, Claim(key), b"")

    run(test)


def test_the_last_validator_stays(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        for index in range(3):
            await s.act(development_address(index), Exit(development_address(index)), b"")
            blocks(1)
        assert await code_of(s.act(development_address(3), Exit(development_address(3)), b"")) == "last_validator"

    run(test)


def test_a_new_key_takes_the_place_of_the_old_one(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        old, new = development_address(0), development_address(9)
        rotated = RotateKey(old, new, possession(9, old))
        assert await code_of(s.act(old, replace(rotated, possession=possession(8, old)), b"")) == "bad_signature"
        assert await code_of(s.act(old, RotateKey(old, development_address(1), possession(1, old)), b"")) == "key_used"
        await s.act(old, rotated, b"")
        chain = Chain()
        await committed(s, chain)
        blocks(100)
        assert len(await s.validator_sets(0, 10**9)) == 1, "it stays until the new one's node is there"
        assert await s.pending_validators() == {new: 1}
        await ready(s, chain, 9)
        (rotation,) = await s.validator_sets(1, 10**9)
        assert rotation.stakes == {k: v for k, v in TERMS.stakes.items() if k != old} | {new: 1}
        assert await code_of(s.act(old, Exit(old), b"")) == "left"
        await s.act(old, Exit(new), b"")

    run(test)


def test_who_votes_for_two_blocks_in_one_view_loses_the_stake(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await joined(s, Chain(), stake=3)
        await s.act(BOB, equivocation(5), b"")
        blocks(1 + TERMS.delay_blocks)
        assert (await s.validator_sets(2, 10**9))[0].stakes == TERMS.stakes
        reward = 3 * STAKE_UNIT * REWARD_PPM // 1_000_000
        assert (await s.balance(BOB, 0), await s.balance(BURNT, 0)) == (reward, 3 * STAKE_UNIT - reward)
        assert await code_of(s.act(BOB, equivocation(5, VoteKind.NOTARISE), b"")) == "nothing_held"
        assert await code_of(s.act(ALICE, Claim(development_address(5)), b"")) == "still_held"

    run(test)


def test_neither_a_new_key_nor_leaving_saves_the_stake(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        chain = Chain()
        await joined(s, chain)
        rotated = RotateKey(development_address(5), development_address(9), possession(9))
        await s.act(ALICE, rotated, b"")
        await ready(s, chain, 9)
        await s.act(ALICE, Exit(development_address(9)), b"")
        blocks(1 + TERMS.delay_blocks)
        await s.act(BOB, equivocation(5), b"")
        blocks(1)
        assert await s.balance(BURNT, 0) > 0
        await final(s, chain, (0, 1, 2), validators=(await s.validator_sets(0, 10**9))[-1].version)
        blocks(TERMS.exit_blocks)
        assert await code_of(s.act(ALICE, Claim(development_address(9)), b"")) == "nothing_held"

    run(test)


@pytest.mark.parametrize(
    "changes",
    [
        {"block_hash": b"\1" * 32},
        {"view": 8},
        {"chain": 1},
        {"private_key": development_key(1)},
    ],
)
def test_what_does_not_contradict_is_no_evidence(run: Callable[[Test], None], changes: dict[str, Any]) -> None:
    async def test(s: LocalSettlement) -> None:
        assert await code_of(s.act(BOB, equivocation(0, **changes), b"")) == "no_evidence"
        nullified, mixed = equivocation(0, VoteKind.NULLIFY), equivocation(0, VoteKind.NOTARISE)
        mixed = replace(mixed, first=equivocation(0).first)
        assert await code_of(s.act(BOB, mixed, b"")) == "no_evidence"
        assert await code_of(s.act(BOB, nullified, b"")) == "no_evidence"
        forged = equivocation(0)
        bent = replace(forged.second, signature=bytes(65))
        assert await code_of(s.act(BOB, replace(forged, second=bent), b"")) == "bad_signature"
        assert await code_of(s.act(BOB, equivocation(9), b"")) == "unknown_validator"

    run(test)


def test_validators_lost_for_good_are_replaced_after_a_time_lock(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        before = await s.head()
        lost = Announce((development_address(2), development_address(3)))
        assert await code_of(s.act(BOB, lost, b"")) == "not_admin"
        assert await code_of(s.act(ADMIN, Announce((development_address(3),)), b"")) == "not_lost"
        everybody = Announce(tuple(map(development_address, range(4))))
        assert await code_of(s.act(ADMIN, everybody, b"")) == "last_validator"
        assert await code_of(s.act(BOB, Replace(), b"")) == "not_announced"
        await s.act(ADMIN, lost, b"")
        blocks(1)
        assert await code_of(s.act(BOB, Replace(), b"")) == "time_lock"
        blocks(TERMS.replace_blocks)
        await s.act(BOB, Replace(), b"")
        blocks(1 + TERMS.delay_blocks)
        (survivors,) = await s.validator_sets(1, 10**9)
        assert survivors.stakes == {development_address(i): 1 for i in (0, 1)} and survivors.replaces
        assert await code_of(s.submit(Chain().commit(await s.head()))) == "wrong_validators", "it cannot hand over"
        chain = Chain()
        await s.submit(chain.commit(before))
        await s.submit(chain.commit(await s.head(), keys=(0, 1), validators=1))

    run(test)


@pytest.mark.parametrize("handed_over", [False, True], ids=["never voted", "voted before"])
def test_who_left_before_his_set_had_handed_over_is_replaced_too(
    run: Callable[[Test], None], handed_over: bool
) -> None:
    """The chain has to get through that set, which has no quorum without him."""
    gone = Announce((development_address(5),))

    async def test(s: LocalSettlement) -> None:
        chain = Chain()
        joined_set = await joined(s, chain, 5, stake=4)
        if handed_over:
            await final(s, chain, (0, 1, 2))
            await final(s, chain, (0, 1, 2, 3, 5), validators=1)
        await s.act(ALICE, Exit(development_address(5)), b"")
        blocks(1 + TERMS.delay_blocks)
        (*_, present) = await s.validator_sets(0, 10**9)
        assert (joined_set.version, present.version, present.stakes) == (1, 2, TERMS.stakes)
        await s.act(ADMIN, gone, b"")
        blocks(1 + TERMS.replace_blocks)
        await s.act(BOB, Replace(), b"")
        blocks(1 + TERMS.delay_blocks)
        (*_, replacing) = await s.validator_sets(0, 10**9)
        assert (replacing.stakes, replacing.replaces) == (TERMS.stakes, True)
        await final(s, chain, (0, 1, 2), validators=replacing.version)
        assert await code_of(s.act(ADMIN, gone, b"again")) == "not_lost"

    run(test)


def test_a_set_that_still_commits_is_not_replaced(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.act(ADMIN, Announce((development_address(2), development_address(3))), b"")
        blocks(2)
        await s.submit(Chain().commit(await s.head()))
        blocks(TERMS.replace_blocks + 1)
        assert await code_of(s.act(BOB, Replace(), b"")) == "not_lost"

    run(test)


def test_what_happens_to_validators_is_undone_and_done_again_by_a_reorganisation(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await joined(s, Chain())
        await s.act(BOB, equivocation(5), b"")
        blocks(1)
        await s.head()
        reward, burnt = await s.balance(BOB, 0), await s.balance(BURNT, 0)
        assert reward > 0
        await s.reorganise(2)
        assert (await s.balance(BOB, 0), await s.balance(BURNT, 0)) == (0, 0)
        await s.audit()
        blocks(1 + TERMS.delay_blocks)
        assert (await s.balance(BOB, 0), await s.balance(BURNT, 0)) == (reward, burnt)
        assert (await s.validator_sets(2, 10**9))[0].stakes == TERMS.stakes

    run(test)


def test_a_registration_undone_waits_with_its_stake(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        blocks(2)
        await s.fund(ALICE, 0, 2 * STAKE_UNIT)
        await s.act(ALICE, register(5), b"")
        blocks(1)
        assert await s.pending_validators() == {development_address(5): 2}
        await s.reorganise(1)
        assert await s.pending_validators() == {}
        assert await s.audit() == {} and await s.balance(ALICE, 0) == 0
        blocks(1)
        assert await s.pending_validators() == {development_address(5): 2}

    run(test)


async def registered(s: LocalSettlement, key: int = 5) -> Commitment:
    """Let ALICE register a key; a commitment that it may name."""
    await s.fund(ALICE, 0, 2 * STAKE_UNIT)
    await s.act(ALICE, register(key), b"")
    return await committed(s, Chain())


def test_who_registers_and_never_comes_is_never_in_the_set(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 99 * STAKE_UNIT)
        await s.act(ALICE, register(5, 99), b"")
        chain = Chain()
        for _ in range(5):
            await final(s, chain, (0, 1, 2))
        assert len(await s.validator_sets(0, 10**9)) == 1
        assert await s.pending_validators() == {development_address(5): 99}

    run(test)


@pytest.mark.parametrize("standing_still", [False, True], ids=["alive", "standing still"])
def test_who_never_entered_takes_all_of_the_stake_back(run: Callable[[Test], None], standing_still: bool) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment, key = await registered(s), development_address(5)
        assert await code_of(s.act(BOB, Exit(key), b"")) == "not_owner"
        await s.act(ALICE, Exit(key), b"")
        blocks(1)
        assert await code_of(s.activate(readiness(5, commitment))) == "left"
        assert await code_of(s.act(ALICE, Claim(key), b"")) == "still_held"
        if not standing_still:
            await final(s, Chain(height=4), (0, 1, 2))
        blocks(TERMS.delay_blocks + TERMS.exit_blocks)
        await s.act(ALICE, Claim(key), b"")
        blocks(1)
        assert await s.balance(ALICE, 0) == 2 * STAKE_UNIT
        assert (len(await s.validator_sets(0, 10**9)), await s.pending_validators()) == (1, {})
        assert await code_of(s.act(ALICE, register(5), b"again")) == "key_used"

    run(test)


def test_readiness_is_of_this_chain_this_key_and_a_commitment(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment = await registered(s)
        ahead = Chain(height=4).commit(await s.head())
        other = Chain().commit(await s.head(), state_root=b"\7" * 32)
        for wrong, code in (
            (readiness(5, commitment, chain=1), "bad_signature"),
            (readiness(5, commitment, signer=6), "bad_signature"),
            (replace(readiness(5, commitment), signature=possession(5)), "bad_signature"),
            (replace(readiness(5, commitment), signature=bytes(65)), "bad_signature"),
            (replace(readiness(5, commitment), height=8), "stale_commitment"),
            (readiness(5, ahead), "stale_commitment"),
            (readiness(5, other), "stale_commitment"),
            (readiness(9, commitment), "unknown_validator"),
            (readiness(0, commitment), "active"),
        ):
            assert await code_of(s.activate(wrong)) == code
        await s.act(BOB, readiness(5, commitment), b"anybody may")
        blocks(1)
        assert await s.pending_validators() == {}
        assert await code_of(s.activate(readiness(5, commitment))) == "active"

    run(test)


def test_readiness_before_the_first_commitment_says_nothing(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 2 * STAKE_UNIT)
        await s.act(ALICE, register(5), b"")
        waiting = Chain().commit(await s.head())
        await s.submit(waiting)
        assert await code_of(s.activate(readiness(5, waiting))) == "unknown_validator"
        blocks(1)
        nothing = Activate(development_address(5), 0, ZERO_HASH, bytes(65))
        assert await code_of(s.activate(nothing)) == "stale_commitment"
        await s.activate(readiness(5, waiting))

    run(test)


def test_old_readiness_says_nothing_but_time_alone_makes_none_old(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        old, chain = await registered(s), Chain(height=4)
        for _ in range(READINESS_COMMITMENTS - 1):
            newest = await committed(s, chain)
        held_back = await s.activate(readiness(5, old))
        blocks(1)
        assert await s.standing(held_back) == "posted", "the oldest that counts"
        await s.reorganise(2)  # both wait again, and the commitment comes first
        await s.submit(chain.commit(await s.head()))
        blocks(1)
        assert await s.standing(held_back) == "absent"
        assert await code_of(s.activate(readiness(5, old))) == "stale_commitment"
        await s.head()
        blocks(1_000)
        await s.activate(readiness(5, newest))
        blocks(1)
        assert await s.pending_validators() == {}

    run(test)


def test_readiness_undone_by_a_reorganisation_is_taken_in_again(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        commitment = await registered(s)
        await s.activate(readiness(5, commitment))
        blocks(1)
        assert len(await s.validator_sets(0, 10**9)) == 2
        await s.reorganise(1)
        assert await s.pending_validators() == {development_address(5): 2}
        blocks(1)
        (_, entered) = await s.validator_sets(0, 10**9)
        assert entered.from_height == (await s.head()).settlement_height + TERMS.delay_blocks

    run(test)


def test_a_new_key_that_never_comes_is_replaced_by_another(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        old, chain = development_address(0), Chain()
        for key in (9, 8):
            await s.act(old, RotateKey(old, development_address(key), possession(key, old)), b"")
            blocks(1)
        assert await s.pending_validators() == {development_address(8): 1}
        commitment = await committed(s, chain)
        assert await code_of(s.activate(readiness(9, commitment))) == "left"
        await ready(s, chain, 8)
        assert development_address(8) in (await s.validator_sets(1, 10**9))[0].stakes

    run(test)


def test_a_new_key_may_be_taken_back_and_goes_with_the_old_one(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        old, new = development_address(0), development_address(9)
        await s.act(old, RotateKey(old, new, possession(9, old)), b"")
        blocks(1)
        third = RotateKey(new, development_address(8), possession(8, old))
        assert await code_of(s.act(old, third, b"")) == "pending"
        await s.act(old, Exit(new), b"")
        blocks(1)
        assert (await s.pending_validators(), len(await s.validator_sets(0, 10**9))) == ({}, 1)
        await s.act(old, RotateKey(old, development_address(8), possession(8, old)), b"")
        blocks(1)
        await s.act(old, Exit(old), b"")
        blocks(1)
        assert await s.pending_validators() == {}
        assert await code_of(s.activate(readiness(8, await committed(s, Chain())))) == "left"
        blocks(TERMS.delay_blocks)
        await final(s, Chain(height=4), (1, 2, 3), validators=1)
        blocks(TERMS.exit_blocks)
        assert await code_of(s.act(old, Claim(new), b"")) == "nothing_held"
        await s.act(old, Claim(old), b"")
        blocks(1)
        assert await s.balance(old, 0) == STAKE_UNIT

    run(test)


def test_a_key_that_waits_answers_for_nothing_of_the_one_that_stays(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        old, new = development_address(0), development_address(9)
        await s.act(old, RotateKey(old, new, possession(9, old)), b"")
        blocks(1)
        assert await code_of(s.act(BOB, equivocation(9), b"")) == "nothing_held"
        await s.act(BOB, equivocation(0), b"")
        blocks(1)
        assert await s.balance(BURNT, 0) > 0
        assert await s.pending_validators() == {}, "it goes with the one whose place it would have taken"

    run(test)


# Forced transactions


def test_forced_transactions_are_inbox_entries_among_the_deposits(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        await s.act(BOB, Force(b"first"), b"")
        blocks(1)
        await s.deposit(ALICE, 0, 60, b"")
        await s.act(BOB, Force(b"second"), b"")
        assert await s.act(BOB, Force(b"second"), b"") == await s.act(BOB, Force(b"second"), b"")
        blocks(1)
        entries = await s.inbox(0, 10**9)
        assert entries == (Forced(0, b"first", 1), Deposit(1, ALICE, 0, 60, 2), Forced(2, b"second", 2))
        await s.reorganise(2)
        blocks(1)
        assert [type(entry) for entry in await s.inbox(0, 10**9)] == [Deposit, Forced, Forced]
        assert [entry.index for entry in await s.inbox(0, 10**9)] == [0, 1, 2]

    run(test)


def test_what_is_forced_must_be_taken_in_within_the_window(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.act(BOB, Force(b"transaction"), b"")
        blocks(1)
        chain = Chain()
        await s.head()
        blocks(TERMS.forced_window_blocks - 1)
        await s.submit(chain.commit(await s.head()))
        blocks(1)
        assert await code_of(s.submit(Chain(height=4).commit(await s.head()))) == "forced_overdue"
        await s.submit(Chain(height=4, inbox_count=1).commit(await s.head()))

    run(test)


def test_a_chain_that_was_cut_off_posts_what_it_made_before_but_holds_no_anchor_for_ever(
    run: Callable[[Test], None],
) -> None:
    async def test(s: LocalSettlement) -> None:
        old = await s.head()
        await s.act(BOB, Force(b"transaction"), b"")
        blocks(2 * TERMS.forced_window_blocks)
        await s.submit(Chain().commit(old))
        blocks((FORCED_PATIENCE - 1) * TERMS.forced_window_blocks)
        assert await code_of(s.submit(Chain(height=4).commit(old))) == "forced_overdue"

    run(test)


def test_a_backlog_is_worked_off_a_block_s_worth_at_a_time(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        for number in range(3 * TERMS.forced_block):
            await s.act(BOB, Force(bytes([number + 1])), b"")
        blocks(1)
        await s.head()
        blocks(TERMS.forced_window_blocks + 1)
        few = TERMS.forced_block - 1
        assert await code_of(s.submit(Chain(inbox_count=few).commit(await s.head()))) == "forced_overdue"
        await s.submit(Chain(inbox_count=TERMS.forced_block).commit(await s.head()))

    run(test)


@pytest.mark.parametrize("raw", [b"", bytes(FORCED_BYTES_MAX + 1)])
def test_what_no_inbox_entry_can_hold_cannot_be_forced(raw: bytes) -> None:
    with pytest.raises(Invalid, match="1 to"):
        Force(raw)
