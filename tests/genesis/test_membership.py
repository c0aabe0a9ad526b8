"""What a validator's key signs about membership can be taken for nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from genesis.crypto import keccak256
from genesis.membership import Readiness, possession_digest

READY = Readiness(7, b"k" * 20, 8, b"h" * 32)


def test_the_digest_of_readiness_is_that_of_fields_of_fixed_width() -> None:
    numbers = bytes(7) + b"\x07", bytes(7) + b"\x08"
    expected = b"\x19Tenor ready v1\n" + numbers[0] + b"k" * 20 + numbers[1] + b"h" * 32
    assert READY.digest() == keccak256(expected)


@pytest.mark.parametrize("change", [{"chain": 8}, {"key": b"l" * 20}, {"height": 9}, {"block_hash": b"i" * 32}])
def test_readiness_binds_chain_key_and_commitment(change: dict[str, Any]) -> None:
    assert replace(READY, **change).digest() != READY.digest()


def test_possession_is_no_readiness() -> None:
    assert possession_digest(READY.chain, READY.key) != READY.digest()
