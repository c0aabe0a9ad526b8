"""
The pytest plug-in: fixtures `chain`, `accounts`, `clock`, `prices` and `market`; each test that uses a chain runs
under CPython and under WASM.

Paths given to `chain.deploy` begin at the test file's folder. `--tenor-engine` picks one engine; `--tenor-lines FILE`
writes which lines of the programs ran under CPython (what `tenor program test` shows). The ini option
`tenor_programs` names packages and modules that tests import and that shall compute as on the chain, too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

if TYPE_CHECKING:
    from node.testing.chain import Chain
    from node.testing.lines import Lines
    from node.testing.world import Accounts, Clock, Market, Prices

ENGINES = ("cpython", "wasm")
LINES: pytest.StashKey[Lines | None] = pytest.StashKey()
COUNTS: pytest.StashKey[dict[str, int]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tenor")
    group.addoption("--tenor-engine", choices=(*ENGINES, "both"), default="both", help="engines that run programs")
    group.addoption("--tenor-lines", metavar="FILE", default=None, help="write coverage by line, as JSON")
    parser.addini("tenor_programs", "packages and modules of programs to instrument when imported", "args", [])


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LINES] = None
    config.stash[COUNTS] = {}
    programs = config.getini("tenor_programs")
    if programs:
        from execution.lang.instrument import install

        install(*programs)
    if config.getoption("--tenor-lines"):
        from node.testing.lines import Lines

        config.stash[LINES] = Lines()
        config.pluginmanager.register(_Report(config), "tenor-report")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that uses a chain, by whatever fixture, runs once per engine."""
    if "tenor_engine" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--tenor-engine")
        metafunc.parametrize("tenor_engine", ENGINES if chosen == "both" else (chosen,), indirect=True)


@pytest.fixture
def tenor_engine(request: pytest.FixtureRequest) -> str:
    """The engine that the test runs on: "cpython" or "wasm"."""
    return cast("str", getattr(request, "param", ENGINES[0]))


@pytest.fixture
def chain(request: pytest.FixtureRequest, tenor_engine: str) -> Chain:
    """An empty chain; see `node.testing.chain.Chain`."""
    from node.testing.chain import Chain
    from node.testing.cpython import CPython
    from node.testing.wasm import Wasm

    made = Wasm() if tenor_engine == "wasm" else CPython(request.config.stash[LINES])
    return Chain(made, request.path.parent)


@pytest.fixture
def accounts() -> Accounts:
    """Accounts by name; see `node.testing.world.Accounts`."""
    from node.testing.world import Accounts

    return Accounts()


@pytest.fixture
def clock(chain: Chain) -> Clock:
    """The chain's time; see `node.testing.world.Clock`."""
    from node.testing.world import Clock

    return Clock(chain)


@pytest.fixture
def prices(chain: Chain, accounts: Accounts) -> Prices:
    """Quotes of feeds; see `node.testing.world.Prices`."""
    from node.testing.world import Prices

    return Prices(chain, accounts)


@pytest.fixture
def market(chain: Chain, accounts: Accounts, clock: Clock, prices: Prices) -> Market:
    """A perpetual market beside the standard programs, price 100; see `node.testing.world.Market`."""
    from node.testing.world import Market

    return Market(chain, accounts, clock, prices)


class _Report:
    """Writes the file of `--tenor-lines` when all tests have run."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        counted = report.when == "call" or (report.when == "setup" and report.outcome != "passed")
        if counted or report.outcome == "failed":
            name = "error" if report.when != "call" and report.outcome == "failed" else report.outcome
            counts = self._config.stash[COUNTS]
            counts[name] = counts.get(name, 0) + 1

    def pytest_sessionfinish(self) -> None:
        lines = self._config.stash[LINES]
        assert lines is not None, "the report is registered with its lines"
        files = [
            {
                "file": str(one.path),
                "statements": len(one.statements),
                "missing": list(one.missing),
                "percent": one.percent,
            }
            for one in lines.report()
        ]
        data = {"tests": self._config.stash[COUNTS], "files": files}
        Path(self._config.getoption("--tenor-lines")).write_text(json.dumps(data), encoding="utf-8")
