"""
Derives `execution/mathematics/tables.py`: run as `python -m tests.mathematics.derive`, needs mpmath.

Polynomials are Chebyshev interpolants, which come within a factor of two of the best of their degree; every number is
computed at 400 bits and rounded to the nearest integer of its scale, so that equal versions of this file write equal
bytes. What the numbers mean stands beside their use, in `execution/mathematics/functions.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from mpmath import chebyfit, erfc, floor, log, mp, mpf, nint, sqrt

PATH = Path(__file__).parents[2] / "execution" / "mathematics" / "tables.py"
ONE = 10**18
BITS = 400

EXP_STEPS, EXP_TERMS = 64, 13
LOG_STEPS, LOG_TERMS, NEAR_TERMS = 128, 15, 16
ROWS, ROW_TERMS = 72, 16  # of the normal tail: [j/8, (j + 1)/8), j = 0 … 71; beyond 9 twice it rounds to 0
NARROW = 62  # bits by which the narrow terms of a row are coarser than its wide ones
WIDE_TERMS = 3

HEAD = '''"""
Constants of the mathematics: written by `tests/mathematics/derive.py`, which says how; never by hand.

`functions` says what each one means. `BLOB` is the tables as the runtime reads them: words of 64 bits, little-endian.
"""

from __future__ import annotations

'''


def polynomial(f: Callable[[mpf], mpf], low: mpf, high: mpf, terms: int) -> list[mpf]:
    """Coefficients of the interpolant on [low, high], constant first."""
    found: list[mpf] = chebyfit(f, [low, high], terms)
    return found[::-1]


def fixed(value: mpf, bits: int) -> int:
    """The value in units of 2^−bits."""
    return int(nint(value * mpf(2) ** bits))


def exponential() -> tuple[list[int], list[int]]:
    """2^(j/64) and the polynomial of 2^(f/64), f in [0, 1), all scaled by 2¹²⁷."""
    steps = [fixed(mpf(2) ** (mpf(j) / EXP_STEPS), 127) for j in range(EXP_STEPS)]
    terms = polynomial(lambda f: mpf(2) ** (f / EXP_STEPS), mpf(0), mpf(1), EXP_TERMS)
    return steps, [fixed(term, 127) for term in terms]


def logarithm() -> tuple[list[int], list[int], list[int], list[int]]:
    """Reciprocals (10 bits), minus their logarithms (2¹²⁰), log2(1 + u)/u in general and for |u| ≤ 2⁻⁷ (2¹²⁷)."""
    reciprocals = [-(-1024 * LOG_STEPS // (LOG_STEPS + j)) for j in range(LOG_STEPS)]
    offsets = [fixed(-log(mpf(c) / 1024, 2), 120) for c in reciprocals]

    def ratio(w: mpf) -> mpf:
        u = w / 64
        return log(1 + u, 2) / u if u else 1 / log(2)

    largest = max(mpf(c) * (LOG_STEPS + j + 1) / (1024 * LOG_STEPS) - 1 for j, c in enumerate(reciprocals))
    general = polynomial(ratio, mpf(0), largest * 64, LOG_TERMS)
    near = polynomial(ratio, mpf(-0.5), mpf(0.5), NEAR_TERMS)
    return reciprocals, offsets, [fixed(term, 127) for term in general], [fixed(term, 127) for term in near]


def tail(y: mpf) -> mpf:
    """The upper tail of the normal distribution in units of 10⁻¹⁸."""
    return erfc(y / sqrt(mpf(2))) / 2 * ONE


def row(j: int) -> list[int]:
    """
    The tail on one interval as a polynomial of g = 8y − j − 1/2: three wide terms (low, high), narrow ones, shift.

    Wide terms are scaled by 2^shift so that the largest has 126 bits with its sign; narrow ones are 2⁶² coarser.
    """
    middle = mpf(j) / 8 + mpf(1) / 16
    terms = polynomial(lambda g: tail(middle + g / 8), mpf(-0.5), mpf(0.5), ROW_TERMS)
    shift = int(floor(log(mpf(2) ** 125 / max(map(abs, terms)), 2)))
    wide = [fixed(term, shift) for term in terms[:WIDE_TERMS]]
    narrow = [fixed(term, shift - NARROW) for term in terms[WIDE_TERMS:]]
    assert all(abs(term) < 1 << 62 for term in narrow) and 60 < shift < 128, j
    return [word for term in wide for word in (term & (1 << 64) - 1, term >> 64)] + narrow + [shift]


def words(values: Iterable[int]) -> bytes:
    """64-bit words, little-endian, signed or not."""
    return b"".join((value & (1 << 64) - 1).to_bytes(8, "little") for value in values)


def pairs(values: Iterable[int]) -> bytes:
    """128-bit numbers as two words each, low first."""
    return b"".join((value & (1 << 128) - 1).to_bytes(16, "little") for value in values)


def hexadecimal(value: int) -> str:
    return f"{'-' if value < 0 else ''}0x{abs(value):X}"


def literal(name: str, values: Sequence[int]) -> str:
    body = "".join(f"    {hexadecimal(value)},\n" for value in values)
    return f"{name} = (\n{body})\n"


def text() -> str:
    """The whole file."""
    mp.prec = BITS
    steps, exp_terms = exponential()
    reciprocals, offsets, log_terms, near_terms = logarithm()
    rows = [row(j) for j in range(ROWS)]
    edges = [int(floor(tail(mpf(j) / 8))) for j in range(ROWS + 1)]
    parts = {
        "EXP": pairs(steps),
        "LOG": b"".join(words((c,)) + pairs((o,)) for c, o in zip(reciprocals, offsets)),
        "TAIL": b"".join(map(words, rows)),
        "EDGE": words(edges),
    }
    ln2 = log(mpf(2))
    scalars = {
        "UNITS": fixed(EXP_STEPS / (ln2 * ONE), 181),
        "HALF_SQUARE": fixed(EXP_STEPS / (2 * ln2 * ONE**2), 241),
        "DENSITY": fixed(1 / sqrt(2 * mp.pi), 129),
        "INVERSE_ONE": fixed(mpf(1) / ONE, 187),
        "LOG2_ONE": fixed(log(mpf(ONE), 2), 120),
        "LN_SCALE": fixed(ln2 * ONE, 68),
        "LOG2_SCALE": fixed(mpf(ONE), 68),
        "EIGHTHS": fixed(mpf(8) / ONE, 184),
        "EIGHTHS_ROOT_2": fixed(8 * sqrt(mpf(2)) / ONE, 183),
    }
    out, at = HEAD, 0
    for name, value in scalars.items():
        out += f"{name} = {hexadecimal(value)}\n"
    out += f"ROW_WORDS = {len(rows[0])}\nROWS = {ROWS}\n\n"
    for name, part in parts.items():
        out += f"{name}_AT = {at}\n"
        at += len(part)
        out += f"{name}_END = {at}\n"
    out += "\n" + literal("EXP_TERMS", exp_terms) + literal("LOG_TERMS", log_terms) + literal("NEAR_TERMS", near_terms)
    blob = b"".join(parts.values())
    out += "\nBLOB = bytes.fromhex(\n"
    for start in range(0, len(blob), 52):
        out += f'    "{blob[start : start + 52].hex()}"\n'
    return out + ")\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="ascii")
