"""Whole consensus services under seeded misfortune: nothing forks, nothing is lost, everything goes on, and replays."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from genesis.errors import Corrupt
from node.simulation import run, scheduler
from node.simulation.disk import Disk, Fault
from node.simulation.scenario import Clock, Kind, Scenario, draw
from node.simulation.world import play, simulate
from tests.simulation.mutants import MUTANTS

SEEDS = range(8)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_shows_nothing_that_must_not_be(seed: int) -> None:
    outcome = simulate(seed)
    assert outcome.findings == ()
    assert outcome.height > 0


def test_a_seed_gives_the_same_twice_in_any_process() -> None:
    """Whatever order sets of bytes and names have there: digest of all events, and every line of the trace."""
    command = [sys.executable, "-m", "node.cli", "network", "simulate", "--seed", "1", "--json"]
    told = {
        subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True, text=True, check=True
        ).stdout
        for salt in ("1", "2")
    }
    assert len(told) == 1
    assert simulate(1).digest in told.pop()


def test_another_seed_gives_something_else() -> None:
    assert simulate(1).digest != simulate(2).digest


def test_a_block_of_the_far_future_holds_nobody_up_for_longer_than_its_view() -> None:
    scenario = Scenario(0, (1, 1, 1, 1), {1: Kind.PROPHET}, (Clock(),) * 4, lease_views=2, story=())
    for seed in range(2):
        assert play(replace(scenario, seed=seed)).findings == ()


def test_liars_hold_less_than_a_third_and_are_of_all_kinds() -> None:
    scenarios = [draw(seed) for seed in range(200)]
    for scenario in scenarios:
        assert 3 * sum(scenario.stakes[number] for number in scenario.liars) < sum(scenario.stakes)
    assert {kind for scenario in scenarios for kind in scenario.liars.values()} == set(Kind)


def test_a_finding_is_counted_told_and_ends_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "simulate", partial(simulate, make=MUTANTS["DoesNotWaitForTheDisk"].make))
    assert run.replay(0, as_json=True) == 1
    out, err = capsys.readouterr()
    last = json.loads(out.splitlines()[-1])
    assert last == {"seeds": 1, "forks": 0, "double_signatures": 0, "lost": 1, "stalled": 0}
    assert "replay with --seed 0" in err


def test_many_seeds_go_over_many_processes_and_leave_with_exit_code_0(capfd: pytest.CaptureFixture[str]) -> None:
    assert run.campaign(range(2), jobs=2, as_json=True) == 0
    last = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert last == {"seeds": 2, "forks": 0, "double_signatures": 0, "lost": 0, "stalled": 0}


@pytest.mark.parametrize("fault", [*Fault, None])
@pytest.mark.parametrize("seed", range(20))
def test_a_torn_disk_keeps_all_that_was_synced_and_nothing_half(seed: int, fault: Fault | None) -> None:
    disk, records = Disk(random.Random(seed)), [bytes([number]) * (50 * number) for number in range(1, 6)]

    async def write() -> list[bytes]:
        import trio

        synced = []
        with trio.CancelScope() as scope:
            disk.crash = scope.cancel
            for number, record in enumerate(records):
                disk.faults.extend([fault] if fault and number == 3 else [])
                await disk.append(record)
                synced.append(record)
        return synced

    try:
        synced = scheduler.run(write, seed)
    except Corrupt:
        synced = records[:3]
    disk.come_back()
    left = list(disk.records())
    assert left in (synced, records[: len(synced) + 1])
    assert (len(synced) < len(records)) == (fault is not None)


def workers_of(pid: int) -> list[str]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.parametrize(("how", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_who_ends_a_campaign_ends_its_workers(how: signal.Signals, code: int) -> None:
    """Ctrl-C in a terminal goes to all of its processes; a signal for one, to that alone."""
    command = [sys.executable, "-m", "node.cli", "network", "simulate", "--seeds", "0-9999", "--jobs", "2"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as campaign:
        while len(workers := workers_of(campaign.pid)) < 2:
            assert campaign.poll() is None
            time.sleep(0.02)
        (os.killpg if how == signal.SIGINT else os.kill)(campaign.pid, how)
        _, said = campaign.communicate(timeout=120)
    assert (campaign.returncode, "Traceback" in said) == (code, False)
    while any(Path(f"/proc/{worker}").exists() for worker in workers):
        time.sleep(0.02)
