"""
A program run by lines of text: calls, time and prices, as `tenor program run` takes them.

    [WHO:] ENTRY ARGUMENT …      an external or a view; WHO is any name and owns an account of that name
    [WHO:] PROGRAM.ENTRY …       of a standard program, when the run has a market
    advance DURATION             a block so much later, in which what is due runs
    price FEED PRICE             publish a price
    fund WHO AMOUNT              money as margin in the market

Arguments are written as for `tenor program call`; accounts are names. Every line gives one row of results.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import AbiEntry
from execution.compiler.abi_values import to_plain
from execution.lang.kinds import Plain
from execution.lang.rejection import Rejected
from execution.lang.struct import StructKind
from execution.lang.values import ACCOUNT_BYTES, Duration
from genesis.errors import Invalid
from node.catalogue import readable
from node.cli.arguments import duration_ms, parse_arguments
from node.testing.bundles import Loaded
from node.testing.chain import Chain, Deployed
from node.testing.engines import Ran, Sent
from node.testing.world import Accounts, Clock, Market, Prices

WHO = "alice"
WORD = re.compile(r"""\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}|\[[^\]]*\]|"[^"]*"|[^\s]+""")
FIELDS = {"advance": 2, "price": 3, "fund": 3}


@dataclass(frozen=True, slots=True)
class Names:
    """What names in arguments mean: programs of the run, else accounts by name; one asset."""

    programs: dict[str, Deployed]
    accounts: Accounts

    def account(self, text: str) -> bytes:
        if text in self.programs:
            return self.programs[text].me.data
        if text[:2] == "0x":
            try:
                data = bytes.fromhex(text[2:])
            except ValueError:
                data = b""
            if len(data) != ACCOUNT_BYTES:
                raise Invalid(f"{text} is no address: 0x and 40 hexadecimal digits.", "bad_address")
            return data
        return self.accounts[text].data

    def asset(self, text: str | None) -> int:
        if text is None or text == "USD":
            return 0
        if text.isdecimal():
            return int(text)
        raise Invalid(f"There is no asset {text} in a local run; name one by number.", "unknown_asset")


