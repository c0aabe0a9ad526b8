"""
Chain specs as TOML: the presets that come with Tenor, and a loader for one's own.

Keys are the fields of `ChainSpec`; what is left out has the default that stands there. Addresses are text (EIP-55 or
lower case), amounts of allocations are decimal text in whole units of the asset. Unknown, missing and ill-typed keys
are errors that name the key.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import MISSING, fields
from importlib import resources
from typing import Any

from genesis.crypto import parse_address
from genesis.errors import Invalid
from genesis.gas import GAS_TABLE
from genesis.spec import Allocation, ChainSpec, Validator

PRESETS = ("devnet",)
_PLACES = 18
_UNIT = 1_000_000_000_000_000_000


def load_preset(name: str) -> ChainSpec:
    """Return a preset by name. Raises Invalid "unknown_preset"."""
    return parse_spec(preset_text(name))


def preset_text(name: str) -> str:
    """Return a preset's TOML. Raises Invalid "unknown_preset"."""
    if name not in PRESETS:
        raise Invalid(f"There is no preset {name!r}; there is {', '.join(PRESETS)}.", "unknown_preset")
    return resources.files(__package__).joinpath(f"{name}.toml").read_text(encoding="utf-8")


def parse_spec(text: str) -> ChainSpec:
    """Return the spec that a TOML text describes. Raises Invalid "bad_spec", naming the key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise Invalid(f"The chain spec is not TOML: {error}.", "bad_spec") from error
    known = {field.name: field for field in fields(ChainSpec)}
    for key in table:
        if key not in known:
            raise Invalid(f"The chain spec has an unknown key {key!r}; remove it.", "bad_spec")
    for name, field in known.items():
        if name not in table and field.default is MISSING:
            raise Invalid(f"The chain spec lacks {name}; add it.", "bad_spec")
    return ChainSpec(**{key: _value(key, value) for key, value in table.items()})


def parse_amount(text: str) -> int:
    """Return whole units with up to 18 places, e.g. "1000.25", in raw 10⁻¹⁸. Raises Invalid "bad_spec"."""
    if not re.fullmatch(r"[0-9]{1,24}(\.[0-9]{1,18})?", text):
        raise Invalid(f'An amount is digits with at most {_PLACES} places, as in "1000.25", not {text!r}.', "bad_spec")
    whole, _, places = text.partition(".")
    return int(whole) * _UNIT + int(places.ljust(_PLACES, "0"))


def _value(key: str, value: Any) -> Any:
    try:
        return _READERS.get(key, _integer)(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise Invalid(
            f"{key} of the chain spec has the wrong form; compare genesis/presets/devnet.toml.", "bad_spec"
        ) from error
    except Invalid as error:
        raise Invalid(f"{key} of the chain spec: {error}", "bad_spec") from error


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError
    return value


def _allocation(table: dict[str, Any]) -> Allocation:
    return Allocation(parse_address(table["account"]), table["asset"], parse_amount(table["amount"]))


def _validator(table: dict[str, Any]) -> Validator:
    return Validator(parse_address(table["address"]), table["stake"])


_READERS: dict[str, Any] = {
    "admin": parse_address,
    "fee_account": parse_address,
    "reporters": lambda value: tuple(map(parse_address, value)),
    "validators": lambda value: tuple(map(_validator, value)),
    "assets": tuple,
    "allocations": lambda value: tuple(map(_allocation, value)),
    "gas_table": lambda value: tuple(sorted((dict(GAS_TABLE) | value).items())),
}
