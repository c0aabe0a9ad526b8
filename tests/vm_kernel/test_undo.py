"""What is undone is undone to the bit: savepoints over three programs, rollback of blocks, simulation."""

from __future__ import annotations

from genesis.merkle import page_leaf
from tests.vm_kernel.tiny import CELL, Node, call_of, dispatch, planned

MASK = (1 << 64) - 1


def signed(x: int) -> int:
    return (x + (1 << 63) & MASK) - (1 << 63)


def step(x: int) -> int:
    y = signed(x * 6364136223846793005 + 1442695040888963407)
    return y ^ (y >> 29 & 0xFFFF)


class Model:
    """`walk` over dicts: a savepoint is a copy."""

    def __init__(self) -> None:
        self.cells: list[dict[int, int]] = [{}, {}, {}]

    def walk(self, program: int, seed: int, depth: int) -> int:
        """0, or the reason of the rejection."""
        x = seed
        for _ in range(4):
            x = step(x)
            place = CELL + (x & 0x1FF8)
            if x & 3:
                self.cells[program][place] = x
            elif depth < 2:
                copies = [dict(cells) for cells in self.cells]
                why = self.walk(program + 1, x, depth + 1)
                if why:
                    self.cells = copies
                    self.cells[program][place] = why
        return x if step(x) & 3 == 0 else 0


def test_savepoints_nested_three_deep_over_three_programs_are_exact() -> None:
    node = Node(*(planned(number, dispatch) for number in range(3)))
    model, failed = Model(), 0
    for run in range(2000):
        seed = run * 0x9E3779B97F4A7C15 & MASK
        copies = [dict(cells) for cells in model.cells]
        why = model.walk(0, signed(seed), 0)
        if why:
            model.cells, failed = copies, failed + 1
        outcome = node.one(call_of(0, "walk(int,int)", seed, 0), gas=5_000_000)
        assert outcome.status == ("failed" if why else "done")
        if run % 50 == 49:
            assert_same(node, model)
            node.seal()
    assert 300 < failed < 1700


def assert_same(node: Node, model: Model) -> None:
    for program, cells in enumerate(model.cells):
        memory = node.machine.memory_of(program + 1, 16_384)
        expected = bytearray(memory[:CELL] + bytes(16_384 - CELL))
        for place, value in cells.items():
            expected[place : place + 8] = (value & MASK).to_bytes(8, "little")
        assert memory == bytes(expected)


def test_execute_a_roll_back_execute_b_equals_only_b() -> None:
    """Memory growth included: what grew stays grown and nobody can tell."""
    both, only = (Node(planned(0, dispatch), planned(1, dispatch)) for _ in range(2))
    both.one(call_of(0, "grow(int)", 40), call_of(1, "set(int)", 9), call_of(0, "far(int,int)", 70_000, 3))
    both.seal()
    both.one(call_of(0, "set(int)", 8))
    both.machine.rollback(0)
    both.height = 1
    both.next.clear()
    for node in (both, only):
        node.one(call_of(0, "set(int)", 5), call_of(0, "fail(int)", 5), call_of(0, "grow(int)", 1))
    assert both.seal() == only.seal()
    assert both.machine.memory_of(1, 1 << 17) == only.machine.memory_of(1, 1 << 17)


def test_an_open_block_is_dropped_by_rollback() -> None:
    node = Node(planned(0, dispatch))
    node.one(call_of(0, "set(int)", 5))
    root = node.seal().state_root
    node.one(call_of(0, "set(int)", 6))
    node.machine.rollback(1)
    assert node.cell(0) == 5
    node.next[b"s" * 20, 0] = 1
    node.one(call_of(0, "set(int)", 5))
    assert node.seal().state_root != root


def test_a_simulation_leaves_no_trace() -> None:
    """Between blocks and inside one; the block's own undo still knows every page."""
    plain, dreamer = (Node(planned(0, dispatch), planned(1, dispatch)) for _ in range(2))
    for round_ in range(3):
        for node in (plain, dreamer):
            node.one(call_of(0, "set(int)", round_ + 1))
            if node is dreamer:
                dream(node)
            node.one(call_of(1, "set(int)", round_ + 1), call_of(0, "far(int,int)", 9000 + 8 * round_, 4))
        assert plain.seal() == dreamer.seal()
        dream(dreamer)
    plain.machine.rollback(1)
    dreamer.machine.rollback(1)
    assert plain.machine.memory_of(1, 16_384) == dreamer.machine.memory_of(1, 16_384)
    assert dreamer.cell(1) == 1


def dream(node: Node) -> None:
    expected = dict(node.next)
    batch = [node.signed(call_of(0, "set(int)", 77), call_of(1, "far(int,int)", 12_000, 5), call_of(1, "set(int)", 78))]
    node.next = expected
    assert node.machine.simulate(batch).outcomes[0].status == "done"


def strays(node: Node) -> list[tuple[int, int]]:
    """Pages whose bytes are not those that were sealed."""
    return [(p.program, p.page) for p in node.machine.sealed_pages() if page_leaf(p.content) != p.hash]


def test_memory_that_changed_by_itself_is_told_from_what_was_sealed() -> None:
    """While a block is open, and after it was sealed and taken back, although it wrote to the very page."""
    node = Node(planned(0, dispatch))
    assert node.one(call_of(0, "set(int)", 1)).status == "done"
    root = node.seal().state_root
    assert strays(node) == [] and node.machine.touched() == ()
    (page,) = {p.page for p in node.machine.sealed_pages() if p.program == 1}
    node.machine._host.write(1, "state", CELL + 200, b"\x04")
    assert node.one(call_of(0, "set(int)", 2)).status == "done"
    (touched,) = (one for one in node.machine.touched() if one.program == 1)
    assert touched.before[CELL + 200] == touched.now[CELL + 200] == 4
    assert (touched.page, touched.before[CELL], touched.now[CELL]) == (page, 1, 2)
    assert strays(node) == [(1, page)]
    node.seal()
    node.machine.rollback(1)
    assert strays(node) == [(1, page)]
    node.machine._host.write(1, "state", CELL + 200, b"\x00")
    assert strays(node) == []
    node.height = 2
    node.run()
    assert node.seal().state_root != root and strays(node) == []
