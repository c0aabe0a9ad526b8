"""
A program's source on disk as a bundle: its file, and the files beside it that it imports.

Nothing is run: imports are read from the text, and those that lead to no file beside it are the compiler's to judge.
"""

from __future__ import annotations

import ast
from pathlib import Path

from genesis.errors import Invalid

FILES_MAX = 32


def read_bundle(main: Path) -> tuple[dict[str, str], str]:
    """
    Files by path relative to main's folder, and main's own path.

    Raises:
        Invalid: "not_found" or "does_not_compile" for a file that cannot be read, "bad_bundle" for too many.
    """
    folder, files, waiting = main.parent, dict[str, str](), [main.name]
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        if len(files) == FILES_MAX:
            raise Invalid(f"{main} imports more than {FILES_MAX} files; merge some.", "bad_bundle")
        files[name] = _read(folder / name)
        waiting.extend(_imported(files[name], folder))
    return dict(sorted(files.items())), main.name


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise Invalid(f"There is no file {path}; make a program with `tenor program new`.", "not_found") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}; name a readable file.", "not_found") from error


def _imported(text: str, folder: Path) -> list[str]:
    """Files of the folder that a module imports; none when it does not parse, which the compiler reports better."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    modules = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    paths = [f"{module.replace('.', '/')}.py" for module in modules]
    return [path for path in paths if (folder / path).is_file()]
