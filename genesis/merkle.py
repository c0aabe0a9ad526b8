"""
Merkle trees, all SHA-256 with tagged leaves and nodes, so that a leaf never passes for a node.

Pages: leaf 0x00 ‖ page, node 0x01 ‖ 16 children, depth 6; programs: the same tree over leaves 0x02 ‖ address ‖ code
hash ‖ page root, by index of creation. Lists (withdrawals, receipts, …): binary, same tags, padded to the next power
of two. What is absent, a leaf (a page of zeros, too) or a whole subtree of pages, is 32 zero bytes. `PageTree` keeps
a page tree between blocks and hashes only what changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256 as _sha256
from itertools import pairwise

from genesis.errors import Invalid

PAGE_BYTES = 1024
ARITY = 16
DEPTH = 6
LEAVES_MAX = ARITY**DEPTH
"""16,777,216 pages, 16 GiB per program."""
ABSENT = bytes(32)
SUBTREE_LEVELS = 2
SUBTREE_PAGES = ARITY**SUBTREE_LEVELS
"""Pages under one node of level 2, 256 KiB: what travels, and is proven, together."""

_NODE_BYTES = 1 + ARITY * 32
_EMPTY_NODE = b"\x01" + bytes(ARITY * 32)
_EMPTY_NODE_HASH = _sha256(_EMPTY_NODE).digest()
_ZERO_PAGE_LEAF = _sha256(bytes(1 + PAGE_BYTES)).digest()
_SIBLINGS_BYTES = (ARITY - 1) * 32
_LIST_DEPTH_MAX = 40


def leaf(content: bytes) -> bytes:
    """Return SHA-256(0x00 ‖ content): the leaf of a page or of a list's item."""
    return _sha256(b"\x00" + content).digest()


def page_leaf(page: bytes) -> bytes:
    """
    Return a page's leaf; ABSENT for b"" and for a page of zeros, so that a root depends on contents, not on history.
    """
    return leaf(page) if page.strip(b"\x00") else ABSENT


def program_leaf(address: bytes, code_hash: bytes, page_root: bytes) -> bytes:
    """Return SHA-256(0x02 ‖ address ‖ code hash ‖ page root)."""
    return _sha256(b"\x02" + address + code_hash + page_root).digest()


