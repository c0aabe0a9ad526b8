"""
The edge of the command line: results to stdout, everything else to stderr, errors to exit codes.

Exit codes: 0 done, 1 the caller's fault (Invalid, a file that cannot be used) or a transaction that failed, 2 wrong
usage, 3 try again later (Unavailable), 4 ours (Corrupt). With --json the last line of stdout is one JSON object, in
failure {"error", "code"}.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from genesis.errors import Corrupt, Invalid, Unavailable

if TYPE_CHECKING:
    import typer

FAILED, UNAVAILABLE, CORRUPT, INTERRUPTED = 1, 3, 4, 130
ADDRESS_BYTES = 20
_GRAVITY = (Unavailable, Invalid, Corrupt)
"""The graver the later."""
COLUMNS_AS_LINES = 2
"""Rows of up to so many columns are printed as lines, longer ones as a table."""
PIPE_COLUMNS = 240
"""Width of tables that go into a file or a pipe."""


def run(app: typer.Typer) -> NoReturn:
    """Run the command of sys.argv and end the process."""
    sys.exit(guarded(app))


def guarded(work: Callable[[], Any]) -> int:
    """Do something for the command line; the exit code, with any error told."""
    try:
        work()
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the edge: whatever it is becomes a sentence and an exit code
        return tell(_inner(error), "--json" in sys.argv)
    return 0


def show(data: Mapping[str, Any], as_json: bool, quiet: str = "") -> None:
    """Print a result: one JSON object, or a name and a value per line, lists of maps as tables. quiet: only this."""
    if as_json:
        print(json.dumps(plain(data)))
    elif quiet:
        print(quiet)
    else:
        _print(plain(data))


def progress(text: str) -> None:
    """Tell a person what goes on; stderr."""
    print(text, file=sys.stderr, flush=True)


def plain(value: Any) -> Any:
    """A value as JSON has it: accounts with checksum, other bytes 0x-hexadecimal, Decimals as text."""
    match value:
        case bytes():
            return _account(value) if len(value) == ADDRESS_BYTES else "0x" + value.hex()
        case None | bool() | int() | float() | str():
            return value
        case Enum():
            return value.name
        case Mapping():
            return {str(key): plain(member) for key, member in value.items()}
        case list() | tuple():
            return [plain(member) for member in value]
        case _:
            data = getattr(value, "data", None)  # an Account of the language
            return plain(data) if isinstance(data, bytes) else str(value)


def _account(address: bytes) -> str:
    from genesis.crypto import checksum_address

    return checksum_address(address)


def _print(data: dict[str, Any]) -> None:
    width = max((len(name) for name in data), default=0)
    for name, value in data.items():
        title = f"{name.replace('_', ' '):<{width}}"
        if not isinstance(value, list) or not value or not isinstance(value[0], dict):
            print(f"{title}  {_text(value)}")
        elif len(value[0]) > COLUMNS_AS_LINES:
            _print_table(name, value)
        else:
            for row in value:
                print(f"{title}  {'  '.join(map(_text, row.values()))}")


def _print_table(title: str, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(name for row in rows for name in row))
    table = Table(*(name.replace("_", " ") for name in columns), title=title.replace("_", " "), title_justify="left")
    for row in rows:
        table.add_row(*(_text(row.get(name, "")) for name in columns))
    Console(width=None if sys.stdout.isatty() else PIPE_COLUMNS).print(table)


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(member)}" for name, member in value.items())
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value)


def _inner(error: Exception) -> Exception:
    """
    The error inside groups that nurseries wrap around it: of several foreseen ones the gravest. A group with one that
    nobody foresaw stays whole.
    """
    if not isinstance(error, ExceptionGroup):
        return error
    inside = sorted((_inner(one) for one in error.exceptions), key=_gravity)
    return inside[-1] if len(inside) == 1 or _gravity(inside[-1]) < len(_GRAVITY) else error


def _gravity(error: Exception) -> int:
    return next((place for place, kind in enumerate(_GRAVITY) if isinstance(error, kind)), len(_GRAVITY))


def tell(error: Exception, as_json: bool) -> int:
    """An error in words on stderr, as JSON on stdout when asked; its exit code."""
    match error:
        case Invalid():
            number, code, text = FAILED, error.code, str(error)
        case Unavailable():
            number, code, text = UNAVAILABLE, "unavailable", str(error)
        case Corrupt():
            number, code, text = CORRUPT, "corrupt", str(error)
        case OSError(filename=str() | Path() as file):
            number, code, text = FAILED, "bad_file", f"{file} cannot be used: {error.strerror}; name another one."
        case _:
            number, code, text = CORRUPT, "internal", f"Tenor failed: {error!r}; please report it with the lines above."
            import traceback

            traceback.print_exception(error)
    progress(f"error: {text}")
    if as_json:
        print(json.dumps({"error": text, "code": code}))
    return number
