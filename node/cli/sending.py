"""
What every command that signs has in common: its options, a session with the node, and the receipt as a result.

A command decorated with `sending` gets a Sender first and its own parameters after it.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer

from genesis.errors import Invalid, Unavailable
from node.cli.edge import FAILED, progress, show
from node.cli.options import (
    URL,
    Account,
    DevKey,
    Json,
    KeyFile,
    PasswordFile,
    Quiet,
    Stage,
    Timeout,
    Url,
    Wait,
    private_key,
)

if TYPE_CHECKING:
    from genesis.chain import Call, Receipt
    from node.cli.session import Session
    from node.client import Client

POLL_SECONDS = 0.1

Order = Literal["TRADE", "POST_ONLY", "CANCEL"]
Work = Callable[["Session"], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Sender:
    """The shared options of one command."""

    url: str
    key_file: Path | None
    password_file: Path | None
    dev_key: int | None
    account: str | None
    wait: Stage
    timeout: float
    quiet: bool
    json: bool

    def send(self, build: Callable[[Session], Sequence[Call]], order: Order = "TRADE") -> None:
        """Sign and send the calls as one atomic transaction, wait, show the receipt; exit 1 when it failed."""

        async def work(session: Session) -> dict[str, Any]:
            from genesis.chain import OrderClass

            calls = build(session)
            receipt = await session.wallet.send(*calls, order=OrderClass[order])
            receipt = await wait_for(session.client, receipt, self.wait, self.timeout)
            return await session.receipt_view(receipt, calls)

        self.finish(self.run(work), "transaction")

    def run(self, work: Work) -> dict[str, Any]:
        """Run with a session; the key is opened first, so that a password is asked for before anything happens."""
        from node.cli.session import Session
        from node.client import blocking

        key = private_key(self.key_file, self.password_file, self.dev_key)

        async def exchange(client: Client) -> dict[str, Any]:
            return await work(await Session.open(client, key, self.account))

        return blocking(self.url, exchange)

    def finish(self, result: dict[str, Any], principal: str) -> None:
        """principal: the member that --quiet prints alone."""
        from node.cli.edge import plain

        show(result, self.json, plain(result[principal]) if self.quiet else "")
        if result.get("status", "done") != "done":
            progress(f"error: the transaction failed: {result['reason']}; nothing but its fee has changed.")
            raise typer.Exit(FAILED)


def sending(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a Sender, behind its own."""
    own = list(inspect.signature(command, eval_str=True).parameters.values())[1:]
    shared = inspect.signature(_options, eval_str=True).parameters
    names = tuple(shared)

    def run(**given: Any) -> None:
        sender = Sender(**{name: given.pop(name) for name in names})
        command(sender, **given)

    run.__name__, run.__doc__ = command.__name__, command.__doc__
    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*own, *shared.values())]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _options(
    url: Url = URL,
    key_file: KeyFile = None,
    password_file: PasswordFile = None,
    dev_key: DevKey = None,
    account: Account = None,
    wait: Wait = Stage.CERTIFIED,
    timeout: Timeout = 60.0,
    quiet: Quiet = False,
    json: Json = False,
) -> None:
    """The options of a Sender, as typer reads them."""


async def wait_for(client: Client, receipt: Receipt, stage: Stage, seconds: float) -> Receipt:
    """
    Ask again until the receipt has come to the stage; what is certified on the way is not told of.

    Raises:
        Unavailable: it did not within the time. Invalid: its block was reverted.
    """
    import trio

    from genesis.receipt import STAGES

    with trio.move_on_after(seconds):
        while STAGES.index(receipt.stage) < STAGES.index(stage.value):
            before = receipt.stage
            await trio.sleep(POLL_SECONDS)
            receipt = await _asked_again(client, receipt)
            if receipt.stage == "reverted":
                raise Invalid("Its block was reverted; send the transaction again.", "reverted")
            if receipt.stage not in (before, "certified"):
                progress(f"block {receipt.height} is {receipt.stage}")
    if STAGES.index(receipt.stage) < STAGES.index(stage.value):
        raise Unavailable(
            f"After {seconds:g} s the transaction is {receipt.stage}, not {stage}; "
            f"ask later with `tenor tx receipt 0x{receipt.transaction.hex()} --wait {stage}`."
        )
    return receipt


async def _asked_again(client: Client, receipt: Receipt) -> Receipt:
    """Its receipt now; what was known while the node, whose leader fell, has none: whoever leads next runs it again."""
    try:
        return await client.found(receipt.transaction) or receipt
    except Invalid as error:
        if error.code != "not_found" or receipt.stage != "executed":
            raise
        return receipt
