"""
ChainSpec: every constant that all nodes of a chain must share, with its unit and where it comes from.

A spec never changes; a later version begins at a height. Its hash, together with the state root of height 0
(`genesis_hash`), is the parent of block 1, so two chains that differ in any constant or in one byte of a genesis
program share no block. What belongs to one node (ports, paths, memory) is in the node's config; what belongs to the
formats is a constant beside the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.gas import GAS_TABLE
from genesis.transaction import program_address

GENESIS_PROGRAMS = ("bank", "oracle", "clearing", "exchange", "perpetual")
"""Created before block 1 in this order: numbers 1, 2, … (0 is the kernel)."""
FEE_ASSET = 0
SUPPLY_MAX = 10**36
"""Largest supply of an asset, raw 10⁻¹⁸: 10¹⁸ units. The bank refuses a credit beyond it; settlement allows none."""
SYMBOL_BYTES_MAX = 16


@dataclass(frozen=True, slots=True)
class Allocation:
    """Balance at genesis. asset: index into `ChainSpec.assets`. amount: raw 10⁻¹⁸."""

    account: bytes
    asset: int
    amount: int

    def __post_init__(self) -> None:
        codec.check_bytes(self.account, crypto.ADDRESS_BYTES, "An allocation's account")
        codec.check_uint(self.asset, 32, "An allocation's asset")
        codec.check_amount(self.amount, "An allocation's amount")


@dataclass(frozen=True, slots=True)
class Validator:
    """A member of the first validator set. stake: its weight, positive."""

    address: bytes
    stake: int

    def __post_init__(self) -> None:
        codec.check_bytes(self.address, crypto.ADDRESS_BYTES, "A validator's address")
        codec.check_uint(self.stake, 63, "A validator's stake")
        if self.stake == 0:
            raise Invalid("A validator's stake is positive.", "bad_spec")


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """
    The constants of one chain. Integers unless said otherwise; the unit is last in the name or in the comment.

    Raises:
        Invalid: "bad_spec" for values that contradict each other, "malformed" for a wrong type.
    """

    # Identity and people
    chain_id: int  # EIP-155 id, stands in every signature
    admin: bytes  # registers assets, lists contracts, admits exchanges
    fee_account: bytes  # receives fees
    reporters: tuple[bytes, ...]  # may report prices to the oracle
    validators: tuple[Validator, ...]  # version 0 of the set; afterwards settlement decides
    assets: tuple[str, ...]  # symbols by index, ≤ 16 ASCII; index 0 pays fees
    allocations: tuple[Allocation, ...]
    settlement_id: int = 0  # EVM chain id; 0 is the embedded chain `local`

    # Time
    block_time_ms: int = 250  # design §3
    batch_time_ms: int = 5  # design §3
    time_ahead_ms_max: int = 500  # of a block before a validator's clock, design §6
    outage_ms: int = 5_000  # a longer time since the parent is stamped as gap_ms; grace of liquidation follows from it

    # Gas; a unit took 0.4 ns in the middle, 1.3 at worst (genesis.gas): a transaction 2 ms, at worst 6.7 (design §5: 5)
    gas_transaction_min: int = 30_000  # = transaction_base of the table
    gas_transaction_max: int = 5_000_000
    gas_batch_max: int = 25_000_000  # five transactions of the largest kind
    gas_block_max: int = 250_000_000
    gas_hook_max: int = 2_000_000  # one hook
    gas_hooks_batch_max: int = 10_000_000  # all hooks of a batch; the rest is first in the next
    gas_hooks_block_max: int = 100_000_000
    gas_query_max: int = 5_000_000  # one view call
    gas_table: tuple[tuple[str, int], ...] = GAS_TABLE

    # Fees
    fee_min: int = 1_000_000_000  # raw 10⁻¹⁸ of the fee asset per gas: a full transaction costs 0.005
    deposit_byte: int = (
        0  # raw 10⁻¹⁸ of the fee asset per byte in containers, given back on deletion; formats, Storage deposit
    )

    # Bounds of execution
    call_depth_max: int = 16  # programs on the stack, design §5 Same failure everywhere
    frame_bytes_max: int = 65_536  # deepest path of one program; 16 of them fill 1 MiB of native stack
    events_transaction_max: int = 1_024
    events_batch_max: int = 65_536
    state_pages_max: int = 1_048_576  # of 1 KiB, per program: 1 GiB
    programs_max: int = 1_024
    lanes_signer_max: int = 16  # formats, Lane: bounded per signer

    # Rhythm
    deployment_delay_blocks: int = 2  # from the recording block to activation
    checkpoint_blocks: int = 240  # one minute: replay of a minute of blocks takes seconds
    rollback_blocks: int = 32  # before-images kept in memory
    commitment_blocks: int = 8  # length of a commitment span: 2 s
    lease_views: int = 1_200  # views after which a leader hands over although it works: 5 minutes

    # Settlement
    confirmation_blocks: int = 2  # settlement blocks above a deposit before it is read
    challenge_blocks: int = 4  # settlement blocks from posted to final
    inbox_block_max: int = 256  # entries one block takes in
    forced_window_blocks: int = (
        120  # settlement blocks that a forced transaction may wait for being taken in; one minute
    )
    validators_delay_blocks: int = 8  # settlement blocks from a change of the validators to its effect
    exit_blocks: int = 1_200  # settlement blocks that stake is held after leaving; ten minutes
    replace_blocks: int = 2_400  # settlement blocks from announcing that validators are lost to replacing them
    stake_min: int = 1  # whole units of asset 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                codec.check_uint(value, 63, f"The spec's {field.name}")
        _check_people(self)
        _check_limits(self)

    def encode(self) -> bytes:
        """
        Return canonical msgpack of [name, value] pairs in the order of the fields; allocations' amounts as 16 bytes.
        """
        return codec.encode(
            tuple((field.name, _plain(field.name, getattr(self, field.name))) for field in fields(self))
        )

    def hash(self) -> bytes:
        """Return SHA-256 of `encode()`."""
        return crypto.sha256(self.encode())

    @property
    def gas(self) -> Mapping[str, int]:
        """The gas table by name."""
        return _gas_mapping(self.gas_table)

    @property
    def forced_block_max(self) -> int:
        """Forced transactions that one block takes in: so many of the largest fit the batch that is theirs."""
        return self.gas_batch_max // self.gas_transaction_max

    @property
    def stakes(self) -> dict[bytes, int]:
        """The first validator set as `check_certificate` takes it."""
        return {validator.address: validator.stake for validator in self.validators}


def genesis_hash(spec: ChainSpec, state_root: bytes) -> bytes:
    """Return SHA-256(spec hash ‖ state root of height 0): the parent of block 1, and the chain's identity on disk."""
    return crypto.sha256(spec.hash() + state_root)


