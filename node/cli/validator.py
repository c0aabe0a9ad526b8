"""
`tenor validator`: who certifies, as the settlement chain decides it. Works on the file of the local settlement chain;
the key that signs a command is the owner's, a validator's own key only says that it consents.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid, Unavailable
from node.cli.edge import progress, show
from node.cli.options import DevKey, Json, KeyFile, PasswordFile, private_key

if TYPE_CHECKING:
    from genesis.spec import ChainSpec
    from settlement.actions import Action, Force
    from settlement.local import LocalSettlement

app = typer.Typer(no_args_is_help=True)

NONCE_BYTES = 16
POLL_SECONDS = 0.1
TAKEN_SECONDS = 60.0
"""Within which a block of the settlement chain takes an action in, or never."""
HEIGHT_MAX = (1 << 63) - 1

Settlement = Annotated[Path, typer.Option("--settlement", help="File of the local settlement chain.")]
Chain = Annotated[str, typer.Option("--chain", help="Preset, or path of the chain's specification.")]
Which = Annotated[str, typer.Argument(help="Address of a validator, or dev:N.")]
ValidatorKey = Annotated[Path | None, typer.Option("--validator-key", help="Keystore file of the key that validates.")]
ValidatorPassword = Annotated[Path | None, typer.Option("--validator-password-file", help="File with its password.")]
ValidatorDevKey = Annotated[int | None, typer.Option("--validator-dev-key", min=0, max=15, help="Development key.")]


@app.command("list")
def list_(settlement: Settlement, chain: Chain = "devnet", json: Json = False) -> None:
    """Show the validator sets, the newest last, from which settlement block on each holds, and who is not ready yet."""

    async def ask(local: LocalSettlement) -> dict[str, Any]:
        head = await local.head()
        sets = await local.validator_sets(0, HEIGHT_MAX)
        rows = [
            {"version": one.version, "from_block": one.from_height, "validator": address, "stake": stake}
            for one in sets
            for address, stake in sorted(one.stakes.items())
        ]
        return {"settlement_block": head.settlement_height, "validators": rows, "pending": await _pending(local)}

    show(on_settlement(settlement, chain, lambda local, _: ask(local)), json)


@app.command()
def fund(
    account: Annotated[str, typer.Argument(help="Address, or dev:N.")],
    amount: Annotated[int, typer.Argument(min=1, help="Whole units of the asset that stakes are in, or of the coin.")],
    settlement: Settlement, chain: Chain = "devnet",
    coin: Annotated[bool, typer.Option("--coin", help="Give coin of that chain, which pays for posting.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """
    Give an account money for a stake, or coin to post with, on the local settlement chain, where money comes from
    nowhere.
    """
    from genesis.membership import STAKE_ASSET, STAKE_UNIT
    from settlement.adapter import COIN_UNIT
    from settlement.local_fees import COIN

    asset, unit = (COIN, COIN_UNIT) if coin else (STAKE_ASSET, STAKE_UNIT)

    async def give(local: LocalSettlement) -> dict[str, Any]:
        address = _address(account)
        await local.fund(address, asset, amount * unit)
        return {"account": address, "whole_units": await local.balance(address, asset) // unit}

    show(on_settlement(settlement, chain, lambda local, _: give(local)), json)


@app.command()
def register(
    stake: Annotated[int, typer.Argument(min=1, help="Whole units of the fee asset, from the owner's account.")],
    settlement: Settlement,
    validator_key: ValidatorKey = None, validator_password_file: ValidatorPassword = None,
    validator_dev_key: ValidatorDevKey = None, chain: Chain = "devnet", key_file: KeyFile = None,
    password_file: PasswordFile = None, dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """
    Deposit stake for a new validator; it is in the set some settlement blocks after its node is ready.

    The node says so by itself, once it runs with this key and is level with the others. The chain does not wait for it.
    """
    from genesis.crypto import address_of
    from settlement.actions import Register

    owner = _owner(key_file, password_file, dev_key)
    key = _validator_key(validator_key, validator_password_file, validator_dev_key)
    _carry_out(
        settlement, chain, owner, lambda spec: Register(address_of(key), stake, _consent(spec, owner, key)), json,
        then="it stands pending, and enters the set",
    )  # fmt: skip


@app.command("exit")
def exit_(
    validator: Which, settlement: Settlement, chain: Chain = "devnet", key_file: KeyFile = None,
    password_file: PasswordFile = None, dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """Leave the set, or never enter it; the stake is held for a while, then `tenor validator claim` gives it back."""
    from settlement.actions import Exit

    owner = _owner(key_file, password_file, dev_key)
    _carry_out(settlement, chain, owner, lambda _: Exit(_address(validator)), json)


@app.command()
def claim(
    validator: Which, settlement: Settlement, chain: Chain = "devnet", key_file: KeyFile = None,
    password_file: PasswordFile = None, dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """Take back the stake of a validator that has left and cannot be held to account any more."""
    from settlement.actions import Claim

    owner = _owner(key_file, password_file, dev_key)
    _carry_out(settlement, chain, owner, lambda _: Claim(_address(validator)), json)


@app.command("rotate-key")
def rotate_key(
    validator: Which, settlement: Settlement,
    validator_key: ValidatorKey = None, validator_password_file: ValidatorPassword = None,
    validator_dev_key: ValidatorDevKey = None, chain: Chain = "devnet", key_file: KeyFile = None,
    password_file: PasswordFile = None, dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """
    Go on under a new key, named by --validator-key or --validator-dev-key, with the same stake.

    The old key stays in the set until the new one's node is ready, and some settlement blocks more. Until then it may
    be another key; `tenor validator exit` of the new one takes it back.
    """
    from genesis.crypto import address_of
    from settlement.actions import RotateKey

    owner = _owner(key_file, password_file, dev_key)
    key = _validator_key(validator_key, validator_password_file, validator_dev_key)

    def action(spec: ChainSpec) -> RotateKey:
        return RotateKey(_address(validator), address_of(key), _consent(spec, owner, key))

    _carry_out(settlement, chain, owner, action, json, then="the old key stays, and the new one takes its place")


@app.command()
def evidence(
    file: Annotated[Path, typer.Argument(help="Two contradicting votes: 0x and the digits of their bytes.")],
    settlement: Settlement, chain: Chain = "devnet", key_file: KeyFile = None, password_file: PasswordFile = None,
    dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """Show that a validator voted for two blocks in one view: it loses its stake, a part of it comes to you."""
    from genesis.membership import Evidence
    from settlement.validators import BURNT

    try:
        found = Evidence.decode(bytes.fromhex(file.read_text().strip().removeprefix("0x")))
    except (OSError, ValueError, Invalid) as error:
        raise Invalid(
            f"{file} holds no evidence ({error}); `tenor node evidence --out` writes such files.", "bad_file"
        ) from error
    reporter = _owner(key_file, password_file, dev_key)
    _carry_out(settlement, chain, reporter, lambda _: found, json, {"reward": reporter, "burnt": BURNT})


@app.command()
def announce(
    validators: Annotated[list[str], typer.Argument(help="Addresses of validators that are lost for good.")],
    settlement: Settlement, chain: Chain = "devnet", key_file: KeyFile = None, password_file: PasswordFile = None,
    dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """Say, as the admin, that more than a third of the stake is lost; `replace` drops it after the time-lock."""
    from settlement.actions import Announce

    admin = _owner(key_file, password_file, dev_key)
    _carry_out(settlement, chain, admin, lambda _: Announce(tuple(map(_address, validators))), json)


@app.command()
def replace(
    settlement: Settlement, chain: Chain = "devnet", key_file: KeyFile = None, password_file: PasswordFile = None,
    dev_key: DevKey = None, json: Json = False,
) -> None:  # fmt: skip
    """Drop the validators that were announced as lost, unless a commitment has come since."""
    from settlement.actions import Replace

    _carry_out(settlement, chain, _owner(key_file, password_file, dev_key), lambda _: Replace(), json)


def on_settlement(
    file: Path, chain: str, work: Callable[[LocalSettlement, ChainSpec], Awaitable[dict[str, Any]]]
) -> dict[str, Any]:
    """Open the local settlement chain of a chain that a preset or file specifies, and do something there."""
    import trio

    from node.chains import load_chain
    from node.cli.crossing import existing
    from settlement.contract import Terms
    from settlement.local import open_local

    spec = load_chain(chain, Path())

    async def run() -> dict[str, Any]:
        async with open_local(existing(file), Terms.of(spec)) as local:
            return await work(local, spec)

    return trio.run(run)


async def taken_in(local: LocalSettlement, sender: bytes, action: Force | Action) -> bytes:
    """
    Post an action and wait until a block has taken it in; the posting's id.

    Raises:
        Invalid: it became impossible meanwhile. Unavailable: no block came.
    """
    import trio

    posting = await local.act(sender, action, secrets.token_bytes(NONCE_BYTES))
    with trio.move_on_after(TAKEN_SECONDS):
        while (standing := await local.standing(posting)) == "pending":
            await trio.sleep(POLL_SECONDS)
        if standing == "absent":
            raise Invalid(
                "What others did meanwhile made it impossible; it was dropped. Look, and try again.", "dropped"
            )
        return posting
    raise Unavailable(f"No block of the settlement chain took it in within {TAKEN_SECONDS:g} s; it still may.")


def _carry_out(
    file: Path,
    chain: str,
    sender: bytes,
    action: Callable[[ChainSpec], Action],
    json: bool,
    watched: Mapping[str, bytes] = MappingProxyType({}),
    then: str = "",
) -> None:
    """
    Post an action, wait until a block has it, and show what the set will be.

    Args:
        watched: accounts by a name under which it is shown what they have gained, raw of the stake's asset.
        then: what happens once the node of a new key is ready.
    """
    from genesis.membership import STAKE_ASSET

    async def work(local: LocalSettlement, spec: ChainSpec) -> dict[str, Any]:
        before = {name: await local.balance(account, STAKE_ASSET) for name, account in watched.items()}
        posting = await taken_in(local, sender, action(spec))
        gained = {name: await local.balance(watched[name], STAKE_ASSET) - was for name, was in before.items()}
        newest = (await local.validator_sets(0, HEIGHT_MAX))[-1]
        progress(f"set {newest.version} holds from settlement block {newest.from_height} on")
        if then:
            delay = spec.validators_delay_blocks
            progress(f"{then} {delay} settlement blocks after its node has said that it is ready")
            progress("keep that node running; `tenor node status` tells what it waits for")
        return {
            "posting": posting,
            "sender": sender,
            "version": newest.version,
            "from_block": newest.from_height,
            "validators": [{"validator": key, "stake": stake} for key, stake in sorted(newest.stakes.items())],
            "pending": await _pending(local),
            **{name: str(amount) for name, amount in gained.items()},
        }

    show(on_settlement(file, chain, work), json)


async def _pending(local: LocalSettlement) -> list[dict[str, Any]]:
    waiting = await local.pending_validators()
    return [{"validator": key, "stake": stake} for key, stake in sorted(waiting.items())]


def _owner(key_file: Path | None, password_file: Path | None, dev_key: int | None) -> bytes:
    from genesis.crypto import address_of

    return address_of(private_key(key_file, password_file, dev_key))


def _validator_key(key_file: Path | None, password_file: Path | None, dev_key: int | None) -> bytes:
    if (key_file is None) == (dev_key is None):
        raise Invalid("Name the key that validates: --validator-key FILE, or --validator-dev-key N.", "no_key")
    return private_key(key_file, password_file, dev_key, "--validator-password-file")


def _consent(spec: ChainSpec, owner: bytes, key: bytes) -> bytes:
    """The validator's key says that this owner may register it."""
    from genesis.crypto import sign
    from genesis.membership import possession_digest

    return sign(possession_digest(spec.chain_id, owner), key)


def _address(text: str) -> bytes:
    from genesis.crypto import parse_address
    from genesis.devkeys import COUNT, development_address
    from node.cli.session import DEVELOPMENT

    number = text.removeprefix(DEVELOPMENT)
    if text.startswith(DEVELOPMENT) and number.isdecimal() and int(number) < COUNT:
        return development_address(int(number))
    return parse_address(text)