class PageTree:
    """
    A 16-ary tree of fixed depth 6 that is updated in place, many leaves at once.

    Each level is one bytearray of nodes as they are hashed (0x01 and 16 children of 32 bytes), so that hashing a node
    needs no joining. Memory: 33 bytes a leaf up to the highest index used. Not for use from several threads.
    """

    def __init__(self) -> None:
        self._levels = [bytearray(_EMPTY_NODE) for _ in range(DEPTH)]
        self._root = ABSENT

    @property
    def root(self) -> bytes:
        """32 zero bytes while all leaves are absent."""
        return self._root

    def update(self, pages: Iterable[tuple[int, bytes]]) -> bytes:
        """Set pages by number (1 KiB, or b"" for none); return the new root."""
        return self.update_leaves({number: page_leaf(page) for number, page in pages})

    def update_from(self, numbers: Sequence[int], memory: memoryview, replaced: bytearray) -> bytes:
        """
        Set the numbered pages of a memory, as they are there now; return the new root.

        In ascending order, about 1.5 µs each; at random twice that. replaced: gets the leaves there were, by number.
        """
        if not numbers:
            return self._root
        level = self._level_for(min(numbers), max(numbers))
        sha, absent, zeros = _sha256, ABSENT, _ZERO_PAGE_LEAF
        for number in sorted(numbers):
            hashing = sha(b"\x00")
            hashing.update(memory[number << 10 : (number + 1) << 10])
            digest = hashing.digest()
            offset = (number >> 4) * _NODE_BYTES + 1 + ((number & 15) << 5)
            replaced += level[offset : offset + 32]
            level[offset : offset + 32] = absent if digest == zeros else digest
        return self._climb({number >> 4 for number in numbers})

    def update_leaves(self, leaves: Mapping[int, bytes]) -> bytes:
        """Set leaf hashes by index (ABSENT removes one); return the new root. Raises Invalid beyond LEAVES_MAX."""
        if not leaves:
            return self._root
        _set_children(self._level_for(min(leaves), max(leaves)), leaves)
        return self._climb({index >> 4 for index in leaves})

    def _level_for(self, first: int, last: int) -> bytearray:
        """The lowest level, long enough for leaf `last`."""
        if not 0 <= first <= last < LEAVES_MAX:
            raise Invalid(f"A tree has leaves 0 to {LEAVES_MAX - 1}.", "out_of_range")
        return _lengthened(self._levels[0], last)

    def _climb(self, nodes: set[int]) -> bytes:
        """Hash these nodes of the lowest level and what lies above them."""
        for below, level in pairwise(self._levels):
            changed = _hashes(below, nodes)
            _set_children(_lengthened(level, max(changed)), changed)
            nodes = {index >> 4 for index in changed}
        self._root = _hashes(self._levels[-1], nodes)[0]
        return self._root

    @property
    def extent(self) -> int:
        """All leaves from here on are absent; a multiple of 16."""
        return len(self._levels[0]) // _NODE_BYTES * ARITY

    def leaf(self, index: int) -> bytes:
        """Return the leaf hash, ABSENT if never set."""
        return _child(self._levels[0], index)

    def subtrees(self) -> bytes:
        """The hashes of all subtrees of SUBTREE_PAGES pages in order, 32 bytes each, up to the last one not absent."""
        level = self._levels[SUBTREE_LEVELS]
        hashes = b"".join(level[at + 1 : at + _NODE_BYTES] for at in range(0, len(level), _NODE_BYTES))
        return hashes[: -(-len(hashes.rstrip(b"\x00")) // 32) * 32]

    def siblings(self, index: int) -> tuple[bytes, ...]:
        """Return, from the leaf upwards, the 15 other children of each node on the way: 6 × 480 bytes."""
        path = []
        for level in self._levels:
            node, position = divmod(index, ARITY)
            children = bytes(level[node * _NODE_BYTES + 1 : (node + 1) * _NODE_BYTES]).ljust(ARITY * 32, b"\x00")
            path.append(children[: position * 32] + children[position * 32 + 32 :])
            index = node
        return tuple(path)


def subtree_hash(pages: Sequence[bytes]) -> bytes:
    """The hash of a subtree that begins with these pages (1 KiB, or b"" for none), at most SUBTREE_PAGES."""
    level = list(map(page_leaf, pages))
    for _ in range(SUBTREE_LEVELS):
        level = _wide_level_above(level)
    return level[0] if level else ABSENT


def root_of_subtrees(hashes: bytes) -> bytes:
    """The root of the page tree with these subtrees. Raises Invalid "bad_proof" when they are none."""
    if len(hashes) % 32 or len(hashes) // 32 > LEAVES_MAX // SUBTREE_PAGES:
        raise Invalid(f"A page tree has at most {LEAVES_MAX // SUBTREE_PAGES} subtrees of 32 bytes each.", "bad_proof")
    level = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
    for _ in range(DEPTH - SUBTREE_LEVELS):
        level = _wide_level_above(level)
    return level[0] if level else ABSENT


def _wide_level_above(level: Sequence[bytes]) -> list[bytes]:
    """The hashes of the nodes with these children; an empty one is absent."""
    above = []
    for at in range(0, len(level), ARITY):
        children = b"".join(level[at : at + ARITY]).ljust(ARITY * 32, b"\x00")
        above.append(ABSENT if children == _EMPTY_NODE[1:] else _sha256(b"\x01" + children).digest())
    return above


def wide_root(leaf_hash: bytes, index: int, siblings: Sequence[bytes]) -> bytes:
    """
    Return the root that a leaf hash at `index` and its siblings lead to. Raises Invalid "bad_proof" for a wrong
    shape.
    """
    if (
        not 0 <= index < LEAVES_MAX
        or len(siblings) != DEPTH
        or any(len(others) != _SIBLINGS_BYTES for others in siblings)
    ):
        raise Invalid(
            f"A page proof has {DEPTH} levels of {_SIBLINGS_BYTES} bytes and an index below 16^6.", "bad_proof"
        )
    current = leaf_hash
    for others in siblings:
        index, position = divmod(index, ARITY)
        children = others[: position * 32] + current + others[position * 32 :]
        current = ABSENT if children == _EMPTY_NODE[1:] else _sha256(b"\x01" + children).digest()
    return current


def prove_page(
    page: bytes, number: int, pages: PageTree, code: tuple[bytes, bytes], program: int, programs: PageTree
) -> tuple[bytes, ...]:
    """
    Return a page and its way to the state root: page, 6 × 480 bytes, address ‖ code hash, 6 × 480 bytes.

    Args:
        page: 1 KiB, or b"" to prove that it is absent.
        code: address and code hash of the program.
        program: the program's index of creation in `programs`.
    """
    return (page, *pages.siblings(number), code[0] + code[1], *programs.siblings(program))


def verify_page(state_root: bytes, address: bytes, program: int, number: int, proof: Sequence[bytes]) -> bytes:
    """
    Return the page that the proof shows: page `number` of the program at `address`, the `program`-th created.

    Returns:
        1 KiB, or b"" for a page that is absent.

    Raises:
        Invalid: "bad_proof".
    """
    if len(proof) != 2 * DEPTH + 2 or len(proof[0]) not in (0, PAGE_BYTES) or len(proof[DEPTH + 1]) != 52:
        raise Invalid(
            f"A page proof has {2 * DEPTH + 2} parts: page, siblings, address and code hash, siblings.", "bad_proof"
        )
    page, code = proof[0], proof[DEPTH + 1]
    if code[:20] != address:
        raise Invalid("The proof is about another program.", "bad_proof")
    page_root = wide_root(page_leaf(page), number, proof[1 : DEPTH + 1])
    root = wide_root(program_leaf(code[:20], code[20:], page_root), program, proof[DEPTH + 2 :])
    if root != state_root:
        raise Invalid(f"The proof leads to root {root.hex()}, not to {state_root.hex()}.", "bad_proof")
    return page


def list_root(items: Iterable[bytes]) -> bytes:
    """
    Return the root of a list: binary tree over leaf(item), padded with absent leaves to a power of two. Empty:
    ABSENT.
    """
    return _list_levels(items)[-1][0]


def list_root_of_leaves(leaves: Sequence[bytes]) -> bytes:
    """The same root for a list whose items' leaf(item) are known already."""
    return _levels_above(list(leaves) or [ABSENT])[-1][0]


def prove_item(items: Sequence[bytes], position: int) -> tuple[bytes, ...]:
    """Return the siblings of the item at `position`, from the leaf upwards: ⌈log₂ count⌉ hashes."""
    path = []
    for level in _list_levels(items)[:-1]:
        sibling = position ^ 1
        path.append(level[sibling] if sibling < len(level) else ABSENT)
        position >>= 1
    return tuple(path)


def verify_item(root: bytes, item: bytes, position: int, siblings: Sequence[bytes]) -> None:
    """Check that `item` stands at `position` of the list with this root. Raises Invalid "bad_proof"."""
    if len(siblings) > _LIST_DEPTH_MAX or not 0 <= position < 1 << len(siblings) or any(len(s) != 32 for s in siblings):
        raise Invalid(
            "A list proof has one hash of 32 bytes per level, and a position that its levels can hold.", "bad_proof"
        )
    current = leaf(item)
    for sibling in siblings:
        pair = sibling + current if position & 1 else current + sibling
        current = _sha256(b"\x01" + pair).digest()
        position >>= 1
    if current != root:
        raise Invalid(f"The proof leads to root {current.hex()}, not to {root.hex()}.", "bad_proof")


def _list_levels(items: Iterable[bytes]) -> list[list[bytes]]:
    """Levels from leaves to root, absent right edges left out."""
    sha = _sha256
    return _levels_above([sha(b"\x00" + item).digest() for item in items] or [ABSENT])


def _levels_above(level: list[bytes]) -> list[list[bytes]]:
    sha = _sha256
    levels = [level]
    while len(level) > 1:
        if len(level) % 2:
            level = [*level, ABSENT]
        level = [sha(b"\x01" + level[i] + level[i + 1]).digest() for i in range(0, len(level), 2)]
        levels.append(level)
    return levels


def _child(level: bytearray, index: int) -> bytes:
    node, position = divmod(index, ARITY)
    offset = node * _NODE_BYTES + 1 + position * 32
    return bytes(level[offset : offset + 32]) or ABSENT


def _lengthened(level: bytearray, last: int) -> bytearray:
    """The level, with nodes up to the one that has child `last`."""
    missing = last // ARITY + 1 - len(level) // _NODE_BYTES
    if missing > 0:
        level.extend(_EMPTY_NODE * missing)
    return level


def _set_children(level: bytearray, changed: Mapping[int, bytes]) -> None:
    for index, digest in changed.items():
        offset = (index >> 4) * _NODE_BYTES + 1 + ((index & 15) << 5)
        level[offset : offset + 32] = digest


def _hashes(level: bytearray, nodes: Iterable[int]) -> dict[int, bytes]:
    """The hashes of these nodes of a level; an empty one is ABSENT."""
    sha, empty, hashes = _sha256, _EMPTY_NODE_HASH, {}
    with memoryview(level) as view:
        for node in sorted(nodes):
            digest = sha(view[node * _NODE_BYTES : (node + 1) * _NODE_BYTES]).digest()
            hashes[node] = ABSENT if digest == empty else digest
    return hashes
