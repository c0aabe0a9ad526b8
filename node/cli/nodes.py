"""
`tenor node`: a folder with configuration and key, the running process, and what it says of itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid, Unavailable
from node.cli.diff import diff
from node.cli.edge import UNAVAILABLE, progress, show
from node.cli.options import URL, DevKey, Json, KeyFile, PasswordFile, Url, key_password, private_key
from node.cli.repair import repair

if TYPE_CHECKING:
    from genesis.spec import ChainSpec
    from node.app import Ready
    from node.checks import Finding
    from node.config import Config
    from node.consensus.doors import Signer
    from p2p.identity import NodeKey

app = typer.Typer(no_args_is_help=True)

CONFIG_FILE = "node.toml"
KEY_FILE = "validator.json"
SECRET_FILE = "validator.password"
DATA_FOLDER = "data"
PEERS_FILE, NODE_KEY_FILE = "peers", "node.key"
DEVNET = "devnet"
EVERY_BLOCKS = 100
"""How often progress is told."""
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
    signer: Annotated[Path | None, typer.Option(help="Socket of `tenor signer run`; the key stays there.")] = None,
    follow: Annotated[Path | None, typer.Option(help="Validators' file of peers: a node that only follows.")] = None,
    json: Json = False,
) -> None:
    """
    Write a configuration and a validator's key with its password file, readable by their owner only.

    Without a key named it is a new random one; for the devnet preset development key 0, its validator's. With a
    signer the key is the signer's, which must run. With --follow there is none: see `tenor node run --follow`.
    """
    from node.chains import load_chain

    spec = load_chain(chain, Path())
    named = [one for one in (signer, key_file, dev_key, new_key or None) if one is not None]
    if signer is not None and len(named) > 1:
        raise Invalid("The key is the signer's; name no other one.", "no_key")
    if follow is not None and named:
        raise Invalid("A node that only follows holds no key; leave the key's option away.", "no_key")
    _check_place(listen, follow)
    for name in (CONFIG_FILE, KEY_FILE, SECRET_FILE):
        if (folder / name).exists():
            raise Invalid(f"{folder / name} exists; name another folder or move it away.", "exists")
    address = _address_at(signer, spec.chain_id) if signer is not None else None
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if follow is not None:
        _write_follower(folder, chain, follow, listen)
        show({"config": folder / CONFIG_FILE, "validator": None, "chain": chain}, json)
        return
    if not named and chain == DEVNET:
        dev_key = DEVNET_VALIDATOR
    validator = address or _write_key(folder, key_file, password_file, dev_key)
    (folder / CONFIG_FILE).write_text(_config_text(chain, listen, signer))
    if listen:
        _write_place(folder, listen, validator)
    if validator not in spec.stakes:
        progress("note: this key is no validator of the chain's beginning; the node follows until settlement has it in")
    show({"config": folder / CONFIG_FILE, "validator": validator, "chain": chain}, json)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def run(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", help="File written by `tenor node init`.")],
    follow: Annotated[bool, typer.Option("--follow", help="Use no validator's key: follow, verify, answer.")] = False,
    json: Json = False,
) -> None:
    """
    Run a node until SIGINT or SIGTERM; then it seals the open block and leaves.

    With --follow it takes certified blocks from the nodes in its file of peers, a snapshot first when it is far behind,
    and passes transactions on to them.

    Every key of the configuration may be given as an option, as in `--gateway.port 9000`.
    """
    run_configured(config, _flags(context.args), json, follow)


def run_configured(config: Path, flags: Mapping[str, str], json: bool, follow: bool = False) -> None:
    """Run the node of a configuration until a signal; flags: instead of what the file has."""
    import trio

    from node.config import load

    show(trio.run(_run_until_signal, load(config, flags), config, follow), json)


@app.command()
def status(url: Url = URL, json: Json = False) -> None:
    """Show where a node's chain stands, and if the node does not vote, why and what to do."""
    from node.client import Client, blocking
    from node.watch.words import sentences

    async def ask(client: Client) -> Any:
        consensus = await client.consensus()
        told = {"status": " ".join(sentences(consensus))}
        with suppress(Unavailable):  # it is coming up
            told |= await client.chain_info()
        return told | {"consensus": consensus}

    found = blocking(url, ask)
    if not json:
        found |= {"validators": found.pop("consensus")["validators"]}  # the rest stands in the sentences
    show(found, json)


