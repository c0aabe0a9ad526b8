"""
Where two runs of one block part: the first transaction, and the fields that differ before and after.

The block is run again by a fresh engine from the state that was certified. That must give what the quorum signed; what
the faulty node saw is held against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from genesis.chain import Block, Receipt
from genesis.spec import ChainSpec
from node.faults.fault import Came, Fault
from node.faults.ground import Ground
from node.faults.naming import Difference, named
from node.faults.observed import Observed, Place, observe
from node.line import difference
from node.running_order import running_order

DIFFERENCES_MAX = 64


class Cause(StrEnum):
    """Why a block came out differently; see MEANING."""

    MEMORY = "memory"
    EXECUTION = "execution"
    TRANSIENT = "transient"
    SOFTWARE = "software"
    BLOCK = "block"


MEANING = {
    Cause.MEMORY: "Memory changed that no transaction had written to: a fault of this machine.",
    Cause.EXECUTION: "State and code were sound and the engine came to something else: a fault of this machine, or of "
    "the process that ran.",
    Cause.TRANSIENT: "Run again it came out as certified: a fault of this machine that passed.",
    Cause.SOFTWARE: "A fresh engine of this Tenor comes to the same: its version or code differs from the quorum's.",
    Cause.BLOCK: "Neither the node nor a fresh engine comes to what was certified; compare with a healthy folder.",
}


@dataclass(frozen=True, slots=True)
class Parted:
    """
    The first transaction with another outcome, or another effect on state.

    transaction: its id; None when the difference came about before any ran, in the batch's hooks or the block's
    opening. last: None, or, in a block of very many, the last of those among which it is. here, right: receipts.
    """

    batch: int
    transaction: bytes | None
    last: bytes | None
    here: Receipt | None
    right: Receipt | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    against: where the sound state is from. signed: what a fresh engine comes to that is not as signed, "" for nothing.
    before, after: fields that differ in the state the block ran on, and in what it left.
    """

    cause: Cause
    against: str
    signed: str
    parted: Parted | None
    before: tuple[Difference, ...]
    after: tuple[Difference, ...]


def compare(spec: ChainSpec, fault: Fault, ground: Ground) -> Verdict:
    """
    Raises:
        Invalid: the ground is not what was certified. Corrupt: this machine's engine fails, too.
    """
    machine = ground.machine(spec, fault)
    right = observe(spec, machine, fault.tip(), fault.block)
    signed = difference(right.header, fault.block.header)
    infos = machine.programs()
    found = {spot: fault.pages[spot] for spot in fault.pages if spot in fault.strays or not fault.whole}
    before = named(infos, {**ground.pages, **found}, ground.pages, DIFFERENCES_MAX)
    parted, after = None, list[Difference]()
    if fault.came is not None:
        left = {**ground.pages, **found, **fault.came.pages}
        sound = {**ground.pages, **{(one.program, one.page): one.now for one in right.touched}}
        after = named(infos, left, sound, DIFFERENCES_MAX)
        parted = _parted(fault.block, fault.came, right)
    return Verdict(_cause(fault, right, signed), ground.origin, signed, parted, tuple(before), tuple(after))


def _cause(fault: Fault, right: Observed, signed: str) -> Cause:
    if fault.strays:
        return Cause.MEMORY
    if not fault.again and fault.came is not None:
        return Cause.TRANSIENT
    if not signed:
        return Cause.EXECUTION
    same = fault.came is not None and fault.came.header == right.header
    return Cause.SOFTWARE if same else Cause.BLOCK


def _parted(block: Block, here: Came, right: Observed) -> Parted | None:
    """By receipts or by points, whatever tells first."""
    batches = [running_order(batch.open()) for batch in block.body.batches]
    ids = [[one.id for one in batch.open()] for batch in block.body.batches]
    ours = {receipt.transaction: receipt for receipt in map(Receipt.decode, here.receipts)}
    theirs = {receipt.transaction: receipt for receipt in map(Receipt.decode, right.receipts)}
    by_receipt = next(
        (
            Place(number, ran)
            for number, order in enumerate(batches)
            for ran, at in enumerate(order, 1)
            if ours.get(ids[number][at]) != theirs.get(ids[number][at])
        ),
        None,
    )
    sound, other = _first_point(here, right)
    if other is None and by_receipt is None:
        return None
    if other is None or (by_receipt is not None and _key(by_receipt) <= _key(other)):
        assert by_receipt is not None
        sound, other = Place(by_receipt.batch, by_receipt.ran - 1), by_receipt
    order = batches[other.batch]
    if other.ran == 0:
        return Parted(other.batch, None, None, None, None)
    first = order[sound.ran if sound.batch == other.batch else 0]
    last = order[other.ran - 1]
    name = ids[other.batch][first]
    end = None if first == last else ids[other.batch][last]
    return Parted(other.batch, name, end, ours.get(name), theirs.get(name))


def _first_point(here: Came, right: Observed) -> tuple[Place, Place | None]:
    """The last point where both were the same, and the first where they were not."""
    sound = Place(0, 0)
    for mine, theirs in zip(here.points, right.points, strict=False):
        if mine != theirs:
            return sound, mine.place
        sound = mine.place
    return sound, None


def _key(place: Place) -> tuple[int, int]:
    return place.batch, place.ran
