"""
A transaction run under CPython from the memories it found: the same programs, their fields, the kernel's prices.

What it leaves is compared with the chain's own receipt by whoever asks; gas is not counted here, so what ran out of it
does not fail again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.abi_state import decode, decode_state
from execution.compiler.ir import Module
from execution.compiler.places import Places
from execution.executor import Opening
from execution.lang.decimal import Decimal
from execution.lang.frames import Stored
from execution.lang.values import Account, Duration, Timestamp
from execution.vm.kernel import places
from execution.vm.twin import Ran, Twin
from genesis.chain import SignedTransaction
from node.testing.stack import Endless, Stack, StackFrame

FEED = t.RecordType(
    "Feed",
    (("price", t.DECIMAL), ("confidence", t.DECIMAL), ("time", t.INT), ("max_age", t.INT), ("published", t.INT)),
)
"""The head of a feed's record in the kernel, see `kernel.places`; what lies behind is not read."""


@dataclass(frozen=True, slots=True)
class Source:
    """A program's text. abi: the chain's. module: what the text compiles to, charged, its lines apart."""

    files: Mapping[str, str]
    main: str
    abi: Abi
    module: Module
    places: Places


@dataclass(frozen=True, slots=True)
class Program:
    address: bytes
    source: Source


@dataclass(frozen=True, slots=True)
class Rerun:
    """calls: what became of each. stack: of the first refusal, from the outside in; none when nothing failed."""

    calls: tuple[Ran, ...]
    stack: tuple[StackFrame, ...]


def rerun(
    opening: Opening, programs: Mapping[int, Program], before: Sequence[bytes], signed: SignedTransaction
) -> Rerun | None:
    """
    Run it on the states of all programs, by number, 0 being the kernel's; None when it does not end soon.

    Raises:
        Corrupt, Invalid: memories that do not decode.
    """
    twin = Twin()
    twin.open(opening)
    for number, program in programs.items():
        source = program.source
        fields = decode_state(source.abi, before[number])
        twin.put(source.files, source.main, source.abi, number, program.address, fields)
    _restore_kernel(twin, programs, before[0])
    try:
        with Stack() as stack:
            (calls,) = twin.run((signed,))
    except Endless:
        return None
    failed = next((ran for ran in calls if ran.reason and ran.reason != "atomic"), None)
    return Rerun(calls, () if failed is None else stack.of_reason(failed.word))


def _restore_kernel(twin: Twin, programs: Mapping[int, Program], state: bytes) -> None:
    """Who is pinned, and every quote."""

    def read(address: int, size: int) -> bytes:
        return state[address : address + size]

    def pinned(place: int) -> Account | None:
        number = int.from_bytes(read(place, 8), "little")
        return Account(programs[number].address) if number in programs else None

    twin.chain.pin(pinned(places.ORACLE), pinned(places.CLEARING))
    for feed, (price, confidence, time, max_age, published) in decode(
        t.MapType(t.INT, FEED, False), read, places.FEEDS
    ):
        if published:
            twin.chain.runner.quotes[feed] = Stored(
                Decimal.from_raw(price), Decimal.from_raw(confidence), Timestamp(time), Duration(max_age)
            )