@app.command()
def alerts(
    file: Annotated[Path | None, typer.Argument(help="Where to write them; standard output otherwise.")] = None,
    job: Annotated[str, typer.Option(help="Under which Prometheus scrapes the nodes.")] = "tenor",
    json: Json = False,
) -> None:
    """Write the alert rules for Prometheus. What each means, and what to do, is in node/RUNBOOK.md."""
    from node.watch.rules import RULES, rules_text

    if file is None and not json:
        print(rules_text(job), end="")
        return
    if file is not None:
        file.write_text(rules_text(job))
    show({"file": file, "alerts": [rule.name for rule in RULES]}, json)


app.command()(diff)
app.command()(repair)


async def _run_until_signal(config: Config, file: Path, follow: bool) -> dict[str, Any]:
    """
    The first signal asks the node to leave, a second one makes it; one that comes up need not be asked. The end of
    whoever holds its leash is a first one.
    """
    import signal

    import trio

    from node import arenas
    from node.chains import load_chain
    from node.collector import settle
    from node.leash import let_go
    from node.lives import Lives
    from node.log import Format, configure
    from node.place import open_place
    from node.watch.process import raise_open_files

    arenas.share()
    raise_open_files()
    configure(config.node.log_level, Format(config.node.log_format))
    spec = load_chain(config.node.chain, file.parent)
    ready: Ready | None = None
    async with _signer(config, spec, follow) as signer, trio.open_nursery() as nursery:
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            enter = partial(open_place, config.network, spec, signer.address if signer else None)
            lives, ended = Lives(config, spec, signer, enter), trio.Event()

            async def node(task_status: trio.TaskStatus[Ready]) -> None:
                await lives.run(task_status)
                ended.set()

            async def leave() -> None:
                await anext(signals)
                if lives.stop():
                    progress("sealing the open block; once more to stop at once")
                    await anext(signals)
                nursery.cancel_scope.cancel()

            async def leave_alone() -> None:
                await let_go()
                if not lives.stop():
                    nursery.cancel_scope.cancel()

            nursery.start_soon(leave)
            nursery.start_soon(leave_alone)
            ready = await nursery.start(node)
            settle()
            progress(f"node runs at ws://{config.gateway.host}:{ready.port}/ws, height {ready.height}")
            await ended.wait()
            nursery.cancel_scope.cancel()
    if ready is None:
        return {"port": None, "stopped": "by request, while it came up"}
    return {"port": ready.port, "height_at_start": ready.height, "stopped": "by request"}


@app.command()
def check(
    config: Annotated[Path, typer.Option("--config", help="File written by `tenor node init`.")],
    json: Json = False,
) -> None:
    """
    Look at what a node looks at before it votes: signing, executing, disk, clock, settlement.

    Exit code 3 when it would follow and not vote. Its newest block is looked at only while the node is stopped.
    """
    import trio

    from node.checks import why_not

    findings = trio.run(_check, config)
    rows = [{"check": one.name, "good": one.good, "found": one.told, "ms": one.ms} for one in findings]
    show({"votes": not why_not(findings), "checks": rows}, json)
    if why_not(findings):
        raise typer.Exit(UNAVAILABLE)


