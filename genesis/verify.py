"""
Proofs that stand alone: what a node answers about its state or about a receipt, checked without a node.

The way is always the same: certificate → the header's hash → a root in the header → leaf → content. Trusted are the
chain id and the validators given here, nothing else: every member of an answer is checked or recomputed. Answers are
taken as they travel, JSON with bytes as 0x-hexadecimal: the results of `tenor_getProof` and, of `tenor_getReceipt`,
the member `proof`. The validators are those of the set that the header names (`Header.validators`); whoever takes them
from the settlement chain asks whether that one may have certified it (`genesis.membership.eligible`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genesis import codec, merkle
from genesis.commitment import Commitment
from genesis.errors import Invalid
from genesis.header import Header
from genesis.receipt import Receipt
from genesis.settling import Certificate, check_certificate

HEADER_BYTES_MAX = 1_024
CERTIFICATE_BYTES_MAX = 64 * 1_024
PAGES_MAX = 1_024
"""Pages one answer shows at most."""

Answer = Mapping[str, Any]
Stakes = Mapping[bytes, int]


@dataclass(frozen=True, slots=True)
class ProvenState:
    """Pages of a program as they are under a certified header; b"" is a page of zeros."""

    header: Header
    program: bytes
    code_hash: bytes
    pages: Mapping[int, bytes]

    def read(self, address: int, size: int) -> bytes:
        """Bytes of the program's state. Raises Invalid "unproven" where they lie in a page that is not shown."""
        first, last = address // merkle.PAGE_BYTES, (address + size - 1) // merkle.PAGE_BYTES
        for number in range(first, last + 1):
            if number not in self.pages:
                raise Invalid(f"The answer does not show page {number}, which is needed.", "unproven")
        shown = b"".join(self.pages[number].ljust(merkle.PAGE_BYTES, b"\x00") for number in range(first, last + 1))
        return shown[address - first * merkle.PAGE_BYTES :][:size]


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """
    A receipt in a certified block.

    commitment: id of the posting on the settlement chain that covers the block, None below "posted". What stands there
    under this id, the settlement chain has to be asked; it is proven that such a commitment would be of this block.
    """

    header: Header
    receipt: Receipt
    commitment: bytes | None


def verify_state(answer: Answer, chain: int, stakes: Stakes) -> ProvenState:
    """
    Check an answer of `tenor_getProof`.

    Returns:
        The pages it shows. A value that it names stands in them at its address; that this is the value of that name,
        or that there is none (address 0), whoever knows the program's layout reads from the same pages.

    Raises:
        Invalid: "malformed", "wrong_certificate", "bad_proof", "unproven", or a code of `check_certificate`.
    """
    header = _certified(answer, chain, stakes)
    program, number = _bytes(answer, "program"), _number(answer, "number")
    pages, codes = {}, set()
    for row in _list(answer, "pages"):
        proof = tuple(_hex(part, "A proof's part") for part in _list(row, "proof"))
        page = _number(row, "page")
        pages[page] = merkle.verify_page(header.state_root, program, number, page, proof)
        codes.add(proof[merkle.DEPTH + 1][20:])
    if len(codes) != 1 or len(pages) != len(answer["pages"]):
        raise Invalid("An answer shows at least one page, each once, all of one program.", "malformed")
    proven = ProvenState(header, program, codes.pop(), pages)
    value = _member(answer, "value")
    if value is not None:
        address, data = _number(value, "address"), _bytes(value, "data")
        if (proven.read(address, len(data)) if address and data else b"") != data or bool(address) != bool(data):
            raise Invalid("The value is not what the pages hold at its address.", "bad_proof")
    return proven


def verify_receipt(proof: Answer, chain: int, stakes: Stakes) -> ProvenReceipt:
    """
    Check the member `proof` of an answer of `tenor_getReceipt`.

    Raises:
        Invalid: as `verify_state`.
    """
    header = _certified(proof, chain, stakes)
    encoded, position = _bytes(proof, "receipt"), _number(proof, "position")
    merkle.verify_item(
        header.receipts_root, encoded, position, tuple(_hex(s, "A sibling") for s in _list(proof, "siblings"))
    )
    receipt = Receipt.decode(encoded, "certified")
    if (receipt.height, receipt.position) != (header.height, position):
        raise Invalid("The receipt is of another place than it is proven at.", "bad_proof")
    return ProvenReceipt(header, receipt, _commitment(proof, header))


def stated_header(answer: Answer) -> Header:
    """The header that an answer names, unproven: to find out which validators have to have signed. Raises Invalid."""
    return Header.of(codec.decode(_bytes(answer, "header"), HEADER_BYTES_MAX, 1))


def _certified(answer: Answer, chain: int, stakes: Stakes) -> Header:
    header = stated_header(answer)
    certificate = Certificate.of(codec.decode(_bytes(answer, "certificate"), CERTIFICATE_BYTES_MAX, 2))
    Commitment(header.height, header, certificate)  # a block alone: that they belong together is checked there
    check_certificate(certificate, chain, stakes)
    if _number(answer, "height") != header.height:
        raise Invalid(f"The header is of height {header.height}, not of the one that the answer names.", "bad_proof")
    return header


def _commitment(proof: Answer, header: Header) -> bytes | None:
    """The id of the commitment whose last block follows this one, header by header."""
    stated = _member(proof, "commitment")
    if stated is None:
        return None
    last = header
    for text in _list(stated, "headers"):
        following = Header.of(codec.decode(_hex(text, "A header"), HEADER_BYTES_MAX, 1))
        if following.parent != last.hash() or following.height != last.height + 1:
            raise Invalid(f"Header {following.height} does not follow header {last.height}.", "bad_proof")
        last = following
    first = _number(stated, "first_height")
    found = (last.height, last.hash(), Commitment.identity(first, last.hash()))
    named = (_number(stated, "last_height"), _bytes(stated, "block_hash"), _bytes(stated, "id"))
    if not 1 <= first <= header.height or found != named:
        raise Invalid("The commitment named is not of the block that the headers lead to.", "bad_proof")
    return found[2]


def _member(answer: object, name: str) -> Any:
    if not isinstance(answer, Mapping) or name not in answer:
        raise Invalid(f"The answer lacks {name}; it must be whole, as the node gave it.", "malformed")
    return answer[name]


def _number(answer: object, name: str) -> int:
    value = _member(answer, name)
    codec.check_uint(value, 63, name)
    return int(value)


def _list(answer: object, name: str) -> list[Any]:
    value = _member(answer, name)
    if not isinstance(value, list) or len(value) > PAGES_MAX:
        raise Invalid(f"{name} is a list of at most {PAGES_MAX}.", "malformed")
    return value


def _bytes(answer: object, name: str) -> bytes:
    return _hex(_member(answer, name), name)


def _hex(text: object, what: str) -> bytes:
    try:
        if isinstance(text, str) and text[:2] == "0x":
            return bytes.fromhex(text[2:])
    except ValueError:
        pass
    raise Invalid(f"{what} is 0x and two hexadecimal digits a byte.", "malformed")
