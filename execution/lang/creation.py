"""
Programs that programs ask for, under CPython: queued by a call, made when the next block opens.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from execution.lang.entries import EntryPoint, entry_of
from execution.lang.journal import record
from execution.lang.kinds import Plain
from execution.lang.program import Program
from execution.lang.rejection import Reason
from execution.lang.values import Account
from genesis.derived import created_address

CREATIONS_MAX = 64  # programs that one block opens with
PROGRAMS_MAX = 1_024  # of a chain, those waiting included; the default of a chain's constants
NO_CREATE = "create()"


@dataclass(frozen=True, slots=True)
class Creation:
    """signature, plain: of `create` as the creator knows it, and its arguments. gas: what it may use."""

    template: Account
    address: Account
    creator: Account
    signature: str
    plain: tuple[Plain, ...]
    gas: int


@dataclass(frozen=True, slots=True)
class NotCreated:
    """A program that was asked for and is none, because its `create` refused."""

    address: Account
    creator: Account
    reason: Reason


class Creations:
    """Waiting ones in order; every change is recorded for undoing."""

    def __init__(self) -> None:
        self._waiting: list[Creation] = []
        self._asked: dict[Account, int] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, template: Account, creator: Account, signature: str, plain: Iterable[Plain], gas: int) -> Account:
        """Queue one; its address."""
        number = self._asked.get(creator, 0)
        record(self._asked.__setitem__, creator, number)
        self._asked[creator] = number + 1
        address = Account(created_address(creator.data, number))
        record(self._waiting.pop)
        self._waiting.append(Creation(template, address, creator, signature, tuple(plain), gas))
        return address

    def take(self) -> Creation:
        """The first one, off the queue."""
        first = self._waiting[0]
        record(self._waiting.insert, 0, first)
        return self._waiting.pop(0)


def create_of(cls: type[Program]) -> EntryPoint | None:
    """The entry point of a class's `create`, None when it has none."""
    return entry_of(cls, "create") if hasattr(cls, "create") else None


def signature_of_create(cls: type[Program]) -> str:
    create = create_of(cls)
    return NO_CREATE if create is None else create.signature
