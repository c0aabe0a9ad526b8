"""
The one source of chance: a seeded generator with the distributions fuzzing wants.

Numbers are mostly small, so that programs succeed and meet again what they stored; now and then they lie at an edge.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

ONE = 10**18
WORD_EDGES = (2**63 - 1, -(2**63), 2**63 - 2, -(2**63) + 1, 2**32, -(2**31), 2**53, 10**18, 3037000500, -3037000499)
RAW_EDGES = (2**127 - 1, -(2**127), 2**126, -(2**126) + 1, 2**64, -(2**64), 2**63, 1, -1, ONE // 2, -ONE // 2)


class Dice(random.Random):
    """Equal seeds give equal cases on every machine."""

    def odd(self, chance: float) -> bool:
        return self.random() < chance

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self.random() * len(options))]

    def weighed(self, options: Sequence[tuple[float, T]]) -> T:
        """One of the options, by their weights."""
        left = self.random() * sum(weight for weight, _ in options)
        for weight, option in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][1]

    def word(self, wild: float = 0.04) -> int:
        """A signed 64-bit integer; with the chance `wild` at an edge."""
        if self.odd(wild):
            return self.pick(WORD_EDGES)
        if self.odd(0.8):
            return int(self.random() * 19) - 6
        return self.pick((1, -1)) * int(self.random() * 10 ** self.pick((2, 3, 5, 9, 12)))

    def raw(self, wild: float = 0.04) -> int:
        """A Decimal's count of 10⁻¹⁸."""
        if self.odd(wild):
            return self.pick(RAW_EDGES)
        match int(self.random() * 6):
            case 0 | 1:
                return self.word(0) * ONE
            case 2 | 3:
                return int(self.random() * 4000 - 1000) * (ONE // 100)
            case 4:
                return (2 * int(self.random() * 40) - 39) * (ONE // 2)
            case _:
                return int((self.random() - 0.3) * 10 ** self.pick((3, 12, 18, 20, 24)))
