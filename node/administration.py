"""
Acts on programs as a client signs them: entries of the kernel at its own address, for the program's admin.
"""

from __future__ import annotations

import struct

from execution.vm.kernel.words import CANCEL_UPGRADE, SET_ADMIN, SET_TIME_LOCK
from execution.vm.state import KERNEL_ADDRESS
from genesis.chain import Call

NOBODY = bytes(20)


def set_admin(program: bytes, admin: bytes) -> Call:
    """admin: NOBODY gives the program up for ever."""
    return _call(SET_ADMIN, program, _account(admin))


def set_time_lock(program: bytes, ms: int) -> Call:
    """A longer one holds at once, a shorter one when the present one has passed."""
    return _call(SET_TIME_LOCK, program, struct.pack("<q", ms))


def cancel_upgrade(program: bytes) -> Call:
    return _call(CANCEL_UPGRADE, program)


def _call(selector: int, program: bytes, *arguments: bytes) -> Call:
    return Call(KERNEL_ADDRESS, selector.to_bytes(4, "little"), _account(program) + b"".join(arguments))


def _account(address: bytes) -> bytes:
    return address + bytes(4)
