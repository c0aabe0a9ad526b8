"""
The CPython side of a differential run: the bundles that the machine runs as WASM, run as Python behind the same
bytes.

Calls come packed and selected as a client signs them, results and events leave packed as the machine gives them,
reasons as words. State is compared as plain data (`abi_state.decode_state` on the other side). There is no gas, no
fee and no sequence here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from execution.compiler.abi import Abi, AbiEntry
from execution.compiler.abi_values import WORD, image, unpack_plain
from execution.compiler.names import module_name
from execution.compiler.types import words
from execution.executor import Opening, Record
from execution.lang import sandbox
from execution.lang.entries import entry_of
from execution.lang.frames import Emitted
from execution.lang.instrument import Bundle
from execution.lang.kinds import Plain
from execution.lang.loading import restore, upgrade
from execution.lang.program import Order, Program
from execution.lang.struct import StructKind
from execution.lang.values import Account, Duration, Timestamp
from genesis.errors import Invalid
from genesis.transaction import Call, OrderClass, SignedTransaction, Transaction, order_class

ORDERS: Mapping[OrderClass, Order] = {
    OrderClass.CANCEL: "cancel",
    OrderClass.POST_ONLY: "post_only",
    OrderClass.TRADE: "trade",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """
    One call's outcome.

    reason: the text, "" when it succeeded. word: the reason as programs compare it, else 0. result: packed.
    """

    reason: str
    word: int
    result: bytes


class Twin:
    """chain: the sandbox underneath, for pdb and for what has no packed form."""

    def __init__(self) -> None:
        self.chain = sandbox.Chain()
        self._abis: dict[Account, Abi] = {}
        self._abis_of: dict[type[Program], Abi] = {}

    def add(
        self,
        files: Mapping[str, str],
        main: str,
        abi: Abi,
        address: bytes,
        arguments: bytes = b"",
        sender: bytes = bytes(20),
    ) -> None:
        """
        Deploy the program in `main` of a bundle and run its `create`.

        Raises:
            Rejected: `create` refused; nothing is deployed. Invalid: arguments are no image of its parameters.
        """
        bundle = Bundle({module_name(path): text for path, text in files.items()})
        cls = vars(bundle.load(module_name(main)))[abi.name]
        values: tuple[object, ...] = ()
        if "create" in abi.by_name:
            plain = unpack_plain([of for _, of in abi.by_name["create"].parameters], arguments)
            values = entry_of(cls, "create").unpack(tuple(plain))
        self.chain.deploy(cls, *values, address=Account(address), sender=Account(sender))
        self._abis[Account(address)] = self._abis_of[cls] = abi

    def put(
        self, files: Mapping[str, str], main: str, abi: Abi, number: int, address: bytes, fields: Mapping[str, Plain]
    ) -> None:
        """A program as it was at some moment: its number on the chain, and its fields as plain data."""
        bundle = Bundle({module_name(path): text for path, text in files.items()})
        cls = vars(bundle.load(module_name(main)))[abi.name]
        restore(self.chain, cls, number, Account(address), fields)
        self._abis[Account(address)] = self._abis_of[cls] = abi

    def upgrade(
        self, files: Mapping[str, str], main: str, abi: Abi, address: bytes, arguments: bytes, admin: bytes
    ) -> None:
        """
        Let a program go on as the one in `main`. arguments: packed, of its @migrate.

        Raises:
            Rejected: @migrate refused; the program is what it was.
        """
        bundle = Bundle({module_name(path): text for path, text in files.items()})
        cls = vars(bundle.load(module_name(main)))[abi.name]
        entry = next((one for one in abi.entries if one.kind == "migrate"), None)
        values: tuple[object, ...] = ()
        if entry is not None:
            plain = unpack_plain([of for _, of in entry.parameters], arguments)
            values = entry_of(cls, entry.name).unpack(tuple(plain))
        upgrade(self.chain, cls, Account(address), values, Account(admin))
        self._abis[Account(address)] = self._abis_of[cls] = abi

    def open(self, opening: Opening) -> None:
        """Begin a block with what programs asked for; inbox and deployments of the opening are the caller's to run."""
        before = len(self.chain.runner.programs)
        self.chain.open_block(Timestamp(opening.time_ms), opening.height, Duration(opening.gap_ms))
        for address, made in list(self.chain.runner.programs.items())[before:]:
            self._abis[address] = self._abis_of[made.cls]

    def call(self, sender: bytes, call: Call, order: Order = "trade") -> Ran:
        """One outermost call, outside of a batch."""
        transaction = sandbox.Transaction(Account(sender), (self._plain(call),), order, atomic=False)
        return self._ran((call,), self.chain.transact(transaction))[0]

    def run(self, batch: Sequence[SignedTransaction]) -> tuple[tuple[Ran, ...], ...]:
        """Run a batch in its phases; per transaction the outcomes of its calls. Deployments are left out: ()."""
        signed = [one for one in batch if isinstance(one.transaction, Transaction)]
        receipts = iter(list(map(_without_traceback, self.chain.batch([self._transaction(one) for one in signed]))))
        return tuple(
            self._ran(one.transaction.calls, next(receipts)) if isinstance(one.transaction, Transaction) else ()
            for one in batch
        )

    def events(self, since: int = 0) -> tuple[Record, ...]:
        """Events from the given position on, packed; the program's number counts from 1."""
        return tuple(self._record(emitted) for emitted in self.chain.events[since:])

    def state(self, address: bytes) -> dict[str, Plain]:
        """Fields of a program as plain data."""
        return self.chain.state(Account(address))

    def _transaction(self, signed: SignedTransaction) -> sandbox.Transaction:
        body = signed.transaction
        assert isinstance(body, Transaction)
        calls = tuple(self._plain(call) for call in body.calls)
        order = ORDERS[order_class(body.lane)]
        return sandbox.Transaction(Account(signed.signer), calls, order, body.atomic, Account(body.account))

    def _entry(self, call: Call) -> AbiEntry | None:
        """What a transaction may call: no hook."""
        entry = self._known(call)
        return None if entry is None or not entry.callable else entry

    def _known(self, call: Call) -> AbiEntry | None:
        abi = self._abis.get(Account(call.program))
        return None if abi is None else abi.by_selector.get(int.from_bytes(call.selector, "little"))

    def _plain(self, call: Call) -> sandbox.PlainCall:
        known = self._known(call)
        if known is None:
            return sandbox.PlainCall(Account(call.program), "", None)
        types = [of for _, of in known.parameters]
        fits = len(call.arguments) == WORD * sum(map(words, types))
        entry = self._entry(call)
        if entry is None:  # a hook: its length is looked at before it turns out to be out of reach
            return sandbox.PlainCall(Account(call.program), "", None, fits)
        try:
            plain = tuple(unpack_plain(types, call.arguments))
        except Invalid:
            return sandbox.PlainCall(Account(call.program), entry.signature, None, fits)
        return sandbox.PlainCall(Account(call.program), entry.signature, plain)

    def _ran(self, calls: Sequence[Call], receipt: sandbox.Receipt) -> tuple[Ran, ...]:
        outcomes = []
        for call, plain, why in zip(calls, receipt.results, receipt.reasons, strict=True):
            entry = self._entry(call)
            if why is None:
                assert entry is not None, "a call without an entry cannot succeed"
                outcomes.append(Ran("", 0, image(entry.result, plain)))
            else:
                outcomes.append(Ran(why.text, why.word, b""))
        return tuple(outcomes)

    def _record(self, emitted: Emitted) -> Record:
        abi = self._abis[emitted.program]
        name = type(emitted.event).__name__
        number = next(index for index, event in enumerate(abi.events) if event.name == name)
        plain = StructKind(type(emitted.event)).plain(emitted.event)
        return Record(self.chain.runner.programs[emitted.program].number, number, image(abi.events[number], plain))


def _without_traceback(receipt: sandbox.Receipt) -> sandbox.Receipt:
    """Nobody reads it here, and its frames would keep the batch until rubbish is collected."""
    if receipt.refusal is not None:
        receipt.refusal.__traceback__ = None
    return receipt
