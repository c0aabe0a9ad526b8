"""
`tenor program`: from an example on disk to a program on the chain, and calls of any program.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid, Unavailable
from node.cli.edge import plain, progress, show
from node.cli.options import URL, Json, Stage, Url
from node.cli.sending import POLL_SECONDS, Sender, sending, wait_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from genesis.chain import Call, Receipt
    from node.cli.session import Session
    from node.client import Client

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="The file that defines the program.")]
Which = Annotated[str, typer.Argument(help="Address or name.")]


@app.command()
def new(
    folder: Annotated[Path, typer.Argument(help="A folder to make; it may be anywhere.")], json: Json = False
) -> None:
    """Write a small complete program that trades, with its test and a README."""
    from importlib import resources

    if folder.exists() and any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty; name another folder.", "exists")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for source in sorted(resources.files("node.cli").joinpath("template").iterdir(), key=lambda item: item.name):
        if source.name.endswith(".txt"):
            path = folder / source.name.removesuffix(".txt")
            path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
            written.append(path)
    show({"files": written}, json)


@app.command("compile")
def compile_(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for NAME.wasm and NAME.abi.json.")
    ] = None,
    json: Json = False,
) -> None:
    """Compile a program to WASM and its ABI."""
    from execution.compiler import compile_bundle
    from node.bundle import read_bundle

    artifact = compile_bundle(*read_bundle(file))
    folder = output or file.parent
    folder.mkdir(parents=True, exist_ok=True)
    wasm, abi = folder / f"{file.stem}.wasm", folder / f"{file.stem}.abi.json"
    wasm.write_bytes(artifact.wasm)
    abi.write_text(artifact.abi.text() + "\n")
    show(
        {
            "program": artifact.name,
            "wasm": wasm,
            "wasm_bytes": len(artifact.wasm),
            "abi": abi,
            "source_hash": artifact.source_hash,
            "ir_hash": artifact.ir_hash,
        },
        json,
    )


@app.command()
@sending
def deploy(
    sender: Sender,
    file: File,
    args: Annotated[str, typer.Option("--args", help="Arguments of `create`, parted by blanks.")] = "",
    admin: Annotated[str | None, typer.Option("--admin", help="Account that may upgrade it; default nobody.")] = None,
    hooks: Annotated[str, typer.Option("--hooks", help="Money for its hooks, if it has any; 0 for none.")] = "0.1",
    time_lock: Annotated[
        str | None, typer.Option("--time-lock", help="From announcing an upgrade to its switch: 7d; needs --admin.")
    ] = None,
) -> None:
    """Deploy a program, pay for what it will do by itself, and wait until it is active; prints its address."""
    import shlex

    from execution.compiler import compile_bundle
    from execution.compiler.abi_values import pack
    from execution.compiler.types import NONE
    from node.bundle import read_bundle
    from node.cli.arguments import duration_ms, parse_arguments

    files, main = read_bundle(file)
    abi = compile_bundle(files, main).abi
    lock = None if time_lock is None else duration_ms(time_lock, "--time-lock")

    async def work(session: Session) -> dict[str, Any]:
        arguments = b""
        if "create" in abi.by_name or args:
            entry = abi.entry("create")
            arguments = pack(entry, parse_arguments(entry, shlex.split(args), session.names))
        owner = b"" if admin is None else session.names.account(admin)
        if lock is not None and owner != session.wallet.account:
            raise Invalid("The admin sets the time-lock: sign as the one that --admin names.", "not_authorised")
        signed = await session.wallet.sign_deployment(main.removesuffix(".py"), files, arguments, admin=owner)
        receipt = await session.wallet.send_signed(signed)
        stage = max(sender.wait, Stage.CERTIFIED, key=list(Stage).index)
        receipt = await wait_for(session.client, receipt, stage, sender.timeout)
        view = await session.receipt_view(receipt)
        if receipt.status == "done":
            if hooks != "0" and any(entry.kind == "hook" and entry.result != NONE for entry in abi.entries):
                view["hooks"] = await _fund(session, receipt, hooks)
            view["address"] = await _active(session.client, receipt, sender.timeout)
            if lock is not None:
                view["time_lock_ms"] = await _lock(session, receipt, lock)
        return view

    sender.finish(sender.run(work), "address")


@app.command()
@sending
def upgrade(
    sender: Sender,
    program: Which,
    file: File,
    args: Annotated[str, typer.Option("--args", help="Arguments of the @migrate method, parted by blanks.")] = "",
) -> None:
    """Announce a program's next version, as its admin; it runs when the time-lock has passed. Prints from when."""
    import shlex

    from execution.compiler import compile_bundle
    from execution.compiler.abi_values import pack
    from node.bundle import read_bundle
    from node.cli.arguments import parse_arguments
    from node.views import parse_bytes

    files, main = read_bundle(file)
    abi = compile_bundle(files, main).abi

    async def work(session: Session) -> dict[str, Any]:
        target = session.programs[program].address
        entry = next((one for one in abi.entries if one.kind == "migrate"), None)
        if entry is None and args:
            raise Invalid(f"{abi.name} has no @migrate method that takes arguments; leave out --args.", "bad_argument")
        arguments = b"" if entry is None else pack(entry, parse_arguments(entry, shlex.split(args), session.names))
        signed = await session.wallet.sign_upgrade(target, main.removesuffix(".py"), files, arguments)
        stage = max(sender.wait, Stage.CERTIFIED, key=list(Stage).index)
        receipt = await wait_for(session.client, await session.wallet.send_signed(signed), stage, sender.timeout)
        rows = [row for row in await session.client.programs() if parse_bytes(row["address"]) == target]
        return await session.receipt_view(receipt) | {"address": target, "upgrade_time_ms": rows[0]["upgrade_time_ms"]}

    sender.finish(sender.run(work), "transaction")


