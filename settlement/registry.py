"""
Members and the sets that follow from them.

A member enters and leaves the set at stated settlement heights; every height at which somebody does begins a new
version, and so does a replacement. So all sets follow from the members, past ones included, and a change never alters
a set that already holds. Who has not said that its node is ready is pending, and in no set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from genesis import codec, crypto
from genesis.errors import Invalid
from genesis.membership import ValidatorSet
from settlement.contract import Terms

REGISTRY_BYTES_MAX = 1 << 24


@dataclass(frozen=True, slots=True)
class Member:
    """
    key: validates and signs. owner: may exit, rotate and claim. stake: its weight. enters, leaves: settlement heights
    between which it is in the set; None: not known yet. bond: of the stake, what is still held. successor: the key that
    takes its place when that is ready, or has taken it, b"" for none.
    """

    key: bytes
    owner: bytes
    stake: int
    enters: int | None
    leaves: int | None
    bond: int
    successor: bytes = b""

    def fields(self) -> tuple[Any, ...]:
        return (self.key, self.owner, self.stake, self.enters, self.leaves, self.bond, self.successor)

    def holds(self, height: int) -> bool:
        entered = self.enters is not None and self.enters <= height
        return entered and (self.leaves is None or height < self.leaves)

    @property
    def pending(self) -> bool:
        """Registered, not ready, and not given up."""
        return self.enters is None and self.leaves is None


@dataclass(frozen=True, slots=True)
class Registry:
    """
    announced: settlement height and dropped keys of a replacement that was announced and not carried out yet.
    replaced: settlement heights from which on sets hold that take the place of lost ones.
    """

    members: tuple[Member, ...]
    announced: tuple[int, tuple[bytes, ...]] | None = None
    replaced: tuple[int, ...] = ()

    def encode(self) -> bytes:
        return codec.encode((tuple(member.fields() for member in self.members), self.announced, self.replaced))

    @classmethod
    def decode(cls, data: bytes) -> Registry:
        members, announced, replaced = codec.decode_array(data, 3, REGISTRY_BYTES_MAX, "The validators", depth_max=4)
        return cls(tuple(Member(*member) for member in members), announced, replaced)

    def member(self, key: bytes) -> Member:
        found = [member for member in self.members if member.key == key]
        if not found:
            raise Invalid(f"{crypto.checksum_address(key)} was never a validator here.", "unknown_validator")
        return found[0]

    def changed(self, *members: Member) -> Registry:
        by_key = {member.key: member for member in members}
        return replace(self, members=tuple(by_key.get(member.key, member) for member in self.members))


def genesis_registry(terms: Terms) -> Registry:
    """The set the chain begins with, each its own owner, its stake bonded from the beginning."""
    return Registry(tuple(Member(key, key, stake, 0, None, stake) for key, stake in sorted(terms.stakes.items())))


def validator_sets(registry: Registry, from_version: int, up_to: int) -> tuple[ValidatorSet, ...]:
    """The versions from one on that hold from a settlement height ≤ up_to on."""
    heights = _heights(registry, up_to)
    versions = range(from_version, len(heights))
    return tuple(
        ValidatorSet(one, heights[one], stakes_at(registry, heights[one]), heights[one] in registry.replaced)
        for one in versions
    )


def edges(registry: Registry) -> set[int]:
    """Heights at which somebody enters or leaves, or a lost set is replaced."""
    entered = [member for member in registry.members if member.enters is not None]
    moves = {edge for member in entered for edge in (member.enters, member.leaves) if edge is not None}
    return moves | set(registry.replaced)


def _heights(registry: Registry, up_to: int) -> list[int]:
    """From which each version holds."""
    return sorted({0} | {edge for edge in edges(registry) if edge <= up_to})


def stakes_at(registry: Registry, height: int) -> dict[bytes, int]:
    return {member.key: member.stake for member in registry.members if member.holds(height)}
