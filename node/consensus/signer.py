"""A validator's key in this process, with a memory of its own of what it signed."""

from __future__ import annotations

from genesis import crypto
from genesis.chain import VoteKind
from genesis.errors import Invalid
from node.consensus.words import Said

REMEMBERED_MAX = 4_096


class KeySigner:
    """Signs votes; the last REMEMBERED_MAX views are guarded against a second, different vote."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._address = crypto.address_of(key)
        self._signed: dict[tuple[int, VoteKind], Said] = {}

    @property
    def address(self) -> bytes:
        return self._address

    async def sign(self, said: Said, digest: bytes) -> bytes:
        """Raises Invalid "double_sign" when it has signed another vote of this kind and view."""
        if self._signed.setdefault((said.view, said.kind), said) != said:
            raise Invalid(f"Another {said.kind.name} vote of view {said.view} was signed before.", "double_sign")
        while len(self._signed) > REMEMBERED_MAX:
            del self._signed[next(iter(self._signed))]
        return crypto.sign(digest, self._key)
