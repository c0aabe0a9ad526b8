"""Every value of a program's storage is found by its name in proven pages, and what is not there is not found."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from execution.compiler import types as t
from execution.compiler.abi import Abi
from execution.compiler.abi_map import extents
from execution.compiler.abi_place import Step, locate
from execution.compiler.abi_state import decode_state
from execution.compiler.abi_values import image, read
from genesis.errors import Invalid
from genesis.merkle import PAGE_BYTES, verify_page
from tests.engine.test_truths import call_of, compiled
from tests.vm_kernel.tiny import Node, address

SHELF = '''"""Storage of every shape."""
from execution.lang import Account, Decimal, List, Map, OrderedMap, Program, Record, Struct, external


class Slot(Struct):
    owner: Account
    number: int


class Box(Record):
    total: Decimal
    inside: Map[int, Decimal]
    order: List[Slot]


class Shelf(Program):
    count: int
    last: Slot
    boxes: Map[Slot, Box]
    prices: OrderedMap[Decimal, int]
    log: List[Box]

    @external
    def put(self, owner: Account, number: int, price: Decimal) -> None:
        slot = Slot(owner, number)
        self.count += 1
        self.last = slot
        box = self.boxes.create(slot)
        box.total = price
        for i in range(number % 13):
            box.inside[i * number] = price
            box.order.append(slot)
        self.prices[price] = number
        entry = self.log.add()
        entry.total = price

    @external
    def drop(self, owner: Account, number: int, price: Decimal) -> None:
        del self.boxes[Slot(owner, number)]
        del self.prices[price]
'''
FILLED = 150
PAGES_MAX = 24
"""Three maps inside one another, each of whose few entries may lie in as many pages."""


class Proven:
    """A reader of pages that were proven under a root."""

    def __init__(self, node: Node, root: bytes) -> None:
        self._prove, self._root = node.machine.prover(address(0)), root
        self.pages: dict[int, bytes] = {}

    def __call__(self, at: int, size: int) -> bytes:
        first, last = at // PAGE_BYTES, (at + size - 1) // PAGE_BYTES
        for page in range(first, last + 1):
            if page not in self.pages:
                shown = verify_page(self._root, address(0), 1, page, self._prove(page))
                self.pages[page] = shown.ljust(PAGE_BYTES, b"\x00")
        return b"".join(self.pages[page] for page in range(first, last + 1))[at - first * PAGE_BYTES :][:size]


def leaves(of: t.Type, plain: Any, path: tuple[Step, ...]) -> Iterator[tuple[tuple[Step, ...], t.Type, Any]]:
    """Every flat value below one, with its path."""
    match of:
        case t.MapType(key, value):
            for one, below in plain:
                yield from leaves(value, below, (*path, image(key, one)))
        case t.ListType(item):
            for index, below in enumerate(plain):
                yield from leaves(item, below, (*path, index.to_bytes(8, "little")))
        case t.RecordType(_, fields):
            for (name, kind), below in zip(fields, plain, strict=True):
                yield from leaves(kind, below, (*path, name))
        case _:
            yield path, of, plain


def shelf() -> tuple[Node, Abi, bytes]:
    program, abi = compiled(0, SHELF)
    node = Node(program)
    for number in range(FILLED):
        owner = bytes([number % 7 + 1]) * 20
        assert node.one(call_of(0, abi, "put", owner, number, f"{number * 37 % 1_000}.5")).status == "done"
    for number in range(0, FILLED, 5):
        owner = bytes([number % 7 + 1]) * 20
        assert node.one(call_of(0, abi, "drop", owner, number, f"{number * 37 % 1_000}.5")).status == "done"
    return node, abi, node.seal().state_root


def test_every_value_is_found_by_its_name() -> None:
    node, abi, root = shelf()
    state = decode_state(abi, node.machine.memory(address(0)))
    found = 0
    for name, of, _ in abi.fields:
        for path, kind, plain in leaves(of, state[name], ()):
            proven = Proven(node, root)
            place = locate(abi, proven, name, path)
            assert place.type == kind and read(kind, proven(place.address, place.size)) == plain, (name, path)
            assert len(proven.pages) <= PAGES_MAX
            found += 1
    assert found > 5 * FILLED


def test_every_address_has_one_name() -> None:
    """The map of a state is `locate` the other way round, and no byte is two things."""
    node, abi, _ = shelf()
    memory = node.machine.memory(address(0))

    def reader(at: int, size: int) -> bytes:
        return memory[at : at + size]

    mapped = sorted(extents(abi, reader), key=lambda one: one.address)
    for before, after in pairwise(mapped):
        assert before.address + before.size <= after.address, (before, after)
    state = decode_state(abi, memory)
    wanted = {
        (locate(abi, reader, name, path).address, kind)
        for name, of, _ in abi.fields
        for path, kind, _ in leaves(of, state[name], ())
    }
    assert {(one.address, one.type) for one in mapped if one.part == "value"} == wanted
    assert next(one for one in mapped if one.name == "boxes").value(reader) == len(state["boxes"])
    (owner, number), (total, _, _) = state["boxes"][0]
    name = f"boxes[0x{owner.hex()}, {number}].total"
    assert next(one for one in mapped if one.name == name).value(reader).raw == total


def test_what_is_not_there_is_not_found() -> None:
    node, abi, root = shelf()
    slot, price = next(of for name, of, _ in abi.fields if name == "last"), t.DECIMAL
    for number in (*range(0, FILLED, 5), 7_777):
        key = image(slot, (bytes([number % 7 + 1]) * 20, number))
        for path in ((key,), (key, "total"), (key, "inside", bytes(8)), (key, "order", bytes(8))):
            assert locate(abi, Proven(node, root), "boxes", path).address == 0
        gone = image(price, (number * 37 % 1_000 * 10**18) + 10**17)
        assert locate(abi, Proven(node, root), "prices", (gone,)).address == 0
    for index in (FILLED, -1):
        step = index.to_bytes(8, "little", signed=True)
        assert locate(abi, Proven(node, root), "log", (step,)).address == 0


def test_a_path_goes_where_types_lead() -> None:
    node, abi, root = shelf()
    wrong: tuple[tuple[str, tuple[Step, ...]], ...] = (
        ("nothing", ()), ("count", (b"",)), ("last", ("owner",)), ("boxes", ("total",)), ("boxes", (bytes(24),)),
        ("log", (bytes(8), "nothing")), ("log", (bytes(8), bytes(8))), ("prices", (bytes(8),)),
    )  # fmt: skip
    for field, path in wrong:
        try:
            locate(abi, Proven(node, root), field, path)
        except Invalid as refused:
            assert refused.code in ("unknown_field", "bad_path")
        else:
            raise AssertionError(f"{field} {path} was found")
