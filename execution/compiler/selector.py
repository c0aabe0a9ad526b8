"""
Names on the wire: selectors of entries and words of reasons.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from execution.compiler.types import Type, abi_name


def signature_text(name: str, parameters: Sequence[Type]) -> str:
    """ "transfer(asset,account,decimal)"."""
    return f"{name}({','.join(abi_name(of) for of in parameters)})"


def selector(name: str, parameters: Sequence[Type]) -> int:
    """First four bytes of SHA-256 of the signature text, as a little-endian u32."""
    return int.from_bytes(hashlib.sha256(signature_text(name, parameters).encode()).digest()[:4], "little")


def reason_word(text: str) -> int:
    """First eight bytes of SHA-256 of the text, little-endian, signed: the same word in every program."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)
