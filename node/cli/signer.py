"""
`tenor signer`: a validator's key in a process of its own, which nobody makes sign two words of one view.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from node.cli.edge import progress, show
from node.cli.options import DevKey, Json, KeyFile, PasswordFile, key_password, private_key

if TYPE_CHECKING:
    from node.signing.guard import Guard

app = typer.Typer(no_args_is_help=True)

KEY_FILE, SECRET_FILE, GUARD_FILE, SOCKET_FILE = "validator.json", "validator.password", "signed", "signer.sock"

Folder = Annotated[Path, typer.Argument(help="The signer's folder.")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder to make, or an empty one.")],
    chain: Annotated[str, typer.Option(help="Preset, or path of the chain's specification.")] = "devnet",
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    dev_key: DevKey = None,
    above: Annotated[int, typer.Option("--above", min=0, help="Sign only in views above this one.")] = 0,
    json: Json = False,
) -> None:
    """
    Write a key with its password file and an empty memory of what it has signed; a new random key unless one is named.

    For a key that has validated before, stop its node for good, and name as --above the view that `tenor node status`
    of another node shows then, or a later one.
    """
    from genesis.crypto import address_of
    from node.chains import load_chain
    from node.keystore import new_key, save_with_secret
    from node.signing.guard import Guard

    spec = load_chain(chain, Path())
    named = key_file is not None or dev_key is not None
    key = private_key(key_file, password_file, dev_key) if named else new_key()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    save_with_secret(folder / KEY_FILE, folder / SECRET_FILE, key, light=dev_key is not None)
    Guard.create(folder / GUARD_FILE, spec.chain_id, address_of(key), above)
    show({"validator": address_of(key), "chain": spec.chain_id, "socket": _socket(folder, None)}, json)


@app.command()
def run(
    folder: Folder,
    socket: Annotated[Path | None, typer.Option("--socket", help="Where to listen; in the folder by default.")] = None,
    json: Json = False,
) -> None:
    """
    Sign for the nodes of this user that ask, until SIGINT or SIGTERM.

    The password is in the folder's validator.password, a systemd credential `tenor-password`, or TENOR_PASSWORD.
    """
    import trio

    from node.keystore import load
    from node.log import configure
    from node.signing.server import Holder

    configure()
    with _guard(folder) as guard:
        path = folder / KEY_FILE
        holder = Holder(load(path, key_password(folder / SECRET_FILE, path)), guard)
        trio.run(_serve_until_signal, holder, _socket(folder, socket))
        show({**_facts(guard), "signed": holder.signed, "refused": holder.refused}, json)


@app.command("show")
def show_(folder: Folder, json: Json = False) -> None:
    """Show whose key it is and how far it has signed; the signer must be stopped."""
    with _guard(folder) as guard:
        show(_facts(guard), json)


async def _serve_until_signal(holder: Any, path: Path) -> None:
    import signal

    import trio

    from node.signing.server import serve

    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:
            await nursery.start(serve, holder, path)
            progress(f"signer listens at {path}")
            await anext(signals)
            nursery.cancel_scope.cancel()


def _guard(folder: Path) -> Guard:
    from genesis.errors import Invalid
    from node.signing.guard import Guard

    if not (folder / KEY_FILE).exists():
        raise Invalid(f"{folder} is no signer's folder; make one with `tenor signer init`.", "not_found")
    return Guard(folder / GUARD_FILE)


def _facts(guard: Guard) -> dict[str, Any]:
    return {
        "validator": guard.address,
        "chain": guard.chain,
        "newest_view": guard.newest,
        "signs_nothing_new_up_to": guard.floor,
        "remembered": guard.words,
    }


def _socket(folder: Path, socket: Path | None) -> Path:
    return (socket or folder / SOCKET_FILE).expanduser().absolute()
