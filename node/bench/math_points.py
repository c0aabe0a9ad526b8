"""
Where the functions of the language are measured: raw arguments, counts of 10⁻¹⁸, from a seed.

First the edges: ends of the domain, exact points, borders of the tables behind the functions with their neighbours.
Then at random, a third each: evenly over the domain, evenly over magnitudes, and close to where a function is delicate.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from itertools import islice

ONE = 10**18
RAW_MAX = (1 << 127) - 1
EXP_MAX = 46_583_160_257_220_231_983  # e^46.58… is the largest Decimal
EXP_MIN = -43 * ONE
NORMAL_MAX = 92 * ONE // 10  # everything has reached its limit there
EXPONENT = 46

Arguments = tuple[int, ...]


def _around(values: Iterator[int], reach: int = 2) -> Iterator[int]:
    for value in values:
        yield from range(value - reach, value + reach + 1)


def _magnitude(chance: random.Random, bits: int) -> int:
    return chance.getrandbits(chance.randrange(1, bits + 1))


def _exp_edges() -> Iterator[int]:
    yield from (EXP_MIN, EXP_MAX)
    yield from _around(int(step * math.log(2) / 64 * ONE) for step in range(-3_970, 4_300))
    yield from _around(iter((0, ONE, -ONE)))


def _exp_random(chance: random.Random) -> Iterator[int]:
    while True:
        yield chance.randrange(EXP_MIN, EXP_MAX)
        yield chance.choice((-1, 1)) * _magnitude(chance, 64)
        yield chance.randrange(-ONE, ONE)


def _log_edges() -> Iterator[int]:
    yield from (1, 2, 3, RAW_MAX - 1, RAW_MAX)
    yield from _around((1 << bit for bit in range(4, 127)), 3)
    yield from _around(ONE << bit for bit in range(67))
    yield from _around((128 + j) << (bit - 7) for j in range(128) for bit in (60, 62, 77, 101, 126))
    yield from _around(iter((ONE, ONE - ONE // 128, ONE + ONE // 128)), 50)


def _log_random(chance: random.Random) -> Iterator[int]:
    while True:
        yield chance.randrange(1, 1_000 * ONE)
        yield _magnitude(chance, 127) + 1 & RAW_MAX or 1
        yield ONE + (chance.randrange(-ONE // 64, ONE // 64) >> chance.randrange(58))


def _sqrt_edges() -> Iterator[int]:
    yield 0
    yield from _log_edges()
    yield from _around((root * root * ONE for root in range(1, 3_000)), 1)
    yield from _around((root * root // ONE for root in range(10**18, 10**18 + 1_000)), 1)


def _sqrt_random(chance: random.Random) -> Iterator[int]:
    for value in _log_random(chance):
        yield value
        root = _magnitude(chance, 93)
        yield max(min(root * root // ONE + chance.randrange(-1, 2), RAW_MAX), 0)


def _normal_edges() -> Iterator[int]:
    for sign in (1, -1):
        yield from _around(sign * (step * ONE // 8) for step in range(75))
        yield from _around(sign * int(step * ONE / 8 / math.sqrt(2)) for step in range(105))


def _normal_random(chance: random.Random) -> Iterator[int]:
    while True:
        yield chance.randrange(-NORMAL_MAX, NORMAL_MAX)
        yield chance.choice((-1, 1)) * _magnitude(chance, 63)
        yield chance.randrange(-2 * ONE, 2 * ONE)


def _quantile_edges() -> Iterator[int]:
    for distance in (1, 2, 3, 5, 10, 100, ONE // 2 - 1, ONE // 2):
        yield from (distance, ONE - distance)
    for step in range(1, 71):
        tail = int(math.erfc(step / 8 / math.sqrt(2)) / 2 * ONE)
        yield from (p for p in _around(iter((tail, ONE - tail))) if 0 < p < ONE)


def _quantile_random(chance: random.Random) -> Iterator[int]:
    while True:
        yield chance.randrange(1, ONE)
        small = min(_magnitude(chance, 60) + 1, ONE - 1)
        yield small
        yield ONE - small


def _power_edges() -> Iterator[Arguments]:
    for x in (1, ONE // 2, ONE - 1, ONE, ONE + 1, 2 * ONE, 10 * ONE):
        for y in (0, 1, -1, ONE, -ONE, ONE // 2, 2 * ONE, 3 * ONE, 10 * ONE):
            if -EXPONENT * ONE < math.log(x / ONE) * y < EXPONENT * ONE:
                yield x, y


def _power_random(chance: random.Random) -> Iterator[Arguments]:
    """Exponents such that the result is a Decimal above its last place, or nearly."""
    for x in _log_random(chance):
        size = abs(math.log(x / ONE)) if abs(x - ONE) > ONE >> 20 else abs(x - ONE) / ONE
        if size:
            y = int(chance.uniform(-EXPONENT, EXPONENT) / size * ONE)
            if -RAW_MAX <= y <= RAW_MAX:
                yield x, y


Edges = Callable[[], Iterator[int]]
Randoms = Callable[[random.Random], Iterator[int]]
_UNARY: dict[str, tuple[Edges, Randoms]] = {
    "exp": (_exp_edges, _exp_random),
    "ln": (_log_edges, _log_random),
    "log2": (_log_edges, _log_random),
    "sqrt": (_sqrt_edges, _sqrt_random),
    "norm_pdf": (_normal_edges, _normal_random),
    "norm_cdf": (_normal_edges, _normal_random),
    "norm_inv": (_quantile_edges, _quantile_random),
    "erf": (_normal_edges, _normal_random),
}
FUNCTIONS = (*_UNARY, "pow")


def _all(name: str, chance: random.Random) -> Iterator[Arguments]:
    if name == "pow":
        yield from _power_edges()
        yield from _power_random(chance)
        return
    edges, randoms = _UNARY[name]
    low, high = (EXP_MIN, EXP_MAX) if name == "exp" else (-RAW_MAX, RAW_MAX)
    if name in ("ln", "log2", "sqrt"):
        low = 0 if name == "sqrt" else 1
    yield from ((x,) for x in edges() if low <= x <= high)
    yield from ((x,) for x in randoms(chance))


def points(name: str, count: int, seed: int) -> Iterator[Arguments]:
    """`count` arguments of the function, edges first."""
    return islice(_all(name, random.Random(f"{name} {seed}")), count)
