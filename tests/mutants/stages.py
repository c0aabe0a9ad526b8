"""What should kill a mutant: cases of the fuzzer and tests, by its area and its file, likely and quick ones first."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.mutate import AREAS, Mutant
from tests.mutants.trial import Stage, Tests

FIRST, REST = range(8), range(8, 40)
"""Cases of the fuzzer: most mutants die of the first ones, in seconds."""


def _tests(folder: str, *names: str) -> Tests:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


CHECK = _tests("compiler", "golden", "survivors", "refusals")
LOWER = _tests("compiler", "golden", "types", "bundle")
COMPILER = (
    *CHECK,
    *_tests("compiler", "types", "meaning", "bundle", "abi", "growth", "at_bounds", "container_methods", "arguments"),
)
OPTIMISE = _tests("compiler_back", "optimise", "touch", "agreement")
WRITE = _tests("compiler_back", "write", "agreement")
BACK = _tests("compiler_back", "optimise", "touch", "write", "ir_text", "ir_check", "agreement")
VM = _tests("vm", "containers", "queue", "decimal", "sha256", "heap", "wide", "core", "inlining", "wasm", "growth")
KERNEL = _tests(
    "vm_kernel", "calls", "transactions", "hooks", "purses", "undo", "outbox", "reads", "room", "mirror", "places"
)
HOOKS = _tests("hooks", "crossings", "fills", "resumed")
CREATION = _tests("vm_kernel", "creation", "deposits")
QUICK: dict[str, tuple[Stage, ...]] = {
    "check": (FIRST, CHECK),
    "lower": (FIRST, LOWER),
    "optimise": (FIRST, OPTIMISE),
    "write": (FIRST, WRITE),
    "runtime": (FIRST, VM),
    "kernel": (FIRST, KERNEL),
}
"""Kills six of seven within ten seconds of processor time."""
WIDE: dict[str, tuple[Stage, ...]] = {
    "check": (COMPILER, REST, CREATION),
    "lower": (COMPILER, REST, (*_tests("library", "agreement"), *KERNEL)),
    "optimise": (BACK, REST, COMPILER),
    "write": (BACK, REST, (*KERNEL, *_tests("fuzz", "exhaustion"))),
    "runtime": (VM, REST, (*KERNEL, *HOOKS, *CREATION)),
    "kernel": (KERNEL, REST, (*HOOKS, *CREATION, *_tests("vm_kernel", "upgrade", "versions"))),
}
"""What a survivor is tried with again: takes a minute, and seldom kills."""
NEAR: dict[str, Tests] = {
    "administration": _tests("vm_kernel", "upgrade", "versions"),
    "calls": _tests("vm_kernel", "calls", "transactions", "undo", "purses", "mirror"),
    "creations": _tests("vm_kernel", "creation"),
    "crossings": _tests("hooks", "crossings"),
    "due": (*_tests("vm_kernel", "hooks"), *HOOKS),
    "fees": _tests("vm_kernel", "purses", "transactions", "deposits"),
    "fills": _tests("hooks", "fills"),
    "hooks": (*_tests("vm_kernel", "hooks", "purses"), *HOOKS),
    "frames": (*_tests("vm_kernel", "calls", "mirror", "undo"), *_tests("tools", "worlds")),
    "journal": _tests("vm_kernel", "undo"),
    "outbox": (*_tests("vm_kernel", "outbox", "transactions", "hooks"), *_tests("tools", "handlers"), *HOOKS),
    "requests": _tests("vm_kernel", "creation"),
    "reversal": _tests("vm_kernel", "undo"),
    "services": (*_tests("tools", "quotes"), *_tests("vm_kernel", "hooks"), *HOOKS),
    "system": _tests("vm_kernel", "creation", "versions"),
    "decimal": _tests("vm", "decimal"),
    "hash_map": _tests("vm", "containers"),
    "ordered_map": _tests("vm", "containers"),
    "queue": _tests("vm", "queue", "containers"),
    "sha256": _tests("vm", "sha256"),
    "slots": _tests("vm", "growth", "containers"),
    "wide": _tests("vm", "decimal"),
}
"""By the name of a file, tests that kill most of its mutants: instead of those of its area at first."""


def area_of(mutant: Mutant) -> str:
    return next(area for area, (pattern, _) in AREAS.items() if Path(mutant.file).match(pattern))


def stages_of(mutant: Mutant, since: Tests = (), wide: bool = False) -> tuple[Stage, ...]:
    """
    Each case and each test once.

    since: AREA=TEST, tests written for mutants: tried after the first quick one, or first of all with wide.
    """
    fuzzed, tests = QUICK[area_of(mutant)]
    new = tuple(test for area, _, test in (one.partition("=") for one in since) if area == area_of(mutant))
    near = NEAR.get(Path(mutant.file).stem, tests)
    assert isinstance(near, tuple)
    quick: tuple[Stage, ...] = (fuzzed, (near[0], *new, *near[1:]))
    found, known = list[Stage](), set[str]()
    for stage in (new, *quick, *WIDE[area_of(mutant)]) if wide else quick:
        if isinstance(stage, tuple):
            stage = tuple(test for test in dict.fromkeys(stage) if test not in known)
            known.update(stage)
        found.append(stage)
    return tuple(stage for stage in found if stage)


def everything() -> tuple[Stage, ...]:
    """All cases and tests that any mutant is tried with."""
    stages = [*NEAR.values(), *(stage for area in (*QUICK.values(), *WIDE.values()) for stage in area)]
    return FIRST, tuple(dict.fromkeys(test for stage in stages if isinstance(stage, tuple) for test in stage)), REST
