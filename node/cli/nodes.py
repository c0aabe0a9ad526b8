"""
`tenor node`: a folder with configuration and key, the running process, and what it says of itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid
from node.cli.diff import diff
from node.cli.edge import progress, show
from node.cli.options import URL, DevKey, Json, KeyFile, PasswordFile, Url, password, private_key

if TYPE_CHECKING:
    from node.config import Config

app = typer.Typer(no_args_is_help=True)

CONFIG_FILE = "node.toml"
KEY_FILE = "validator.json"
SECRET_FILE = "validator.password"
DATA_FOLDER = "data"
PEERS_FILE, NODE_KEY_FILE = "peers", "node.key"
SECRET_BYTES = 24
DEVNET = "devnet"
DEVNET_VALIDATOR = 0
"""The development key whose address is the devnet preset's validator."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="A folder to make, or an empty one.")],
    chain: Annotated[str, typer.Option(help="Preset, or path of a chain specification.")] = "devnet",
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    dev_key: DevKey = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make a random key, on the devnet too.")] = False,
    listen: Annotated[str, typer.Option(help="Where other validators come in, as /ip4/0.0.0.0/tcp/26600.")] = "",
    json: Json = False,
) -> None:
    """
    Write a configuration and a validator's key with its password file, readable by their owner only.

    Without a key named it is a new random one; for the devnet preset development key 0, its validator's.
    """
    import secrets

    from genesis.crypto import address_of
    from node.chains import load_chain
    from node.keystore import SCRYPT_N, SCRYPT_N_LIGHT, save

    spec = load_chain(chain, Path())
    if key_file is None and dev_key is None and not new_key and chain == DEVNET:
        dev_key = DEVNET_VALIDATOR
    random_key = key_file is None and dev_key is None
    key = _random_key() if random_key else private_key(key_file, password_file, dev_key)
    for name in (CONFIG_FILE, KEY_FILE, SECRET_FILE):
        if (folder / name).exists():
            raise Invalid(f"{folder / name} exists; name another folder or move it away.", "exists")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    _write_secret(folder / SECRET_FILE, secret)
    save(folder / KEY_FILE, key, secret, SCRYPT_N if dev_key is None else SCRYPT_N_LIGHT)
    (folder / CONFIG_FILE).write_text(_config_text(chain, listen))
    if listen:
        _write_place(folder, listen, address_of(key))
    if address_of(key) not in spec.stakes:
        progress("note: this key is no validator of the chain, so this node cannot make its blocks")
    show({"config": folder / CONFIG_FILE, "validator": address_of(key), "chain": chain}, json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", help="File written by `tenor node init`.")],
    json: Json = False,
) -> None:
    """
    Run a node until SIGINT or SIGTERM; then it seals the open block and leaves.

    Every key of the configuration may be given as an option, as in `--gateway.port 9000`.
    """
    import trio

    from node.config import load

    show(trio.run(_run_until_signal, load(config, _flags(context.args)), config), json)


@app.command()
def status(url: Url = URL, json: Json = False) -> None:
    """Show where a node's chain stands."""
    from node.client import Client, blocking

    async def ask(client: Client) -> Any:
        return {**await client.chain_info(), "consensus": await client.consensus()}

    show(blocking(url, ask), json)


app.command()(diff)


async def _run_until_signal(config: Config, file: Path) -> dict[str, Any]:
    """The first signal asks the node to leave, a second one makes it."""
    import signal

    import trio

    from genesis.crypto import address_of
    from node.app import Ready, check_validator, run_node
    from node.chains import load_chain
    from node.collector import settle
    from node.keystore import address_in, load
    from node.log import Format, configure
    from node.place import open_place

    configure(config.node.log_level, Format(config.node.log_format))
    spec = load_chain(config.node.chain, file.parent)
    check_validator(spec, address_in(config.keys.validator))
    key = load(config.keys.validator, password(config.keys.password_file, config.keys.validator))
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with trio.open_nursery() as nursery:

            async def node(task_status: trio.TaskStatus[Ready]) -> None:
                async with open_place(config.network, spec, address_of(key)) as place:
                    await run_node(config, spec, key, place, task_status=task_status)
                nursery.cancel_scope.cancel()

            ready: Ready = await nursery.start(node)
            settle()
            progress(f"node runs at ws://{config.gateway.host}:{ready.port}/ws, height {ready.height}")
            await anext(signals)
            progress("sealing the open block; once more to stop at once")
            ready.stop()
            await anext(signals)
            nursery.cancel_scope.cancel()
    return {"port": ready.port, "height_at_start": ready.height, "stopped": "by request"}


def _random_key() -> bytes:
    import secrets

    from genesis.crypto import PRIVATE_KEY_BYTES

    return secrets.token_bytes(PRIVATE_KEY_BYTES)


def _write_secret(path: Path, secret: str) -> None:
    import os

    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret + "\n")


def _write_place(folder: Path, listen: str, validator: bytes) -> None:
    """A new node key, and a file of peers with this node's own line, to be shared with the other operators."""
    import secrets

    from genesis.crypto import checksum_address
    from node.place import NODE_KEY_BYTES
    from p2p.address import read_address
    from p2p.identity import NodeKey

    secret = secrets.token_bytes(NODE_KEY_BYTES)
    _write_secret(folder / NODE_KEY_FILE, secret.hex())
    line = f"{checksum_address(validator)} {read_address(listen)}/p2p/{NodeKey(secret).peer}"
    (folder / PEERS_FILE).write_text(f"# one line a validator; put the address in that others reach\n{line}\n")


def _config_text(chain: str, listen: str) -> str:
    from genesis.presets import PRESETS
    from node.config import NOWHERE, Config, NetworkConfig, NodeConfig, render

    preset_or_path = chain if chain in PRESETS else str(Path(chain).expanduser().resolve())
    network = NetworkConfig(listen or NOWHERE, Path(PEERS_FILE), Path(NODE_KEY_FILE))
    return render(Config(node=NodeConfig(folder=Path(DATA_FOLDER), chain=preset_or_path), network=network))


def _flags(arguments: list[str]) -> dict[str, str]:
    """`--section.key value` and `--section.key=value` as a map. Raises Invalid for anything else."""
    flags: dict[str, str] = {}
    rest = iter(arguments)
    for word in rest:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or "." not in name:
            raise Invalid(
                f"{word} is no option; keys of the configuration look like --gateway.port 9000.", "bad_config"
            )
        found = value if equals else next(rest, None)
        if found is None:
            raise Invalid(f"--{name} lacks its value, as in --{name} VALUE.", "bad_config")
        flags[name] = found
    return flags
