"""
The table of expressions: for each type, the texts that give a value of it, with typed holes.

`{int}` is filled by an expression of exactly that type; `{number}` by an int or a Decimal, where one converts. A new
operation or built-in of the language is one line. What depends on the program (locals, fields, containers, calls)
stands in `expressions`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from execution.compiler import types as t

HOLES: dict[str, t.Type] = {
    "int": t.INT, "decimal": t.DECIMAL, "bool": t.BOOL, "account": t.ACCOUNT, "asset": t.ASSET, "feed": t.FEED,
    "timestamp": t.TIMESTAMP, "duration": t.DURATION, "quote": t.QUOTE, "bytes32": t.BYTES32,
}  # fmt: skip
NUMBER = "number"
SMALL = "small"
"""A hole for a constant that is not zero: what is divided by, mostly."""

_ROUNDED = ("mul_up", "mul_down", "div_up", "div_down")
_TERNARY = ("mul_div", "mul_div_up", "mul_div_down")
_MATHEMATICS = ("exp", "ln", "log2", "norm_pdf", "norm_cdf", "norm_inv", "erf")
_ORDERED = ("int", "decimal", "timestamp", "duration")

TABLE: dict[t.Type, tuple[str, ...]] = {
    t.INT: (
        *(f"({{int}} {op} {{int}})" for op in ("+", "-", "*", "//", "%")),
        "({int} // {small})", "({int} % {small})", "({int} + {small})", "({int} - {small})", "(-{int})", "abs({int})",
        "min({int}, {int})", "max({int}, {int})", "max({int}, {int}, {int})",
        "{decimal}.floor()", "{decimal}.ceil()", "{decimal}.round()",
        "{duration}.ms", "{timestamp}.ms", "{asset}.index", "{feed}.index", "({duration} // {duration})",
        "block.height", "block.world",
    ),
    t.DECIMAL: (
        *(f"({{decimal}} {op} {{decimal}})" for op in ("+", "-", "*", "/", "//", "%")),
        *(f"({{decimal}} {op} {{int}})" for op in ("+", "-", "*", "/", "//", "%")),
        *(f"({{int}} {op} {{decimal}})" for op in ("+", "-", "*", "/", "//", "%")),
        *(f"({{decimal}} {op} {{small}})" for op in ("/", "//", "%")),
        "({int} / {int})", "({int} / {small})", "(-{decimal})", "abs({decimal})", "Decimal({int})",
        "min({decimal}, {decimal})", "max({decimal}, {number})", "min({number}, {decimal}, {number})",
        *(f"{name}({{number}}, {{number}})" for name in _ROUNDED),
        *(f"{name}({{number}}, {{number}}, {{number}})" for name in _TERNARY),
        *(f"{name}({{number}}, {{number}}, {{small}})" for name in _TERNARY),
        "sqrt({number})", "sqrt(abs({decimal}))",
        "{quote}.price", "{quote}.confidence", "{feed}.price()",
    ),
    t.BOOL: (
        *(f"({{{of}}} {op} {{{of}}})" for of in _ORDERED for op in ("<", "<=", ">", ">=", "==", "!=")),
        *(f"({{decimal}} {op} {{int}})" for op in ("<", "==", ">=")),
        *(f"({{int}} {op} {{decimal}})" for op in ("!=", ">", "<=")),
        "({int} < {int} <= {int})", "({decimal} <= {decimal} < {number})",
        "(not {bool})", "({bool} and {bool})", "({bool} or {bool})", "({bool} and {bool} or {bool})",
        "({account} == {account})", "hears_fills({account})", "hears_fills(self.me)",
    ),
    t.TIMESTAMP: (
        "block.time", "({timestamp} + {duration})", "({timestamp} - {duration})", "Timestamp({int})", "{quote}.time",
        "max({timestamp}, {timestamp})", "min({timestamp}, {timestamp})",
    ),
    t.DURATION: (
        "block.gap", "({timestamp} - {timestamp})", "({duration} + {duration})", "({duration} - {duration})",
        "({duration} * {int})", "({int} * {duration})", "({duration} // {int})", "({duration} // {small})",
        "({duration} % {duration})", "(-{duration})", "Duration({int})", "Duration.milliseconds({int})",
        "Duration.seconds({int})", "Duration.minutes({int})", "Duration.hours({int})", "Duration.days({int})",
        "max({duration}, {duration})", "min({duration}, {duration})",
    ),
    t.ACCOUNT: ("tx.sender", "tx.signer", "self.me", "Account.derived({account}, {int})"),
    t.ASSET: ("Asset({int})",),
    t.FEED: ("Feed({int})", "{quote}.feed"),
    t.QUOTE: ("{feed}.quote()", "Quote({feed}, {number}, {number}, {timestamp}, QuoteStatus.FRESH)"),
    t.QUOTE_STATUS: ("{quote}.status",),
    t.OUTCOME: ("DONE", "RETRY"),
}  # fmt: skip

HASHES = ("sha256({int})", "sha256({decimal}, {account})", "sha256({bytes32}, {bool})", "sha256({timestamp}, {int})")
"""Digests of a few programs only, for the same reason as MATHEMATICS."""

MATHEMATICS = (
    *(f"{name}({{number}})" for name in _MATHEMATICS), "pow({number}, {number})",
    "ln(abs({decimal}))", "log2(abs({decimal}) + 1)", "exp({decimal} % 40)", "norm_inv(abs({decimal}) % 1)",
    "pow(abs({decimal}), {decimal} % 3)",
)  # fmt: skip
"""Decimals of a few programs only: each of these functions is as much WASM as a whole program without."""

PURE_LEAVES = {t.INT: ("block.height",), t.TIMESTAMP: ("block.time",), t.ACCOUNT: ("tx.sender", "tx.signer")}
_HOLE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Rule:
    """texts: what stands between the holes, one more than these."""

    texts: tuple[str, ...]
    holes: tuple[str, ...]


def _rule(template: str) -> Rule:
    parts = _HOLE.split(template)
    return Rule(tuple(parts[::2]), tuple(parts[1::2]))


RULES: dict[t.Type, tuple[Rule, ...]] = {of: tuple(map(_rule, templates)) for of, templates in TABLE.items()}
COSTLY: dict[t.Type, tuple[Rule, ...]] = {
    t.DECIMAL: tuple(map(_rule, MATHEMATICS)),
    t.BYTES32: tuple(map(_rule, HASHES)),
}
"""Of programs whose shape is `costly` in the type."""

AUGMENTED: dict[t.Type, tuple[tuple[str, str], ...]] = {
    t.INT: (("+=", "int"), ("-=", "int"), ("*=", SMALL), ("//=", SMALL), ("%=", SMALL), ("//=", "int"), ("%=", "int")),
    t.DECIMAL: (
        ("+=", NUMBER), ("-=", NUMBER), ("*=", NUMBER), ("/=", SMALL), ("//=", SMALL), ("%=", NUMBER), ("/=", NUMBER),
    ),
    t.DURATION: (("+=", "duration"), ("-=", "duration"), ("*=", SMALL), ("//=", SMALL), ("%=", "duration")),
    t.TIMESTAMP: (("+=", "duration"), ("-=", "duration")),
}  # fmt: skip
"""`target op= {hole}`, by the type of the target."""
