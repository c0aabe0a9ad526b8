"""
A chain for tests: deploy programs, call their entries by name, read views, events and state, on either engine.

    program = chain.deploy("counter.py", 5, sender=accounts.alice)
    program.add(2, sender=accounts.bob)              # an external; returns its result, raises Rejected
    program.total()                                  # a view
    with chain.rejects("not the owner"): …

Values are the language's, both ways. Each external call is a batch of its own, so what is due runs with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from execution.compiler.abi import Abi, AbiEntry
from execution.lang.entries import EntryPoint, entry_of
from execution.lang.kinds import Plain
from execution.lang.program import Order, Program, fields_of
from execution.lang.rejection import Rejected
from execution.lang.struct import Event
from execution.lang.values import Account, Asset, Symbol, Timestamp
from genesis.spec import genesis_address
from node.testing.bundles import Loaded, load_path, load_standard, load_text
from node.testing.engines import Engine, HookFailed, Ran, Role, Sent
from node.testing.values import shown

START_MS = 1_700_000_000_000
FIRST_ADDRESS = 0x1000
STANDARD_ROLES: Mapping[str, Role] = {"bank": "bank", "oracle": "oracle", "clearing": "clearing"}


class Deployed:
    """
    A program on the chain. Its entries are methods: views answer, externals take `sender` and optionally `order`,
    `gas` (cap of the transaction).
    """

    def __init__(self, chain: Chain, address: Account, loaded: Loaded) -> None:
        self._chain, self._loaded = chain, loaded
        self.me = address

    @property
    def abi(self) -> Abi:
        return self._loaded.artifact.abi

    @property
    def cls(self) -> type[Program]:
        """The program's class, as its module defines it."""
        return self._loaded.cls

    @property
    def module(self) -> Any:
        """The program's module: its structs, enums and events."""
        return SimpleNamespace(
            **{name: value for one in self._loaded.bundle.modules() for name, value in vars(one).items()}
        )

    @property
    def state(self) -> dict[str, Any]:
        """Fields by name: maps as dicts and lists in order, records as dicts, the rest as language values."""
        return self._chain.state(self)

    @property
    def events(self) -> list[Event]:
        """What it has emitted so far."""
        return [event for address, event in self._chain.engine.events if address == self.me]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        entry = self.abi.by_name.get(name)
        if entry is None or not entry.callable:
            known = ", ".join(one.name for one in self.abi.entries if one.callable)
            raise AttributeError(f"{self.abi.name} has no entry {name}; it has {known or 'none'}")

        def ask(*arguments: Any, **keywords: Any) -> Any:
            return self._chain.view(self, name, *arguments, **keywords)

        def call(*arguments: Any, sender: Account, **keywords: Any) -> Any:
            return self._chain.call(self, name, *arguments, sender=sender, **keywords)

        return ask if entry.kind == "view" else call

    def __repr__(self) -> str:
        return f"{self.abi.name}(0x{self.me.data.hex()})"


