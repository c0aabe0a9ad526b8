"""
The state tree: every program's pages under its root, all programs under the state root, kept up to date block by
block.

The kernel's own memory is leaf 0, programs follow by creation. A page of zeros is absent, so roots depend on contents
alone: a chain that rolled back, replayed or came from a checkpoint has the same root as one that did not.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from genesis import merkle

KERNEL_ADDRESS = bytes(19) + b"\x01"
_PAGE_BYTES = merkle.PAGE_BYTES
_ZERO_PAGE = bytes(_PAGE_BYTES)

Replaced = dict[int, tuple["array[int]", bytes]]
"""By program: numbers of pages, ascending, and the leaf that each had."""
Key = int
"""A page of the state: program number | page << 32, as the block journal begins its records."""


def key_of(program: int, page: int) -> Key:
    return program | page << 32


def place_of(key: Key) -> tuple[int, int]:
    """Program number and page of a key."""
    return key & 0xFFFFFFFF, key >> 32


@dataclass(slots=True)
class StateTree:
    """codes: per program number its address and code hash, the kernel first."""

    codes: list[tuple[bytes, bytes]] = field(default_factory=list)
    pages: list[merkle.PageTree] = field(default_factory=list)
    programs: merkle.PageTree = field(default_factory=merkle.PageTree)

    @property
    def root(self) -> bytes:
        return self.programs.root

    def add(self, address: bytes, code_hash: bytes) -> None:
        """A new program, its pages all absent. It enters the root with the next update."""
        self.codes.append((address, code_hash))
        self.pages.append(merkle.PageTree())

    def recode(self, number: int, code_hash: bytes) -> None:
        """The program's code is another from now on; the root follows at once."""
        address, known = self.codes[number]
        if known != code_hash:
            self.codes[number] = (address, code_hash)
            if self._entered(number):
                self.programs.update_leaves({number: merkle.program_leaf(address, code_hash, self.pages[number].root)})

    def truncate(self, count: int) -> None:
        """Forget programs from number `count` on."""
        gone = range(count, len(self.codes))
        del self.codes[count:], self.pages[count:]
        if gone:
            self.programs.update_leaves(dict.fromkeys(gone, merkle.ABSENT))

    def update(self, keys: Iterable[Key], memory: Callable[[int], memoryview]) -> Replaced:
        """Hash the pages named, as they are in `memory(program)` now; return the leaves there were, for `put_back`."""
        dirty: dict[int, list[int]] = {number: [] for number in range(len(self.codes)) if not self._entered(number)}
        known = len(self.codes)
        for key in keys:
            program = key & 0xFFFFFFFF
            if program < known:
                dirty.setdefault(program, []).append(key >> 32)
        replaced: Replaced = {}
        for program, pages in dirty.items():
            pages.sort()
            leaves = bytearray()
            self.pages[program].update_from(pages, memory(program), leaves)
            replaced[program] = array("I", pages), bytes(leaves)
        self._enter(replaced)
        return replaced

    def put_back(self, replaced: Replaced) -> None:
        """
        The leaves from before an update. Memory is not hashed again: should it have changed by itself meanwhile, this
        tells the pages apart that are not what was sealed.
        """
        kept = {program: leaves for program, leaves in replaced.items() if program < len(self.codes)}
        for program, (pages, leaves) in kept.items():
            hashes = (leaves[at : at + 32] for at in range(0, len(leaves), 32))
            self.pages[program].update_leaves(dict(zip(pages, hashes, strict=True)))
        self._enter(kept)

    def _enter(self, programs: Iterable[int]) -> None:
        """Bring the leaves of these programs up to date."""
        self.programs.update_leaves(
            {number: merkle.program_leaf(*self.codes[number], self.pages[number].root) for number in programs}
        )

    def prove(self, program: int, page: int, content: bytes) -> tuple[bytes, ...]:
        """The proof that `merkle.verify_page` takes."""
        shown = b"" if content == _ZERO_PAGE else content
        return merkle.prove_page(shown, page, self.pages[program], self.codes[program], program, self.programs)

    def _entered(self, program: int) -> bool:
        return self.programs.leaf(program) != merkle.ABSENT
