"""
Arguments typed by a person, by the ABI's types: text in, client values of `execution.compiler.abi_values` out.

Decimals stay text; accounts are addresses, `dev:N` or program names; enums go by member name; assets by symbol;
durations as 250ms, 5s, 2m, 1h; times in ms, or `now`, `now+1h`; an absent Optional is `none`; structs and arrays are
JSON, text in it as above.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from typing import Any, Protocol

from execution.compiler import types as t
from execution.compiler.abi import AbiEntry
from genesis.errors import Invalid
from node.programs import signature

UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
TRUTH = {"true": True, "false": False}


class Names(Protocol):
    """What names of accounts and assets mean: on a chain `session.Names`, in a local run those of the run."""

    def account(self, text: str) -> bytes: ...
    def asset(self, text: str | None) -> int: ...


def parse_arguments(entry: AbiEntry, texts: Sequence[str], names: Names) -> list[Any]:
    """Values for `pack`. Raises Invalid "bad_argument", naming the parameter and what it takes."""
    if len(texts) != len(entry.parameters):
        raise Invalid(
            f"{entry.name} takes {len(entry.parameters)} arguments, not {len(texts)}: {signature(entry)}.",
            "bad_argument",
        )
    return [parse_value(of, text, name, names) for (name, of), text in zip(entry.parameters, texts, strict=True)]


def parse_value(of: t.Type, text: str, name: str, names: Names) -> Any:
    """A client value of one type; `name` stands in the message. Raises Invalid "bad_argument"."""
    match of:
        case t.OptionalType(item):
            return None if text == "none" else parse_value(item, text, name, names)
        case t.Scalar("account") | t.ProgramType():
            return names.account(text)
        case t.Scalar("asset"):
            return names.asset(text)
        case t.Scalar("bool"):
            return _one_of(TRUTH, text.lower(), name)
        case t.Scalar("duration"):
            return duration_ms(text, name)
        case t.Scalar("timestamp"):
            return _timestamp(text, name)
        case t.Scalar("decimal" | "symbol" | "bytes32"):
            return text
        case t.EnumType(_, members):
            numbers = {member: number for number, member in enumerate(members)}
            return _one_of(numbers, text.upper() if text.upper() in numbers else text, name)
        case t.StructType() | t.TupleType() | t.ArrayType():
            return _inside(of, _json(text, name), name, names)
        case _:
            return _whole(text, name)


def _inside(of: t.Type, value: Any, name: str, names: Names) -> Any:
    """What JSON holds, its texts read like ones typed alone; what is of no such type is left to `pack` to refuse."""
    match of, value:
        case t.StructType(_, fields), dict():
            of_member = dict(fields)
            return {
                member: _inside(of_member[member], one, f"{name}.{member}", names) if member in of_member else one
                for member, one in value.items()
            }
        case t.ArrayType(item), list():
            return [_inside(item, one, f"{name}[{index}]", names) for index, one in enumerate(value)]
        case t.StructType() | t.ArrayType() | t.TupleType(), _:
            return value
        case _, str():
            return parse_value(of, value, name, names)
        case _:
            return value


def _one_of(values: dict[str, Any], text: str, name: str) -> Any:
    if text not in values:
        raise Invalid(f"{name} is one of {', '.join(values)}, not {text!r}.", "bad_argument")
    return values[text]


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise Invalid(f"{name} is a whole number, not {text!r}.", "bad_argument")
    return int(text)


def duration_ms(text: str, name: str) -> int:
    """Milliseconds of 250ms, 5s, 2m, 1h, 1d. Raises Invalid."""
    parts = re.fullmatch(r"([+-]?[0-9]{1,19})(ms|s|m|h|d)", text)
    if parts is None:
        raise Invalid(f"{name} is a duration such as 250ms, 5s, 2m, 1h or 1d, not {text!r}.", "bad_argument")
    return int(parts[1]) * UNIT_MS[parts[2]]


def _timestamp(text: str, name: str) -> int:
    if text.startswith("now"):
        rest = text.removeprefix("now")
        return time.time_ns() // 1_000_000 + (duration_ms(rest, name) if rest else 0)
    return _whole(text, name)


def _json(text: str, name: str) -> Any:
    """Numbers with a point stay text, so that no digit of a Decimal is lost."""
    try:
        return json.loads(text, parse_float=str)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{name} is a JSON object with the struct's members ({error}).", "bad_argument") from error
