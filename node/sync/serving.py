"""
The side that has: pins the newest checkpoint while others read it, and answers within bounds of its own.

At most PINS_MAX checkpoints are pinned; one that nobody reads is let go, and none is kept for longer than PIN_S, so the
disk they hold back is bounded. One thread reads at a time, at most BYTES_PER_S, few questions wait: a node that serves
goes on with its own work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import trio

from execution.vm.checkpoint import fingerprint
from genesis import codec
from genesis.errors import Invalid, Unavailable
from genesis.merkle import SUBTREE_PAGES
from node.store import Pinned, Store
from node.sync import wire
from p2p.conduct import Bucket
from p2p.network import Network, Peer

PINS_MAX = 2
PIN_IDLE_S = 30.0
PIN_S = 600.0
GLANCE_S = 5.0
LOOK_S = 0.005
BYTES_PER_S = 64.0 * (1 << 20)
BYTES_BURST = 32.0 * (1 << 20)
WAITING_MAX = 24
"""Questions in hand; beyond it whoever asks is sent to another peer."""

Work = Callable[[Pinned], bytes]


@dataclass(slots=True)
class _Pin:
    """readers: at work on it now."""

    pinned: Pinned
    since_s: float
    read_s: float
    readers: int = 0


class Snapshots:
    """Serves a store's checkpoints from `serve` on; `run` lets go of what is not read."""

    def __init__(self, store: Store, network: Network) -> None:
        self._store, self._network = store, network
        self._pins: dict[int, _Pin] = {}
        self._reading = trio.CapacityLimiter(1)
        self._bucket = Bucket(BYTES_PER_S, BYTES_BURST, trio.current_time())
        self._waiting = 0
        self._ended = False

    def serve(self) -> None:
        self._network.serve(wire.OFFER, self._offer)
        self._network.serve(wire.PART, self._part)
        self._network.serve(wire.PAGES, self._pages)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Until cancelled; the store may be closed afterwards."""
        task_status.started()
        try:
            while True:
                await trio.sleep(GLANCE_S)
                self._let_go(PIN_IDLE_S)
        finally:
            self._ended = True
            with trio.CancelScope(shield=True):
                while self._waiting:
                    await trio.sleep(LOOK_S)
            for pin in self._pins.values():
                pin.pinned.release()
            self._pins.clear()

    def statistics(self) -> dict[str, int]:
        return {"pinned": len(self._pins), "waiting": self._waiting}

    def _let_go(self, idle_s: float) -> None:
        now_s = trio.current_time()
        for height, pin in list(self._pins.items()):
            if not pin.readers and (now_s - pin.read_s > idle_s or now_s - pin.since_s > PIN_S):
                self._pins.pop(height).pinned.release()

    # What is asked

    async def _offer(self, peer: Peer, payload: bytes) -> bytes:
        if self._ended:
            raise Unavailable("This node is stopping; ask another peer.")
        checkpoint = self._store.checkpoint()
        if checkpoint is not None and checkpoint[0] not in self._pins:
            self._renew()
        code = fingerprint(checkpoint[1]) if checkpoint is not None else b""
        heights = tuple(sorted(self._pins, reverse=True))
        return wire.Offer(self._store.first(), self._store.head() or 0, code, heights).encode()

    def _renew(self) -> None:
        """Pin the newest checkpoint if there is room for it."""
        if len(self._pins) >= PINS_MAX:
            self._let_go(GLANCE_S)
        if len(self._pins) < PINS_MAX and (pinned := self._store.pin()) is not None:
            now_s = trio.current_time()
            self._pins[pinned.height] = _Pin(pinned, now_s, now_s)

    async def _part(self, peer: Peer, payload: bytes) -> bytes:
        height, kind, number, offset = wire.decode_numbers(payload, 4)
        return await self._read(height, lambda pinned: wire.encode_part(_whole(pinned, kind, number), offset))

    async def _pages(self, peer: Peer, payload: bytes) -> bytes:
        height, program, subtree = wire.decode_numbers(payload, 3)
        first = subtree * SUBTREE_PAGES
        if max(program, first + SUBTREE_PAGES) >= 1 << 32:
            raise Invalid("There are no such pages.", "not_found")
        return await self._read(
            height, lambda pinned: wire.encode_pages(pinned.pages(program, first, SUBTREE_PAGES), first)
        )

    async def _read(self, height: int, work: Work) -> bytes:
        """Read from a pinned checkpoint, in turn and within the rate. Raises Invalid "gone", Unavailable."""
        pin = self._pins.get(height)
        if pin is None:
            raise Invalid(f"The snapshot of height {height} is not here any more; ask what there is.", "gone")
        if self._waiting >= WAITING_MAX or self._ended:
            raise Unavailable("Many read snapshots here now; ask another peer.")
        pin.read_s = trio.current_time()
        self._waiting += 1
        pin.readers += 1
        try:
            answer = await trio.to_thread.run_sync(work, pin.pinned, limiter=self._reading)
        finally:
            pin.readers -= 1
            self._waiting -= 1
        await trio.sleep(self._bucket.take(len(answer), trio.current_time()))
        return answer


def _whole(pinned: Pinned, kind: int, number: int) -> bytes:
    """What is given in pieces; number: a block's height. Raises Invalid "not_found"."""
    if kind == wire.META:
        return pinned.meta
    if kind == wire.TREES:
        return pinned.trees
    row = pinned.block(number) if kind == wire.BLOCK else None
    if row is None:
        raise Invalid(f"There is no {kind}, {number} in this snapshot.", "not_found")
    return codec.encode((row.header, row.body, row.receipts))
