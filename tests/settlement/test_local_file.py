"""The file behind `local`: survives kill -9, serves several processes, refuses what is not its own."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Timer

import pytest
import trio
from trio.testing import MockClock

from execution.compiler.standard import source_of
from genesis import codec
from genesis.devkeys import development_address
from genesis.errors import Corrupt, Invalid
from genesis.membership import STAKE_UNIT, ValidatorSet
from genesis.presets import load_preset
from genesis.spec import SUPPLY_MAX
from settlement.adapter import Poster
from settlement.contract import Terms
from settlement.local import open_local
from settlement.local_fees import COIN
from settlement.local_tables import Tables
from settlement.registry import Member, Registry
from settlement.validators import BURNT
from tests.settlement.test_adapter_contract import OTHER, POSTER, Chain, local

TERMS = Terms(7357, 4, 4, {development_address(0): 1})
ALICE = development_address(6)
ROOT = Path(__file__).parents[2]

DEPOSITOR = """
import sys, trio
from pathlib import Path
from genesis.devkeys import development_address
from settlement.contract import Terms
from settlement.local import open_local

async def main():
    terms = Terms(7357, 4, 4, {development_address(0): 1})
    async with open_local(Path(sys.argv[1]), terms, block_time_ms=20) as settlement:
        for number in range(int(sys.argv[3])):
            posting = await settlement.deposit(development_address(6), 0, 1, f"{sys.argv[2]} {number}".encode())
            print(posting.hex(), flush=True)

