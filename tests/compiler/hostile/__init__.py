"""
Sources meant to hurt the compiler: name → files of a bundle whose main file is p.py.

Generated, so that each can be as large as it needs to be; what becomes of each stands in golden/hostile.txt.
"""

from __future__ import annotations

from types import ModuleType

from tests.compiler.hostile import bundles, characters, dense, functions, nesting, numbers, statements, types, walks

GROUPS: tuple[ModuleType, ...] = (characters, nesting, numbers, statements, types, functions, dense, walks, bundles)
HEAVY = (types, functions, dense, walks)  # those whose bundles need a process each
MAIN = "p.py"


def bundles_of(group: ModuleType) -> dict[str, dict[str, str]]:
    """The hostile bundles of one file of this package."""
    return {name: {MAIN: text} if isinstance(text, str) else text for name, text in group.sources().items()}


def sources() -> dict[str, dict[str, str]]:
    """Every hostile bundle, in the order of the files of this package."""
    found: dict[str, dict[str, str]] = {}
    for group in GROUPS:
        for name, files in bundles_of(group).items():
            assert name not in found, f"two hostile bundles are called {name}"
            found[name] = files
    return found
