"""
The chain's programs as a client sees them: calls, results and events by name, through the ABI the node serves.

    programs = await Programs.load(client)
    order = programs["exchange"].call("place", 0, "BUY", "100.5", "0.01", "LIMIT", 0, False)   # a genesis.chain.Call
    balance = await programs["bank"].view(client, "balance", account, 0)

Values in and out are those of `execution.compiler.abi_values`: a Decimal may be given as text, an enum by its member's
name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi, AbiEntry, parse_abi
from execution.compiler.abi_values import friendly, pack, to_plain, unpack_result
from genesis.errors import Invalid
from genesis.receipt import Receipt
from genesis.spec import GENESIS_PROGRAMS, genesis_address
from genesis.transaction import Call
from node.catalogue import EVENT_HEAD, KERNEL_ADDRESS, member_key
from node.client import Client
from node.views import parse_bytes


@dataclass(frozen=True, slots=True)
class Emitted:
    """An event. members: client values by name; of the kernel's own events as the node shows them."""

    height: int
    program: bytes
    name: str
    members: dict[str, Any]


@dataclass(frozen=True)
class DeployedProgram:
    """
    name: a genesis program's name in the spec, else the name of its class. record: admin (zero for nobody), version,
    time_lock_ms, and upgrade_time_ms, from when an announced version may run.
    """

    address: bytes
    name: str
    abi: Abi
    record: dict[str, Any] = field(default_factory=dict, compare=False)

    def entry(self, name: str) -> AbiEntry:
        """Raises Invalid "unknown_entry" for a name it lacks, and for entries that only the kernel calls."""
        entry = self.abi.entry(name)
        if not entry.callable:
            raise Invalid(
                f"Only the chain itself calls `{name}` of {self.name}; name an external or a view.", "unknown_entry"
            )
        return entry

    def call(self, name: str, *arguments: Any, gas: int = 0) -> Call:
        """A call of an entry. gas: cap of this call, 0 is none. Raises Invalid "bad_argument", naming the parameter."""
        entry = self.entry(name)
        return Call(self.address, selector_bytes(entry), pack(entry, arguments), gas)

    async def view(self, client: Client, name: str, *arguments: Any, gas: int = 0) -> Any:
        """What a view answers now. Raises Invalid "rejected" with the program's reason when it refuses."""
        entry = self.entry(name)
        answer = await client.call(self.address, selector_bytes(entry), pack(entry, arguments), gas)
        if answer["reason"]:
            raise Invalid(f"{self.name}.{name} was rejected: {answer['reason']}.", "rejected")
        return unpack_result(entry, parse_bytes(answer["result"]))

    def result(self, name: str, data: bytes) -> Any:
        """What an entry returned, from the packed words in a receipt."""
        return unpack_result(self.entry(name), data)

    def event(self, view: dict[str, Any]) -> Emitted:
        """An event of this program as the node shows it, with values again. Raises Invalid for an event it lacks."""
        kind = self._events.get(view["event"])
        if kind is None:
            raise Invalid(
                f"{self.name} has no event {view['event']}; it has {', '.join(self._events)}.", "unknown_event"
            )
        members = {name: _value(of, view[member_key(name)], name) for name, of in kind.fields}
        return Emitted(view["height"], self.address, kind.name, members)

    @cached_property
    def _events(self) -> dict[str, t.StructType]:
        return {event.name: event for event in self.abi.events}


class Programs:
    """All programs of a chain at one moment; load again after a deployment."""

    def __init__(self, programs: Iterable[DeployedProgram]) -> None:
        self._by_address = {program.address: program for program in programs}

    @classmethod
    async def load(cls, client: Client) -> Programs:
        """Ask the node."""
        return cls(_deployed(view) for view in await client.programs())

    def __iter__(self) -> Iterator[DeployedProgram]:
        return iter(self._by_address.values())

    def __getitem__(self, which: str | bytes) -> DeployedProgram:
        """
        By address (bytes or 0x-hexadecimal) or by name.

        Raises:
            Invalid: "unknown_program"; "ambiguous" for a name that several programs bear.
        """
        if isinstance(which, bytes) or which[:2] == "0x":
            return self._at(which if isinstance(which, bytes) else _address(which))
        found = [program for program in self if program.name == which]
        if len(found) > 1:
            raise Invalid(f"{len(found)} programs are called {which}; name one by its address.", "ambiguous")
        if not found:
            known = ", ".join(program.name for program in self)
            raise Invalid(
                f"No program is called {which}; there are {known}, or name one by its address.", "unknown_program"
            )
        return found[0]

    def events(self, views: Iterable[dict[str, Any]]) -> list[Emitted]:
        """Events as the node shows them, in a block or a push of "events", with values again."""
        return [self._event(view) for view in views]

    async def events_of(self, client: Client, receipt: Receipt) -> list[Emitted]:
        """A transaction's events, once its block is sealed. Raises Invalid "not_found" before."""
        first, last = receipt.events
        if first == last:
            return []
        block = await client.block(receipt.height)
        return self.events(block["events"][first:last])

    def _event(self, view: dict[str, Any]) -> Emitted:
        address = parse_bytes(view["program"])
        if address == KERNEL_ADDRESS:
            members = {name: value for name, value in view.items() if name not in EVENT_HEAD}
            return Emitted(view["height"], address, view["event"], members)
        return self._at(address).event(view)

    def _at(self, address: bytes) -> DeployedProgram:
        if address not in self._by_address:
            raise Invalid(f"No program has the address 0x{address.hex()}; see `tenor program list`.", "unknown_program")
        return self._by_address[address]


def selector_bytes(entry: AbiEntry) -> bytes:
    return entry.selector.to_bytes(4, "little")


def signature(entry: AbiEntry) -> str:
    """An entry as a person reads it: "transfer(asset: Asset, target: Account, amount: Decimal)"."""
    parameters = ", ".join(f"{name}: {of}" for name, of in entry.parameters)
    return f"{entry.name}({parameters})" + ("" if entry.result == t.NONE else f" -> {entry.result}")


def _deployed(view: dict[str, Any]) -> DeployedProgram:
    address = parse_bytes(view["address"])
    names = {genesis_address(name): name for name in GENESIS_PROGRAMS}
    record = {key: view[key] for key in ("admin", "version", "time_lock_ms", "upgrade_time_ms")}
    return DeployedProgram(address, names.get(address, view["name"]), parse_abi(view["abi"]), record)


def _address(text: str) -> bytes:
    try:
        address = bytes.fromhex(text[2:])
    except ValueError:
        address = b""
    if len(address) != 20:
        raise Invalid(f"{text[:64]} is no address: 0x and 40 hexadecimal digits.", "bad_address")
    return address


def _value(of: t.Type, shown: Any, name: str) -> Any:
    """The client value of what `node.catalogue.readable` shows."""
    if isinstance(of, t.Scalar) and of.name in ("int", "reason"):
        shown = int(shown)
    return friendly(of, to_plain(of, shown, name))
