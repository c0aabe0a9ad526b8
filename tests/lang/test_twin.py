"""The packed side of the CPython chain: bytes in, bytes out, reasons as words."""

from __future__ import annotations

from execution.compiler import compile_ir
from execution.compiler.abi_values import pack, unpack_event, unpack_result
from execution.lang import Account, Decimal, reason
from execution.vm.twin import Ran, Twin
from genesis.transaction import Call, Transaction, unsigned

SOURCE = '''
"""A jar of coins."""

from execution.lang import Account, Decimal, Event, Map, Program, emit, external, require, tx, view


class Put(Event):
    owner: Account
    amount: Decimal


class Jar(Program):
    coins: Map[Account, Decimal]
    smallest: Decimal

    def create(self, smallest: Decimal) -> None:
        self.smallest = smallest

    @external
    def put(self, amount: Decimal) -> Decimal:
        require(amount >= self.smallest, "too small")
        self.coins[tx.sender] = self.coins.get(tx.sender, Decimal(0)) + amount
        emit(Put(tx.sender, amount))
        return self.coins[tx.sender]

    @view
    def big(self, owner: Account, full: bool) -> bool:
        return full and self.coins[owner] > 100
'''
ADDRESS, ALICE = Account.numbered(900), Account.numbered(7)
FILES = {"jar.py": SOURCE}
_, ABI = compile_ir(FILES, "jar.py")


def jar() -> Twin:
    twin = Twin()
    twin.add(FILES, "jar.py", ABI, ADDRESS.data, pack(ABI.entry("create"), [Decimal(2)]))
    return twin


def call(name: str, *arguments: object) -> Call:
    entry = ABI.entry(name)
    return Call(ADDRESS.data, entry.selector.to_bytes(4, "little"), pack(entry, arguments))


def refused(text: str) -> Ran:
    return Ran(text, reason(text).word, b"")


def test_results_events_and_state_leave_packed_or_plain() -> None:
    twin = jar()
    ran = twin.call(ALICE.data, call("put", Decimal(3)))
    assert unpack_result(ABI.entry("put"), ran.result) == Decimal(3)
    (record,) = twin.events()
    assert (record.program, unpack_event(ABI, record.event, record.data)) == (
        1,
        ("Put", {"owner": ALICE, "amount": Decimal(3)}),
    )
    assert twin.state(ADDRESS.data) == {"coins": [(ALICE.data, 3 * 10**18)], "smallest": 2 * 10**18}


def test_reasons_are_the_words_programs_compare() -> None:
    twin = jar()
    assert twin.call(ALICE.data, call("put", Decimal(1))) == refused("too small")
    assert twin.call(ALICE.data, call("big", ALICE, True)) == refused("missing key")
    wrong = call("big", ALICE, True)
    assert twin.call(ALICE.data, Call(ADDRESS.data, b"\0\0\0\0", b"")) == refused("unknown entry")
    assert twin.call(ALICE.data, Call(ALICE.data, wrong.selector, wrong.arguments)) == refused("unknown program")
    bad = wrong.arguments[:-8] + (2).to_bytes(8, "little")
    assert twin.call(ALICE.data, Call(ADDRESS.data, wrong.selector, bad)) == refused("bad argument")
    create = Call(ADDRESS.data, ABI.entry("create").selector.to_bytes(4, "little"), bytes(16))
    assert twin.call(ALICE.data, create) == refused("unknown entry")


def test_a_batch_runs_by_class_and_answers_in_the_order_given() -> None:
    twin = jar()
    calls = (call("put", Decimal(200)), call("put", Decimal(1)))
    trade = Transaction(1, ALICE.data, 0, 0, 0, 1_000_000, 1, False, calls)
    cancel = Transaction(1, ALICE.data, 2 << 30, 0, 0, 1_000_000, 1, True, (call("big", ALICE, False),))
    first, second = twin.run([unsigned(trade, ALICE.data), unsigned(cancel, ALICE.data)])
    assert (first[0].reason, first[1].reason) == ("", "too small")
    assert second == (Ran("", 0, bytes(8)),)
