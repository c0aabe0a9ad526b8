"""Gas that runs out inside a `try` leaves nothing behind: no state, no open savepoint, no program on the stack."""

from __future__ import annotations

import pytest

from node.fuzz.calls import image, selector_bytes
from node.fuzz.case import Block, Call, Case, Program, Sent
from node.fuzz.legs import Legs
from node.fuzz.stepping import GAS_TRANSACTION, address_of
from node.fuzz.values import ACCOUNTS, account_words

CALLEE = """from execution.lang import Program, external


class P0(Program):
    n: int

    @external
    def burn(self) -> int:
        while self.n >= 0:
            self.n += 1
        return self.n
"""
CALLER = """from execution.lang import Program, ProgramRef, Rejected, external, view
from p0 import P0


class P1(Program):
    n: int
    ref: ProgramRef[P0]

    def create(self, ref: ProgramRef[P0]) -> None:
        self.ref = ref

    @external
    def starve(self) -> int:
        self.n += 1
        try:
            self.ref.burn(gas=900_000_000)
        except Rejected:
            self.n += 10
        return self.n

    @external(order="cancel")
    def note(self) -> int:
        self.n += 100
        return self.n
"""
ROUTER = """from execution.lang import Program, ProgramRef, Rejected, external
from p1 import P1


class P2(Program):
    n: int
    ref: ProgramRef[P1]

    def create(self, ref: ProgramRef[P1]) -> None:
        self.ref = ref

    @external
    def route(self) -> int:
        self.n += 1000
        return self.ref.starve(gas=500_000)
"""
FILES = {"p0.py": CALLEE, "p1.py": CALLER, "p2.py": ROUTER}
PROGRAMS = (
    Program("p0.py", b""),
    Program("p1.py", image([*account_words(address_of(0))])),
    Program("p2.py", image([*account_words(address_of(1))])),
)


def call(program: int, name: str) -> Call:
    return Call(address_of(program), selector_bytes(name, ()), b"")


@pytest.mark.parametrize("atomic", [True, False])
@pytest.mark.parametrize("first", [(1, "starve"), (2, "route")])
def test_nothing_is_left_behind(atomic: bool, first: tuple[int, str]) -> None:
    """CPython, which never runs what ran out of gas, ends with the same state, and the next call goes through."""
    sent = (
        Sent(ACCOUNTS[0], 0, atomic, (call(*first),), GAS_TRANSACTION // 10),
        Sent(ACCOUNTS[0], 0, atomic, (call(1, "note"), call(1, "note"))),
    )
    case = Case("exhaustion", FILES, PROGRAMS, (Block(1000, 0, (0, 1, 2), (sent,)),))
    legs = Legs()
    assert legs.run(case) == 3
