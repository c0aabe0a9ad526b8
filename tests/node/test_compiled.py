"""Code kept beside the source is what compiling gives, and is never used for other sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import pytest
import wasmtime

from execution.vm import machine
from execution.vm.machine import Machine
from genesis.errors import Corrupt, Invalid
from genesis.presets import load_preset
from genesis.spec import ChainSpec
from node import compiled, genesis_code
from node.compiled import source_key
from node.genesis_code import GenesisCode, compiled_now, folder_plan

SPEC = load_preset("devnet")
LATER = b"\x00\x06\x05later"
"""A custom section: other bytes, the same kernel."""


@pytest.fixture(scope="module")
def code() -> GenesisCode:
    return compiled_now(SPEC)


@pytest.fixture
def fresh(code: GenesisCode, monkeypatch: pytest.MonkeyPatch) -> list[ChainSpec]:
    """Compilations since, the compiler replaced by what it gave before."""
    calls: list[ChainSpec] = []
    monkeypatch.setattr(compiled, "compiled_now", lambda spec: calls.append(spec) or code)
    return calls


def test_what_is_kept_is_what_the_compiler_gives_byte_for_byte(code: GenesisCode) -> None:
    assert compiled.genesis_code(SPEC).encode() == code.encode()
    assert GenesisCode.decode(code.encode()) == code


def test_the_second_time_nothing_is_compiled(tmp_path: Path, code: GenesisCode, fresh: list[ChainSpec]) -> None:
    file = tmp_path / "cache" / "code"
    assert [compiled.genesis_code(SPEC, file) for _ in range(3)] == [code] * 3
    assert len(fresh) == 1 and list(file.parent.iterdir()) == [file]


def test_other_sources_have_another_key(tmp_path: Path) -> None:
    room = tmp_path / "room"
    (room / "deep").mkdir(parents=True)
    (room / "deep" / "a.py").write_text("x = 1")
    keys = {source_key(SPEC, (room,)), source_key(replace(SPEC, gas_table=SPEC.gas_table[1:]), (room,))}
    (room / "deep" / "a.py").write_text("x = 2")
    keys.add(source_key(SPEC, (room,)))
    (room / "b.py").write_text("")
    keys.add(source_key(SPEC, (room,)))
    (room / "b.py").rename(room / "c.py")
    keys.add(source_key(SPEC, (room,)))
    assert len(keys) == 5
    (room / "notes.txt").write_text("no source")
    assert source_key(SPEC, (room,)) in keys


def test_a_file_of_other_sources_or_damaged_is_compiled_anew(
    tmp_path: Path, code: GenesisCode, fresh: list[ChainSpec]
) -> None:
    file = tmp_path / "code"
    compiled.genesis_code(SPEC, file)
    good = file.read_bytes()
    other_key = bytes([good[0] ^ 1]) + good[1:]
    for number, bad in enumerate((other_key, good[:-1], good[:100] + b"\x00" + good[101:], b"", good[:40]), 2):
        file.write_bytes(bad)
        assert compiled.genesis_code(SPEC, file) == code
        assert len(fresh) == number and file.read_bytes() == good


def test_a_folder_that_cannot_be_written_goes_without(code: GenesisCode, fresh: list[ChainSpec]) -> None:
    assert compiled.genesis_code(SPEC, Path("/proc/no/such/folder/code")) == code


@pytest.fixture
def nothing_made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An engine that has made and been given no machine code yet; left as it was found."""
    monkeypatch.setattr(machine, "_ahead", lru_cache(maxsize=1)(dict))
    machine.compiled.cache_clear()
    yield
    machine.compiled.cache_clear()


@pytest.mark.usefixtures("nothing_made")
def test_an_engine_given_machine_code_makes_none(
    tmp_path: Path, code: GenesisCode, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = Machine(code.plan()).genesis(SPEC)
    compiled.genesis_code(SPEC, tmp_path / "code")
    machine.compiled.cache_clear()
    compiled.give_engine(SPEC, tmp_path / "code")
    with monkeypatch.context() as patched:
        patched.setattr(wasmtime.Module, "__init__", _refuse)
        assert Machine(code.plan()).genesis(SPEC) == root


@pytest.mark.usefixtures("nothing_made")
def test_machine_code_of_another_engine_is_made_anew(code: GenesisCode) -> None:
    machine.give_machine_code({sha256(code.kernel).digest(): b"made by another wasmtime"})
    machine.check_kernel(code.kernel)


def _refuse(*_: object) -> None:
    raise AssertionError("machine code was made")


def test_a_folder_keeps_the_kernel_its_chain_began_with(tmp_path: Path, code: GenesisCode) -> None:
    """A Tenor that builds another kernel runs the chain with the one it has."""
    root = Machine(folder_plan(tmp_path, SPEC, lambda _: code)).genesis(SPEC)
    later = replace(code, kernel=code.kernel + LATER)
    assert Machine(folder_plan(tmp_path, SPEC, lambda _: later)).genesis(SPEC) == root
    assert Machine(later.plan()).genesis(SPEC) != root


def test_a_kept_kernel_of_another_interface_is_refused_with_both_numbers(tmp_path: Path, code: GenesisCode) -> None:
    from execution.vm.kernel import build

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build, "INTERFACE", 9)
        foreign = replace(code, kernel=build.build_kernel(SPEC.gas))
    with pytest.raises(Invalid, match="interface 9, this Tenor speaks 3"):
        Machine(folder_plan(tmp_path, SPEC, lambda _: foreign)).genesis(SPEC)


@pytest.mark.parametrize("damage", ["cut", "version"])
def test_a_damaged_file_is_corrupt(
    tmp_path: Path, code: GenesisCode, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder_plan(tmp_path, SPEC, lambda _: code)
    file = tmp_path / genesis_code.FILE
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-1])
    else:
        monkeypatch.setattr(genesis_code, "VERSION", genesis_code.VERSION + 1)
    with pytest.raises(Corrupt, match=str(file)):
        folder_plan(tmp_path, SPEC, lambda _: code)
