"""
How a disagreement is told, and what else may end a case.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from execution.lang import Rejected

T = TypeVar("T")


class Difference(Exception):
    """Two legs disagree, or one of them broke. where: in which comparison, the same for the same fault."""

    def __init__(self, where: str, told: str) -> None:
        super().__init__(f"{where}\n{told}")
        self.where = where


class Refused(Exception):
    """The compiler refuses a source of the generator."""


def equal(where: str, one: object, other: object) -> None:
    if one != other:
        raise Difference(where, f"  {one!r:.600}\n  {other!r:.600}")


def attempt(where: str, work: Callable[[], T]) -> T:
    """What a leg does. It is under test and may break in any way: whatever it raises is a difference too."""
    try:
        return work()
    except (Difference, Refused, Rejected):
        raise
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        raise Difference(f"{where}: {type(error).__name__}", f"  {error} ({place})") from error


def equal_rows(where: str, ones: Sequence[Any], others: Sequence[Any]) -> None:
    """Row by row, so that the first one that differs is told."""
    for number, (one, other) in enumerate(zip(ones, others, strict=False)):
        if one != other:
            raise Difference(where, f"  number {number}:\n  {one!r:.600}\n  {other!r:.600}")
    equal(f"number of {where}", len(ones), len(others))


def equal_bytes(where: str, one: bytes, other: bytes) -> None:
    if one == other:
        return
    equal(where, len(one), len(other))
    at = next(at for at in range(0, len(one), 8) if one[at : at + 8] != other[at : at + 8])
    told = f"  at {at} (page {at >> 10}): {one[at : at + 8].hex()} and {other[at : at + 8].hex()}"
    raise Difference(where, told)
