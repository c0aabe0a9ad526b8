"""A node's handlers, behind whichever network: so many at work at once, and none any longer once the node retires."""

from __future__ import annotations

import trio

from genesis.errors import Unavailable
from p2p.network import MESSAGE_BYTES_MAX, REQUESTS_MAX, Handler, Peer, check_size


class Handlers:
    """own: the node's name."""

    def __init__(self, own: Peer) -> None:
        self._own = own
        self._handlers: dict[str, Handler] = {}
        self._room = trio.CapacityLimiter(REQUESTS_MAX)
        self._at_work: set[trio.CancelScope] = set()
        self._ended = trio.Event()

    def serve(self, protocol: str, handler: Handler) -> None:
        assert protocol not in self._handlers, f"{protocol} has a handler"
        self._handlers[protocol] = handler

    async def answer(self, peer: Peer, protocol: str, payload: bytes) -> bytes:
        """
        What the protocol's handler answers.

        Raises:
            Unavailable: it is not served here, or no longer. Invalid: "too_large". And whatever the handler raises.
        """
        async with self._room:
            if protocol not in self._handlers:
                raise Unavailable(f"{self._own} does not serve {protocol}; ask another peer.")
            with trio.CancelScope() as scope:
                self._at_work.add(scope)
                try:
                    answer = await self._handlers[protocol](peer, payload)
                    check_size(answer, MESSAGE_BYTES_MAX)
                    return answer
                finally:
                    self._at_work.discard(scope)
                    self._ended.set()
        raise Unavailable(f"{self._own} is leaving; ask another peer.")

    def stop(self) -> None:
        """Cancel what is at work; whoever asks gets Unavailable from now on."""
        self._handlers.clear()
        for scope in self._at_work:
            scope.cancel()

    async def retire(self) -> None:
        """As `Network.retire`."""
        self.stop()
        while self._at_work:
            self._ended = trio.Event()
            await self._ended.wait()