@app.command()
@sending
def admin(
    sender: Sender,
    program: Which,
    to: Annotated[str | None, typer.Option("--to", help="The new admin; `nobody` gives it up for ever.")] = None,
    time_lock: Annotated[
        str | None, typer.Option("--time-lock", help="7d; a shorter one holds when the present one has passed.")
    ] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel the version that is announced.")] = False,
) -> None:
    """Change who may upgrade a program and how long before it is announced, or cancel an upgrade; its admin signs."""
    from node import administration as acts
    from node.cli.arguments import duration_ms

    if to is None and time_lock is None and not cancel:
        raise Invalid("Say what to change: --to, --time-lock or --cancel.", "usage")

    async def work(session: Session) -> dict[str, Any]:
        target = session.programs[program].address
        calls = [acts.cancel_upgrade(target)] if cancel else []
        if time_lock is not None:
            calls.append(acts.set_time_lock(target, duration_ms(time_lock, "--time-lock")))
        if to is not None:
            calls.append(acts.set_admin(target, acts.NOBODY if to == "nobody" else session.names.account(to)))
        receipt = await session.wallet.send(*calls)
        receipt = await wait_for(session.client, receipt, sender.wait, sender.timeout)
        return await session.receipt_view(receipt)

    sender.finish(sender.run(work), "transaction")


