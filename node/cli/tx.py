"""
`tenor tx`: what a trader does: move money, place and cancel orders, look at receipts, account and book.

Amounts, sizes and prices are decimal text. Accounts are addresses, `dev:N`, or names of programs; `dev:N/0` is the
first sub-account of one. `--account dev:N/0` acts for it, with the owner's key or that of an agent of his.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from genesis.errors import Invalid
from node.cli.edge import show
from node.cli.options import URL, Json, Stage, Timeout, Url, Wait
from node.cli.sending import Sender, sending, wait_for

if TYPE_CHECKING:
    from genesis.chain import Call
    from node.cli.session import Session
    from node.client import Client

app = typer.Typer(no_args_is_help=True)

CANCELS_MAX = 64
"""Orders one cancel_all takes at most."""
CONSENT_MS = 60_000

Amount = Annotated[str, typer.Argument(help="Decimal, in whole units.")]
AssetName = Annotated[str | None, typer.Option("--asset", help="Symbol or index; default the fee asset.")]
Market = Annotated[int, typer.Option("--market", min=0, help="Number of the market.")]
Settlement = Annotated[
    Path | None, typer.Option("--settlement", help="File of the local settlement chain, for money from or to it.")
]
Chain = Annotated[str, typer.Option("--chain", help="Preset, or path of the chain's specification.")]


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"


class Kind(StrEnum):
    """limit rests; ioc cancels its rest; market takes any price, or up to --price; post only ever rests."""

    LIMIT = "limit"
    IOC = "ioc"
    MARKET = "market"
    POST = "post"


@app.command()
@sending
def transfer(
    sender: Sender, amount: Amount, to: Annotated[str, typer.Option("--to", help="Account.")], asset: AssetName = None
) -> None:
    """Move money to another account."""
    sender.send(lambda s: [s.programs["bank"].call("transfer", s.names.asset(asset), s.names.account(to), amount)])


@app.command()
@sending
def deposit(
    sender: Sender, amount: Amount, asset: AssetName = None, settlement: Settlement = None, chain: Chain = "devnet"
) -> None:
    """
    Put money up as margin: from the bank into clearing, in the asset that clearing settles in.

    With --settlement: from the settlement chain into the bank, and wait until it is there.
    """
    if settlement is not None:
        from node.cli.crossing import deposit as cross

        cross(sender, settlement, chain, amount, asset)
        return
    sender.send(lambda s: margin_calls(s, amount))


@app.command()
@sending
def withdraw(
    sender: Sender,
    amount: Amount,
    asset: AssetName = None,
    settlement: Settlement = None,
    chain: Chain = "devnet",
    burn: Annotated[bool, typer.Option("--burn", help="Out of the bank, to be paid on the settlement chain.")] = False,
) -> None:
    """
    Take margin back: from clearing into the bank; what is left must carry the positions.

    With --burn or --settlement: from the bank to the settlement chain; --settlement waits and collects it there.
    """
    if settlement is not None:
        from node.cli.crossing import withdraw as cross

        cross(sender, settlement, chain, amount, asset)
    elif burn:
        sender.send(lambda s: [s.programs["bank"].call("withdraw", s.names.asset(asset), amount)])
    else:
        sender.send(lambda s: [s.programs["clearing"].call("withdraw", amount)])


@app.command("open-sub")
@sending
def open_sub(sender: Sender, number: Annotated[int, typer.Argument(min=0, help="Its number.")]) -> None:
    """Open a sub-account: money and positions apart, the same key. Acted for with --account OWNER/NUMBER."""
    sender.send(lambda s: [s.programs["bank"].call("open_sub", number)])


@app.command()
@sending
def fund(
    sender: Sender, program: Annotated[str, typer.Argument(help="Name or address of a program.")], amount: Amount
) -> None:
    """Put money into the purse that pays for a program's hooks."""
    sender.send(lambda s: [s.programs["bank"].call("fund_gas", s.programs[program].address, amount)])


