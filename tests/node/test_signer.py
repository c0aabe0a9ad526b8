"""A key in a process of its own: nothing makes it contradict itself, and a node lives with its going and coming."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing as closing
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from genesis import crypto
from genesis.chain import VoteKind
from genesis.crypto import checksum_address
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.membership import Readiness
from node.app import run_node
from node.client import connect
from node.consensus.words import Rules, Said
from node.signing import server, wire
from node.signing.guard import PROPOSAL, WINDOW_VIEWS, Guard, Word
from node.signing.remote import RemoteSigner, open_remote
from node.signing.server import Holder, serve
from node.simulation import toy
from tests.node.command import tenor
from tests.node.running import SPEC, config_of

CHAIN = 4_242
KEY, ADDRESS = development_key(0), development_address(0)
NOTARISE, NULLIFY, FINALISE = VoteKind.NOTARISE, VoteKind.NULLIFY, VoteKind.FINALISE
RULES = Rules(CHAIN, {ADDRESS: 1}, 3, 8, 1_000, 4_000)
ONE, OTHER = b"\1" * 32, b"\2" * 32


def word(view: int, kind: int = NOTARISE, block: bytes = ONE, height: int = 1) -> Word:
    return Word(view, kind, height, block)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    Guard.create(tmp_path / "signed", CHAIN, ADDRESS)
    return tmp_path / "signed"


# The guard


@pytest.mark.parametrize("kind", [NOTARISE, FINALISE, PROPOSAL])
def test_what_was_signed_stands_against_other_words_after_any_restart(path: Path, kind: int) -> None:
    with Guard(path) as guard:
        guard.admit(word(7, kind))
    for _ in range(2):
        with Guard(path) as guard:
            guard.admit(word(7, kind))
            for contradiction in (word(7, kind, OTHER), word(7, kind, height=2)):
                with pytest.raises(Invalid, match="signed another one") as refusal:
                    guard.admit(contradiction)
                assert refusal.value.code == "double_sign"
            assert guard.words == 1


def test_a_view_that_it_finalised_is_never_given_up(path: Path) -> None:
    with Guard(path) as guard:
        guard.admit(word(5, NULLIFY, bytes(32), 0))
        guard.admit(word(6, FINALISE))
        with pytest.raises(Invalid, match="never gives that up"):
            guard.admit(word(6, NULLIFY, bytes(32), 0))
        guard.admit(word(5, FINALISE))  # an ancestor of a final block, after the fact


def test_old_views_get_no_new_words_and_the_file_stays_small(path: Path) -> None:
    with Guard(path) as guard:
        for view in range(1, WINDOW_VIEWS + 40, 7):
            guard.admit(word(view))
        newest = guard.newest
        guard.admit(word(newest, FINALISE))
        assert guard.floor == newest - WINDOW_VIEWS > 0
        with pytest.raises(Invalid, match="nothing new up to view"):
            guard.admit(word(guard.floor, FINALISE))
        guard.admit(word(guard.floor + 2, FINALISE))
        guard.admit(word(10**9))
        assert (guard.words, guard.floor) == (1, 10**9 - WINDOW_VIEWS)
    assert path.stat().st_size < 1_000


def test_a_key_that_signed_before_signs_above_that(tmp_path: Path) -> None:
    Guard.create(tmp_path / "signed", CHAIN, ADDRESS, floor=1_000)
    with Guard(tmp_path / "signed") as guard:
        for view in (1, 1_000):
            with pytest.raises(Invalid, match="nothing new up to view 1000"):
                guard.admit(word(view))
        guard.admit(word(1_001))
    with Guard(tmp_path / "signed") as guard:
        assert (guard.floor, guard.newest) == (1_000, 1_001)


def test_a_damaged_or_missing_memory_is_refused(path: Path) -> None:
    with Guard(path) as guard:
        guard.admit(word(3))
    whole = path.read_bytes()
    damaged = [whole[:cut] for cut in range(0, len(whole), 9)] + [whole + b"\0"]
    for at in range(0, len(whole), 5):
        damaged.append(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
    for data in damaged:
        path.write_bytes(data)
        with pytest.raises(Corrupt, match="Nothing is signed without it"):
            Guard(path)
    path.unlink()
    with pytest.raises(Corrupt, match="cannot be read"):
        Guard(path)
    path.write_bytes(whole)
    with Guard(path) as guard:
        assert guard.newest == 3


def test_a_write_that_fails_signs_nothing(path: Path) -> None:
    with Guard(path) as guard:
        guard.admit(word(3))
        (path.parent / "signed.new").mkdir()
        with pytest.raises(Corrupt, match="cannot be written"):
            guard.admit(word(4))
        assert guard.newest == 3


def test_one_process_holds_it_and_an_old_one_is_never_begun_anew(path: Path) -> None:
    with Guard(path), pytest.raises(Unavailable, match="Another signer"):
        Guard(path)
    with pytest.raises(Invalid, match="never forgotten"):
        Guard.create(path, CHAIN, ADDRESS)


# Over the socket


@asynccontextmanager
async def signing(path: Path, key: bytes = KEY) -> AsyncIterator[Path]:
    at = path.parent / "sock"
    with Guard(path) as guard:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, Holder(key, guard), at)
            yield at
            nursery.cancel_scope.cancel()


def play(test: Callable[[], Awaitable[Any]]) -> None:
    async def main() -> None:
        with trio.fail_after(60):
            await test()

    trio.run(main)


def test_votes_proposals_and_probes_are_signed_as_in_the_process(path: Path) -> None:
    async def test() -> None:
        async with signing(path) as at, open_remote(at, CHAIN) as remote:
            assert remote.address == ADDRESS
            said = Said(NOTARISE, 4, 2, ONE)
            assert await remote.sign(said, RULES) == crypto.sign(said.digest(RULES), KEY)
            assert await remote.sign(said, RULES) == await remote.sign(said, RULES)
            header = toy.header_of(toy.Draft(4, ADDRESS, 1, 0, 0), toy.GENESIS, toy.body_of(), toy.GENESIS_STATE)
            assert await remote.propose(header) == crypto.sign(header.proposal_digest(), KEY)
            await remote.probe()
            for refused in (
                lambda: remote.sign(Said(NOTARISE, 4, 2, OTHER), RULES),
                lambda: remote.sign(Said(NOTARISE, 4, 2, OTHER), replace(RULES, version=4)),
                lambda: remote.propose(replace(header, time_ms=2)),
            ):
                with pytest.raises(Invalid) as refusal:
                    await refused()
                assert refusal.value.code == "double_sign"
            with pytest.raises(Invalid, match="another proposer"):
                await remote.propose(replace(header, view=5, proposer=development_address(1)))

    play(test)


def test_a_signer_declares_its_own_key_ready_on_its_own_chain_and_can_write_then(path: Path) -> None:
    ready = Readiness(CHAIN, ADDRESS, 8, ONE)

    async def test() -> None:
        async with signing(path) as at, open_remote(at, CHAIN) as remote:
            assert remote.addresses == (ADDRESS,)
            assert await remote.declare(ready) == crypto.sign(ready.digest(), KEY)
            assert await remote.declare(replace(ready, block_hash=OTHER)), "it contradicts nothing"
            for other in (replace(ready, key=development_address(1)), replace(ready, chain=CHAIN + 1)):
                with pytest.raises((Invalid, Unavailable), match="does not hold the key"):
                    await remote.declare(other)
            path.with_name(path.name + ".new").mkdir()
            with pytest.raises(Unavailable):
                await remote.declare(ready)
            await trio.sleep_forever()  # until the signer has ended

    with pytest.raises(BaseExceptionGroup) as ended:
        play(test)
    assert ended.value.subgroup(Corrupt), "its memory cannot be written: it ends"
    with Guard(path) as guard:
        assert guard.words == 0


def test_a_signer_is_of_one_chain_and_one_key(path: Path) -> None:
    async def test() -> None:
        async with signing(path) as at:
            with pytest.raises(Invalid, match="is of chain 4242") as refusal:
                async with open_remote(at, CHAIN + 1):
                    pass
            assert refusal.value.code == "wrong_chain"
            async with open_remote(at, CHAIN) as remote:
                with pytest.raises(Invalid, match="is of chain 4242"):
                    await remote.sign(Said(NULLIFY, 9), replace(RULES, chain=1))
            async with closing(RemoteSigner(at, CHAIN, development_address(5))) as stranger:
                with pytest.raises(Unavailable, match="does not hold the key"):
                    await stranger.probe()

    play(test)
    with Guard(path) as guard, pytest.raises(Invalid, match="not of this key"):
        Holder(development_key(5), guard)


def test_a_signer_that_goes_and_comes_is_found_again(path: Path) -> None:
    async def test() -> None:
        async with closing(RemoteSigner(path.parent / "sock", CHAIN, ADDRESS)) as remote:
            async with signing(path):
                first = await remote.sign(Said(FINALISE, 4, 2, ONE), RULES)
            async with signing(path):  # gone and back between two words: the caller does not notice
                assert await remote.sign(Said(FINALISE, 4, 2, ONE), RULES) == first
            for _ in range(2):
                with pytest.raises(Unavailable, match="no signer answers"):
                    await remote.sign(Said(FINALISE, 5, 3, ONE), RULES)
            async with signing(path):
                while True:
                    try:
                        assert await remote.sign(Said(FINALISE, 4, 2, ONE), RULES) == first
                        return
                    except Unavailable:
                        await trio.sleep(0.02)

    play(test)


def test_who_does_not_speak_the_protocol_is_cut_off(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "FRAME_S", 0.05)

    async def answered(at: Path, data: bytes) -> bytes:
        async with await trio.open_unix_socket(str(at)) as stream:
            await stream.send_all(data)
            return bytes(await stream.receive_some())

    async def test() -> None:
        async with signing(path) as at:
            assert await answered(at, (wire.FRAME_BYTES_MAX + 1).to_bytes(4, "big")) == b""
            assert await answered(at, b"\0\0\0\2\xc1\xc1") == b""
            assert await answered(at, b"\0\0") == b""  # half a frame, until its time is over
            half = ((wire.PROBE, CHAIN), (wire.READY, CHAIN, 8), (wire.READY, CHAIN, 8, b"short"))
            for malformed in ((), (wire.VOTE,), (99, CHAIN), (wire.VOTE, CHAIN, 0, 7, 1, 1, ONE), *half):
                assert b"malformed" in await answered(at, wire.frame(*malformed))
            callers = [await trio.open_unix_socket(str(at)) for _ in range(server.CALLERS_MAX)]
            await trio.testing.wait_all_tasks_blocked(0.01)
            assert await answered(at, b"") == b""
            for caller in callers:
                await caller.aclose()
            async with open_remote(at, CHAIN) as remote:
                await remote.probe()

    play(test)


def test_only_its_own_user_is_served(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with signing(path) as at:
            assert at.stat().st_mode & 0o777 == 0o600
            me = os.getuid()
            monkeypatch.setattr(server.os, "getuid", lambda: me + 1)
            async with closing(RemoteSigner(at, CHAIN, ADDRESS)) as remote:
                with pytest.raises(Unavailable):
                    await remote.probe()

    play(test)


# As a process


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "node.cli", "signer", "run", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert "listens at" in running.stderr.readline()
        try:
            yield running
        finally:
            running.kill()


@pytest.mark.slow
def test_a_killed_process_remembers_all_it_gave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "signer"
    made = tenor(capsys, "signer", "init", folder, "--dev-key", 0, "--json").result
    rules = replace(RULES, chain=made["chain"])
    at, given = folder / "signer.sock", dict[int, bytes]()

    async def ask(running: subprocess.Popen[str]) -> None:
        async with open_remote(at, rules.chain) as remote, trio.open_nursery() as nursery:
            nursery.start_soon(ask_on, remote)
            while len(given) < 5:
                await trio.sleep(0.001)
            running.kill()
            await trio.to_thread.run_sync(running.wait)
            nursery.cancel_scope.cancel()

    async def ask_on(remote: RemoteSigner) -> None:
        with suppress(Unavailable):
            for view in count(1):
                given[view] = await remote.sign(Said(NOTARISE, view, view, ONE), rules)

    async def ask_again() -> None:
        async with open_remote(at, rules.chain) as remote:
            for view, signature in given.items():
                assert await remote.sign(Said(NOTARISE, view, view, ONE), rules) == signature
                with pytest.raises(Invalid, match="signed another one"):
                    await remote.sign(Said(NOTARISE, view, view, OTHER), rules)

    with process(folder) as running:
        trio.run(ask, running)
    with process(folder) as running:
        play(ask_again)
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    assert f'"refused": {len(given)}' in out
    assert tenor(capsys, "signer", "show", folder, "--json").result["newest_view"] >= max(given)
    again = tenor(capsys, "signer", "init", folder, "--dev-key", 0, "--json")
    assert (again.code, again.result["code"]) == (1, "exists")


@pytest.mark.slow
def test_a_node_folder_is_made_for_a_signer_and_checked_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, node = tmp_path / "signer", tmp_path / "node"
    at = folder / "signer.sock"
    tenor(capsys, "signer", "init", folder, "--dev-key", 0, "--json")
    monkeypatch.setattr("node.signing.remote.BEGIN_S", 0.1)
    away = tenor(capsys, "node", "init", node, "--signer", at, "--json")
    assert away.code == 3 and "tenor signer run" in away.result["error"]
    assert not node.exists(), "nothing is left half made"
    with process(folder):
        monkeypatch.undo()
        made = tenor(capsys, "node", "init", node, "--signer", at, "--json").result
        assert made["validator"] == checksum_address(ADDRESS)
        assert not (node / "validator.json").exists() and f'signer = "{at}"' in (node / "node.toml").read_text()
        checked = tenor(capsys, "node", "check", "--config", node / "node.toml", "--json").result
        assert checked["votes"] and checked["checks"][0]["found"] == f"signs as {checksum_address(ADDRESS)}"


@pytest.mark.parametrize("command", ["show", "run"])
def test_another_folder_is_no_signers(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        ran = tenor(capsys, "signer", command, folder, "--json")
        assert (ran.code, ran.result["code"]) == (1, "not_found")
        assert "is no signer's folder; make one with `tenor signer init`" in ran.result["error"]
        assert list(tmp_path.iterdir()) == []


# With a node


@pytest.mark.slow
def test_a_node_whose_signer_is_away_says_so_and_goes_on_when_it_is_back(tmp_path: Path) -> None:
    guard = tmp_path / "signed"
    Guard.create(guard, SPEC.chain_id, ADDRESS)

    async def until(holds: Callable[[], Awaitable[bool]]) -> None:
        while not await holds():
            await trio.sleep(0.02)

    async def test() -> None:
        signer = RemoteSigner(tmp_path / "sock", SPEC.chain_id, ADDRESS)
        async with closing(signer), trio.open_nursery() as nursery:
            async with signing(guard):
                ready = await nursery.start(run_node, config_of(tmp_path / "node"), SPEC, signer)
                client = await nursery.start(connected, f"ws://127.0.0.1:{ready.port}/ws")
                await until(lambda: above(3))
            await until(lambda: why("its signer is away"))
            height = (await client.chain_info())["height"]
            async with signing(guard):
                await until(lambda: above(height + 3))
                await until(lambda: why(""))
                ready.stop()
                nursery.cancel_scope.cancel()

    client: Any = None

    async def connected(url: str, task_status: trio.TaskStatus[Any]) -> None:
        nonlocal client
        async with connect(url) as client:
            task_status.started(client)
            await trio.sleep_forever()

    async def above(height: int) -> bool:
        return bool((await client.chain_info())["height"] >= height)

    async def why(text: str) -> bool:
        said = (await client.consensus())["why"]
        return bool(text in said if text else said == "")

    play(test)
    with Guard(guard) as found:
        assert found.newest > 3


def test_a_path_too_long_for_a_socket_is_refused(path: Path) -> None:
    async def test() -> None:
        with Guard(path) as guard:
            await serve(Holder(KEY, guard), path.parent / ("d" * 120))

    with pytest.raises(Invalid, match="too long"):
        trio.run(test)
