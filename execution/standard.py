"""
The standard chain: which programs stand on it before block 1, in which roles, and how they know one another.

Markets are no part of it: the chain's admin lists them by transactions, like everything that comes later.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from execution.compiler import Artifact, compile_bundle
from execution.compiler.abi import Abi
from execution.compiler.abi_values import pack
from execution.compiler.standard import PACKAGE, source_of
from execution.vm.genesis import GenesisCall, GenesisProgram, Plan, Role
from execution.vm.programs import code_of
from genesis.spec import GENESIS_PROGRAMS, ChainSpec, genesis_address

ROLES: Mapping[str, Role] = {"bank": "bank", "oracle": "oracle", "clearing": "clearing"}
SETTLEMENT_ASSET = 0


def standard_plan(spec: ChainSpec) -> Plan:
    """The plan of `genesis` for this spec, its programs compiled now."""
    return plan_of(spec, compile_standard(spec))


def compile_standard(spec: ChainSpec) -> dict[str, Artifact]:
    """The standard programs by their name in the spec, compiled with its gas table."""
    return {name: standard_artifact(name, spec.gas_table) for name in GENESIS_PROGRAMS}


def plan_of(spec: ChainSpec, artifacts: Mapping[str, Artifact]) -> Plan:
    """
    The plan of `genesis` with programs compiled earlier.

    A chain keeps the WASM it began with: a later compiler writes other bytes, and with them another genesis.
    """
    bank, clearing, exchange = (genesis_address(name) for name in ("bank", "clearing", "exchange"))
    arguments = {
        "bank": (spec.assets[0], spec.admin, spec.fee_account),
        "oracle": (spec.admin,),
        "clearing": (bank, SETTLEMENT_ASSET, spec.admin),
        "exchange": (clearing, spec.admin, spec.fee_account),
        "perpetual": (clearing, exchange, spec.admin),
    }
    programs = tuple(_program(name, artifacts[name], arguments[name], spec) for name in GENESIS_PROGRAMS)
    abis = {name: artifact.abi for name, artifact in artifacts.items()}
    registered = [_call(abis, spec.admin, "bank", "register", symbol) for symbol in spec.assets[1:]]
    return Plan(programs, (*registered, _call(abis, spec.admin, "clearing", "admit", exchange)))


@lru_cache(maxsize=16)
def standard_artifact(name: str, gas_table: tuple[tuple[str, int], ...]) -> Artifact:
    """A standard program, compiled from the source that is installed beside this module."""
    path = f"{PACKAGE.replace('.', '/')}/{name}.py"
    source = source_of(f"{PACKAGE}.{name}")
    assert source is not None, f"{path} is part of Tenor"
    return compile_bundle({path: source}, path, dict(gas_table))


def _program(name: str, artifact: Artifact, arguments: tuple[object, ...], spec: ChainSpec) -> GenesisProgram:
    create = artifact.abi.entry("create")
    return GenesisProgram(
        code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash),
        genesis_address(name),
        pack(create, arguments),
        create.selector.to_bytes(4, "little"),
        ROLES.get(name, ""),
        spec.admin,
    )


def _call(abis: Mapping[str, Abi], sender: bytes, program: str, name: str, *arguments: object) -> GenesisCall:
    entry = abis[program].entry(name)
    number = GENESIS_PROGRAMS.index(program)
    return GenesisCall(sender, number, entry.selector.to_bytes(4, "little"), pack(entry, arguments))
