"""Signatures of fetched blocks: recovered in another process as they would be here, and here when that one fails."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache

import pytest

from genesis.chain import Batch, Body
from genesis.devkeys import development_address, development_key
from genesis.errors import Invalid
from genesis.transaction import Call, Transaction, sign
from node import signatures
from node.signatures import FAILURES_MAX, WORTH, Signatures, with_signers

SIGNERS, DEADLINE_S = 5, 60.0


@lru_cache(maxsize=1)
def raws() -> tuple[bytes, ...]:
    call = Call(bytes(20), bytes(4), b"1", 0)
    return tuple(
        sign(
            Transaction(1, development_address(0), 0, number, 2**50, 10_000, 1, True, (call,)),
            development_key(number % SIGNERS),
        ).raw
        for number in range(2 * WORTH)
    )


def body(*batches: tuple[bytes, ...]) -> Body:
    return Body(tuple(map(Batch, batches)), (), ())


def large() -> Body:
    return body(raws()[:3], (), raws()[3:])


@pytest.fixture
def other() -> Iterator[Signatures]:
    with closing(Signatures()) as made:
        yield made


def process_of(made: Signatures) -> subprocess.Popen[bytes]:
    assert made._process is not None
    return made._process


def test_another_process_finds_what_this_one_would(other: Signatures) -> None:
    for one in (large(), body(raws()), large()):
        assert other.with_signers(one) == with_signers(one)
    assert process_of(other).poll() is None


def test_a_small_block_starts_no_process(other: Signatures) -> None:
    few = body(raws()[: WORTH - 1])
    assert other.with_signers(few) == with_signers(few)
    assert other._process is None


@pytest.mark.parametrize("bad", [b"", b"\x20\x90", raws()[0][:-1], raws()[0][:-65] + bytes(65), b"\x20" * 200_000])
def test_a_transaction_that_is_none_is_refused_in_the_same_words(other: Signatures, bad: bytes) -> None:
    wrong = body(raws()[:70], (*raws()[70:], bad))
    with pytest.raises(Invalid) as here:
        with_signers(wrong)
    with pytest.raises(Invalid) as there:
        other.with_signers(wrong)
    assert (there.value.code, str(there.value)) == (here.value.code, str(here.value))
    assert other.with_signers(large()) == with_signers(large()), "it goes on after that"
    assert process_of(other).poll() is None


def test_a_process_that_is_killed_costs_nothing_but_time(other: Signatures) -> None:
    for _ in range(FAILURES_MAX):
        assert other.with_signers(large()) == with_signers(large())
        gone = process_of(other)
        os.kill(gone.pid, signal.SIGKILL)
        gone.wait()
        assert other.with_signers(large()) == with_signers(large())
    assert other._process is None
    assert other.with_signers(large()) == with_signers(large())
    assert other._process is None, "after the last failure none is started"


def test_a_process_that_stands_still_is_given_up(other: Signatures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signatures, "ANSWER_S", 5.0)
    other.with_signers(large())
    still = process_of(other)
    os.kill(still.pid, signal.SIGSTOP)
    assert other.with_signers(large()) == with_signers(large())
    assert still.returncode == -signal.SIGKILL


def test_a_process_that_cannot_be_started_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with closing(Signatures()) as alone:
        for _ in range(FAILURES_MAX + 1):
            assert alone.with_signers(large()) == with_signers(large())


def test_closing_ends_the_process_and_lets_a_thread_that_waits_go_on_alone() -> None:
    made = Signatures()
    made.with_signers(large())
    process = process_of(made)
    os.kill(process.pid, signal.SIGSTOP)
    found: list[object] = []
    waiting = threading.Thread(target=lambda: found.append(made.with_signers(large())))
    waiting.start()
    until = time.monotonic() + DEADLINE_S
    while not made._turn.locked() and time.monotonic() < until:
        time.sleep(0.01)
    made.close()
    waiting.join(DEADLINE_S)
    assert found == [with_signers(large())]
    assert process.returncode == -signal.SIGKILL
    made.close()


def test_a_process_whose_node_has_ended_ends() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, subprocess.Popen([sys.executable, "-m", "node.signature_job"], stdin=theirs.fileno()) as job:
        theirs.close()
        ours.close()
        assert job.wait(DEADLINE_S) == 0
