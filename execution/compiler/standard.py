"""
Source of the standard programs, for the typed interfaces that other bundles import.

The compiler reads the text that is installed beside it and never runs it. A bundle may carry its own copy, which then
wins.
"""

from __future__ import annotations

import pkgutil

PACKAGE = "execution.programs"


def source_of(module: str) -> str | None:
    """
    Text of `execution.programs.<name>`, a module or a package's `__init__`; None when it is not a standard program's.
    """
    if not module.startswith(PACKAGE + ".") or not all(part.isidentifier() for part in module.split(".")):
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
