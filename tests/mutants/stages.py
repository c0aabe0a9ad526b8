"""What should kill a mutant: cases of the fuzzer and tests, by its area and its file, likely and quick ones first."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.mutate import AREAS, Mutant
from tests.mutants.trial import Stage, Tests

FIRST, REST = range(8), range(8, 40)
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
    "check": _tests("compiler", "at_bounds", "container_methods", "arguments", "determinism")
    + _tests("vm_kernel", "creation"),
    "lower": (*_tests("compiler", "weight"), *_tests("library", "agreement"), *KERNEL),
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


def stages_of(mutant: Mutant, since: Tests = (), wide: bool = False) -> tuple[Stage, ...]:
    """Each case and each test once. since: tests that come before others, those from the folder of its area."""
    fuzzed, tests, *rest = STAGES[area_of(mutant)]
    assert isinstance(tests, tuple)
    folder = Path(tests[0]).parent
    first = (*(test for test in since if Path(test).parent == folder), *NEAR.get(Path(mutant.file).stem, ()))
    if wide:
        rest.append(WIDE.get(area_of(mutant), ()))
    found, known = list[Stage]([fuzzed]), set[str]()
    for stage in ((*first, *tests), *rest):
        if isinstance(stage, tuple):
            stage = tuple(test for test in dict.fromkeys(stage) if test not in known)
            known.update(stage)
        found.append(stage)
    return tuple(stage for stage in found if stage)


def everything() -> tuple[Stage, ...]:
    """All cases and tests that any mutant is tried with."""
    stages = [*WIDE.values(), *NEAR.values(), *(stage for area in STAGES.values() for stage in area)]
    tests = dict.fromkeys(test for stage in stages if isinstance(stage, tuple) for test in stage)
    return FIRST, tuple(tests), REST