trio.run(main)
"""


def depositor(file: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DEPOSITOR, str(file), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_a_file_of_the_first_rules_is_taken_over_and_what_stands_in_it_stays(tmp_path: Path) -> None:
    file = tmp_path / "settlement.sqlite"
    terms = replace(TERMS, stakes={development_address(0): 1, development_address(1): 1})

    async def opened() -> tuple[ValidatorSet, ...]:
        async with open_local(file, terms, 500, lambda: 0) as settlement:
            assert (await settlement.head()).settlement_height == 0
            return await settlement.validator_sets(0, 10**9)

    trio.run(opened)
    member = Member(development_address(5), ALICE, 2, 5, None, 2)
    with closing(sqlite3.connect(file)) as sql, sql:
        (identity,) = sql.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone()
        (registry,) = sql.execute("SELECT payload FROM registry").fetchone()
        members = (*Registry.decode(registry).members, member)
        first = codec.encode(codec.decode_array(identity, 2, 1 << 16, "An identity", depth_max=4)[1])
        sql.execute("UPDATE meta SET value = ? WHERE name = 'identity'", (first,))
        sql.execute("UPDATE registry SET payload = ?", (Registry(members).encode(),))
    for _ in range(2):
        (_, entered) = trio.run(opened)
        assert entered == ValidatorSet(1, 5, {**terms.stakes, member.key: 2}), "it is in without having been ready"
    with closing(sqlite3.connect(file)) as sql:
        assert sql.execute("SELECT value FROM meta WHERE name = 'identity'").fetchone() == (identity,)


async def fund(file: Path, amount: int) -> None:
    async with open_local(file, TERMS, block_time_ms=20) as settlement:
        await settlement.fund(ALICE, 0, amount)


async def standings(file: Path, postings: list[str]) -> tuple[set[str], dict[int, int], int]:
    async with open_local(file, TERMS, block_time_ms=20) as settlement:
        stood = {await settlement.standing(bytes.fromhex(posting)) for posting in postings}
        locked = await settlement.audit()
        return stood, locked, await settlement.balance(ALICE, 0)


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    file = tmp_path / "settlement.sqlite"
    trio.run(fund, file, 1_000_000)
    acknowledged: list[str] = []
    for wanted in (1, 7, 23):
        with depositor(file, f"run {wanted}", 1_000_000) as process:
            assert process.stdout is not None
            acknowledged += [process.stdout.readline().strip() for _ in range(wanted)]
            process.send_signal(signal.SIGKILL)
            acknowledged += [line.strip() for line in process.stdout if line.endswith("\n")]
    stood, _, left = trio.run(standings, file, acknowledged)
    assert "absent" not in stood
    assert len(set(acknowledged)) <= 1_000_000 - left <= len(set(acknowledged)) + 3, "at most one in flight per kill"


def test_several_processes_share_one_chain(tmp_path: Path) -> None:
    file = tmp_path / "settlement.sqlite"
    trio.run(fund, file, 1_000)
    processes = [depositor(file, name, 20) for name in ("a", "b", "c")]
    acknowledged = [line.strip() for process in processes for line in process.communicate()[0].splitlines()]
    assert [process.returncode for process in processes] == [0, 0, 0]
    stood, _, left = trio.run(standings, file, acknowledged)
    assert (len(acknowledged), "absent" in stood, left) == (60, False, 940)


def test_a_file_of_another_chain_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "settlement.sqlite"

    async def reopen(terms: Terms) -> None:
        async with open_local(file, terms):
            pass

    trio.run(reopen, TERMS)
    trio.run(reopen, TERMS)
    with pytest.raises(Invalid, match="another chain"):
        trio.run(reopen, replace(TERMS, chain=1))


def test_a_file_that_is_no_database_is_corrupt(tmp_path: Path) -> None:
    file = tmp_path / "settlement.sqlite"
    file.write_bytes(b"not a database, whatever it says" * 1_000)

    async def opening() -> None:
        async with open_local(file, TERMS):
            pass

    with pytest.raises(Corrupt, match="damaged"):
        trio.run(opening)


def test_of_two_who_hand_in_the_same_commitment_the_first_pays(tmp_path: Path) -> None:
    """Who has no money may hand in what another has paid for, and who posts nothing has no purse."""

    async def main() -> None:
        async with local(tmp_path) as first, local(tmp_path, OTHER) as second, local(tmp_path, None) as follower:
            await first.set_fees(True)
            await first.fund(POSTER, COIN, 10**18)
            commitment = Chain().commit(await first.head())
            with pytest.raises(Invalid, match="holds 0 of"):
                await second.submit(commitment)
            with pytest.raises(Invalid, match="no account here pays"):
                await follower.submit(commitment)
            for settlement in (first, second, follower):
                assert await settlement.submit(commitment) == commitment.id
            fee = await first.quote_fee(len(commitment.encode()))
            assert await first.poster() == Poster(POSTER, 10**18 - fee)
            assert (await second.poster(), await follower.poster()) == (Poster(OTHER, 0), None)
            await first.audit()

    trio.run(main, clock=MockClock())


def test_coin_that_comes_from_nowhere_or_goes_there_is_found(tmp_path: Path) -> None:
    async def main() -> None:
        async with local(tmp_path) as settlement:
            await settlement.set_fees(True)
            await settlement.fund(POSTER, COIN, 10**18)
            await settlement.submit(Chain().commit(await settlement.head()))
            await settlement.audit()
            for account in (POSTER, BURNT):
                for amount in (1, -1):
                    settlement._tables.move(account, COIN, amount)
                    with pytest.raises(Corrupt):
                        await settlement.audit()
                    settlement._tables.move(account, COIN, -amount)
            await settlement.audit()

    trio.run(main, clock=MockClock())


def test_a_long_sleep_makes_few_blocks(tmp_path: Path) -> None:
    now_ms = 0

    async def main() -> int:
        nonlocal now_ms
        async with open_local(tmp_path / "settlement.sqlite", TERMS, 500, lambda: now_ms) as settlement:
            await settlement.head()
            now_ms = 86_400_000
            first = (await settlement.head()).settlement_height
            now_ms += 499
            assert (await settlement.head()).settlement_height == first
            now_ms += 1
            assert (await settlement.head()).settlement_height == first + 1
            return first

    assert trio.run(partial(main)) == 64


def test_no_more_is_given_out_than_the_bank_could_credit(tmp_path: Path) -> None:
    """The bank's largest supply, less the allocations of genesis: a deposit beyond it would stop the chain."""
    spec = load_preset("devnet")
    room = SUPPLY_MAX - sum(a.amount for a in spec.allocations if a.asset == 0)
    room -= sum(spec.stakes.values()) * STAKE_UNIT  # bonded from the beginning, and may come back one day
    account = development_address(6)

    async def run() -> None:
        async with open_local(tmp_path / "settlement.sqlite", Terms.of(spec)) as settlement:
            await settlement.fund(account, 0, room)
            with pytest.raises(Invalid, match="could not be deposited"):
                await settlement.fund(account, 0, 1)
            assert await settlement.balance(account, 0) == room

    trio.run(run)


def test_the_limit_is_the_banks_own() -> None:
    source = source_of("execution.programs.bank") or ""
    assert f'SUPPLY_MAX = Decimal("{SUPPLY_MAX // 10**18}")' in source


def test_a_new_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    """Going over to a write-ahead log is the one step for which SQLite itself does not wait."""
    path = tmp_path / "chain.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("CREATE TABLE begun(word)")
        later = Timer(0.3, other.execute, ("COMMIT",))
        later.start()
        Tables(path).close()
        later.join()
