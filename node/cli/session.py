"""
One conversation with a node: programs, wallet, names of assets and accounts, receipts in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from execution.compiler.abi_values import plain_result
from genesis.chain import Call, Receipt
from genesis.crypto import parse_address
from genesis.derived import derived_address
from genesis.devkeys import COUNT, development_address
from genesis.errors import Invalid
from node.catalogue import EVENT_HEAD, KERNEL_ADDRESS, readable
from node.client import Client
from node.programs import Programs
from node.views import parse_bytes
from node.wallet import Wallet

UNITS = 10**18
DEVELOPMENT = "dev:"


@dataclass(frozen=True, slots=True)
class Names:
    """What names on the command line may mean. assets: symbols by index."""

    programs: Programs
    assets: tuple[str, ...]

    @classmethod
    async def load(cls, client: Client) -> Names:
        return cls(await Programs.load(client), tuple((await client.chain_info())["assets"]))

    def account(self, text: str) -> bytes:
        """
        An address, `dev:N` for a development key's, or a program's name; /N behind it: its sub-account of that number.

        Raises:
            Invalid: there is none.
        """
        owner, slash, sub = text.partition("/")
        if slash:
            if not sub.isdecimal() or int(sub) >= 1 << 63:
                raise Invalid(f"{text} is no sub-account: write its number from 0 behind the slash.", "bad_address")
            return derived_address(self.account(owner), int(sub))
        if text.startswith(DEVELOPMENT):
            number = text.removeprefix(DEVELOPMENT)
            if not number.isdecimal() or int(number) >= COUNT:
                raise Invalid(f"{text} is no development account; they are dev:0 to dev:{COUNT - 1}.", "bad_address")
            return development_address(int(number))
        if text[:2] == "0x":
            return parse_address(text)
        return self.programs[text].address

    def asset(self, text: str | None) -> int:
        """A symbol or an index; None is the fee asset. Raises Invalid, naming the chain's assets."""
        if text is None:
            return 0
        if text in self.assets:
            return self.assets.index(text)
        if text.isdecimal() and int(text) < len(self.assets):
            return int(text)
        raise Invalid(f"The chain has no asset {text}; it has {', '.join(self.assets)}.", "unknown_asset")


@dataclass(frozen=True, slots=True)
class Session:
    """A client, what names mean on its chain, and a key at work."""

    client: Client
    names: Names
    wallet: Wallet

    @classmethod
    async def open(cls, client: Client, key: bytes, account: str | None) -> Session:
        names = await Names.load(client)
        acting = None if account is None else names.account(account)
        return cls(client, names, await Wallet.open(client, key, acting))

    @property
    def programs(self) -> Programs:
        return self.names.programs

    async def receipt_view(self, receipt: Receipt, calls: Sequence[Call] = ()) -> dict[str, Any]:
        """A receipt in words: results of the calls and, once the block is sealed, events."""
        view = receipt_head(receipt)
        if calls:
            view["calls"] = [self._call_view(receipt, position, call) for position, call in enumerate(calls)]
        if receipt.stage != "executed":
            view["events"] = await event_views(self.client, self.programs, receipt)
        return view

    def _call_view(self, receipt: Receipt, position: int, call: Call) -> dict[str, Any]:
        program = self.programs[call.program]
        entry = program.abi.by_selector[int.from_bytes(call.selector, "little")]
        row: dict[str, Any] = {"entry": f"{program.name}.{entry.name}"}
        reason = receipt.call_reasons[position] if receipt.call_reasons else receipt.reason
        if reason:
            return row | {"reason": reason}
        data = receipt.results[position] if receipt.results else b""
        return row | {"result": readable(entry.result, plain_result(entry, data)) if data else None}


def receipt_head(receipt: Receipt) -> dict[str, Any]:
    """fee: decimal text in whole units of the fee asset."""
    view: dict[str, Any] = {
        "transaction": receipt.transaction,
        "status": receipt.status,
        "reason": receipt.reason,
        "stage": receipt.stage,
        "height": receipt.height,
        "position": receipt.position,
        "gas_used": receipt.gas_used,
        "fee": units(receipt.fee),
    }
    if not receipt.reason:
        del view["reason"]
    return view if receipt.created is None else view | {"created": receipt.created}


async def event_views(client: Client, programs: Programs, receipt: Receipt) -> list[dict[str, Any]]:
    """Events of a transaction in a sealed block: {"event": "exchange.Filled", "members": …}."""
    first, last = receipt.events
    if first == last:
        return []
    shown = (await client.block(receipt.height))["events"][first:last]
    return [
        {
            "event": f"{_emitter(programs, one['program'])}.{one['event']}",
            "members": {name: value for name, value in one.items() if name not in EVENT_HEAD},
        }
        for one in shown
    ]


def _emitter(programs: Programs, address: str) -> str:
    return "kernel" if parse_bytes(address) == KERNEL_ADDRESS else programs[address].name


def units(raw: int) -> str:
    """Raw 10⁻¹⁸ as decimal text without trailing zeros."""
    whole, rest = divmod(abs(raw), UNITS)
    places = f".{rest:018d}".rstrip("0").rstrip(".")
    return f"{'-' if raw < 0 else ''}{whole}{places}"
