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
    Header,
    VoteKind,
    Withdrawal,
    certify,
    prove_withdrawal,
    sign_vote,
    withdrawals_root,
)
from genesis.crypto import ZERO_ADDRESS, ZERO_HASH
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid, Unavailable
from genesis.header import HEADER_VERSION
from settlement.adapter import Head
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local

BLOCK_TIME_MS = 500
CHAIN = 7357
ALICE, BOB = development_address(6), development_address(7)
TERMS = Terms(CHAIN, 4, 4, {development_address(i): 1 for i in range(4)})


@asynccontextmanager
async def local(folder: Path) -> AsyncIterator[LocalSettlement]:
    clock = lambda: int(trio.current_time() * 1000)  # noqa: E731
    async with open_local(folder / "settlement.sqlite", TERMS, BLOCK_TIME_MS, clock) as settlement:
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
        assert (await s.validator_set()).stakes == TERMS.stakes
        assert (await s.committed()).height == 0

    run(test)


def test_deposits_are_numbered_in_order_and_shown_only_up_to_the_height_asked(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        await s.fund(ALICE, 0, 100)
        await s.deposit(ALICE, 0, 60, b"a")
        assert await s.deposits(0, 10**9) == ()
        blocks(1)
        await s.deposit(ALICE, 0, 40, b"b")
        blocks(1)
        first, second = await s.deposits(0, 10**9)
        assert (first.index, first.amount, first.settlement_height) == (0, 60, 1)
        assert (second.index, second.amount, second.settlement_height) == (1, 40, 2)
        assert await s.deposits(0, 1) == (first,)
        assert await s.deposits(1, 2) == (second,)
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
        assert len(await s.deposits(0, 10**9)) == 1

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
        for call in (s.submit(commitment), s.head(), s.deposits(0, 1), s.standing(1), s.quote_fee(1)):
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
        before = await s.deposits(0, 10**9)
        await s.reorganise(2)
        assert await s.deposits(0, 10**9) == ()
        blocks(1)
        after = await s.deposits(0, 10**9)
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


def test_the_fee_grows_with_the_commitment(run: Callable[[Test], None]) -> None:
    async def test(s: LocalSettlement) -> None:
        assert 0 < await s.quote_fee(100) < await s.quote_fee(1_000)

    run(test)
