"""
How far results of the language's functions are from mpmath's, at 60 and more bits beyond the 18th place.

The only file that imports mpmath, which comes with the extra `test`. Runs in processes of its own: everything here is a
function of plain integers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpmath import libmp

ONE = 10**18
BITS = 300
LARGE = 10**9 * ONE
"""Raw size from which on the error is told in relation to the result."""

ROUNDING = {"sqrt": 1.0}
"""Most that rounding to the last place takes, in units of it; half of one for what is not named."""

Number = object
"""mpmath's floating point: sign, mantissa, exponent, bits."""
_NEAREST = libmp.round_nearest
_ONE = libmp.from_int(ONE)
_ROOT_2 = libmp.mpf_sqrt(libmp.from_int(2), BITS)
_ROOT_2_PI = libmp.mpf_sqrt(libmp.mpf_mul(libmp.from_int(2), libmp.mpf_pi(BITS)), BITS)
_LN_2 = libmp.mpf_ln2(BITS)


@dataclass(frozen=True, slots=True)
class Found:
    """
    Worst errors of some points. ulp: units of the 18th place, results up to 10⁹; relative: of larger ones, before the
    rounding to the last place, 0 when there are none. large: how many those were.
    """

    points: int
    ulp: float
    relative: float
    large: int

    def joined(self, other: Found) -> Found:
        return Found(
            self.points + other.points,
            max(self.ulp, other.ulp),
            max(self.relative, other.relative),
            self.large + other.large,
        )


def _value(raw: int) -> Number:
    return libmp.mpf_div(libmp.from_int(raw), _ONE, BITS, _NEAREST)


def _density(x: Number) -> Number:
    square = libmp.mpf_shift(libmp.mpf_mul(x, x), -1)
    return libmp.mpf_div(libmp.mpf_exp(libmp.mpf_neg(square), BITS, _NEAREST), _ROOT_2_PI, BITS, _NEAREST)


def _distribution(x: Number) -> Number:
    scaled = libmp.mpf_neg(libmp.mpf_div(x, _ROOT_2, BITS, _NEAREST))
    return libmp.mpf_shift(libmp.mpf_erfc(scaled, 160, _NEAREST), -1)


def _power(x: Number, y: Number) -> Number:
    return libmp.mpf_exp(libmp.mpf_mul(y, libmp.mpf_log(x, BITS, _NEAREST), BITS, _NEAREST), BITS, _NEAREST)


_EXACT: dict[str, Callable[..., Number]] = {
    "exp": lambda x: libmp.mpf_exp(x, BITS, _NEAREST),
    "ln": lambda x: libmp.mpf_log(x, BITS, _NEAREST),
    "log2": lambda x: libmp.mpf_div(libmp.mpf_log(x, BITS, _NEAREST), _LN_2, BITS, _NEAREST),
    "sqrt": lambda x: libmp.mpf_sqrt(x, BITS, _NEAREST),
    "pow": _power,
    "norm_pdf": _density,
    "norm_cdf": _distribution,
    "erf": lambda x: libmp.mpf_erf(x, 160, _NEAREST),
}


def _distance(name: str, arguments: tuple[int, ...], result: int) -> float:
    """
    |result − exact| in units of the 18th place.

    A quantile x of p is off by (Φ(x) − p)/φ(x), but for the square of that.
    """
    values = [_value(raw) for raw in arguments]
    if name == "norm_inv":
        x = _value(result)
        excess = libmp.mpf_sub(_distribution(x), values[0], BITS, _NEAREST)
        off = libmp.mpf_div(excess, _density(x), BITS, _NEAREST)
        return abs(float(libmp.to_float(libmp.mpf_mul(off, _ONE))))
    exact = libmp.mpf_mul(_EXACT[name](*values), _ONE, BITS, _NEAREST)
    return abs(float(libmp.to_float(libmp.mpf_sub(exact, libmp.from_int(result), BITS, _NEAREST))))


def compare(name: str, arguments: Sequence[tuple[int, ...]], results: Sequence[int]) -> Found:
    """The worst errors of a function at these points."""
    worst, relative, large = 0.0, 0.0, 0
    for row, result in zip(arguments, results, strict=True):
        distance = _distance(name, row, result)
        if abs(result) <= LARGE:
            worst = max(worst, distance)
        else:
            large += 1
            relative = max(relative, max(distance - ROUNDING.get(name, 0.5), 0.0) / abs(result))
    return Found(len(results), worst, relative, large)
