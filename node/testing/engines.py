"""
The door to an engine under test, and what goes through it: plain data in, plain data out.

`chain.Chain` turns language values into plain data and back, so that both engines are asked in the same words. Every
`run` is a batch: what is due runs with it, in the order of the chain's phases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from execution.compiler.abi import AbiEntry
from execution.lang.kinds import Plain
from execution.lang.program import Order
from execution.lang.rejection import Rejected
from execution.lang.struct import Event
from execution.lang.values import Account
from node.testing.bundles import Loaded

Role = Literal["bank", "oracle", "clearing", ""]


@dataclass(frozen=True, slots=True)
class Sent:
    """One call. gas: cap, 0 is none."""

    program: Account
    entry: AbiEntry
    arguments: tuple[Plain, ...]
    gas: int = 0


@dataclass(frozen=True, slots=True)
class Ran:
    """
    What became of one call.

    refusal: None when it succeeded, else the exception to raise. gas: of the whole transaction; 0 under CPython.
    """

    result: Plain
    refusal: Rejected | None
    gas: int = 0


@dataclass(frozen=True, slots=True)
class HookFailed:
    """A hook that refused. reason: its text, or the word in hex where nobody knows one. tries: failures so far."""

    program: Account
    name: str
    reason: str
    tries: int


class Engine(Protocol):
    """One chain. Blocks are opened in order; everything happens in the block opened last."""

    @property
    def events(self) -> Sequence[tuple[Account, Event]]:
        """Emitted so far, in order, what failed left out."""

    @property
    def hook_failures(self) -> Sequence[HookFailed]: ...

    def open(self, height: int, time_ms: int) -> None:
        """Close the block at hand and begin the next; nothing runs in it yet."""

    def deploy(
        self, loaded: Loaded, address: Account, arguments: tuple[Plain, ...], sender: Account, role: Role
    ) -> Rejected | None:
        """Create a program in the block just opened; None, or why its `create` refused."""

    def run(self, account: Account, calls: Sequence[Sent], order: Order, atomic: bool, gas: int) -> tuple[Ran, ...]:
        """A batch of one transaction, or an empty one without calls; per call what became of it."""

    def ask(self, call: Sent) -> Ran:
        """A view, between batches."""

    def state(self, address: Account) -> Mapping[str, Plain]:
        """Fields of a program as plain data."""
