"""
exp, ln, log2, pow, norm_pdf, norm_cdf, norm_inv, erf on raw decimals, counts of 10⁻¹⁸.

A result is the exact one rounded to the nearest, but for values within 10⁻³ (the normal tail: 0.03) of a unit of the
middle between two, which may go either way; beyond 10⁹ the error before rounding is below 2⁻¹⁰⁰ of the result. Where
the function is monotone so is the result: arguments are cut to a grid on which the function moves by more than twice
the error, wherever decimals themselves lie closer. Method: reduction by tables, then a polynomial: P. T. P. Tang,
"Table-driven implementation of the exponential function", "… of the logarithm function" (ACM TOMS 15, 1989; 16, 1990).

Every `>>` rounds down. `_times` is the upper half of a 128 × 128 bit product without the lowest partial product.
"""

from __future__ import annotations

from execution.mathematics.tables import (
    BLOB,
    DENSITY,
    EDGE_AT,
    EDGE_END,
    EIGHTHS,
    EIGHTHS_ROOT_2,
    EXP_AT,
    EXP_END,
    EXP_TERMS,
    HALF_SQUARE,
    INVERSE_ONE,
    LN_SCALE,
    LOG2_ONE,
    LOG2_SCALE,
    LOG_AT,
    LOG_END,
    LOG_TERMS,
    NEAR_TERMS,
    ROW_WORDS,
    ROWS,
    TAIL_AT,
    UNITS,
)

ONE: int = 10**18
RAW_MAX = (1 << 127) - 1
DIVISION_BY_ZERO, INVALID_NUMBER, OVERFLOW = "division by zero", "invalid number", "overflow"

NEAR = ONE // 128
"""Within this of 1 a logarithm is computed from x − 1, which keeps its relative precision."""
GRID = 20
"""Bits cut off the fraction of an exponent: on what is left, 2⁻¹⁰⁸ of 1/64 octave, the exponential always moves."""
LOG_GRID = 16
"""Bits cut off a normalised argument of a logarithm."""
EXP_NARROW, EXP_COARSER = 7, 6
LOG_NARROW, LOG_COARSER = 8, 14
"""From this term on one word is enough, in units that many bits coarser."""
ITERATIONS = 5
"""Of Newton's method in `norm_inv`: from 0.5 of a row the distance is 0.12, 0.008, 3·10⁻⁵, 5·10⁻¹⁰, 2·10⁻¹⁹."""

_WORD = (1 << 64) - 1
_WIDE = (1 << 128) - 1