async def _check(file: Path) -> list[Finding]:
    import trio

    from node.checks import Subject, look, newest_in
    from node.config import load
    from settlement.contract import Terms
    from settlement.local import open_local

    config = load(file)
    data, spec = _located(file)
    settlement = config.settlement
    async with AsyncExitStack() as stack:
        signer = await stack.enter_async_context(_signer(config, spec, follow=False))
        assert signer is not None, "who follows has none"
        adapter = None
        if settlement.file.exists():
            opened = open_local(settlement.file, Terms.of(spec), settlement.block_time_ms)
            adapter = await stack.enter_async_context(opened)
        alone = len(spec.stakes) == 1
        try:
            newest = await trio.to_thread.run_sync(newest_in, data, spec)
        except Unavailable:  # it runs, and is not behind itself
            newest, alone = None, False
        return await look(Subject(data, spec, signer, adapter, newest, alone))


@app.command()
def export(
    file: Annotated[Path, typer.Argument(help="Archive to write.")],
    config: Annotated[Path, typer.Option("--config", help="File written by `tenor node init`.")],
    json: Json = False,
) -> None:
    """Write all blocks of a stopped node, with their certificates, into a file that proves itself."""
    from node.archive.writing import export as write

    data, spec = _located(config)
    head = write(data, spec, file, _told("written"))
    show({"file": file, "blocks": head.last, "bytes": file.stat().st_size, "genesis": head.genesis}, json)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="Archive to read.")],
    config: Annotated[Path, typer.Option("--config", help="Of a node that has not run yet.")],
    json: Json = False,
) -> None:
    """
    Fill an empty node from an archive: every certificate is checked, every block run again.

    If validators have changed since the chain began, the settlement chain is asked for them.
    """
    from node.archive.restoring import restore
    from node.config import load
    from settlement.contract import Terms
    from settlement.local import open_local

    data, spec = _located(config)
    settlement = load(config).settlement

    async def sets(up_to: int) -> Any:
        async with open_local(settlement.file, Terms.of(spec), settlement.block_time_ms) as local:
            return await local.validator_sets(0, up_to)

    tip = restore(data, spec, file, sets, _told("checked and run"))
    show({"height": tip.height, "block_hash": tip.hash, "folder": data}, json)


def _located(config: Path) -> tuple[Path, ChainSpec]:
    from node.chains import load_chain
    from node.config import load

    found = load(config)
    return found.node.folder, load_chain(found.node.chain, config.parent)


def _told(what: str) -> Callable[[int, int], None]:
    def tell(height: int, last: int) -> None:
        if height % EVERY_BLOCKS == 0 or height == last:
            progress(f"{what}: {height} of {last} blocks")

    return tell


@app.command()
def evidence(
    url: Url = URL,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write a file for each into.")] = None,
    json: Json = False,
) -> None:
    """
    Show which validators contradicted themselves, as a node can prove; with --out write the proofs.

    A file ending in .evidence is what `tenor validator evidence` takes; who submits it first is paid a part of the
    stake. Two proposals in a view (.proposals) cost no stake.
    """
    from node.client import Client, blocking

    async def ask(client: Client) -> Any:
        return await client.evidence(), (await client.chain_info())["chain_id"]

    found, chain = blocking(url, ask)
    if out is not None:
        for row in found:
            row["file"] = _write_proof(out, row, chain)
    shown = found if json else [{name: row[name] for name in row if name != "proof"} for row in found]
    show({"evidence": shown}, json)


def _write_proof(folder: Path, row: dict[str, Any], chain: int) -> Path:
    """Checked before it is written: the node may be somebody else's. Raises Invalid."""
    from node.consensus.accusation import Accusation

    validator, proof = (bytes.fromhex(row[name].removeprefix("0x")) for name in ("validator", "proof"))
    accusation = Accusation(validator, row["view"], row["kind"], proof)
    accusation.check(chain)
    folder.mkdir(parents=True, exist_ok=True)
    ending = "evidence" if accusation.slashable else "proposals"
    path = folder / f"{validator.hex()[:8]}-{accusation.view}-{accusation.kind}.{ending}"
    path.write_text(f"0x{proof.hex()}\n")
    return path


