"""A validator's key in this process, with a memory of its own of what it signed; and two keys, one after the other."""

from __future__ import annotations

from collections.abc import Callable

from genesis import crypto
from genesis.chain import Header, VoteKind
from genesis.errors import Invalid
from genesis.membership import Readiness
from node.consensus.doors import Signer
from node.consensus.words import Rules, Said

REMEMBERED_MAX = 4_096
PROBE = b"\x19Tenor probe v1\n"


class KeySigner:
    """
    Signs votes and proposals; the last REMEMBERED_MAX votes are guarded against a second, different one of their view.

    Proposals are not: of several built in a view, on different parents, only the one this validator votes for leaves
    its node.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._address = crypto.address_of(key)
        self._signed: dict[tuple[int, VoteKind], Said] = {}

    @property
    def address(self) -> bytes:
        return self._address

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return (self._address,)

    async def sign(self, said: Said, rules: Rules) -> bytes:
        if self._signed.setdefault((said.view, said.kind), said) != said:
            raise Invalid(f"Another {said.kind.name} vote of view {said.view} was signed before.", "double_sign")
        while len(self._signed) > REMEMBERED_MAX:
            del self._signed[next(iter(self._signed))]
        return crypto.sign(said.digest(rules), self._key)

    async def probe(self) -> None:
        digest = crypto.keccak256(PROBE)
        assert crypto.recover(digest, crypto.sign(digest, self._key)) == self._address, "a key signs as its address"

    async def propose(self, header: Header) -> bytes:
        return crypto.sign(header.proposal_digest(), self._key)

    async def declare(self, ready: Readiness) -> bytes:
        if ready.key != self._address:
            raise Invalid(f"The key of 0x{ready.key.hex()} is not here.", "wrong_key")
        return crypto.sign(ready.digest(), self._key)


class Successive:
    """
    A validator's key and the one it goes on under, which signs from the set on that has it; before, no more than that
    it is ready.

    in_set: whether a key is in the set that certifies next; the node says so once it knows.
    """

    def __init__(self, first: Signer, second: Signer) -> None:
        self._first, self._second = first, second
        self.in_set: Callable[[bytes], bool] = lambda key: key == first.address

    @property
    def address(self) -> bytes:
        return (self._second if self.in_set(self._second.address) else self._first).address

    @property
    def addresses(self) -> tuple[bytes, ...]:
        return (*self._first.addresses, *self._second.addresses)

    async def sign(self, said: Said, rules: Rules) -> bytes:
        return await (self._second if self._second.address in rules.stakes else self._first).sign(said, rules)

    async def propose(self, header: Header) -> bytes:
        return await (self._second if header.proposer == self._second.address else self._first).propose(header)

    async def declare(self, ready: Readiness) -> bytes:
        return await (self._second if ready.key in self._second.addresses else self._first).declare(ready)

    async def probe(self) -> None:
        await self._first.probe()
        await self._second.probe()
