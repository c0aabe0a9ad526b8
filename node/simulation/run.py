"""
`tenor network simulate`: many seeds over all cores, or one again with its trace.

The last line of stdout says with --json: seeds, and in how many of them there was a fork, a double signature, a loss, a
stall. Seeds that fail are told on stderr as they are found. Exit code 1 when there is one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from time import monotonic

from node.simulation.scenario import draw
from node.simulation.watch import DOUBLE_SIGNATURE, FORK, LOST, STALLED
from node.simulation.world import Outcome, simulate

CHUNK = 8
"""Seeds a worker takes at a time."""
PROGRESS_S = 5.0


def campaign(seeds: range, jobs: int, as_json: bool) -> int:
    """Run seeds side by side, print the sums, return the exit code."""
    began, told, done, found = monotonic(), monotonic(), 0, Counter[str]()
    with _running([seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK)], jobs) as chunks:
        for future in as_completed(chunks):
            for outcome in future.result():
                done += 1
                found.update({finding.kind for finding in outcome.findings})
                _tell(outcome)
            if monotonic() - told > PROGRESS_S:
                told = monotonic()
                print(f"{done} of {len(seeds)} seeds, {found.total()} failing, {told - began:.0f} s", file=sys.stderr)
    return _show(done, found, as_json)


@contextmanager
def _running(chunks: Sequence[range], jobs: int) -> Iterator[list[Future[list[Outcome]]]]:
    """Chunks in processes of their own, which end with this one at once, whatever ends it."""
    with ProcessPoolExecutor(jobs, get_context("spawn"), _end_with_parent) as workers:
        # the workers inherit the mask: Ctrl-C is not theirs
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        futures = [workers.submit(run_chunk, chunk) for chunk in chunks]
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            yield futures
        except BaseException:
            for worker in active_children():
                worker.terminate()
            raise


def _end_with_parent() -> None:
    """In a worker. Also when the parent is killed, which tells nobody."""
    parent = parent_process()
    assert parent is not None, "it was started by one"

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def run_chunk(seeds: Iterable[int]) -> list[Outcome]:
    return [simulate(seed) for seed in seeds]


def replay(seed: int, as_json: bool) -> int:
    """Run one seed and print what it drew and what happened, a line an event."""
    scenario, outcome = draw(seed), simulate(seed, traced=True)
    for number, clock in enumerate(scenario.clocks):
        kind, late = scenario.liars.get(number, "honest"), f", reads settlement {clock.lag_s:.2f} s late"
        print(f"v{number}: {kind}, clock {clock.offset_ms:+d} ms {clock.drift_ppm:+d} ppm{late if clock.lag_s else ''}")
    for one in scenario.sets:
        stakes = ", ".join(f"v{number} {stake}" for number, stake in one.stakes.items())
        print(f"from settlement block {one.height} on: stakes {stakes}")
    for line in outcome.trace:
        print(line)
    print(f"height {outcome.height} after {outcome.virtual_s:.1f} s; digest of all events {outcome.digest}")
    _tell(outcome)
    return _show(1, Counter({finding.kind for finding in outcome.findings}), as_json)


def _tell(outcome: Outcome) -> None:
    for finding in outcome.findings:
        print(f"seed {outcome.seed}: {finding.kind}: {finding.text}", file=sys.stderr, flush=True)
    if outcome.findings:
        print(f"  replay with --seed {outcome.seed}", file=sys.stderr, flush=True)


def _show(seeds: int, found: Counter[str], as_json: bool) -> int:
    result = {"seeds": seeds, **{kind: found[kind] for kind in (FORK, DOUBLE_SIGNATURE, LOST, STALLED)}}
    if as_json:
        print(json.dumps(result))
    else:
        for name, value in result.items():
            print(f"{name:18} {value}")
    return 1 if found else 0