@app.command(context_settings={"ignore_unknown_options": True})
@sending
def call(
    sender: Sender,
    program: Which,
    entry: Annotated[str, typer.Argument(help="External or view.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="As the entry takes them.")] = None,
) -> None:
    """
    Call an entry: a view is asked and needs no key, an external is sent as a transaction.

    Decimals and numbers as they are, accounts as address, dev:N or program name, enums by name, durations as 5s,
    times in ms or now+1h, structs as JSON, none for an absent Optional.
    """
    from node.cli.arguments import parse_arguments

    texts = arguments or []
    answer = _ask_view(sender.url, program, entry, texts)
    if answer is not None:
        show({"result": answer["result"]}, sender.json, _shown(answer["result"]) if sender.quiet else "")
        return

    def build(session: Session) -> list[Call]:
        target = session.programs[program]
        return [target.call(entry, *parse_arguments(target.entry(entry), texts, session.names))]

    sender.send(build)


@app.command()
@sending
def kernel(
    sender: Sender,
    chain: Annotated[str, typer.Option("--chain", help="Preset, or path of the chain's specification.")] = "devnet",
    wasm: Annotated[Path | None, typer.Option("--wasm", help="The kernel; this Tenor's own otherwise.")] = None,
) -> None:
    """Let the chain go on under another kernel some blocks later; the chain's admin signs."""
    from execution.vm import upgrade
    from execution.vm.kernel.build import build_kernel
    from execution.vm.machine import check_kernel
    from genesis.crypto import sha256
    from node.chains import load_chain

    module = wasm.read_bytes() if wasm else build_kernel(load_chain(chain, Path()).gas)
    check_kernel(module)

    async def work(session: Session) -> dict[str, Any]:
        files = {upgrade.FILE: upgrade.packed(module)}
        signed = await session.wallet.sign_deployment(upgrade.NAME, files, b"")
        receipt = await wait_for(session.client, await session.wallet.send_signed(signed), sender.wait, sender.timeout)
        return await session.receipt_view(receipt) | {"kernel": sha256(module)}

    sender.finish(sender.run(work), "transaction")


@app.command("list")
def list_(url: Url = URL, json: Json = False) -> None:
    """List the programs of the chain; with --json also admin, version, time-lock and what is announced, as `show`."""
    from node.client import blocking
    from node.programs import Programs

    rows = [
        {"name": program.name, "address": program.address, **(program.record if json else {})}
        for program in blocking(url, Programs.load)
    ]
    show({"programs": rows}, json)


@app.command("show")
def show_(program: Which, url: Url = URL, json: Json = False) -> None:
    """Show what a program can be asked: its entries and events."""
    from node.client import blocking
    from node.programs import Programs, signature

    found = blocking(url, Programs.load)[program]
    rows = [
        {"entry": signature(entry), "kind": entry.kind, "order": entry.order}
        for entry in found.abi.entries
        if entry.callable
    ]
    events = [
        {"event": f"{event.name}({', '.join(f'{name}: {of}' for name, of in event.fields)})"}
        for event in found.abi.events
    ]
    head = {"name": found.name, "address": found.address, **found.record}
    show({**head, "entries": rows, "events": events}, json)


async def _fund(session: Session, receipt: Receipt, amount: str) -> str:
    """Fill the purse of a program that is not active yet; what is in it."""
    paid = await session.wallet.send(session.programs["bank"].call("fund_gas", receipt.created, amount))
    if paid.status == "done":
        return amount
    progress(f"Its hooks will not run before somebody pays for them (tenor tx fund): {paid.reason}.")
    return "0"


async def _lock(session: Session, receipt: Receipt, ms: int) -> int:
    """Set the time-lock of a program just made; Unavailable when that fails, for then it has none."""
    from node.administration import set_time_lock

    assert receipt.created is not None, "a deployment that is done creates a program"
    done = await session.wallet.send(set_time_lock(receipt.created, ms))
    if done.status != "done":
        raise Unavailable(f"The program is active, but has no time-lock: {done.reason}; see `tenor program admin`.")
    return ms


def _ask_view(url: str, program: str, name: str, texts: Sequence[str]) -> dict[str, Any] | None:
    """{"result": …} of a view; None when the entry is none."""
    from execution.compiler.abi_values import pack, plain_result
    from node.catalogue import readable
    from node.cli.arguments import parse_arguments
    from node.cli.session import Names
    from node.client import blocking
    from node.programs import selector_bytes
    from node.views import parse_bytes

    async def ask(client: Client) -> dict[str, Any] | None:
        names = await Names.load(client)
        target = names.programs[program]
        entry = target.entry(name)
        if entry.kind != "view":
            return None
        packed = pack(entry, parse_arguments(entry, texts, names))
        answer = await client.call(target.address, selector_bytes(entry), packed)
        if answer["reason"]:
            raise Invalid(f"{target.name}.{name} was rejected: {answer['reason']}.", "rejected")
        return {"result": readable(entry.result, plain_result(entry, parse_bytes(answer["result"])))}

    return blocking(url, ask)


async def _active(client: Client, receipt: Receipt, seconds: float) -> bytes:
    """Wait until the created program is on the chain; its address."""
    import trio

    from node.programs import Programs

    assert receipt.created is not None, "a deployment that is done creates a program"
    progress(f"recorded in block {receipt.height}, waiting until it is active")
    with trio.move_on_after(seconds):
        while receipt.created not in {program.address for program in await Programs.load(client)}:
            await trio.sleep(POLL_SECONDS)
        return receipt.created
    raise Unavailable(f"After {seconds:g} s the program is not active; see `tenor program list` later.")


def _shown(value: Any) -> str:
    import json

    value = plain(value)
    return value if isinstance(value, str) else json.dumps(value)
