"""
Source of the standard programs, for the typed interfaces that other bundles import, and of the library, which is
compiled into them.

The compiler reads the text that is installed beside it and never runs it. A bundle may carry its own copy, which then
wins.
"""

from __future__ import annotations

import pkgutil

import execution

PACKAGE = "execution.programs"
LIBRARY = "execution.library"


def modules() -> list[str]:
    """Names of all modules of PACKAGE and LIBRARY."""
    return [
        f"{package}.{module.name}"
        for package in (PACKAGE, LIBRARY)
        for module in pkgutil.iter_modules([f"{path}/{package.split('.')[1]}" for path in execution.__path__])
    ]


def source_of(module: str) -> str | None:
    """
    Text of a module of PACKAGE or LIBRARY, or of a package's `__init__` in them; None when there is no such module.
    """
    names = all(part.isidentifier() for part in module.split("."))
    if not names or not module.startswith((PACKAGE + ".", LIBRARY + ".")):
        return None
    path = module.removeprefix("execution.").replace(".", "/")
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        try:
            data = pkgutil.get_data("execution", candidate)
        except FileNotFoundError:
            continue
        if data is not None:
            return data.decode("ascii", "replace")
    return None
