"""Page tree, programs tree and list tree: against a reference written from the format, and against forgery."""

from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genesis import merkle
from genesis.errors import Invalid
from genesis.merkle import ABSENT, DEPTH, PageTree


def reference_root(leaves: dict[int, bytes], depth: int = DEPTH) -> bytes:
    """The format's words, recursively: node = H(0x01 ‖ 16 children), an absent child is 32 zero bytes."""
    if not leaves:
        return ABSENT
    if depth == 0:
        return leaves[0]
    span = 16 ** (depth - 1)
    parts: list[dict[int, bytes]] = [{} for _ in range(16)]
    for index, leaf in leaves.items():
        parts[index // span][index % span] = leaf
    return sha256(b"\x01" + b"".join(reference_root(part, depth - 1) for part in parts)).digest()


def page(number: int) -> bytes:
    return number.to_bytes(8, "big") * 128


page_numbers = st.integers(0, 2_000) | st.sampled_from([0, 15, 16, 255, 256, 4095, 4096, 65_535])
contents = st.sampled_from([b"", bytes(1024), page(1), page(2), page(3)])


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.dictionaries(page_numbers, contents, max_size=12), max_size=6))
def test_updates_in_any_order_lead_to_the_root_of_the_contents(steps: list[dict[int, bytes]]) -> None:
    tree, state = PageTree(), dict[int, bytes]()
    for step in steps:
        root = tree.update(step.items())
        state |= step
        present = {n: sha256(b"\x00" + p).digest() for n, p in state.items() if p.strip(b"\x00")}
        assert root == tree.root == reference_root(present)


def test_removing_everything_gives_the_empty_root() -> None:
    tree = PageTree()
    assert tree.root == ABSENT
    tree.update((number, page(number + 1)) for number in range(1_000))
    assert tree.update((number, b"") for number in range(1_000)) == ABSENT


def test_leaves_beyond_the_tree_are_refused() -> None:
    for index in (-1, merkle.LEAVES_MAX):
        with pytest.raises(Invalid):
            PageTree().update_leaves({index: ABSENT})


def two_programs() -> tuple[PageTree, PageTree, bytes]:
    pages, programs = PageTree(), PageTree()
    pages.update((number, page(number + 1)) for number in (0, 1, 17, 300))
    ours = merkle.program_leaf(b"\2" * 20, b"\3" * 32, pages.root)
    programs.update_leaves({0: b"\1" * 32, 5: ours})
    return pages, programs, programs.root


@pytest.mark.parametrize(
    ("number", "content"), [(0, page(1)), (17, page(18)), (300, page(301)), (16, b""), (5_000, b"")]
)
def test_a_page_is_proven_present_or_absent(number: int, content: bytes) -> None:
    pages, programs, root = two_programs()
    proof = merkle.prove_page(content, number, pages, (b"\2" * 20, b"\3" * 32), 5, programs)
    assert merkle.verify_page(root, b"\2" * 20, 5, number, proof) == content
    for other in (b"", page(7)):
        if other != content:
            with pytest.raises(Invalid):
                merkle.verify_page(root, b"\2" * 20, 5, number, (other, *proof[1:]))
    for program, address, place in (
        (4, b"\2" * 20, number),
        (5, b"\1" * 20, number),
        (5, b"\2" * 20, 0 if number else 1),
    ):
        with pytest.raises(Invalid):
            merkle.verify_page(root, address, program, place, proof)


def test_any_changed_byte_breaks_a_page_proof() -> None:
    pages, programs, root = two_programs()
    proof = merkle.prove_page(page(18), 17, pages, (b"\2" * 20, b"\3" * 32), 5, programs)
    draw = random.Random(1)
    for _ in range(100):
        part = draw.randrange(len(proof))
        changed = bytearray(proof[part])
        changed[draw.randrange(len(changed))] ^= 1 + draw.randrange(255)
        with pytest.raises(Invalid):
            merkle.verify_page(root, b"\2" * 20, 5, 17, (*proof[:part], bytes(changed), *proof[part + 1 :]))
    for wrong in ((), proof[:-1], (*proof, b""), (proof[0], proof[1][:-1], *proof[2:])):
        with pytest.raises(Invalid):
            merkle.verify_page(root, b"\2" * 20, 5, 17, wrong)


@settings(max_examples=80, derandomize=True, deadline=None)
@given(st.lists(st.binary(max_size=8), min_size=1, max_size=40), st.data())
def test_every_item_of_a_list_is_proven_at_its_place_only(items: list[bytes], data: st.DataObject) -> None:
    root = merkle.list_root(items)
    position = data.draw(st.integers(0, len(items) - 1))
    siblings = merkle.prove_item(items, position)
    merkle.verify_item(root, items[position], position, siblings)
    forged = [(b"x" * 9, position, siblings), (items[position], position, (*siblings, ABSENT))]
    forged += [(items[position], position + (1 << len(siblings)), siblings)]
    for item, place, path in forged:
        with pytest.raises(Invalid):
            merkle.verify_item(root, item, place, path)


def test_lists_of_different_length_have_different_roots() -> None:
    roots = {merkle.list_root([b""] * count) for count in range(70)}
    assert len(roots) == 70
    assert merkle.list_root([]) == ABSENT


def test_a_node_never_passes_for_an_item() -> None:
    items = [b"a", b"b", b"c", b"d"]
    inner = merkle.leaf(b"a") + merkle.leaf(b"b")
    with pytest.raises(Invalid):
        merkle.verify_item(merkle.list_root(items), inner, 0, merkle.prove_item(items, 0)[1:])


@given(st.dictionaries(st.integers(0, 3 * merkle.SUBTREE_PAGES), st.binary(min_size=1, max_size=2), max_size=20))
def test_a_page_tree_is_its_subtrees_and_they_are_their_pages(chosen: dict[int, bytes]) -> None:
    pages = {number: content.ljust(merkle.PAGE_BYTES, b"\x00") for number, content in chosen.items()}
    tree = merkle.PageTree()
    root = tree.update(pages.items())
    hashes = tree.subtrees()
    assert merkle.root_of_subtrees(hashes) == root
    for number in range(4):
        first = number * merkle.SUBTREE_PAGES
        own = [pages.get(first + at, b"") for at in range(merkle.SUBTREE_PAGES)]
        expected = hashes[32 * number : 32 * number + 32] or merkle.ABSENT
        assert merkle.subtree_hash(own) == expected