@app.command()
@sending
def order(
    sender: Sender,
    side: Annotated[Side, typer.Argument()],
    size: Annotated[str, typer.Argument(help="Decimal, a multiple of the market's lot.")],
    price: Annotated[str, typer.Option("--price", help="Decimal, a multiple of the tick; 0 is any (market).")] = "0",
    market: Market = 0,
    kind: Annotated[Kind | None, typer.Option("--kind", help="Default: limit with a price, else market.")] = None,
    reduce_only: Annotated[bool, typer.Option("--reduce-only", help="Only ever close a position.")] = False,
    client: Annotated[int, typer.Option("--client", help="A number of your own, told in the order's event.")] = 0,
) -> None:
    """Place an order and print its receipt, with what traded at once."""
    chosen = kind or (Kind.MARKET if price == "0" else Kind.LIMIT)
    if price == "0" and chosen is not Kind.MARKET:
        raise Invalid(f"A {chosen} order needs a price; add --price P.", "no_price")
    word = side.name
    if chosen is Kind.POST:
        if reduce_only:
            raise Invalid("A post order cannot be --reduce-only; use --kind limit.", "bad_argument")
        sender.send(lambda s: [s.programs["exchange"].call("post", market, word, price, size, client)], "POST_ONLY")
        return
    arguments = (market, word, price, size, chosen.name, client, reduce_only)
    sender.send(lambda s: [s.programs["exchange"].call("place", *arguments)])


@app.command()
@sending
def cancel(
    sender: Sender,
    order: Annotated[int | None, typer.Argument(help="Id of the order, as its receipt told it.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All own orders in the market.")] = False,
    market: Market = 0,
) -> None:
    """Cancel an order, or all in a market. Cancellations run first in their batch."""
    if (order is None) != everything:
        raise Invalid("Name one order, or use --all with --market.", "bad_argument")

    def build(session: Session) -> list[Call]:
        exchange = session.programs["exchange"]
        return [exchange.call("cancel_all", market, CANCELS_MAX) if everything else exchange.call("cancel", order)]

    sender.send(build, "CANCEL")


@app.command(context_settings={"ignore_unknown_options": True})
@sending
def force(
    sender: Sender,
    program: Annotated[str, typer.Argument(help="Address or name.")],
    entry: Annotated[str, typer.Argument(help="External.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="As the entry takes them.")] = None,
    settlement: Annotated[Path, typer.Option("--settlement", help="File of the local settlement chain.")] = Path(),
    chain: Chain = "devnet",
) -> None:
    """
    Call an entry past the node: queued on the settlement chain, from where the chain has to take it in.

    The node is asked for the next sequence only; the call waits for its receipt.
    """
    from node.cli.forcing import force as queue

    queue(sender, settlement, chain, program, entry, arguments or [])


@app.command()
def receipt(
    transaction: Annotated[str, typer.Argument(help="The transaction's id.")],
    proof: Annotated[bool, typer.Option("--proof", help="The answer with what proves it, for `tenor proof`.")] = False,
    url: Url = URL, wait: Wait = Stage.EXECUTED, timeout: Timeout = 60.0, json: Json = False,
) -> None:  # fmt: skip
    """Show what became of a transaction, with its events."""
    from node.cli.session import event_views, receipt_head
    from node.client import blocking
    from node.programs import Programs

    identity = _identity(transaction)

    async def ask(client: Client) -> dict[str, Any]:
        found = await wait_for(client, await client.receipt(identity), wait, timeout)
        if proof:
            return await client.receipt_proof(identity)
        view = receipt_head(found)
        if found.stage != "executed":
            view["events"] = await event_views(client, await Programs.load(client), found)
        return view

    show(blocking(url, ask), json)


@app.command()
def account(
    who: Annotated[str, typer.Argument(help="Address, dev:N, or a program's name; /N behind it: a sub-account.")],
    url: Url = URL,
    json: Json = False,
) -> None:
    """Show balances, margin and positions of an account."""
    from node.cli.session import Names
    from node.client import blocking

    async def ask(client: Client) -> dict[str, Any]:
        address = (await Names.load(client)).account(who)
        return await client.account(address) | {"positions": await client.positions(address)}

    show(blocking(url, ask), json)


@app.command()
def book(
    market: Market = 0,
    depth: Annotated[int, typer.Option(min=1, max=100, help="Levels of a side.")] = 10,
    url: Url = URL,
    json: Json = False,
) -> None:
    """Show a market and its best levels."""
    from node.client import blocking

    async def ask(client: Client) -> dict[str, Any]:
        return await client.book(market, depth)

    show(blocking(url, ask), json)


def margin_calls(session: Session, amount: str) -> list[Call]:
    """A short-lived consent for exactly this amount, then the deposit that uses it up."""
    import time

    clearing, bank = session.programs["clearing"], session.programs["bank"]
    expiry = time.time_ns() // 1_000_000 + CONSENT_MS
    return [bank.call("allow", clearing.address, 0, amount, expiry), clearing.call("deposit", amount)]


def _identity(text: str) -> bytes:
    try:
        identity = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        identity = b""
    if len(identity) != 32:
        raise Invalid(f"{text[:80]} is no transaction's id: 0x and 64 hexadecimal digits.", "bad_argument")
    return identity
