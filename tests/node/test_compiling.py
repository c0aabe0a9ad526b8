"""What a validator compiles, it compiles once; and a machine that is busy says nothing of the program."""

from __future__ import annotations

import pytest
import trio

from genesis.errors import Unavailable
from node import deployments
from node.deployments import compile_apart
from tests.node.running import SPEC

SOURCE = """
from execution.lang import Program, view


class Two(Program):
    @view
    def two(self) -> int:
        return 2
"""
FILES = {"two.py": SOURCE}


def test_what_was_compiled_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(_: bytes) -> tuple[bytes, bytes, str]:
        raise AssertionError("it is compiled again")

    async def main() -> None:
        first = await compile_apart(FILES, "two.py", SPEC.gas_table)
        monkeypatch.setattr(deployments, "_compile", never)
        assert await compile_apart(FILES, "two.py", SPEC.gas_table) == first

    trio.run(main)


def test_a_machine_that_is_too_busy_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validator that refused a block for it would contradict those that had the time."""
    monkeypatch.setattr(deployments, "COMPILE_SECONDS_MAX", 0)
    with pytest.raises(Unavailable, match="the machine is busy; try again later"):
        trio.run(compile_apart, {"two.py": SOURCE + "\n"}, "two.py", SPEC.gas_table)
