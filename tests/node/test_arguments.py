"""What a person types for a parameter, and the names of accounts and assets inside JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from execution.compiler import types as t
from genesis.devkeys import development_address
from genesis.errors import Invalid
from node.cli.arguments import parse_value
from node.cli.session import Names
from node.programs import Programs

SIDE = t.EnumType("Side", ("BUY", "SELL"))
HOLDING = t.StructType("Holding", (("account", t.ACCOUNT), ("asset", t.ASSET)))
ORDER = t.StructType("Order", (("by", HOLDING), ("side", SIDE), ("price", t.DECIMAL), ("life", t.DURATION)))
SIX = development_address(6)
NAMES = Names(Programs(()), ("USD", "EUR"))


@pytest.mark.parametrize(
    ("of", "typed", "value"),
    [
        (HOLDING, {"account": "dev:6", "asset": "EUR"}, {"account": SIX, "asset": 1}),
        (HOLDING, {"account": "0x" + SIX.hex(), "asset": 1}, {"account": SIX, "asset": 1}),
        (HOLDING, {"account": "dev:6", "more": "dev:6"}, {"account": SIX, "more": "dev:6"}),
        (HOLDING, ["dev:6", "EUR"], ["dev:6", "EUR"]),
        (t.ArrayType(t.ACCOUNT, 2, bounded=True), ["dev:6"], [SIX]),
        (t.ArrayType(HOLDING, 1, bounded=False), [{"account": "dev:6"}], [{"account": SIX}]),
        (
            ORDER,
            {"by": {"account": "dev:6", "asset": "USD"}, "side": "sell", "price": "1.50", "life": "5s"},
            {"by": {"account": SIX, "asset": 0}, "side": 1, "price": "1.50", "life": 5_000},
        ),
    ],
)
def test_names_inside_json_mean_what_they_mean_alone(of: t.Type, typed: Any, value: Any) -> None:
    assert parse_value(of, json.dumps(typed), "order", NAMES) == value


def test_what_is_wrong_inside_json_is_named_with_its_place() -> None:
    with pytest.raises(Invalid, match=r"order\.side is one of BUY, SELL, not 'both'"):
        parse_value(ORDER, '{"side": "both"}', "order", NAMES)
    with pytest.raises(Invalid, match="no development account"):
        parse_value(HOLDING, '{"account": "dev:99"}', "order", NAMES)
