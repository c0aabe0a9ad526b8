"""
Floor division of words by a divisor that is not a positive literal, in core Python: the checks are too long to stand inline.
"""

from __future__ import annotations

from execution.compiler.write_names import reason_word
from execution.vm.core import Tag, core, div_s, i64, rem_s

WORD_MIN = -(1 << 63)
DIVISION_BY_ZERO = reason_word("division by zero")
OVERFLOW = reason_word("overflow")


class reject(Tag):  # noqa: N801 — the tag's own name
    parameters = ("i64",)


@core()
def floordiv_words(a: i64, b: i64) -> i64:
    """Floor of a / b."""
    if b == 0:
        raise reject(DIVISION_BY_ZERO)
    if b == -1:
        if a == WORD_MIN:
            raise reject(OVERFLOW)
        return 0 - a
    rest = rem_s(a, b)
    quotient = div_s(a, b)
    if rest != 0:
        if (rest ^ b) < 0:
            quotient = quotient - 1
    return quotient


@core()
def mod_words(a: i64, b: i64) -> i64:
    """a − b · floor(a / b): of the divisor's sign, or zero."""
    if b == 0:
        raise reject(DIVISION_BY_ZERO)
    if b == -1:
        return 0
    rest = rem_s(a, b)
    if rest != 0:
        if (rest ^ b) < 0:
            rest = rest + b
    return rest