@asynccontextmanager
async def _signer(config: Config, spec: ChainSpec, follow: bool) -> AsyncIterator[Signer | None]:
    """Who signs for this node: its own key, or a process that holds it; nobody for one that follows."""
    from node.config import NOWHERE
    from node.consensus.signer import KeySigner, Successive
    from node.keystore import load
    from node.signing.remote import open_remote

    if follow:
        yield None
        return
    keys = config.keys
    if keys.signer != Path(NOWHERE):
        async with open_remote(keys.signer, spec.chain_id) as remote:
            yield remote
        return
    if not keys.validator.exists():
        raise Invalid(f"There is no key at {keys.validator}; a node without one runs with --follow.", "not_found")
    password = key_password(keys.password_file, keys.validator)
    signer = KeySigner(load(keys.validator, password))
    yield signer if keys.next == Path(NOWHERE) else Successive(signer, KeySigner(load(keys.next, password)))


def _write_key(folder: Path, key_file: Path | None, password_file: Path | None, dev_key: int | None) -> bytes:
    """The key named, or a new one, with a password file of its own; its address."""
    from genesis.crypto import address_of
    from node.keystore import new_key, save_with_secret

    random_key = key_file is None and dev_key is None
    key = new_key() if random_key else private_key(key_file, password_file, dev_key)
    save_with_secret(folder / KEY_FILE, folder / SECRET_FILE, key, light=dev_key is not None)
    return address_of(key)


def _address_at(socket: Path, chain: int) -> bytes:
    import trio

    from node.signing.remote import open_remote

    async def ask() -> bytes:
        async with open_remote(socket, chain) as signer:
            return signer.address

    return trio.run(ask)


def _check_place(listen: str, follow: Path | None) -> None:
    """Before anything is written. Raises Invalid."""
    from node.place import read_peers
    from p2p.address import read_address

    if listen:
        read_address(listen)
    if follow is not None and not read_peers(follow):
        raise Invalid(f"{follow} names no validator to follow.", "bad_config")


def _write_follower(folder: Path, chain: str, peers: Path, listen: str) -> None:
    """Configuration and node key of a node that only follows the validators in a file of peers."""
    (folder / CONFIG_FILE).write_text(_config_text(chain, listen, None, peers.expanduser().absolute()))
    _write_node_key(folder)


def _write_place(folder: Path, listen: str, validator: bytes) -> None:
    """A new node key, and a file of peers with this node's own line, to be shared with the other operators."""
    from genesis.crypto import checksum_address
    from p2p.address import read_address

    name = _write_node_key(folder).peer
    line = f"{checksum_address(validator)} {read_address(listen)}/p2p/{name}"
    (folder / PEERS_FILE).write_text(f"# one line a validator; put the address in that others reach\n{line}\n")


def _write_node_key(folder: Path) -> NodeKey:
    """A new one."""
    import secrets

    from node.keystore import write_secret
    from node.place import NODE_KEY_BYTES
    from p2p.identity import NodeKey

    secret = secrets.token_bytes(NODE_KEY_BYTES)
    write_secret(folder / NODE_KEY_FILE, secret.hex())
    return NodeKey(secret)


def _config_text(chain: str, listen: str, signer: Path | None, peers: Path = Path(PEERS_FILE)) -> str:
    from genesis.presets import PRESETS
    from node.config import NOWHERE, Config, KeysConfig, NetworkConfig, NodeConfig, render

    preset_or_path = chain if chain in PRESETS else str(Path(chain).expanduser().resolve())
    network = NetworkConfig(listen or NOWHERE, peers, Path(NODE_KEY_FILE))
    keys = KeysConfig() if signer is None else KeysConfig(signer=signer.expanduser().absolute())
    return render(Config(node=NodeConfig(folder=Path(DATA_FOLDER), chain=preset_or_path), keys=keys, network=network))


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
