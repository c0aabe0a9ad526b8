"""
Options that many commands share: where the node is, which key signs, how the result is shown.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from genesis.errors import Invalid
from node.config import DEFAULT_PORT

URL = f"ws://127.0.0.1:{DEFAULT_PORT}/ws"
KEYS_FOLDER = Path("~/.tenor/keys")


class Stage(StrEnum):
    """How sure a receipt is to stay, in this order."""

    EXECUTED = "executed"
    CERTIFIED = "certified"
    POSTED = "posted"
    FINAL = "final"


Json = Annotated[bool, typer.Option("--json", help="One JSON object on the last line of stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the id (of a deployment: the address).")]
Url = Annotated[str, typer.Option("--url", help="WebSocket address of a node.")]
KeyFile = Annotated[
    Path | None, typer.Option("--key-file", help="Keystore file, or the name of a key of `tenor keys`.")
]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", help="File whose first line is the password; asked for otherwise.")
]
DevKey = Annotated[int | None, typer.Option("--dev-key", min=0, max=15, help="Development key, see `tenor keys dev`.")]
Account = Annotated[
    str | None,
    typer.Option(
        "--account", help="Account to act for: the key is its agent or owns it (dev:6/0); default the key's own."
    ),
]
Wait = Annotated[Stage, typer.Option("--wait", help="Return when the receipt has come this far.")]
Timeout = Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")]


def private_key(
    key_file: Path | None, password_file: Path | None, dev_key: int | None, option: str = "--password-file"
) -> bytes:
    """The key that the options name; option: for the password file. Raises Invalid unless exactly one is named."""
    if (key_file is None) == (dev_key is None):
        raise Invalid("Name one key: --key-file FILE, or --dev-key N on a development chain.", "no_key")
    if dev_key is not None:
        from genesis.devkeys import development_key

        return development_key(dev_key)
    assert key_file is not None
    from node.keystore import load

    path = key_path(key_file)
    return load(path, password(password_file, path, option=option))


def key_path(which: Path) -> Path:
    """A path as it is; a bare name that is no file stands for a key in KEYS_FOLDER."""
    if which.exists() or len(which.parts) > 1:
        return which
    return KEYS_FOLDER.expanduser() / f"{which.name}.json"


def password(file: Path | None, path: Path, new: bool = False, option: str = "--password-file") -> str:
    """Of a keystore file, from the file that `option` names, or asked for on the terminal; twice when new."""
    import sys
    from getpass import getpass

    if file is not None:
        from node.unlock import first_line

        return first_line(file)
    if not sys.stdin.isatty():
        raise Invalid(f"No terminal to ask for the password of {path}; use {option}.", "bad_password")
    first = getpass(f"Password for {path}: ")
    if new and getpass("Again: ") != first:
        raise Invalid("The two passwords differ; try again.", "bad_password")
    return first


def key_password(file: Path, path: Path) -> str:
    """The password of a key file that a process opens when it starts, asked for only if it stands nowhere."""
    import sys

    from node.unlock import CREDENTIAL, VARIABLE, unattended

    found = unattended(file)
    if found is None and not sys.stdin.isatty():
        raise Invalid(
            f"The password of {path} is not in {file}, nor in a systemd credential {CREDENTIAL}, nor in {VARIABLE}, "
            "and there is no terminal to ask; put it in one of them.",
            "bad_password",
        )
    return password(None, path) if found is None else found