class Chain:
    """
    engine: what runs underneath. folder: where relative paths of programs begin.

    gas_used: of the last call, 0 under CPython. time: of the block at hand. standard_programs: None until `standard`.
    """

    def __init__(self, engine: Engine, folder: Path = Path()) -> None:
        self.engine, self.folder = engine, folder
        self.gas_used = 0
        self.height = 0
        self.time = Timestamp(START_MS)
        self.programs: list[Deployed] = []
        self.standard_programs: SimpleNamespace | None = None
        self.open_block()

    # ---- blocks

    def open_block(self, time: Timestamp | None = None) -> None:
        """Close the block at hand and run an empty batch in the next: what is due then runs."""
        self.time = time or self.time
        self.height += 1
        self.engine.open(self.height, self.time.ms)
        self.batch()

    def batch(self) -> None:
        """A batch without transactions: only what is due."""
        self.engine.run(Account.zero(), (), "trade", False, 0)

    # ---- programs

    def deploy(self, path: str | Path, *arguments: Any, sender: Account | None = None) -> Deployed:
        """
        Compile the program in a file and create it in a block of its own.

        Raises:
            Invalid: it does not compile. Rejected: its `create` refuses.
        """
        return self.create(load_path(self.folder / path), arguments, sender)

    def deploy_text(self, text: str, *arguments: Any, sender: Account | None = None) -> Deployed:
        """As `deploy`, of a source that lies nowhere."""
        return self.create(load_text(text), arguments, sender)

    def create(
        self,
        loaded: Loaded,
        arguments: Sequence[Any] = (),
        sender: Account | None = None,
        address: Account | None = None,
        role: Role = "",
    ) -> Deployed:
        """As `deploy`, of what is loaded; role: pinned to it as a genesis program is."""
        plain: tuple[Plain, ...] = ()
        if hasattr(loaded.cls, "create"):
            plain = entry_of(loaded.cls, "create").pack(_plain_handles(arguments), {})
        elif arguments:
            raise TypeError(f"{loaded.cls.__name__} has no create, so it is deployed without arguments")
        return self.create_plain(loaded, plain, sender or Account.zero(), address, role)

    def create_plain(
        self,
        loaded: Loaded,
        plain: tuple[Plain, ...],
        sender: Account,
        address: Account | None = None,
        role: Role = "",
    ) -> Deployed:
        """As `create`, of arguments that are plain data already."""
        place = address or Account.numbered(FIRST_ADDRESS + len(self.programs) + 1)
        self.height += 1
        self.engine.open(self.height, self.time.ms)
        refusal = self.engine.deploy(loaded, place, plain, sender, role)
        self.batch()
        if refusal is not None:
            raise refusal
        self.programs.append(Deployed(self, place, loaded))
        return self.programs[-1]

    def made(self, address: Account, like: Deployed) -> Deployed:
        """The program that `create_like` of one of `like`'s code made at an address; there from the next block on."""
        return Deployed(self, address, like._loaded)

    def standard(self, admin: Account) -> SimpleNamespace:
        """
        The standard programs, pinned and set up as at a genesis: bank, oracle, clearing, exchange, perpetual.

        Deployed when first asked for; later calls return the same. Asset 0 is USD; there are no markets yet.
        """
        if self.standard_programs is None:
            made = SimpleNamespace()
            made.bank = self._add("bank", Symbol("USD"), admin, admin)
            made.oracle = self._add("oracle", admin)
            made.clearing = self._add("clearing", made.bank, Asset(0), admin)
            made.exchange = self._add("exchange", made.clearing, admin, admin)
            made.perpetual = self._add("perpetual", made.clearing, made.exchange, admin)
            made.clearing.admit(made.exchange, sender=admin)
            self.standard_programs = made
        return self.standard_programs

    def _add(self, name: str, *arguments: Any) -> Deployed:
        address = Account(genesis_address(name))
        return self.create(load_standard(name), arguments, address=address, role=STANDARD_ROLES.get(name, ""))

    # ---- calls

    def call(
        self, program: Deployed, name: str, *arguments: Any, sender: Account, order: Order = "trade", gas: int = 0,
        **keywords: Any,
    ) -> Any:  # fmt: skip
        """An external entry in a transaction of its own; its result. Raises Rejected with everything undone."""
        entry, sent = self._sent(program, name, arguments, keywords)
        (ran,) = self.engine.run(sender, (sent,), order, False, gas)
        return self._result(entry, ran)

    def atomic(self, *calls: tuple[Any, ...], sender: Account, order: Order = "trade", gas: int = 0) -> list[Any]:
        """Calls (program, entry name, *arguments) in one transaction, all or nothing; their results."""
        made = [self._sent(program, name, arguments, {}) for program, name, *arguments in calls]
        rans = self.engine.run(sender, [sent for _, sent in made], order, True, gas)
        at_fault = next((ran for ran in rans if ran.refusal is not None and str(ran.refusal) != "atomic"), rans[0])
        self._result(made[0][0], at_fault) if at_fault.refusal else None
        return [self._result(entry, ran) for (entry, _), ran in zip(made, rans, strict=True)]

    def view(self, program: Deployed, name: str, *arguments: Any, **keywords: Any) -> Any:
        """What a view answers now. Raises Rejected."""
        entry, sent = self._sent(program, name, arguments, keywords)
        ran = self.engine.ask(sent)
        return self._result(entry, ran)

    @contextmanager
    def rejects(self, reason: str) -> Iterator[None]:
        """Whatever is called inside must be rejected for exactly this reason. Raises AssertionError otherwise."""
        __tracebackhide__ = True
        try:
            yield
        except Rejected as refusal:
            if str(refusal) != reason:
                raise AssertionError(f"rejected for {str(refusal)!r}, not for {reason!r}") from refusal
            return
        raise AssertionError(f"it went through; a rejection for {reason!r} was expected")

    def _sent(
        self, program: Deployed, name: str, arguments: Sequence[Any], keywords: Mapping[str, Any]
    ) -> tuple[EntryPoint, Sent]:
        if not isinstance(program, Deployed):
            raise TypeError(f"{program!r} is no deployed program; pass what chain.deploy returned")
        described: AbiEntry = program.abi.entry(name)
        entry = entry_of(program.cls, name)
        named = dict(zip(keywords, _plain_handles(tuple(keywords.values())), strict=True))
        return entry, Sent(program.me, described, entry.pack(_plain_handles(arguments), named))

    def _result(self, entry: EntryPoint, ran: Ran) -> Any:
        __tracebackhide__ = True
        self.gas_used = ran.gas
        if ran.refusal is not None:
            _raise(ran.refusal)
        return entry.result.load(ran.result)

    # ---- looking

    @property
    def events(self) -> list[Event]:
        """Everything emitted so far, in order."""
        return [event for _, event in self.engine.events]

    @property
    def hook_failures(self) -> list[HookFailed]:
        """Every failure of a hook so far, in order."""
        return list(self.engine.hook_failures)

    def state(self, program: Deployed) -> dict[str, Any]:
        plain = self.engine.state(program.me)
        return {name: shown(kind, plain[name]) for name, kind in fields_of(program.cls).items()}


def _plain_handles(arguments: Sequence[Any]) -> tuple[Any, ...]:
    """Programs stand for their addresses."""
    return tuple(argument.me if isinstance(argument, Deployed) else argument for argument in arguments)


def _raise(refusal: Rejected) -> NoReturn:
    __tracebackhide__ = True
    raise refusal
