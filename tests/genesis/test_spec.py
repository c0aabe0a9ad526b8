"""The spec: loads, binds every constant, and names what is wrong."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from execution.compiler.gas import GAS
from execution.compiler.ir import OPS
from genesis.devkeys import COUNT, development_address
from genesis.errors import Invalid
from genesis.presets import load_preset, parse_amount, parse_spec, preset_text
from genesis.spec import GENESIS_PROGRAMS, Allocation, ChainSpec, Validator, genesis_address, genesis_hash

SPEC = load_preset("devnet")
TEXT = preset_text("devnet")


def test_the_devnet_preset_funds_the_development_keys() -> None:
    assert [a.account for a in SPEC.allocations] == [development_address(index) for index in range(COUNT)]
    assert (SPEC.block_time_ms, SPEC.batch_time_ms, SPEC.gas_transaction_max) == (250, 5, 5_000_000)
    assert SPEC.stakes == {development_address(0): 1}
    assert SPEC.admin == development_address(1)
    assert SPEC.gas["mul.d"] > SPEC.gas["add.w"]


def test_every_constant_is_in_the_hash() -> None:
    seen = {SPEC.hash()}
    for field in fields(ChainSpec):
        value = getattr(SPEC, field.name)
        changed = {
            int: lambda v: v + 1,
            bytes: lambda v: bytes([v[0] ^ 1]) + v[1:],
            tuple: lambda v: v[:-1] if len(v) > 1 else (*v, Validator(b"\1" * 20, 1)),
        }[type(value)](value)
        seen.add(replace(SPEC, **{field.name: changed}).hash())
    assert len(seen) == len(fields(ChainSpec)) + 1


def test_the_identity_of_a_chain_takes_in_its_genesis_programs() -> None:
    assert genesis_hash(SPEC, b"\1" * 32) != genesis_hash(SPEC, b"\2" * 32)
    assert len({genesis_address(program) for program in GENESIS_PROGRAMS}) == len(GENESIS_PROGRAMS)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (("chain_id = 7357", ""), "lacks chain_id"),
        (("chain_id = 7357", "chain_id = 7357\ncolour = 3"), "unknown key 'colour'"),
        (("chain_id = 7357", 'chain_id = "7357"'), "chain_id"),
        (("chain_id = 7357", "chain_id = -1"), "chain_id"),
        (("chain_id = 7357", "chain_id = 7357\nblock_time_ms = 0"), "block_time_ms"),
        (("chain_id = 7357", "chain_id = 7357\ngas_batch_max = 1"), "gas_transaction_max is above gas_batch_max"),
        (("chain_id = 7357", "chain_id = 7357\nevents_batch_max = 9"), "events_transaction_max is above events_batch"),
        (("chain_id = 7357", "chain_id = 7357\nblock_time_ms = 2.5"), "block_time_ms"),
        (('admin = "0x', 'admin = "0y'), "admin"),
        (('amount = "10000000"', "amount = 10000000.5"), "allocations"),
        (('amount = "10000000"', 'amount = "-1"'), "allocations"),
        (("asset = 0", "asset = 9"), "allocations"),
        (("stake = 1", "stake = 0"), "validators"),
        (("[[validators]]", "[[validators"), "TOML"),
    ],
)
def test_a_bad_spec_names_its_key(change: tuple[str, str], named: str) -> None:
    assert change[0] in TEXT
    with pytest.raises(Invalid, match=named.replace("[", r"\[")):
        parse_spec(TEXT.replace(*change))


def test_gas_costs_given_in_toml_replace_single_entries() -> None:
    spec = parse_spec(TEXT + '\n[gas_table]\n"mul.d" = 99\n')
    assert (spec.gas["mul.d"], spec.gas["div.d"]) == (99, SPEC.gas["div.d"])


def test_unknown_presets_are_refused() -> None:
    with pytest.raises(Invalid, match="devnet"):
        load_preset("mainnet")


def test_amounts_are_exact() -> None:
    assert parse_amount("1000.25") == 1_000_250_000_000_000_000_000
    assert parse_amount("0.000000000000000001") == 1
    for text in ("", "1.", ".5", "1e5", "1.0000000000000000001", "\u0661"):
        with pytest.raises(Invalid):
            parse_amount(text)


def test_people_and_allocations_are_checked() -> None:
    for changes in (
        {"admin": b""},
        {"assets": ()},
        {"assets": ("USD", "USD")},
        {"validators": ()},
        {"gas_table": (("b", 1), ("a", 1))},
    ):
        with pytest.raises(Invalid):
            replace(SPEC, **changes)
    with pytest.raises(Invalid):
        Allocation(bytes(20), 0, 2**127)


def test_the_gas_table_names_every_operation_of_the_compiler() -> None:
    assert set(GAS) <= set(SPEC.gas)
    assert set(OPS) <= set(SPEC.gas)
    assert all(0 <= units < SPEC.gas_transaction_max for units in SPEC.gas.values())
