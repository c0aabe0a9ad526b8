"""What a validator compiles, it compiles once; and a machine that is busy says nothing of the program."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from genesis.errors import Unavailable
from node import compiling
from node.compiling import Compiler
from tests.node.running import SPEC

SOURCE = """
from execution.lang import Program, view


class Two(Program):
    @view
    def two(self) -> int:
        return 2
"""
FILES = {"two.py": SOURCE}


async def never(_: bytes) -> tuple[bytes, bytes, str]:
    raise AssertionError("it is compiled again")


def test_what_was_compiled_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        compiler = Compiler()
        first = await compiler.compile(FILES, "two.py", SPEC.gas_table)
        monkeypatch.setattr(compiling, "_compile", never)
        assert await compiler.compile(FILES, "two.py", SPEC.gas_table) == first

    trio.run(main)


def test_what_is_being_compiled_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """So a block that comes while its deployment is compiled costs the rest of that, and no second time."""
    ready, found = trio.Event(), list[object]()

    async def slow(_: bytes) -> tuple[bytes, bytes, str]:
        monkeypatch.setattr(compiling, "_compile", never)
        await ready.wait()
        return b"ir", b"wasm", "abi"

    monkeypatch.setattr(compiling, "_compile", slow)

    async def main() -> None:
        compiler = Compiler()

        async def ask() -> None:
            found.append(await compiler.compile(FILES, "two.py", SPEC.gas_table))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(ask)
            nursery.start_soon(ask)
            await trio.testing.wait_all_tasks_blocked()
            ready.set()
        assert found == [(b"ir", b"wasm", "abi")] * 2

    trio.run(main)


@pytest.mark.parametrize(("size", "kept"), [(1, compiling.KEPT_MAX), (compiling.KEPT_BYTES_MAX // 4, 4)])
def test_what_is_remembered_is_bounded_in_number_and_bytes(
    size: int, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = list[bytes]()

    async def job(request: bytes) -> tuple[bytes, bytes, str]:
        made.append(request)
        return b"", bytes(size), ""

    monkeypatch.setattr(compiling, "_compile", job)

    async def main() -> None:
        compiler = Compiler()
        for number in range(kept + 1):
            await compiler.compile({"a.py": str(number)}, "a.py", ())
        made.clear()
        for number in (kept, 1, 0):
            await compiler.compile({"a.py": str(number)}, "a.py", ())
        assert len(made) == 1, "the oldest alone had gone"

    trio.run(main)


def test_a_machine_that_is_too_busy_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validator that refused a block for it would contradict those that had the time."""
    monkeypatch.setattr(compiling, "COMPILE_SECONDS_MAX", 0)
    with pytest.raises(Unavailable, match="the machine is busy; try again later"):
        trio.run(Compiler().compile, FILES, "two.py", SPEC.gas_table)
