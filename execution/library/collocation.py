"""
Points where a function of [-1, 1] is known or summed, computed: 33 of Chebyshev's, 65 of Gauss and Legendre's.

Chebyshev's extrema carry interpolants of degree 32 (L. N. Trefethen, "Approximation theory and approximation practice",
2013); the roots of Legendre's polynomial of order 65, by Newton's method from F. Tricomi's approximation, sum
polynomials up to degree 129 exactly (P. J. Davis, P. Rabinowitz, "Methods of numerical integration", 1984). Both are
within some 10^-16.
"""

from execution.lang import Array, Decimal

PI = Decimal("3.141592653589793238")
LAST: int = 32
"""Number of the last of Chebyshev's points, from 0; they are minus `chebyshev_cosines`."""
ORDER: int = 65
MIDDLE: int = 32
"""Of Legendre's points only 0, the largest, to MIDDLE, which is 0, are kept: the others are their negatives."""
NEWTON_STEPS: int = 4
COSINE_TERMS: int = 14


def cosine(angle: Decimal) -> Decimal:
    """From its series, for 0 <= angle <= PI."""
    if angle > PI / 2:
        return -cosine_below(PI - angle)
    return cosine_below(angle)


def cosine_below(angle: Decimal) -> Decimal:
    """Up to a right angle."""
    total = Decimal(1)
    term = Decimal(1)
    for step in range(1, COSINE_TERMS):
        term = -term * angle * angle / (2 * step * (2 * step - 1))
        total += term
    return total


def chebyshev_cosines() -> Array[Decimal, 33]:
    """cos(PI * place / LAST) by place."""
    found: Array[Decimal, 33] = Array()
    for place in range(LAST + 1):
        found[place] = cosine(PI * place / LAST)
    return found


def chebyshev_terms(values: Array[Decimal, 33], cosines: Array[Decimal, 33]) -> Array[Decimal, 33]:
    """Terms of the interpolant through values at Chebyshev's points."""
    terms: Array[Decimal, 33] = Array()
    for order in range(LAST + 1):
        total = Decimal(0)
        for place in range(LAST + 1):
            turn = order * place % (2 * LAST)
            value = values[place] * cosines[min(turn, 2 * LAST - turn)]
            total += value / 2 if place == 0 or place == LAST else value
        total = 2 * total / LAST
        if order == 0 or order == LAST:
            total = total / 2
        terms[order] = total if order % 2 == 0 else -total
    return terms


def chebyshev_value(terms: Array[Decimal, 33], x: Decimal) -> Decimal:
    """The interpolant at x, by Clenshaw's recurrence."""
    last = Decimal(0)
    before = Decimal(0)
    for order in range(LAST, 0, -1):
        following = 2 * x * last - before + terms[order]
        before = last
        last = following
    return x * last - before + terms[0]


def legendre(x: Decimal) -> tuple[Decimal, Decimal]:
    """Legendre's polynomials of ORDER and of the order below it."""
    before = Decimal(1)
    last = x
    for order in range(2, ORDER + 1):
        following = ((2 * order - 1) * x * last - (order - 1) * before) / order
        before = last
        last = following
    return last, before


def legendre_points() -> Array[Decimal, 33]:
    """The roots from 0 up, the largest first."""
    points: Array[Decimal, 33] = Array()
    for place in range(MIDDLE):
        x = cosine(PI * (4 * place + 3) / (4 * ORDER + 2))
        for _step in range(NEWTON_STEPS):
            value, below = legendre(x)
            x -= value * (1 - x * x) / (ORDER * (below - x * value))
        points[place] = x
    return points


def legendre_weights(points: Array[Decimal, 33]) -> Array[Decimal, 33]:
    """What a value at each point, or at its negative, counts in the integral from -1 to 1."""
    weights: Array[Decimal, 33] = Array()
    for place in range(MIDDLE + 1):
        _value, below = legendre(points[place])
        slope = ORDER * below
        weights[place] = 2 * (1 - points[place] * points[place]) / (slope * slope)
    return weights