def genesis_address(program: str) -> bytes:
    """Return the address of a genesis program: deployed by the zero account in lane 0, sequence = its number."""
    return program_address(crypto.ZERO_ADDRESS, 0, GENESIS_PROGRAMS.index(program) + 1)


def _check_people(spec: ChainSpec) -> None:
    for name, address in (
        ("admin", spec.admin),
        ("fee_account", spec.fee_account),
        *(("reporters", r) for r in spec.reporters),
    ):
        codec.check_bytes(address, crypto.ADDRESS_BYTES, f"An address of the spec's {name}")
    for symbol in spec.assets:
        codec.check_text(symbol, SYMBOL_BYTES_MAX, "An asset's symbol")
    if not spec.validators or len({v.address for v in spec.validators}) != len(spec.validators):
        raise Invalid("validators: name at least one, each address once.", "bad_spec")
    if not spec.assets or len(set(spec.assets)) != len(spec.assets):
        raise Invalid("assets: name at least the fee asset, each symbol once.", "bad_spec")
    if any(allocation.asset >= len(spec.assets) for allocation in spec.allocations):
        raise Invalid("allocations: an asset index is not in assets.", "bad_spec")


def _check_limits(spec: ChainSpec) -> None:
    ordered = ("gas_transaction_min", "gas_transaction_max", "gas_batch_max", "gas_block_max")
    for small, large in pairwise(ordered):
        if getattr(spec, small) > getattr(spec, large):
            raise Invalid(f"{small} is above {large}; raise one or lower the other.", "bad_spec")
    if spec.events_transaction_max > spec.events_batch_max:
        raise Invalid("events_transaction_max is above events_batch_max; raise one or lower the other.", "bad_spec")
    for name in (
        "block_time_ms",
        "batch_time_ms",
        "commitment_blocks",
        "checkpoint_blocks",
        "deployment_delay_blocks",
        "lease_views",
        "validators_delay_blocks",
    ):
        if getattr(spec, name) == 0:
            raise Invalid(f"{name} is at least 1.", "bad_spec")
    if list(spec.gas_table) != sorted(spec.gas_table) or len(dict(spec.gas_table)) != len(spec.gas_table):
        raise Invalid("gas_table is ordered by name, each name once.", "bad_spec")


def _plain(name: str, value: Any) -> codec.Value:
    if name == "allocations":
        return tuple((a.account, a.asset, codec.encode_amount(a.amount)) for a in value)
    if name == "validators":
        return tuple(astuple(validator) for validator in value)
    plain: codec.Value = value
    return plain


@lru_cache(maxsize=8)
def _gas_mapping(table: tuple[tuple[str, int], ...]) -> Mapping[str, int]:
    return MappingProxyType(dict(table))
