"""
Elementary functions of Decimal: results rounded to the nearest at the 18th place.

Error: at most 0.5 + 10⁻³ units of the 18th place (erf, norm_cdf, norm_inv: 0.53) while the result is below 10⁹ in size,
and 2⁻¹⁰⁰ of the result beyond (half a unit of the last place always comes from rounding). Monotone where the function
is; the same bits in every world. Fails by Rejected "overflow", "invalid number", "division by zero". Method and
sources: `execution.mathematics.functions`; `sqrt` stands in `rounding`.
"""

from __future__ import annotations

from collections.abc import Callable

from execution.lang.decimal import Decimal, raw_of
from execution.lang.rejection import Rejected
from execution.mathematics import functions

Number = Decimal | int


def exp(x: Number) -> Decimal:
    """e^x; 0 below −42.14; Rejected "overflow" above 46.5831."""
    return _value(functions.exp, x)


def ln(x: Number) -> Decimal:
    """The natural logarithm; Rejected "invalid number" unless x > 0."""
    return _value(functions.ln, x)


def log2(x: Number) -> Decimal:
    """The logarithm to base 2; Rejected "invalid number" unless x > 0."""
    return _value(functions.log2, x)


def pow(x: Number, y: Number) -> Decimal:  # noqa: A001 — the language's word
    """
    x^y; exact where the exact result is a Decimal below 10¹². 0^0 is 1.

    Rejected "division by zero" for 0 to a negative power, "invalid number" for a negative x unless y is whole,
    "overflow".
    """
    return _value(functions.power, x, y)


def norm_pdf(x: Number) -> Decimal:
    """Density of the standard normal distribution, e^(−x²/2)/√(2π)."""
    return _value(functions.norm_pdf, x)


def norm_cdf(x: Number) -> Decimal:
    """The standard normal distribution; norm_cdf(x) + norm_cdf(−x) is exactly 1."""
    return _value(functions.norm_cdf, x)


def norm_inv(p: Number) -> Decimal:
    """The x with norm_cdf(x) = p; Rejected "invalid number" unless 0 < p < 1."""
    return _value(functions.norm_inv, p)


def erf(x: Number) -> Decimal:
    """The error function 2/√π ∫₀ˣ e^(−t²) dt."""
    return _value(functions.erf, x)


def _value(function: Callable[..., int], *arguments: Number) -> Decimal:
    raws = [raw_of(argument) for argument in arguments]
    if None in raws:
        raise TypeError(f"expected a Decimal or an int, got {arguments!r}")
    try:
        return Decimal.from_raw(function(*raws))
    except functions.Refused as refused:
        raise Rejected(refused.text) from None
