"""
The plan of a chain's beginning: which programs, in which order, pinned to which roles, and the calls that set them
up.

A plan is a function of the spec; `Chain` carries it out inside block 0. Tests bring plans of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from execution.vm.host import Code
from genesis.spec import ChainSpec

Role = Literal["bank", "oracle", "clearing", ""]


@dataclass(frozen=True, slots=True)
class GenesisProgram:
    """create: packed arguments of `create`; None for a program without one. admin: 20 bytes, zero for none."""

    code: Code
    address: bytes
    create: bytes | None
    create_selector: bytes
    role: Role = ""
    admin: bytes = bytes(20)


@dataclass(frozen=True, slots=True)
class GenesisCall:
    """A call made before block 1; program: position in the plan, from 0. It must succeed."""

    sender: bytes
    program: int
    selector: bytes
    arguments: bytes


@dataclass(frozen=True, slots=True)
class Plan:
    """kernel: WASM to begin with; None takes the one that this Tenor builds."""

    programs: tuple[GenesisProgram, ...]
    calls: tuple[GenesisCall, ...] = ()
    kernel: bytes | None = None


MakePlan = Callable[[ChainSpec], Plan]
