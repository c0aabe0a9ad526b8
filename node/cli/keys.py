"""
`tenor keys`: keystore files (Ethereum's version 3) in one folder, by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from genesis.errors import Invalid
from node.cli.edge import progress, show
from node.cli.options import KEYS_FOLDER, Json, PasswordFile, Quiet, key_path, password

app = typer.Typer(no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the key; a path names a file outside the folder.")]
Folder = Annotated[Path, typer.Option("--folder", help="Where the keys are.")]
Light = Annotated[bool, typer.Option("--light", help="Weaker, quicker encryption: for keys without value.")]
KEY_DIGITS = 64


@app.command()
def new(
    name: Name, folder: Folder = KEYS_FOLDER, password_file: PasswordFile = None, light: Light = False,
    json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Make a random key and keep it encrypted."""
    import secrets

    from genesis.crypto import PRIVATE_KEY_BYTES

    _keep(secrets.token_bytes(PRIVATE_KEY_BYTES), _place(name, folder), password_file, light, json, quiet)


@app.command("import")
def import_(
    name: Name,
    file: Annotated[Path, typer.Argument(help="A keystore file of any wallet, or 64 hexadecimal digits; - is stdin.")],
    folder: Folder = KEYS_FOLDER, password_file: PasswordFile = None, light: Light = False,
    json: Json = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Take over a key: a wallet's keystore file with its password, or the bare private key."""
    key = _bare_key(file)
    if key is None:
        from node.keystore import load

        key = load(file, password(password_file, file))
    _keep(key, _place(name, folder), password_file, light, json, quiet)


@app.command()
def export(name: Name, folder: Folder = KEYS_FOLDER, password_file: PasswordFile = None, json: Json = False) -> None:
    """Print a private key. Whoever sees it owns the account."""
    from genesis.crypto import address_of
    from node.keystore import load

    path = _place(name, folder)
    key = load(path, password(password_file, path))
    show({"address": address_of(key), "private_key": key}, json)


@app.command("show")
def show_(name: Name, folder: Folder = KEYS_FOLDER, json: Json = False, quiet: Quiet = False) -> None:
    """Print a key's address."""
    from genesis.crypto import checksum_address
    from node.keystore import address_in

    path = _place(name, folder)
    address = address_in(path)
    show({"address": address, "file": path}, json, checksum_address(address) if quiet else "")


@app.command("list")
def list_(folder: Folder = KEYS_FOLDER, json: Json = False) -> None:
    """List the keys of the folder with their addresses."""
    from node.keystore import address_in

    home = folder.expanduser()
    rows = []
    for path in sorted(home.glob("*.json")):
        try:
            rows.append({"name": path.stem, "address": address_in(path)})
        except Invalid as error:
            progress(f"skipped: {error}")
    show({"keys": rows}, json)


@app.command()
def dev(json: Json = False) -> None:
    """List the development keys: public, the same everywhere, worth nothing."""
    from genesis.devkeys import COUNT, development_address, development_key

    rows = [
        {"dev_key": index, "role": _role(index), "address": development_address(index), "key": development_key(index)}
        for index in range(COUNT)
    ]
    show({"development_keys": rows}, json)


def _role(index: int) -> str:
    roles = ("validator", "admin", "reporter", "reporter", "reporter", "fees")
    return roles[index] if index < len(roles) else "trader"


def _place(name: str, folder: Path) -> Path:
    if "/" in name:  # ./NAME, too, which a Path forgets
        return Path(name).expanduser()
    if folder == KEYS_FOLDER:
        return key_path(Path(name))
    return folder / f"{name}.json"


def _bare_key(file: Path) -> bytes | None:
    """The private key in a file that holds nothing else; None when it is something else."""
    import sys

    try:
        text = (sys.stdin.read() if str(file) == "-" else file.read_text()).strip().removeprefix("0x")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read ({error}); name a readable file.", "not_found") from error
    if len(text) != KEY_DIGITS or not all(digit in "0123456789abcdefABCDEF" for digit in text):
        return None
    return bytes.fromhex(text)


def _keep(key: bytes, path: Path, password_file: Path | None, light: bool, json: bool, quiet: bool) -> None:
    from genesis.crypto import address_of, checksum_address
    from node.keystore import SCRYPT_N, SCRYPT_N_LIGHT, save

    address = address_of(key)
    save(path, key, password(password_file, path, new=True), SCRYPT_N_LIGHT if light else SCRYPT_N)
    show({"address": address, "file": path}, json, checksum_address(address) if quiet else "")
