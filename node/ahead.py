"""
Deployments ahead of their blocks: whoever leads has compiled one, and lets the others compile it before it is proposed.

Else nobody could vote for a block with it until each had compiled it, for seconds in which no block is certified. Only
when work is done depends on this: who has not heard of a source, or was too slow, compiles it when it judges the block.
What comes here is looked at by rising cost: who sends it, how large it is, how much came lately, its shape and its
signature, what the chain would say of it. Then it is compiled in the background, one at a time, a peer's share of the
processor bounded.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Set
from contextlib import suppress

import trio

from execution.vm import upgrade
from genesis.chain import SignedTransaction, decode
from genesis.errors import Invalid, Unavailable
from genesis.transaction import KINDS_WITH_SOURCE, RAW_BYTES_MAX
from node.log import logger
from p2p.conduct import Bucket
from p2p.network import Network, Offence, Peer

PROTOCOL = "deployments/1"
AHEAD_S = 20.0
"""
So long, at most, a deployment that is compiled waits for the others: twice what a source may take of a processor.
"""
GRACE_S = 2.0
"""So long it waits for the rest once a quorum has it: a while for who is slow, no longer for who is silent."""
TELLING_MAX = 4
"""Deployments on their way to the others; a peer answers sixteen requests at a time, others' among them."""
TOLD_PER_S, TOLD_BURST = 2.0, 32.0
HEARD_PER_S, HEARD_BURST = 4.0, 64.0
"""Of one peer; more is a flood. Looking at the largest takes a millisecond."""
WAITING_MAX = 8
"""Of one peer, the one that is being compiled among them."""
SHARE, SHARE_BURST_S = 0.25, 30.0
"""Of the time that compiling for one peer takes: seconds a second, and at once."""

log = logger("ahead")


class _Asker:
    """What a peer has asked for."""

    def __init__(self, now_s: float) -> None:
        self.heard = Bucket(HEARD_PER_S, HEARD_BURST, now_s)
        self.seconds = Bucket(SHARE, SHARE_BURST_S, now_s)
        self.turn = trio.Lock()
        self.waiting = 0


class Ahead:
    def __init__(
        self,
        network: Network,
        peers: Callable[[], Iterable[Peer]],
        suffice: Callable[[Set[Peer]], bool],
        check: Callable[[SignedTransaction], Awaitable[None]],
        compile_: Callable[[SignedTransaction], Awaitable[object]],
        turn: trio.CapacityLimiter,
    ) -> None:
        """
        Args:
            peers: the other validators. suffice: whether these and this node are a quorum.
            check: raises Invalid for what could not run or pay.
            compile_: raises Invalid, Unavailable. turn: taken while it runs.
        """
        self._network, self._peers, self._suffice = network, peers, suffice
        self._check, self._compile, self._turn = check, compile_, turn
        self._askers: dict[Peer, _Asker] = {}
        self._telling = trio.CapacityLimiter(TELLING_MAX)
        self._told = Bucket(TOLD_PER_S, TOLD_BURST, trio.current_time())

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._network.serve(PROTOCOL, self._answer)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await trio.sleep_forever()

    # Of this node's

    async def tell(self, signed: SignedTransaction) -> None:
        """
        Return when all others that are connected have compiled it, or will not; GRACE_S after a quorum has, and after
        AHEAD_S whatever they do.
        """
        if not self._told.has(1, trio.current_time()):
            return
        compiled = set[Peer]()
        with trio.move_on_after(AHEAD_S) as waiting:
            async with self._telling, trio.open_nursery() as nursery:
                for peer in set(self._peers()) & set(self._network.peers()):
                    nursery.start_soon(self._tell, peer, signed.raw, compiled, waiting)

    async def _tell(self, peer: Peer, raw: bytes, compiled: set[Peer], waiting: trio.CancelScope) -> None:
        with suppress(Invalid, Unavailable):
            await self._network.request(peer, PROTOCOL, raw, AHEAD_S)
            compiled.add(peer)
            if self._suffice(compiled):
                waiting.deadline = min(waiting.deadline, trio.current_time() + GRACE_S)

    # Of others'

    async def _answer(self, peer: Peer, payload: bytes) -> bytes:
        """Nothing, when it is compiled or AHEAD_S is over."""
        if peer not in self._peers():
            raise Unavailable("Deployments are heard of from validators; send the transaction instead.")
        asker = self._askers.setdefault(peer, _Asker(trio.current_time()))
        signed = self._read(peer, asker, payload)
        if asker.waiting >= WAITING_MAX or asker.seconds.take(0, trio.current_time()) > 0:
            raise Unavailable("This node has compiled enough for you lately.")
        asker.waiting += 1
        try:
            await self._check(signed)
        except BaseException:
            asker.waiting -= 1
            raise
        done = trio.Event()
        self._nursery.start_soon(self._work, asker, signed, done)
        with trio.move_on_after(AHEAD_S):
            await done.wait()
        return b""

    def _read(self, peer: Peer, asker: _Asker, payload: bytes) -> SignedTransaction:
        """Raises Invalid, and holds it against the peer."""
        if len(payload) > RAW_BYTES_MAX:
            self._network.report(peer, Offence.OVERSIZE)
            raise Invalid(f"A transaction has at most {RAW_BYTES_MAX} bytes.", "too_large")
        if not asker.heard.has(1, trio.current_time()):
            self._network.report(peer, Offence.FLOOD)
            raise Invalid(f"More than {HEARD_PER_S:.0f} deployments a second are too many.", "over_limit")
        try:
            if not payload or payload[0] not in KINDS_WITH_SOURCE:
                raise Invalid("This is no deployment.", "malformed")
            signed = decode(payload)
            if upgrade.upgrades(signed.transaction):
                raise Invalid("A kernel is not compiled.", "malformed")
        except Invalid:
            self._network.report(peer, Offence.INVALID)
            raise
        return signed

    async def _work(self, asker: _Asker, signed: SignedTransaction, done: trio.Event) -> None:
        """A peer's one after another, in turn with other peers'."""
        try:
            async with asker.turn, self._turn:
                await self._compile_within(asker.seconds, signed)
        finally:
            asker.waiting -= 1
            done.set()

    async def _compile_within(self, share: Bucket, signed: SignedTransaction) -> None:
        began_s = trio.current_time()
        try:
            if share.take(0, began_s) == 0:
                await self._compile(signed)
        except (Invalid, Unavailable) as error:
            log.info("what goes ahead does not compile", transaction=signed.id.hex(), reason=str(error))
        finally:
            share.take(trio.current_time() - began_s, trio.current_time())