class Run:
    """One program on a chain of its own. programs: by name; the one under way is `program`."""

    def __init__(self, chain: Chain, with_market: bool) -> None:
        self.chain = chain
        self.accounts = Accounts()
        self.clock = Clock(chain)
        self.prices = Prices(chain, self.accounts)
        self.market = Market(chain, self.accounts, self.clock, self.prices) if with_market else None
        self.programs: dict[str, Deployed] = dict(vars(chain.standard_programs)) if chain.standard_programs else {}
        self.names = Names(self.programs, self.accounts)
        self.program: Deployed | None = None
        self._seen = len(chain.events)

    def deploy(self, loaded: Loaded, create: str, who: str = WHO) -> dict[str, Any]:
        """
        Deploy the program to run.

        Raises:
            Invalid: the arguments are not those of `create`, or it refuses them.
        """
        entry = loaded.artifact.abi.by_name.get("create")
        texts = split(create)
        if entry is None and texts:
            raise Invalid(f"{loaded.artifact.name} has no create; leave --args away.", "bad_argument")
        plain = () if entry is None else self._plain(entry, texts)
        try:
            self.program = self.chain.create_plain(loaded, plain, self.accounts[who])
        except Rejected as refusal:
            raise Invalid(f"create was rejected: {refusal}; change its arguments (--args).", "rejected") from refusal
        self.programs[loaded.artifact.name.lower()] = self.program
        return {"call": f"create {create}".strip(), "sender": who, "events": self._events()}

    def line(self, text: str) -> dict[str, Any]:
        """
        Do what a line says; what came of it.

        Raises:
            Invalid: the line cannot be understood.
        """
        who, words = _words(text)
        if words[0] in FIELDS:
            if len(words) != FIELDS[words[0]]:
                raise Invalid(f"{text!r}: write `advance 5s`, `price 0 101.5` or `fund alice 1000`.", "bad_argument")
            return {"call": text} | self._world(words) | {"events": self._events()}
        program, entry = self._found(words[0])
        row: dict[str, Any] = {"call": " ".join(words), "sender": who}
        if entry.kind == "view":
            return {"call": " ".join(words)} | _outcome(entry, self._ask(program, entry, words[1:]))
        sent = Sent(program.me, entry, self._plain(entry, words[1:]))
        (ran,) = self.chain.engine.run(self.accounts[who], (sent,), "trade", False, 0)
        return row | _outcome(entry, ran) | {"events": self._events()}

    def state(self) -> dict[str, Any]:
        """Fields of the program, readable."""
        assert self.program is not None, "a program is deployed first"
        plain = self.chain.engine.state(self.program.me)
        return {name: readable_state(of, plain[name]) for name, of, _ in self.program.abi.fields}

    def _ask(self, program: Deployed, entry: AbiEntry, texts: list[str]) -> Ran:
        return self.chain.engine.ask(Sent(program.me, entry, self._plain(entry, texts)))

    def _plain(self, entry: AbiEntry, texts: list[str]) -> tuple[Plain, ...]:
        values = parse_arguments(entry, texts, self.names)
        return tuple(to_plain(of, value, name) for (name, of), value in zip(entry.parameters, values, strict=True))

    def _found(self, name: str) -> tuple[Deployed, AbiEntry]:
        owner, dot, entry = name.rpartition(".")
        if dot and owner not in self.programs:
            known = ", ".join(self.programs)
            raise Invalid(f"There is no program {owner}; there are {known}.", "unknown_program")
        program = self.programs[owner] if dot else self.program
        assert program is not None, "a program is deployed first"
        found = program.abi.entry(entry)
        if not found.callable:
            raise Invalid(f"Only the chain itself calls {entry}; advance the time or set a price.", "unknown_entry")
        return program, found

    def _world(self, words: list[str]) -> dict[str, Any]:
        try:
            if words[0] == "advance":
                self.clock.advance(Duration(duration_ms(words[1], "DURATION")))
            elif words[0] == "price":
                self.prices.set(int(words[1]), words[2])
            elif self.market is None:
                raise Invalid("`fund` needs a market; run with --market.", "no_market")
            else:
                self.market.margin(self.accounts[words[1]], words[2])
        except (ValueError, Rejected) as error:
            raise Invalid(f"{' '.join(words)!r}: {error}; see `tenor program run --help`.", "bad_argument") from error
        return {}

    def _events(self) -> list[dict[str, Any]]:
        """Events since the last look."""
        events = self.chain.engine.events
        new, self._seen = events[self._seen :], len(events)
        by_address = {program.me: (name, program) for name, program in self.programs.items()}
        return [_event(event, *by_address[address]) for address, event in new if address in by_address]


def split(text: str) -> list[str]:
    """Words parted by blanks; JSON objects (two levels deep) and lists are one word each, and so is "quoted text"."""
    return [word.strip('"') if word[0] == '"' else word for word in WORD.findall(text)]


def _words(text: str) -> tuple[str, list[str]]:
    words = split(text)
    who = WHO
    if words and words[0].endswith(":"):
        who, words = words[0].removesuffix(":"), words[1:]
    if not words:
        raise Invalid(f"{text!r} names no entry; write `[WHO:] ENTRY ARGUMENT …`.", "bad_argument")
    return who, words


def _outcome(entry: AbiEntry, ran: Ran) -> dict[str, Any]:
    gas = {"gas": ran.gas} if ran.gas else {}
    if ran.refusal is not None:
        return {"reason": str(ran.refusal)} | gas
    return {"result": readable(entry.result, ran.result)} | gas


def _event(event: Any, name: str, program: Deployed) -> dict[str, Any]:
    kind = next(of for of in program.abi.events if of.name == type(event).__name__)
    plain = StructKind(type(event)).plain(event)
    return {"event": f"{name}.{kind.name}", "members": readable(kind, plain)}


def readable_state(of: t.Type, plain: Plain) -> Any:
    """A stored value as JSON shows it: maps as lists of {key, value}, records as objects."""
    match of:
        case t.MapType(key, value):
            return [{"key": readable(key, one), "value": readable_state(value, two)} for one, two in plain]
        case t.ListType(item) | t.QueueType(item):
            return [readable_state(item, one) for one in plain]
        case t.RecordType(_, fields):
            return {name: readable_state(kind, one) for (name, kind), one in zip(fields, plain, strict=True)}
        case _:
            return readable(of, plain)
