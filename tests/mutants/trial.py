"""
One trial: cases of the fuzzer and tests, in order until one fails, in a fork of a process that has everything imported
but what is under test.

What a fork imports of the repository it takes from the folder it is given, whose file has the fault.
"""

from __future__ import annotations

import importlib
import os
import select
import signal
import sys
import threading
from pathlib import Path
from time import monotonic

ROOMS = ("genesis", "execution", "node", "devnet", "settlement", "p2p", "tests")
LOADED = ("pytest", "hypothesis.stateful", "wasmtime", "coincurve", "sha3", "msgpack")
"""Takes longest to import, and is not under test."""
SECONDS_MAX = 600.0
TEST_SECONDS_MAX = 100
PLUGINS = ("-pno:cacheprovider", "-pno:faulthandler")
OPTIONS = ("-xq", "--assert=plain", "--tb=no", f"--timeout={TEST_SECONDS_MAX}", *PLUGINS)
"""faulthandler would take the signal from wasmtime, whose engine the fuzzer has started, by which WASM traps."""
CLOCK = "clock"
DIED = "died"

Tests = tuple[str, ...]
"""Paths of files and folders of tests."""
Stage = range | Tests
"""Cases of the fuzzer by their numbers, or tests."""


def load() -> None:
    for name in LOADED:
        importlib.import_module(name)


def tried(folder: Path, stages: tuple[Stage, ...]) -> tuple[str, float]:
    """(what failed, seconds). An empty text: all went well."""
    began = monotonic()
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        _trial(folder, stages, writing)
    os.close(writing)
    try:
        ended = select.select([reading], [], [], SECONDS_MAX)[0]
        told = (os.read(reading, 1 << 16).decode() or DIED) if ended else CLOCK
    finally:
        os.close(reading)
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return told.strip(), monotonic() - began


def _trial(folder: Path, stages: tuple[Stage, ...], writing: int) -> None:
    """In the fork, which ends here. It writes one line: what failed, or a space."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    failed = DIED
    try:
        _enter(folder)
        failed = next(filter(None, (_fuzzed(s) if isinstance(s, range) else _tested(s) for s in stages)), " ")
    finally:
        os.write(writing, failed.encode())
        os._exit(0)


def _enter(folder: Path) -> None:
    """Import what is imported from now on from the folder, and so in processes that tests start."""
    os.chdir(folder)
    os.environ.update(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.split(".")[0] in ROOMS]:
        del sys.modules[name]


def _fuzzed(numbers: range) -> str:
    """The first difference in these cases."""
    told = ["fuzz: broke"]

    def work() -> None:
        from node.fuzz.calls import made
        from node.fuzz.compare import Difference, Refused
        from node.fuzz.legs import Legs

        legs = Legs()
        for number in numbers:
            try:
                legs.run(made(f"quick {number}"))
            except (Difference, Refused) as error:
                told[0] = f"fuzz: {str(error).splitlines()[0]}"
                return
        told[0] = ""

    from node.fuzz.worker import RECURSION_MAX, STACK_BYTES

    before = sys.getrecursionlimit(), threading.stack_size(STACK_BYTES)
    sys.setrecursionlimit(RECURSION_MAX)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    sys.setrecursionlimit(before[0])
    threading.stack_size(before[1])
    return told[0]


def _tested(paths: Tests) -> str:
    """The first test of these files that fails."""
    import pytest

    class Listener:
        failed = ""

        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            self.failed = self.failed or (report.nodeid if report.failed else "")

        def pytest_collectreport(self, report: pytest.CollectReport) -> None:
            self.failed = self.failed or (report.nodeid if report.failed else "")

    listener = Listener()
    code = pytest.main([*OPTIONS, *paths], plugins=[listener])
    return "" if code == pytest.ExitCode.OK else listener.failed or f"pytest: exit {int(code)}"