class Refused(ArithmeticError):
    """The function has no value there, or none that fits; `text` is the built-in reason."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text


def _numbers(start: int, end: int, size: int, signed: bool) -> tuple[int, ...]:
    return tuple(int.from_bytes(BLOB[at : at + size], "little", signed=signed) for at in range(start, end, size))


_POWERS = _numbers(EXP_AT, EXP_END, 16, False)
_RECIPROCALS = _numbers(LOG_AT, LOG_END, 8, False)[::3]
_LOGARITHMS = tuple(int.from_bytes(BLOB[at + 8 : at + 24], "little") for at in range(LOG_AT, LOG_END, 24))
_EDGES = _numbers(EDGE_AT, EDGE_END, 8, False)


def _row(number: int) -> tuple[tuple[int, ...], int]:
    """Terms of one interval of the normal tail, constant first, and the shift they are scaled by."""
    start = TAIL_AT + 8 * ROW_WORDS * number
    wide = _numbers(start, start + 48, 16, True)
    narrow = _numbers(start + 48, start + 8 * ROW_WORDS, 8, True)
    return wide + narrow[:-1], narrow[-1]


_ROWS = tuple(map(_row, range(ROWS)))


def _times(a: int, b: int) -> int:
    """a·b/2¹²⁸, up to three too small."""
    a0, a1, b0, b1 = a & _WORD, a >> 64, b & _WORD, b >> 64
    return a1 * b1 + (a1 * b0 >> 64) + (a0 * b1 >> 64)


def _rounded(value: int, bits: int) -> int:
    """value/2^bits to the nearest, the middle up; bits > 0."""
    return (value >> bits - 1) + 1 >> 1


def _power_of_two(units: int) -> tuple[int, int]:
    """
    2^(u/64) as m, q with the value m·2^(q − 126), 2¹²⁶ ≤ m < 2¹²⁷; relative error below 2⁻¹¹⁴.

    Args:
        units: u in 2⁻¹²⁸, |u| < 2¹⁴.
    """
    whole, part = units >> 128, units & _WIDE & -1 << GRID
    power = EXP_TERMS[-1] >> EXP_COARSER
    for term in EXP_TERMS[-2 : EXP_NARROW - 1 : -1]:
        power = (term >> EXP_COARSER) + ((part >> 64) * power >> 64)
    power <<= EXP_COARSER
    for term in EXP_TERMS[EXP_NARROW - 1 :: -1]:
        power = term + _times(part, power)
    return _times(_POWERS[whole & 63], power), whole >> 6


def _raw_power(mantissa: int, exponent: int, bits: int) -> int:
    """mantissa·2^(exponent − bits) in 10⁻¹⁸; overflow far beyond a decimal, which the caller checks."""
    if exponent <= -62:
        return 0
    if exponent > 67:
        raise Refused(OVERFLOW)
    return _rounded(mantissa * ONE, bits - exponent)


def exp(x: int) -> int:
    """e^x; overflow above 46.5831."""
    if abs(x) >> 66:
        if x < 0:
            return 0
        raise Refused(OVERFLOW)
    units = abs(x) * UNITS >> 53
    value = _raw_power(*_power_of_two(-units if x < 0 else units), 126)
    if value > RAW_MAX:
        raise Refused(OVERFLOW)
    return value


def _logarithm(x: int) -> tuple[int, int]:
    """
    log2 of x > 0 as a, s with the value a·2⁻ˢ; relative error below 2⁻¹¹⁰.

    2⁻ˢ is 2⁻¹²⁰ in general and finer near 1.
    """
    distance = abs(x - ONE)
    if distance == 0:
        return 0, 120
    if distance < NEAR:
        return _near(distance, x < ONE)
    exponent = x.bit_length() - 1
    mantissa = (x << 127 - exponent) >> LOG_GRID
    step = mantissa >> 104 & 127
    excess = (mantissa * _RECIPROCALS[step] & (1 << 121) - 1) << 7
    scaled = excess << 6 & _WIDE
    ratio = LOG_TERMS[-1] >> LOG_COARSER
    for term in LOG_TERMS[-2 : LOG_NARROW - 1 : -1]:
        ratio = (abs(term) >> LOG_COARSER) - ((scaled >> 64) * ratio >> 64)
    ratio <<= LOG_COARSER
    for term in LOG_TERMS[LOG_NARROW - 1 :: -1]:
        ratio = abs(term) - _times(scaled, ratio)
    part = _times(excess, ratio) >> 7
    return (exponent << 120) + _LOGARITHMS[step] + part - LOG2_ONE, 120


def _near(distance: int, below: bool) -> tuple[int, int]:
    """log2(1 ± distance/10¹⁸) as above."""
    shift = 64 - distance.bit_length()
    normal = (distance << shift) * INVERSE_ONE >> 64
    scaled = normal >> shift - 11
    sign = 1 if below else -1
    ratio = abs(NEAR_TERMS[-1]) >> LOG_COARSER
    for term in NEAR_TERMS[-2 : LOG_NARROW - 1 : -1]:
        ratio = (abs(term) >> LOG_COARSER) + sign * ((scaled >> 64) * ratio >> 64)
    ratio <<= LOG_COARSER
    for term in NEAR_TERMS[LOG_NARROW - 1 :: -1]:
        ratio = abs(term) + sign * _times(scaled, ratio)
    value = _times(normal, ratio)
    return (-value if below else value), shift + 122


def _raw_logarithm(x: int, scale: int) -> int:
    """log2 of x times scale/2⁶⁸, a raw decimal."""
    if x <= 0:
        raise Refused(INVALID_NUMBER)
    value, bits = _logarithm(x)
    size = _rounded(_times(abs(value), scale), bits - 60)
    return -size if value < 0 else size


def ln(x: int) -> int:
    """The natural logarithm; invalid number unless x > 0."""
    return _raw_logarithm(x, LN_SCALE)


def log2(x: int) -> int:
    """The logarithm to base 2; invalid number unless x > 0."""
    return _raw_logarithm(x, LOG2_SCALE)


def power(x: int, y: int) -> int:
    """
    x^y; relative error below 2⁻¹⁰⁴ before it is rounded to the last place: exact results below 10¹² come out exact.

    0^0 is 1; 0 to a negative power is a division by zero; a negative x takes whole numbers y only, else invalid
    number; overflow.
    """
    if y == 0:
        return ONE
    if x == 0:
        if y < 0:
            raise Refused(DIVISION_BY_ZERO)
        return 0
    odd = False
    if x < 0:
        whole, rest = divmod(abs(y), ONE)
        if rest:
            raise Refused(INVALID_NUMBER)
        odd = whole & 1 == 1
    size = _positive_power(abs(x), y)
    if size > RAW_MAX + odd:
        raise Refused(OVERFLOW)
    return -size if odd else size


def _positive_power(x: int, y: int) -> int:
    logarithm, bits = _logarithm(x)
    if logarithm == 0:
        return ONE
    shift = 128 - abs(y).bit_length()
    normal = _times(abs(y) << shift, INVERSE_ONE)
    product = _times(normal, abs(logarithm))
    fraction = shift + bits - 75
    negative = (y < 0) != (logarithm < 0)
    if fraction < 65 or product >> fraction >= 1 << 13:
        if negative:
            return 0
        raise Refused(OVERFLOW)
    units = product << 128 - fraction if fraction < 128 else product >> fraction - 128
    return _raw_power(*_power_of_two(-units if negative else units), 126)


def norm_pdf(x: int) -> int:
    """The density of the standard normal distribution, e^(−x²/2)/√(2π)."""
    if abs(x) >> 63:
        return 0
    mantissa, exponent = _power_of_two(-(x * x * HALF_SQUARE >> 113))
    return _raw_power(_times(mantissa, DENSITY), exponent, 127)


def _wide_terms(row: int, place: int) -> tuple[int, int]:
    """
    The tail on a row, and the shift it is scaled by; relative error below 2⁻⁶³.

    Args:
        place: g = 8y − row − 1/2 in 2⁻⁶⁴, −1/2 ≤ g < 1/2.
    """
    terms, shift = _ROWS[row]
    value = terms[-1]
    for term in terms[-2:2:-1]:
        value = term + (value * place >> 64)
    value = terms[2] + (value * place >> 2)
    value = terms[1] + (value * place >> 64)
    return terms[0] + (value * place >> 64), shift


def _tail(x: int, eighths: int, doubled: int) -> int:
    """The upper normal tail at x > 0 times a scale, in 10⁻¹⁸; at most 1/2 (doubled: 1)."""
    scaled = (x * eighths >> 64) << doubled
    row, place = scaled >> 120, (scaled >> 56 & _WORD) - (1 << 63)
    if row >= ROWS:
        return 0
    value, shift = _wide_terms(row, place)
    return _rounded(value, shift - doubled)


def norm_cdf(x: int) -> int:
    """The standard normal distribution; norm_cdf(x) + norm_cdf(−x) is exactly 1."""
    tail = 0 if abs(x) >> 63 else _tail(abs(x), EIGHTHS, 0)
    return ONE - tail if x > 0 else tail


def erf(x: int) -> int:
    """2/√π ∫₀ˣ e^(−t²) dt, odd."""
    size = ONE - (0 if abs(x) >> 63 else _tail(abs(x), EIGHTHS_ROOT_2, 1))
    return -size if x < 0 else size


def norm_inv(p: int) -> int:
    """The x with norm_cdf(x) = p, odd around 1/2; invalid number unless 0 < p < 1."""
    if not 0 < p < ONE:
        raise Refused(INVALID_NUMBER)
    if 2 * p == ONE:
        return 0
    tail = min(p, ONE - p)
    row = 0
    for step in (64, 32, 16, 8, 4, 2, 1):
        if row + step < ROWS and _EDGES[row + step] >= tail:
            row += step
    place = _solved(row, tail)
    size = _rounded(((row << 64) + place + (1 << 63)) * (ONE // 8), 64)
    return size if 2 * p > ONE else -size


def _solved(row: int, tail: int) -> int:
    """The place on the row where the tail has this value, by Newton's method from the middle."""
    place = 0
    for _ in range(ITERATIONS):
        value, shift = _wide_terms(row, place)
        excess = value - (tail << shift)
        step = abs(excess) * 4 // -_slope(row, place)
        place = min(max(place - step if excess < 0 else place + step, -(1 << 63)), (1 << 63) - 1)
    return place


def _slope(row: int, place: int) -> int:
    """The derivative by the place, negative, 2⁶² coarser than the row."""
    terms, _ = _ROWS[row]
    narrow = (terms[0] >> 62, terms[1] >> 62, terms[2] >> 62, *terms[3:])
    value = slope = narrow[-1]
    value = narrow[-2] + (value * place >> 64)
    for term in narrow[-3:0:-1]:
        slope = value + (slope * place >> 64)
        value = term + (value * place >> 64)
    return value + (slope * place >> 64)
