"""
What somebody may ask of the settlement contract beside moving money: to force a transaction, and about validators.

Values only; `validators` has the rules. Each has one encoding, an array that begins with its kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.membership import Evidence
from genesis.settling import FORCED_BYTES_MAX, VALIDATORS_MAX

ACTION_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Force:
    """Queue a transaction's wire bytes, which the chain has to take in."""

    raw: bytes

    def __post_init__(self) -> None:
        if type(self.raw) is not bytes or not 1 <= len(self.raw) <= FORCED_BYTES_MAX:
            raise Invalid(f"A forced transaction has 1 to {FORCED_BYTES_MAX} bytes.", "malformed")

    def members(self) -> tuple[Any, ...]:
        return (self.raw,)


@dataclass(frozen=True, slots=True)
class Register:
    """
    Ask to become a validator, which it is some time after `Activate`. stake: whole units of the stake's asset.
    possession: the key's `possession_digest` signed.
    """

    key: bytes
    stake: int
    possession: bytes

    def __post_init__(self) -> None:
        codec.check_bytes(self.key, crypto.ADDRESS_BYTES, "A validator's key")
        codec.check_uint(self.stake, 63, "A stake")
        codec.check_bytes(self.possession, crypto.SIGNATURE_BYTES, "A proof of possession")

    def members(self) -> tuple[Any, ...]:
        return (self.key, self.stake, self.possession)


@dataclass(frozen=True, slots=True)
class Activate:
    """
    Let a registered key into the set: its node is ready, as the key's signature of this `Readiness` says. Anybody may
    hand it in. height, block_hash: of the last block of a commitment.
    """

    key: bytes
    height: int
    block_hash: bytes
    signature: bytes

    def __post_init__(self) -> None:
        codec.check_bytes(self.key, crypto.ADDRESS_BYTES, "A validator's key")
        codec.check_uint(self.height, 63, "A commitment's height")
        codec.check_bytes(self.block_hash, crypto.HASH_BYTES, "A commitment's block hash")
        codec.check_bytes(self.signature, crypto.SIGNATURE_BYTES, "A readiness' signature")

    def members(self) -> tuple[Any, ...]:
        return (self.key, self.height, self.block_hash, self.signature)


@dataclass(frozen=True, slots=True)
class Exit:
    """Leave the set, or never enter it. Of the new key of a `RotateKey` that waits: the old one stays."""

    key: bytes

    def __post_init__(self) -> None:
        codec.check_bytes(self.key, crypto.ADDRESS_BYTES, "A validator's key")

    def members(self) -> tuple[Any, ...]:
        return (self.key,)


@dataclass(frozen=True, slots=True)
class Claim:
    """Take the stake back, once it is not held any more."""

    key: bytes

    def __post_init__(self) -> None:
        codec.check_bytes(self.key, crypto.ADDRESS_BYTES, "A validator's key")

    def members(self) -> tuple[Any, ...]:
        return (self.key,)


@dataclass(frozen=True, slots=True)
class RotateKey:
    """Go on under another key, which signs its possession, from its `Activate` on; until then it can be another one."""

    key: bytes
    new_key: bytes
    possession: bytes

    def __post_init__(self) -> None:
        codec.check_bytes(self.key, crypto.ADDRESS_BYTES, "A validator's key")
        codec.check_bytes(self.new_key, crypto.ADDRESS_BYTES, "A validator's new key")
        codec.check_bytes(self.possession, crypto.SIGNATURE_BYTES, "A proof of possession")

    def members(self) -> tuple[Any, ...]:
        return (self.key, self.new_key, self.possession)


@dataclass(frozen=True, slots=True)
class Announce:
    """Say that validators with more than a third of the stake are lost for good; a new announcement replaces one."""

    dropped: tuple[bytes, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(set(self.dropped)) == len(self.dropped) <= VALIDATORS_MAX:
            raise Invalid(f"Name 1 to {VALIDATORS_MAX} validators, each once.", "malformed")
        for key in self.dropped:
            codec.check_bytes(key, crypto.ADDRESS_BYTES, "A validator's key")

    def members(self) -> tuple[Any, ...]:
        return (self.dropped,)


@dataclass(frozen=True, slots=True)
class Replace:
    """Carry the announced replacement out; anybody may."""

    def members(self) -> tuple[Any, ...]:
        return ()


Action = Register | Activate | Exit | Claim | RotateKey | Evidence | Announce | Replace
"""About validators."""
_KINDS: tuple[type[Any], ...] = (Force, Register, Exit, Claim, RotateKey, Evidence, Announce, Replace, Activate)


def encode_action(action: Force | Action) -> bytes:
    members = action.fields() if isinstance(action, Evidence) else action.members()
    return codec.encode((_KINDS.index(type(action)), *members))


def decode_action(data: bytes) -> Force | Action:
    """Raises Invalid."""
    decoded = codec.decode(data, ACTION_BYTES_MAX, 3)
    kind, *members = codec.expect_array(decoded, None, "An action") or (-1,)
    if type(kind) is not int or not 0 <= kind < len(_KINDS):
        raise Invalid("An action begins with its kind.", "malformed")
    made = _KINDS[kind]
    if made is Evidence:
        return Evidence.of(tuple(members))
    try:
        action: Force | Action = made(*members)
    except TypeError as error:
        raise Invalid(f"An action of kind {kind} has other members: {error}.", "malformed") from error
    return action
