"""
Canonical msgpack: exactly one encoding per value, anything else fails.

Values are None, bool, int in [−2⁶³, 2⁶⁴), str, bytes and arrays of these; no maps, floats or extensions. Amounts
wider than 64 bits travel as 16 big-endian bytes. Canonical means: shortest form of every head, checked by encoding
again and comparing. Decoding bounds size, depth and length first, so that hostile input costs no more than its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgpack

from genesis.errors import Invalid

Value = None | bool | int | str | bytes | tuple[Any, ...]

DEPTH_MAX = 8
"""Arrays inside arrays; a block needs 5."""
AMOUNT_BYTES = 16
AMOUNT_MAX = 2**127 - 1
"""Largest amount: the language's Decimal has 128 signed bits."""

_LEAVES = frozenset((int, bytes, str, bool, type(None)))


def encode(value: Value) -> bytes:
    """Return the canonical bytes. Lists are taken as tuples."""
    packed: bytes = msgpack.packb(value, use_bin_type=True)
    return packed


def encode_array_of(encoded: Sequence[bytes]) -> bytes:
    """The canonical bytes of an array whose members are encoded already."""
    head: bytes = msgpack.Packer().pack_array_header(len(encoded))
    return head + b"".join(encoded)


def decode(data: bytes, size_max: int, depth_max: int = DEPTH_MAX) -> Value:
    """
    Return the value, arrays as tuples.

    Args:
        data: at most size_max bytes.
        depth_max: levels of arrays; 1 is an array of leaves.

    Raises:
        Invalid: "too_large", "too_deep", "non_canonical" or "malformed".
    """
    if len(data) > size_max:
        raise Invalid(f"{len(data)} bytes are more than the {size_max} allowed here; send less.", "too_large")
    try:
        value: Value = msgpack.unpackb(data, use_list=False, raw=False, max_map_len=0, max_ext_len=0)
    except (ValueError, RecursionError) as error:
        code = "too_deep" if isinstance(error, msgpack.StackError | RecursionError) else "malformed"
        raise Invalid(f"Not msgpack of arrays, text, bytes and integers: {error}.", code) from error
    _check(value, depth_max)
    if encode(value) != data:
        raise Invalid(
            "The encoding is not the shortest one; encode every length and integer minimally.", "non_canonical"
        )
    return value


def decode_trusted(data: bytes) -> Any:
    """Return the value of bytes that this node encoded or checked before: no bounds, no canonical check."""
    return msgpack.unpackb(data, use_list=False, raw=False)


def decode_array(data: bytes, length: int, size_max: int, what: str, depth_max: int = DEPTH_MAX) -> tuple[Any, ...]:
    """Decode and require an array of `length` members; `what` names it in the message. Raises Invalid."""
    return expect_array(decode(data, size_max, depth_max), length, what)


def expect_array(value: object, length: int | None, what: str) -> tuple[Any, ...]:
    """Return value if it is an array (of `length` members unless None). Raises Invalid "malformed"."""
    if type(value) is not tuple or (length is not None and len(value) != length):
        wanted = "an array" if length is None else f"an array of {length}"
        raise Invalid(f"{what} is {wanted}.", "malformed")
    return value


def encode_amount(amount: int) -> bytes:
    """Return an amount in [0, AMOUNT_MAX] as 16 big-endian bytes."""
    check_amount(amount, "An amount")
    return amount.to_bytes(AMOUNT_BYTES, "big")


def decode_amount(data: object, what: str) -> int:
    """Inverse of encode_amount. Raises Invalid "malformed"."""
    check_bytes(data, AMOUNT_BYTES, what)
    assert isinstance(data, bytes)
    amount = int.from_bytes(data, "big")
    check_amount(amount, what)
    return amount


def check_amount(amount: object, what: str) -> None:
    """Raise Invalid unless amount is an int in [0, AMOUNT_MAX]."""
    if type(amount) is not int or not 0 <= amount <= AMOUNT_MAX:
        raise Invalid(f"{what} is a whole number from 0 to 2¹²⁷ − 1 in units of 10⁻¹⁸.", "malformed")


def check_uint(value: object, bits: int, what: str) -> None:
    """Raise Invalid unless value is an int (not bool) in [0, 2^bits)."""
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise Invalid(f"{what} is a whole number of {bits} bits, not negative.", "malformed")


def check_bytes(value: object, length: int, what: str) -> None:
    """Raise Invalid unless value is bytes of exactly this length."""
    if type(value) is not bytes or len(value) != length:
        raise Invalid(f"{what} has {length} bytes.", "malformed")


def check_text(value: object, bytes_max: int, what: str) -> None:
    """Raise Invalid unless value is printable or line-breaking ASCII of at most bytes_max characters."""
    if type(value) is not str or not value.isascii() or len(value) > bytes_max:
        raise Invalid(f"{what} is ASCII text of at most {bytes_max} characters.", "malformed")


def _check(value: Value, depth_left: int) -> None:
    if type(value) is tuple:
        if depth_left == 0:
            raise Invalid("Arrays are nested too deep.", "too_deep")
        for member in value:
            if type(member) not in _LEAVES:
                _check(member, depth_left - 1)
    elif type(value) not in _LEAVES:
        raise Invalid(f"A {type(value).__name__} has no place here; use arrays, text, bytes and integers.", "malformed")
