"""
The doorway: who may come in before anybody knows who it is.

Connections that say nothing cost little and may not lock out those that do: each address has few of them, and one more
drops the oldest, which has had the most time. Handshakes cost CPU, so each address has a rate.
"""

from __future__ import annotations

import errno
import ipaddress
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable

import trio

from genesis.errors import Unavailable
from p2p.address import Address
from p2p.conduct import Bucket
from p2p.tcp_bounds import (
    ACCEPTS_BURST,
    ACCEPTS_PER_S,
    ACCEPTS_TOTAL_BURST,
    ACCEPTS_TOTAL_PER_S,
    ADDRESSES_REMEMBERED_MAX,
    HALF_OPEN_MAX,
    HALF_OPEN_PER_IP_MAX,
    LISTEN_BACKLOG,
    SYSTEM_BUSY_S,
)

PREFIX_BITS = 64
"""Of an IPv6 address; who has one has the rest of it too."""


class Doorway:
    """The connections that are not authenticated yet, by address."""

    def __init__(self, now_s: float) -> None:
        self._half_open: dict[trio.CancelScope, str] = {}
        self._total = Bucket(ACCEPTS_TOTAL_PER_S, ACCEPTS_TOTAL_BURST, now_s)
        self._rates: OrderedDict[str, Bucket] = OrderedDict()

    def enter(self, address: str, now_s: float) -> trio.CancelScope | None:
        """Return the scope in which to shake hands, None when the address comes too often; may cancel another's."""
        group = _group(address)
        bucket = self._rates.setdefault(group, Bucket(ACCEPTS_PER_S, ACCEPTS_BURST, now_s))
        self._rates.move_to_end(group)
        if len(self._rates) > ADDRESSES_REMEMBERED_MAX:
            self._rates.popitem(last=False)
        if not bucket.has(1, now_s) or not self._total.has(1, now_s):
            return None
        per_group = Counter(self._half_open.values())
        if per_group[group] >= HALF_OPEN_PER_IP_MAX:
            self._drop_oldest(group)
        elif len(self._half_open) >= HALF_OPEN_MAX:
            self._drop_oldest(per_group.most_common(1)[0][0])
        scope = trio.CancelScope()
        self._half_open[scope] = group
        return scope

    def leave(self, scope: trio.CancelScope) -> None:
        """The peer is known, or gone."""
        self._half_open.pop(scope, None)

    def _drop_oldest(self, group: str) -> None:
        oldest = next(scope for scope, other in self._half_open.items() if other == group)
        oldest.cancel()
        self.leave(oldest)


async def open_listeners(address: Address) -> list[trio.SocketListener]:
    """Raises Unavailable when the address is taken, or not one of this machine's."""
    try:
        return await trio.open_tcp_listeners(address.port, host=address.host, backlog=LISTEN_BACKLOG)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        why = "another process listens there; stop it or choose another port" if taken else f"{error}"
        raise Unavailable(f"Cannot listen on {address}: {why}.") from error


async def accept_connections(
    listener: trio.SocketListener, let_in: Callable[[trio.SocketStream, str], Awaitable[None]]
) -> None:
    """Start a task with each connection and the address it comes from; runs until cancelled."""
    async with listener, trio.open_nursery() as nursery:
        while True:
            try:
                stream = await listener.accept()
                address = stream.socket.getpeername()[0]
            except OSError:
                # No file descriptors, no memory, or the peer has gone already.
                await trio.sleep(SYSTEM_BUSY_S)
            else:
                nursery.start_soon(let_in, stream, address)


def _group(address: str) -> str:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        return str(ip.ipv4_mapped or ipaddress.ip_network((ip, PREFIX_BITS), strict=False))
    return str(ip)
