"""
Names for bytes of state: which field of which program, by the layout in its ABI.

A state that is sound is walked; the same places are then read in the other one, so that broken links lead nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi, parse_abi
from execution.compiler.abi_map import Extent, extents
from execution.executor import ProgramInfo
from execution.vm.kernel import places
from execution.vm.layout import FIELDS
from genesis.errors import Corrupt, Invalid
from genesis.merkle import PAGE_BYTES
from genesis.spec import GENESIS_PROGRAMS, genesis_address
from node.faults.fault import Spot

KERNEL = 0
KERNEL_NAME = "kernel"
UNNAMED = "index, tree or free room"
RECORD = "program record"
NOWHERE = bytes(PAGE_BYTES)
_GENESIS = {genesis_address(name): name for name in GENESIS_PROGRAMS}

_SEQUENCES = t.RecordType("Signer", (("next_sequence", t.INT), ("lanes", t.INT)))
_LANE = t.StructType("Lane", (("signer", t.ACCOUNT), ("lane", t.INT)))
_KERNEL_ABI = Abi(
    KERNEL_NAME, (), (),
    (
        ("signers", t.MapType(t.ACCOUNT, _SEQUENCES, False), places.SIGNERS),
        ("lanes", t.MapType(_LANE, t.INT, False), places.LANES),
    ),
    (),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """
    One value that differs. program: its name, number: its index of creation. field: as `accounts[0x12…].free`.

    here, right: as clients see them; bytes in hex where they are no image of the type, or have no name.
    """

    program: str
    number: int
    page: int
    field: str
    here: Any
    right: Any


def named(
    infos: Iterable[ProgramInfo], here: Mapping[Spot, bytes], right: Mapping[Spot, bytes], most: int
) -> list[Difference]:
    """The values that differ between two states, by program and address, the first `most`; right: the sound one."""
    by_number = {info.number: info for info in infos}
    spots = sorted(spot for spot in here.keys() | right.keys() if _at(here, spot) != _at(right, spot))
    found: list[Difference] = []
    for number in sorted({number for number, _ in spots}):
        info = by_number.get(number)
        abi = _KERNEL_ABI if info is None else parse_abi(info.abi_json)
        name = KERNEL_NAME if info is None else _GENESIS.get(info.address, info.name)
        pages = [page for program, page in spots if program == number]
        found += _in_program(name, number, abi, pages, here, right)
    return found[:most]


def _in_program(
    name: str, number: int, abi: Abi, pages: list[int], here: Mapping[Spot, bytes], right: Mapping[Spot, bytes]
) -> Iterator[Difference]:
    ours, theirs = _reader(number, here), _reader(number, right)
    changed = {page: _changed(_at(here, (number, page)), _at(right, (number, page))) for page in pages}
    left = {page: set(places) for page, places in changed.items()}
    for extent in _walk(abi, theirs):
        page = extent.address // PAGE_BYTES
        touched = left.get(page, set()) & _within(extent)
        if touched:
            left[page] -= touched
            yield Difference(name, number, page, _label(extent), _value(extent, ours), _value(extent, theirs))
    for page, rest in left.items():
        if rest:
            first, last = min(rest), max(rest) + 1
            label = RECORD if page == 0 and last <= FIELDS else UNNAMED
            mine, other = _at(here, (number, page))[first:last], _at(right, (number, page))[first:last]
            yield Difference(name, number, page, f"{label}, byte {page * PAGE_BYTES + first}", mine, other)


def _walk(abi: Abi, reader: Callable[[int, int], bytes]) -> Iterator[Extent]:
    """All there is of a sound state; as far as it goes of another."""
    try:
        yield from extents(abi, reader)
    except (Corrupt, Invalid):
        return


def _label(extent: Extent) -> str:
    match extent.part:
        case "header":
            return f"{extent.name} (header of the container)"
        case "entry":
            return f"{extent.name} (key and links)"
    return extent.name


def _value(extent: Extent, reader: Callable[[int, int], bytes]) -> Any:
    try:
        return extent.value(reader)
    except Invalid:
        return reader(extent.address, extent.size)


def _within(extent: Extent) -> set[int]:
    start = extent.address % PAGE_BYTES
    return set(range(start, start + extent.size))


def _changed(one: bytes, other: bytes) -> set[int]:
    return {at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b}


def _at(pages: Mapping[Spot, bytes], spot: Spot) -> bytes:
    return pages.get(spot, NOWHERE)


def _reader(number: int, pages: Mapping[Spot, bytes]) -> Callable[[int, int], bytes]:
    def read(address: int, size: int) -> bytes:
        first, last = address // PAGE_BYTES, (address + size - 1) // PAGE_BYTES
        joined = b"".join(_at(pages, (number, page)) for page in range(first, last + 1))
        return joined[address - first * PAGE_BYTES :][:size]

    return read
