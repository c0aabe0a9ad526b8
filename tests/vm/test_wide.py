"""
Reciprocals and wide quotients are exact at the edges, where an approximation is corrected by one.

Random operands take such a correction once in 2⁶⁴; limbs of zeros and ones, and quotients just below or above a whole
number, take it often.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any

import pytest

from execution.vm.core_mirror import Mirror
from execution.vm.runtime.wide import divide, multiply, reciprocal, reciprocal_3_by_2

WORD = 1 << 64
TOP = 1 << 63
EDGES = (0, 1, 2, TOP - 1, TOP, TOP + 1, WORD - 2, WORD - 1)
UPPER = tuple(edge for edge in EDGES if edge >= TOP)
LIMBS = (0, 1, TOP, WORD - 1)


def mirrored(function: Any) -> Any:
    return Mirror({}).function(function)


def signed(word: int) -> int:
    return word - WORD if word >= TOP else word


def limbs(value: int, count: int) -> tuple[int, ...]:
    return tuple(signed(value >> 64 * place & WORD - 1) for place in range(count))


def number(words: tuple[int, ...]) -> int:
    return sum((word % WORD) << 64 * place for place, word in enumerate(words))


def normalised() -> Iterator[int]:
    """For each of the 256 first guesses the divisors at both ends of it and some within."""
    dice = random.Random(1)
    for start in range(TOP, WORD, 1 << 55):
        end = start + (1 << 55) - 1
        yield from (start, start + 1, end - 1, end, *(dice.randrange(start, end) for _ in range(12)))


def test_the_reciprocal_of_a_word_is_exact() -> None:
    found = mirrored(reciprocal)
    for divisor in normalised():
        assert found(signed(divisor)) % WORD == (WORD * WORD - 1) // divisor - WORD, hex(divisor)


def test_the_reciprocal_of_two_words_is_exact() -> None:
    found, dice = mirrored(reciprocal_3_by_2), random.Random(2)
    pairs = [*itertools.product(EDGES, UPPER), *((dice.randrange(WORD), d) for d in normalised())]
    for low, high in pairs:
        divisor = high * WORD + low
        assert found(signed(low), signed(high)) % WORD == (WORD**3 - 1) // divisor - WORD, hex(divisor)


@pytest.mark.parametrize("high", [*LIMBS, 3, WORD - 2, TOP - 1])
def test_a_quotient_is_exact_just_below_and_above_a_whole_number(high: int) -> None:
    """Of every divisor with this upper limb: numerators of quotient · divisor + rest."""
    found = mirrored(divide)
    for low in EDGES:
        divisor = high * WORD + low
        quotients = (b * WORD + a for a, b in itertools.product(EDGES, EDGES)) if divisor else ()
        for quotient in quotients:
            for rest in {0, divisor - 1, divisor // 2}:
                numerator = quotient * divisor + rest
                told = found(*limbs(numerator, 4), *limbs(divisor, 2))
                assert (number(told[:2]), number(told[2:])) == (quotient, rest), (hex(numerator), hex(divisor))


def test_a_product_is_exact_to_the_last_carry() -> None:
    found = mirrored(multiply)
    for words in itertools.product(EDGES, repeat=4):
        a, b = number(words[:2]), number(words[2:])
        assert number(found(*limbs(a, 2), *limbs(b, 2))) == a * b
