"""
Whether a rule holds now: the part of PromQL that the rules are written in.

    time() - tenor_oracle_timestamp_seconds > tenor_oracle_age_max_seconds
    tenor_not_voting{reason!="follows"} == 1

Numbers, `time()`, metrics with matchers `=` and `!=`, `+ - * /` and one comparison, which keeps what it is true of. Of
two metrics those samples meet that have the same labels: prometheus.io/docs/prometheus/latest/querying/operators/.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable

from genesis.errors import Invalid
from node.watch.samples import Sample

Labels = frozenset[tuple[str, str]]
Vector = dict[Labels, float]
Value = float | Vector

_TOKEN = re.compile(r'\s*([a-zA-Z_:][\w:]*|\d+(?:\.\d+)?(?:e\d+)?|"[^"]*"|[=!<>]=|[-+*/<>(){}=,])')
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt, ">=": operator.ge, "<=": operator.le,
}  # fmt: skip
_SUMS: dict[str, Callable[[float, float], float]] = {"+": operator.add, "-": operator.sub}
_PRODUCTS: dict[str, Callable[[float, float], float]] = {"*": operator.mul, "/": operator.truediv}


def firing(expression: str, samples: Iterable[Sample], now_s: float) -> list[dict[str, str]]:
    """
    Labels of what the expression is true of; empty when it is of nothing, or a metric has no samples.

    Raises:
        Invalid: "bad_expression".
    """
    found = _Reader(expression, samples, now_s).value()
    return [dict(labels) for labels in found] if isinstance(found, dict) else []


class _Reader:
    """Recursive descent; evaluates as it reads."""

    def __init__(self, text: str, samples: Iterable[Sample], now_s: float) -> None:
        self._text, self._samples, self._now_s = text, list(samples), now_s
        self._tokens = _tokens(text)
        self._at = 0

    def value(self) -> Value:
        found = self._compared()
        if self._peek():
            raise self._bad()
        return found

    def _compared(self) -> Value:
        left = self._folded(_SUMS, lambda: self._folded(_PRODUCTS, self._single))
        holds = _COMPARISONS.get(self._peek())
        if holds is None:
            return left
        self._next()
        right = self._folded(_SUMS, lambda: self._folded(_PRODUCTS, self._single))
        if not isinstance(left, dict):
            raise self._bad()
        pairs = _pairs(left, right)
        return {labels: left[labels] for labels, (one, other) in pairs.items() if holds(one, other)}

    def _folded(self, signs: dict[str, Callable[[float, float], float]], inner: Callable[[], Value]) -> Value:
        left = inner()
        while (apply := signs.get(self._peek())) is not None:
            self._next()
            right = inner()
            if not isinstance(left, dict) and not isinstance(right, dict):
                left = apply(left, right)
            else:
                left = {labels: apply(*pair) for labels, pair in _pairs(left, right).items()}
        return left

    def _single(self) -> Value:
        token = self._next()
        if token == "(":
            found = self._compared()
            self._expect(")")
            return found
        if token == "time":
            self._expect("(")
            self._expect(")")
            return self._now_s
        if token[:1].isdigit():
            return float(token)
        if not token[:1].isalpha():
            raise self._bad()
        return self._selected(token)

    def _selected(self, name: str) -> Vector:
        wanted: list[tuple[str, bool, str]] = []
        if self._peek() == "{":
            self._next()
            while self._peek() != "}":
                label, sign, text = self._next(), self._next(), self._next()
                if sign not in ("=", "!=") or text[:1] != '"':
                    raise self._bad()
                wanted.append((label, sign == "=", text[1:-1]))
                if self._peek() == ",":
                    self._next()
            self._next()
        return {
            frozenset(labels.items()): value
            for known, labels, value in self._samples
            if known == name and all((labels.get(label, "") == text) == same for label, same, text in wanted)
        }

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, token: str) -> None:
        if self._next() != token:
            raise self._bad()

    def _bad(self) -> Invalid:
        return Invalid(f"This is not understood, at word {self._at}: {self._text}.", "bad_expression")


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Invalid(f"This is no expression, from character {at} on: {text}.", "bad_expression")
        found.append(match[1])
        at = match.end()
    return found


def _pairs(left: Value, right: Value) -> dict[Labels, tuple[float, float]]:
    """A number meets every sample, samples meet those of the same labels; one at least is of samples."""
    if not isinstance(right, dict):
        assert isinstance(left, dict), "two numbers are no pair of samples"
        return {labels: (value, right) for labels, value in left.items()}
    if not isinstance(left, dict):
        return {labels: (left, value) for labels, value in right.items()}
    return {labels: (value, right[labels]) for labels, value in left.items() if labels in right}
