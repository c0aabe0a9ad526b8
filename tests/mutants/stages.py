"""What should kill a mutant: cases of the fuzzer and tests, by its area and its file, likely and quick ones first."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.mutate import AREAS, Mutant
from tests.mutants.trial import Stage, Tests

FIRST, REST = range(8), range(8, 60)
"""Cases of the fuzzer: most mutants die of the first ones, in seconds."""


def _tests(folder: str, *names: str) -> Tests:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


COMPILER = _tests("compiler", "golden", "survivors", "types", "abi", "bundle", "meaning", "growth", "refusals")
BACK = _tests("compiler_back", "optimise", "touch", "write", "ir_text", "ir_check", "agreement")
VM = _tests("vm", "containers", "queue", "decimal", "sha256", "core", "inlining", "wasm", "growth")
KERNEL = _tests("vm_kernel", "calls", "transactions", "hooks", "purses", "undo", "reads", "room", "mirror", "places")
HOOKS = _tests("hooks", "crossings", "fills", "resumed")
KERNEL_SLOW = _tests("vm_kernel", "creation", "deposits", "upgrade", "versions") + _tests("fuzz", "exhaustion", "cases")
STAGES: dict[str, tuple[Stage, ...]] = {
    "check": (FIRST, COMPILER, REST),
    "lower": (FIRST, COMPILER, REST),
    "optimise": (FIRST, BACK, REST, COMPILER),
    "write": (FIRST, BACK, REST),
    "runtime": (FIRST, VM, REST),
    "kernel": (FIRST, KERNEL, REST),
}
WIDE: dict[str, Tests] = {
    "check": _tests("compiler", "at_bounds", "determinism"),
    "lower": (*_tests("library", "agreement"), *KERNEL),
    "write": (*KERNEL, *_tests("fuzz", "exhaustion")),
    "runtime": (*KERNEL, *HOOKS, *_tests("vm_kernel", "creation", "deposits")),
    "kernel": (*HOOKS, *KERNEL_SLOW),
}
"""What is tried besides when a survivor is tried again: takes a minute, and seldom kills."""
NEAR: dict[str, Tests] = {
    "administration": _tests("vm_kernel", "upgrade", "versions"),
    "creations": _tests("vm_kernel", "creation"),
    "crossings": _tests("hooks", "crossings"),
    "due": (*_tests("vm_kernel", "hooks"), *HOOKS),
    "fees": _tests("vm_kernel", "purses", "transactions", "deposits"),
    "fills": _tests("hooks", "fills"),
    "hooks": (*_tests("vm_kernel", "hooks", "purses"), *HOOKS),
    "journal": _tests("vm_kernel", "undo"),
    "outbox": (*_tests("vm_kernel", "transactions", "hooks"), *HOOKS),
    "requests": _tests("vm_kernel", "creation"),
    "reversal": _tests("vm_kernel", "undo"),
    "services": (*_tests("vm_kernel", "hooks"), *HOOKS),
    "system": _tests("vm_kernel", "creation", "versions"),
    "decimal": _tests("vm", "decimal"),
    "queue": _tests("vm", "queue"),
    "sha256": _tests("vm", "sha256"),
    "slots": _tests("vm", "growth", "containers"),
    "wide": _tests("vm", "decimal"),
}
"""By the name of a file, tests that come before those of its area."""


def area_of(mutant: Mutant) -> str:
    return next(area for area, (pattern, _) in AREAS.items() if Path(mutant.file).match(pattern))


def stages_of(mutant: Mutant, *first: str, wide: bool = False) -> tuple[Stage, ...]:
    """Each case and each test once. first: tests that come before all."""
    fuzzed, tests, *rest = STAGES[area_of(mutant)]
    assert isinstance(tests, tuple)
    near = (*NEAR.get(Path(mutant.file).stem, ()), *tests)
    if wide:
        rest.append(WIDE.get(area_of(mutant), ()))
    known, found = set(first), list[Stage]([first, fuzzed])
    for stage in (near, *rest):
        found.append(
            stage if isinstance(stage, range) else tuple(one for one in dict.fromkeys(stage) if one not in known)
        )
        known.update(one for one in stage if isinstance(one, str))
    return tuple(stage for stage in found if stage)


def everything() -> tuple[Stage, ...]:
    """All cases and tests that any mutant is tried with."""
    stages = [*WIDE.values(), *NEAR.values(), *(stage for area in STAGES.values() for stage in area)]
    tests = dict.fromkeys(test for stage in stages if isinstance(stage, tuple) for test in stage)
    return FIRST, tuple(tests), REST
