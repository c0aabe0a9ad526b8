"""
JSON as it goes over the wire: parsing with bounds, and values of the core as JSON text (bytes become 0x-hexadecimal).
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

_OPENERS = (b"[", b"{")


class NotJson(ValueError):
    """The text is no JSON; the message says where."""


class TooDeep(ValueError):
    """Nested deeper than allowed."""


class Json(str):
    """Text that is JSON already."""

    __slots__ = ()


def parse(data: bytes, depth_max: int) -> Any:
    """
    Return the JSON value of UTF-8 text; NaN and infinities are refused, as the standard does.

    Raises:
        NotJson, TooDeep.
    """
    try:
        value = _decoder.decode(data.decode())
    except RecursionError as error:
        raise TooDeep(f"The request is nested deeper than {depth_max} levels.") from error
    except ValueError as error:
        raise NotJson(f"The request is not JSON: {error}.") from error
    if sum(map(data.count, _OPENERS)) > depth_max and _depth_exceeds(value, depth_max):
        raise TooDeep(f"The request is nested deeper than {depth_max} levels.")
    return value


def to_json(value: Any) -> str:
    """Return compact JSON; bytes as 0x-hexadecimal, Json (only as the whole value) as it is."""
    if type(value) is Json:
        return value
    return _encoder.encode(value)


def _depth_exceeds(value: Any, left: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return left == 0 or any(_depth_exceeds(member, left - 1) for member in value if isinstance(member, dict | list))


def _hex(value: object) -> str:
    if isinstance(value, bytes):
        return "0x" + value.hex()
    raise TypeError(f"a {type(value).__name__} has no JSON form here")


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


_decoder = json.JSONDecoder(parse_constant=_refuse)
_encoder = json.JSONEncoder(separators=(",", ":"), default=_hex, ensure_ascii=False, check_circular=False)
