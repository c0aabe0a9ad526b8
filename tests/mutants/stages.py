"""What should kill a mutant: cases of the fuzzer and tests, by its area and its file, likely and quick ones first."""

from __future__ import annotations

from pathlib import Path

from tests.mutants.mutate import AREAS, Mutant
from tests.mutants.trial import Stage, Tests

FIRST, REST = range(8), range(8, 60)
"""Cases of the fuzzer: most mutants die of the first ones, in seconds."""


def _tests(folder: str, *names: str) -> Tests:
    return tuple(f"tests/{folder}/test_{name}.py" for name in names)


COMPILER = _tests(
    "compiler", "golden", "survivors", "at_bounds", "types", "abi", "bundle", "meaning", "growth", "refusals"
)
BACK = _tests("compiler_back", "optimise", "touch", "write", "ir_text", "ir_check", "agreement")
VM = _tests("vm", "containers", "queue", "decimal", "sha256", "core", "inlining", "wasm", "growth")
KERNEL = _tests("vm_kernel", "calls", "transactions", "hooks", "purses", "undo", "reads", "room", "mirror", "places")
HOOKS = _tests("hooks", "crossings", "fills", "resumed")
KERNEL_SLOW = _tests("vm_kernel", "creation", "deposits", "upgrade", "versions") + _tests("fuzz", "exhaustion", "cases")
STAGES: dict[str, tuple[Stage, ...]] = {
    "check": (FIRST, COMPILER, REST),
    "lower": (FIRST, COMPILER, REST, (*_tests("library", "agreement"), *KERNEL)),
    "optimise": (FIRST, BACK, REST, COMPILER),
    "write": (FIRST, BACK, REST, (*KERNEL, *_tests("fuzz", "exhaustion"))),
    "runtime": (FIRST, VM, REST, (*KERNEL, *HOOKS, *_tests("vm_kernel", "creation", "deposits"))),
    "kernel": (FIRST, KERNEL, REST, (*HOOKS, *KERNEL_SLOW)),
}
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


def stages_of(mutant: Mutant) -> tuple[Stage, ...]:
    """Each case and each test once."""
    near = NEAR.get(Path(mutant.file).stem, ())
    fuzzed, tests, *rest = STAGES[area_of(mutant)]
    assert isinstance(tests, tuple)
    found: list[Stage] = [fuzzed, (*near, *(test for test in tests if test not in near))]
    for stage in rest:
        found.append(stage if isinstance(stage, range) else tuple(test for test in stage if test not in near))
    return tuple(found)


def everything() -> tuple[Stage, ...]:
    """All cases and tests that any mutant is tried with."""
    tests = (test for stages in STAGES.values() for stage in stages if isinstance(stage, tuple) for test in stage)
    return (FIRST, tuple(dict.fromkeys(tests)), REST)
