"""
Checkpoints: runs of pages, and beside them the code without which the pages mean nothing.

Only contents travel. Zero pages are left out of a full export and written out in one of changes, where a page may
have become zero.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from execution.executor import CheckpointChunk, ProgramTree
from execution.vm.deploy import Program
from execution.vm.host import Code, Host
from execution.vm.state import KERNEL_ADDRESS, Key, key_of, place_of
from genesis import codec, merkle
from genesis.chain import Deployment
from genesis.errors import Invalid

CHUNK_PAGES = 256
META_VERSION = 3
META_BYTES_MAX = 256 << 20
TREES_BYTES_MAX = 64 << 20
"""Of the hashes under a root: half a tebibyte of pages."""
_PAGE_BYTES = 1024
_ZERO_PAGE = bytes(_PAGE_BYTES)


def chunks(keys: Iterable[Key], read: Callable[[Key], bytes], zeros: bool) -> Iterator[CheckpointChunk]:
    """
    Pages in order of program and page, neighbours together, at most CHUNK_PAGES in one; zeros: whether to send them.
    """
    program, first, pages = -1, 0, list[bytes]()
    for key in keys:
        number, page = place_of(key)
        content = read(key)
        if not zeros and content == _ZERO_PAGE:
            continue
        if number != program or page != first + len(pages) or len(pages) == CHUNK_PAGES:
            if pages:
                yield CheckpointChunk(program, first, b"".join(pages))
            program, first, pages = number, page, []
        pages.append(content)
    if pages:
        yield CheckpointChunk(program, first, b"".join(pages))


def write_chunks(host: Host, given: Iterator[CheckpointChunk], programs: int) -> set[Key]:
    """Write pages in place; return their keys. Raises Invalid for a program that does not exist."""
    keys = set()
    for chunk in given:
        if not 0 <= chunk.program < programs or len(chunk.pages) % _PAGE_BYTES:
            raise Invalid(f"A chunk of program {chunk.program} does not fit this checkpoint.", "bad_checkpoint")
        host.write(chunk.program, "state", chunk.first_page * _PAGE_BYTES, chunk.pages)
        count = len(chunk.pages) // _PAGE_BYTES
        keys |= {key_of(chunk.program, chunk.first_page + page) for page in range(count)}
    return keys


def encode_meta(height: int, kernel: bytes, programs: Sequence[Program]) -> bytes:
    """Height, the kernel's WASM, codes and programs, canonical; what several programs run is kept once."""
    codes = list({program.code.code_hash: program.code for program in programs}.values())
    places = {code.code_hash: place for place, code in enumerate(codes)}
    rows = tuple(
        (program.address, places[program.code.code_hash], program.room, program.staged and program.staged.fields())
        for program in programs
    )
    return codec.encode((META_VERSION, height, kernel, tuple(map(_fields, codes)), rows))


def _fields(code: Code) -> tuple[Any, ...]:
    entries = tuple((selector, *words) for selector, words in sorted(code.entries.items()))
    withdrawn = -1 if code.withdrawn is None else code.withdrawn
    return (
        code.name, code.wasm, code.code_hash, code.abi_json, entries, tuple(code.reasons), withdrawn, code.layout_hash,
        code.source_hash,
    )  # fmt: skip


def decode_meta(meta: bytes) -> tuple[int, bytes, list[Program]]:
    """Raises Invalid for bytes that `encode_meta` cannot have written."""
    version, height, kernel, fields, rows = codec.decode_array(meta, 5, META_BYTES_MAX, "Checkpoint meta", depth_max=5)
    if version != META_VERSION:
        raise Invalid(f"Checkpoint version {version} is not {META_VERSION}; export it again.", "bad_checkpoint")
    codes = [_code(codec.expect_array(one, 9, "A program's code")) for one in fields]
    return height, kernel, [_program(codes, codec.expect_array(row, 4, "A program")) for row in rows]


def check_meta(meta: bytes, height: int, trees: Sequence[ProgramTree]) -> None:
    """
    Check foreign meta against what the state root of its height is made of: every code by its hash. Raises Invalid.

    What no root vouches for (names, ABIs, texts of reasons, announced versions) is not told right from wrong here.
    """
    stated, kernel, programs = decode_meta(meta)
    found = [(KERNEL_ADDRESS, sha256(kernel).digest())]
    found += [(program.address, sha256(program.code.wasm).digest()) for program in programs]
    hashes = [program.code.code_hash for program in programs]
    if stated != height or found != [(t.address, t.code_hash) for t in trees] or hashes != [h for _, h in found[1:]]:
        raise Invalid(f"The code of this checkpoint is not that of the state of height {height}.", "bad_checkpoint")


def fingerprint(meta: bytes) -> bytes:
    """A hash of all that meta says but its height. Raises Invalid."""
    version, _, *rest = codec.decode_array(meta, 5, META_BYTES_MAX, "Checkpoint meta", depth_max=5)
    return sha256(codec.encode((version, *rest))).digest()


def encode_trees(trees: Sequence[ProgramTree]) -> bytes:
    return codec.encode(tuple((tree.address, tree.code_hash, tree.subtrees) for tree in trees))


def decode_trees(data: bytes, state_root: bytes) -> tuple[ProgramTree, ...]:
    """Raises Invalid unless these are what the root is made of."""
    rows = codec.expect_array(codec.decode(data, TREES_BYTES_MAX, 2), None, "The programs under a root")
    trees = tuple(ProgramTree(*codec.expect_array(row, 3, "A program under a root")) for row in rows)
    for tree in trees:
        codec.check_bytes(tree.address, 20, "A program's address")
        codec.check_bytes(tree.code_hash, 32, "A program's code hash")
        if type(tree.subtrees) is not bytes:
            raise Invalid("Subtrees are bytes.", "malformed")
    leaves = (merkle.program_leaf(t.address, t.code_hash, merkle.root_of_subtrees(t.subtrees)) for t in trees)
    if merkle.PageTree().update_leaves(dict(enumerate(leaves))) != state_root:
        raise Invalid(f"These programs do not make state root {state_root.hex()}.", "bad_proof")
    return trees


def _program(codes: Sequence[Code], row: tuple[Any, ...]) -> Program:
    address, place, room, staged = row
    return Program(address, codes[place], room, None if staged is None else Deployment.of(staged))


def _code(fields: tuple[Any, ...]) -> Code:
    name, wasm, code_hash, abi, entries, reasons, withdrawn, layout_hash, source_hash = fields
    shapes = {selector: (arguments, results) for selector, arguments, results in entries}
    event = None if withdrawn < 0 else withdrawn
    return Code(name, wasm, code_hash, abi, shapes, reasons, event, layout_hash, source_hash)
