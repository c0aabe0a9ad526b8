"""How events and results read outside."""

from __future__ import annotations

import struct

import pytest

from execution.compiler import types as t
from execution.executor import Record
from node.catalogue import Catalogue, readable


def test_the_kernels_own_event_tells_of_a_failed_hook() -> None:
    view = Catalogue().event_view(Record(0, 0, struct.pack("<4q", 3, 0x04030201, -2, 1)), 7)
    assert view["event"] == "HookFailed" and view["height"] == 7 and view["program"] == bytes(19) + b"\x01"
    assert (view["number"], view["selector"], view["tries"]) == (3, b"\x01\x02\x03\x04", 1)
    assert view["reason"] == "0xfffffffffffffffe"


def test_a_hook_that_its_program_cannot_pay_waits_or_is_dropped_and_told_of() -> None:
    view = Catalogue().event_view(Record(0, 3, struct.pack("<4q", 3, 0x04030201, -2, 0)), 7)
    assert (view["event"], view["number"], view["tries"]) == ("HookParked", 3, 0)
    view = Catalogue().event_view(Record(0, 1, struct.pack("<4q", 3, 0x04030201, -2, 0)), 7)
    assert (view["event"], view["number"], view["tries"]) == ("HookDropped", 3, 0)


@pytest.mark.parametrize(
    ("bytes_", "amount", "shown"), [(40, 4 * 10**12, "0.000004"), (-40, -4 * 10**30, str(-4 * 10**12))]
)
def test_a_deposit_for_storage_is_told_of(bytes_: int, amount: int, shown: str) -> None:
    words = struct.pack("<20s4xq", b"a" * 20, bytes_) + amount.to_bytes(16, "little", signed=True)
    view = Catalogue().event_view(Record(0, 2, words), 7)
    assert (view["event"], view["account"], view["bytes"], view["amount"]) == (
        "StorageDeposit",
        b"a" * 20,
        bytes_,
        shown,
    )


@pytest.mark.parametrize(
    ("of", "plain", "shown"),
    [
        (t.DECIMAL, -1_500_000_000_000_000_000, "-1.5"),
        (t.BOOL, 1, True),
        (t.INT, (1 << 53) - 1, (1 << 53) - 1),
        (t.INT, -(1 << 53), str(-(1 << 53))),
        (t.ACCOUNT, b"a" * 20, b"a" * 20),
    ],
)
def test_plain_values_are_shown_so_that_json_loses_nothing(of: t.Type, plain: object, shown: object) -> None:
    assert readable(of, plain) == shown
