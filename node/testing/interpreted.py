"""
The engine that knows where gas goes: kernel and IR under CPython, every line of a program accounted for.

The same outcomes, state and gas as WASM, some hundred times slower. `rows` is the profile by line; `calls` the tree of
calls between programs with their gas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from execution.compiler import locate_ir
from execution.compiler.interpret_kernel import read_word
from execution.compiler.ir import Module
from execution.compiler.limits import PARAMETER_WORDS_MAX
from execution.compiler.optimise import optimise
from execution.compiler.places import Places
from execution.compiler.profile import Profile, lined
from execution.lang.kinds import Plain
from execution.lang.rejection import Rejected
from execution.lang.values import Account
from execution.vm.genesis import Plan
from execution.vm.kernel import places
from execution.vm.mirror import Mirror, MirrorHost
from genesis.spec import ChainSpec
from node.testing.bundles import GAS, Loaded
from node.testing.engines import Role
from node.testing.wasm import Creating, Wasm

KERNEL = 0
ARGUMENT_BYTES = 8 * PARAMETER_WORDS_MAX


@dataclass(slots=True)
class Called:
    """
    One call of a program. number, selector: which; gas: with what it called; failed: it was rejected.

    arguments: packed, with whatever lay behind them.
    """

    number: int
    selector: int
    gas: int = 0
    failed: bool = False
    arguments: bytes = b""
    inner: list[Called] = field(default_factory=list)


class ProfilingHost(MirrorHost):
    """
    A mirror that watches lines and calls.

    calls: those that nobody in a program made, in order. target: (phase, position) of the one transaction of a batch
    that is watched, None for everything. before: states of all programs when it first called one, empty until then.
    """

    def __init__(self, spec: ChainSpec, modules: dict[bytes, Module], kernel: bytes | None) -> None:
        self.profile = Profile(self._left)
        super().__init__(spec.gas, modules, kernel, self.profile.watch)
        self.calls: list[Called] = []
        self.target: tuple[int, int] | None = None
        self.before: list[bytes] = []
        self._stack: list[Called] = []
        self._rest = 0
        self._kernel_call: Callable[..., Any] = self._exports["call"]
        self._exports["call"] = self._call

    def _left(self) -> int:
        return self._cells["gas"].value + self._rest

    def _call(self, *arguments: int) -> None:
        """A call between programs: what a cap keeps back is no gas used."""
        cap = arguments[7]
        kept = self._cells["gas"].value - cap if 0 <= cap <= self._cells["gas"].value else 0
        self._rest += kept
        before = self._rest
        try:
            self._kernel_call(*arguments)
        finally:
            self._rest = before - kept

    def _dispatch(self, number: int, selector: int, args: int, flags: int) -> None:
        if not self._stack:
            self.profile.on = self._watched()
        if not self.profile.on:
            super()._dispatch(number, selector, args, flags)
            return
        scratch = self._memories[KERNEL]["scratch"]
        called = Called(number, selector & 0xFFFF_FFFF, arguments=bytes(scratch[args : args + ARGUMENT_BYTES]))
        (self._stack[-1].inner if self._stack else self.calls).append(called)
        self._stack.append(called)
        before = self._left()
        called.failed = True
        try:
            super()._dispatch(number, selector, args, flags)
            called.failed = False
        finally:
            self._stack.pop()
            if not self._stack:
                self.profile.come(None)
            called.gas = before - self._left()

    def _watched(self) -> bool:
        """Whether the target's body runs; its first call finds everything as it was before."""
        if self.target is None:
            return True
        scratch = self._memories[KERNEL]["scratch"]
        stage, phase, position = (read_word(scratch, place) for place in (places.STAGE, places.PHASE, places.POSITION))
        if stage != places.STAGE_BODY or (phase, position) != self.target:
            return False
        if not self.before:
            self.before = [bytes(memories["state"]) for memories in self._memories]
            self.profile.clear()
            self.calls.clear()
        return True


class ProfilingMirror(Creating, Mirror):
    """`Mirror` on a ProfilingHost. modules: filled as programs come."""

    def __init__(self, plan: Callable[[ChainSpec], Plan], modules: dict[bytes, Module]) -> None:
        super(Mirror, self).__init__(lambda spec, kernel: self._made(spec, modules, kernel), plan)

    def _made(self, spec: ChainSpec, modules: dict[bytes, Module], kernel: bytes | None) -> ProfilingHost:
        self.profiling = ProfilingHost(spec, modules, kernel)
        return self.profiling


class Interpreted(Wasm):
    """`engines.Engine` on a ProfilingMirror."""

    def __init__(self) -> None:
        self._modules: dict[bytes, Module] = {}
        self._places: dict[str, Places] = {}
        super().__init__(ProfilingMirror(lambda _: Plan(()), self._modules))

    def deploy(
        self, loaded: Loaded, address: Account, arguments: tuple[Plain, ...], sender: Account, role: Role
    ) -> Rejected | None:
        module, places, _ = locate_ir(dict(loaded.source.files), loaded.source.main)
        self._modules[sha256(loaded.artifact.wasm).digest()] = lined(optimise(module, GAS), GAS)
        self._places[loaded.artifact.name] = places
        return super().deploy(loaded, address, arguments, sender, role)

    def rows(self, loaded: Loaded) -> list[dict[str, Any]]:
        """The program's lines that used gas, in order: {"place", "gas", "percent", "times", "source"}."""
        assert isinstance(self.machine, ProfilingMirror), "made so in __init__"
        name, files = loaded.artifact.name, dict(loaded.source.files)
        return profile_rows(self.machine.profiling.profile, self._places[name], name, files)


def profile_rows(profile: Profile, lines: Places, name: str, files: Mapping[str, str]) -> list[dict[str, Any]]:
    """The lines of the program so called. percent: of the gas of all programs, one place."""
    total = sum(profile.gas.values()) or 1
    texts = {path: text.splitlines() for path, text in files.items()}
    rows = []
    for (program, line), gas in sorted(profile.gas.items()):
        place = lines.of(line) if program == name else None
        if place is None or not place.line:
            continue
        rows.append(
            {
                "place": str(place),
                "gas": gas,
                "percent": round(100 * gas / total, 1),
                "times": profile.times[program, line],
                "source": texts[place.file][place.line - 1].strip() if place.file in texts else "",
            }
        )
    return rows
