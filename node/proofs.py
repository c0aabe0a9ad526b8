"""
Answers for whoever believes nothing: pages, named values and receipts, each with its way up to a certified header.

What is made here `genesis.verify` checks without a node. That a value is the one named, absence included, is checked
by finding it again in the proven pages (`check_value`), with the program's ABI as the verifier has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from execution.compiler.abi import Abi
from execution.compiler.abi_place import Place, Step, locate
from execution.executor import Executor
from genesis import codec, merkle
from genesis.chain import Commitment, Header, Stage, commitment_span
from genesis.errors import Corrupt, Invalid
from genesis.merkle import PAGE_BYTES
from genesis.spec import ChainSpec
from genesis.verify import ProvenState
from node.recovery import stored_header
from node.store import Position, Store
from node.views import parse_bytes

View = dict[str, Any]
VALUE_BYTES_MAX = 16 * PAGE_BYTES
"""Of a named value; containers and records are asked for entry by entry."""


def show_page(executor: Executor, program: bytes, number: int, page: int) -> View:
    """One page as of the last seal; number: the program's index of creation."""
    return _shown(program, number, {page: executor.prover(program)(page)}, None)


def show_value(executor: Executor, program: bytes, number: int, abi: Abi, field: str, path: Sequence[str]) -> View:
    """
    A named value as of the last seal, and the pages that finding it read.

    Args:
        path: 0x-hexadecimal of packed keys and indices, or names of members, from the field down.

    Raises:
        Invalid: "unknown_field", "bad_path".
    """
    prove = executor.prover(program)
    proofs: dict[int, tuple[bytes, ...]] = {}

    def page(at: int) -> bytes:
        proofs.setdefault(at, prove(at))
        return proofs[at][0].ljust(PAGE_BYTES, b"\x00")

    read = _reader(page)
    place = locate(abi, read, field, parse_path(path))
    if place.size > VALUE_BYTES_MAX:
        raise Invalid(f"The value has {place.size} bytes; name a part of at most {VALUE_BYTES_MAX}.", "bad_path")
    data = read(place.address, place.size) if place.address else b""
    return _shown(program, number, proofs, {"field": field, "path": list(path), "address": place.address, "data": data})


def check_value(abi: Abi, answer: Mapping[str, Any], proven: ProvenState) -> Place:
    """
    Find the value that a verified answer names again, in nothing but its pages.

    Args:
        abi: of the code that `proven.code_hash` is the hash of.

    Returns:
        Where it is; address 0 when it is proven that no such key exists.

    Raises:
        Invalid: "bad_proof" when the pages hold another answer, "unproven" when they do not suffice.
    """
    stated = answer["value"]
    place = locate(abi, proven.read, stated["field"], parse_path(stated["path"]))
    data = proven.read(place.address, place.size) if place.address else b""
    if (place.address, data) != (stated["address"], parse_bytes(stated["data"])):
        raise Invalid(f"The pages do not hold this at {stated['field']}{stated['path']}.", "bad_proof")
    return place


def parse_path(path: Sequence[str]) -> list[Step]:
    """Raises Invalid "bad_path" for what is no text or begins like hexadecimal and is none."""
    try:
        return [parse_bytes(step) if step[:2] == "0x" else step for step in path]
    except (ValueError, TypeError) as error:
        raise Invalid(f"A step of a path is a name, or 0x and hexadecimal digits: {error}.", "bad_path") from error


def certified(store: Store, height: int) -> View:
    """Header and certificate of a stored block, as every proof carries them. Raises Corrupt."""
    header, certificate = _stored(store, height)
    return {"height": height, "header": codec.encode(header.fields()), "certificate": certificate}


def show_receipt(spec: ChainSpec, store: Store, position: Position, stage: Stage) -> View:
    """
    A stored receipt under its block's header; from "posted" on also the way to the last block of its commitment.

    Reads the store: call it on a thread.
    """
    blob = store.receipts(position.height)
    if blob is None:
        store.check_kept(position.height)
    assert blob is not None, "the index names stored blocks only"
    encoded = [codec.encode(fields) for fields in codec.decode_trusted(blob)[0]]
    return certified(store, position.height) | {
        "receipt": encoded[position.index],
        "position": position.index,
        "siblings": list(merkle.prove_item(encoded, position.index)),
        "commitment": _commitment(spec, store, position.height) if stage in ("posted", "final") else None,
    }


def _commitment(spec: ChainSpec, store: Store, height: int) -> View:
    first, last = commitment_span(height, spec.commitment_blocks)
    headers = [_stored(store, above)[0] for above in range(height + 1, last + 1)]
    block_hash = (headers[-1] if headers else _stored(store, height)[0]).hash()
    return {
        "id": Commitment.identity(first, block_hash),
        "first_height": first,
        "last_height": last,
        "block_hash": block_hash,
        "headers": [codec.encode(header.fields()) for header in headers],
    }


def _stored(store: Store, height: int) -> tuple[Header, bytes]:
    row = store.header(height)
    if row is None:
        store.check_kept(height)
        raise Corrupt(f"block {height} is not stored")
    header, _, certificate = stored_header(row)
    return header, certificate.encode()


def _reader(page: Callable[[int], bytes]) -> Callable[[int, int], bytes]:
    def read(address: int, size: int) -> bytes:
        first, last = address // PAGE_BYTES, (address + size - 1) // PAGE_BYTES
        return b"".join(map(page, range(first, last + 1)))[address - first * PAGE_BYTES :][:size]

    return read


def _shown(program: bytes, number: int, proofs: Mapping[int, tuple[bytes, ...]], value: View | None) -> View:
    pages = [{"page": page, "proof": list(proof)} for page, proof in sorted(proofs.items())]
    return {"program": program, "number": number, "pages": pages, "value": value}
