"""
Clients' transactions on their way to whoever leads.

Runs while another validator leads: what the mempool holds goes to the leader in frames, one after another, so that
lanes keep their order; the answers are the leader's, and waited for as long as it leads. What its compiler holds up it
answers for at once, "held", and is asked for again until its outcome is known, so nothing else waits for it. A new
leader gets all that is unanswered, and all that no certified block has shown yet; what has run already, or waits there,
it does not run twice.
What a leader before had run, and could not be taken over as it stood (`heritage`), runs again once this node leads.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any

import trio

from genesis import codec
from genesis.chain import Receipt, SignedTransaction, decode
from genesis.errors import Invalid, Unavailable
from node.intake import HELD, Taken
from node.log import logger
from node.mempool import Mempool, Pending, leaves_free
from p2p.network import Network, Peer

PROTOCOL = "transactions/2"
FRAME_TRANSACTIONS_MAX = 500
FRAME_BYTES_MAX = 1 << 20
ANSWER_TIMEOUT_S = 10.0
RETRY_S = 0.05
HELD_AGAIN_S = 0.5
"""After which a leader is asked again for what its compiler holds up."""
LOOK_S = 0.05
"""How often a node looks for what nobody wakes it for: orphans, and what its mempool was given back."""
GLANCE_S = 0.01
"""How often a new leader looks whether the block before it has been taken over."""
SETTLE_S = 2.0
"""So long, at most, what comes to a new leader waits for what was run before it."""
WAITING_MAX = 50_000
KEPT_MAX = 100_000
"""Forwarded and not seen in a certified block; beyond it the oldest are forgotten."""

log = logger("forwarder")

Send = Callable[[Sequence[SignedTransaction], bool], Awaitable[Taken]]
"""Takes transactions in here; and whether what the compiler holds up already is waited for (`Intake.run_here`)."""


class Forwarder:
    """
    leader: who leads now, None when it is this node or nobody is known. orphans: so many, at most, of what others had
    run and nobody has taken over. is_open: whether this node has a block open. passes_on: whether what this peer sends
    goes to whoever leads; not what validators send, who know that themselves, so nothing goes in circles.
    """

    def __init__(
        self,
        mempool: Mempool,
        network: Network,
        leader: Callable[[], Peer | None],
        send: Send,
        orphans: Callable[[int], list[bytes]],
        is_open: Callable[[], bool],
        passes_on: Callable[[Peer], bool] = lambda _: False,
    ) -> None:
        self._mempool, self._network, self._leader, self._send = mempool, network, leader, send
        self._orphans, self._is_open, self._passes_on = orphans, is_open, passes_on
        self._queue: deque[Pending] = deque()
        self._kept: OrderedDict[bytes, SignedTransaction] = OrderedDict()
        self._on_way: set[bytes] = set()
        """Of what the leader is asked for now, or holds up: what no certified block has shown meanwhile."""
        self._held: OrderedDict[bytes, Pending] = OrderedDict()
        """What the leader's compiler holds up, in the order sent."""
        self._held_again_s = 0.0
        self._last: Peer | None = None
        self._home = trio.Event()
        """Set once this node leads and what was run before it is in; another when it does not."""
        self._woken = trio.Event()
        self._asked: Peer | None = None
        self._asking = trio.CancelScope()
        self._noted: tuple[Peer | None, str] | None = None
        self._in_hand = 0
        """Transactions that the leader is asked for now."""
        self.forwarded = 0

    def statistics(self) -> dict[str, int]:
        waiting = len(self._queue) + len(self._held)
        return {"forwarded": self.forwarded, "waiting": waiting, "kept": len(self._kept)}

    def idle(self) -> bool:
        """Whether the leader has all that came here, and has answered, but for what its compiler holds up."""
        return not (self._queue or self._in_hand or len(self._mempool))

    def takes(self) -> bool:
        """Whether transactions go to another node now."""
        return self._leader() is not None

    async def at_home(self) -> None:
        """
        Wait, while this node leads, until what was run before it is in, for SETTLE_S at most: what a client sends next
        would not follow upon it otherwise.
        """
        with trio.move_on_after(SETTLE_S):
            while self._leader() is None and not self._home.is_set():
                with trio.move_on_after(GLANCE_S):
                    await self._home.wait()

    def submit(self, pending: Pending) -> None:
        """
        Send a transaction to whoever leads, who alone knows what is due in its lane.

        Raises:
            Unavailable: WAITING_MAX are waiting.
        """
        if len(self._queue) + len(self._held) >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} transactions wait for the leader, which is the limit; send again later.")
        self._queue.append(pending)
        self.wake()

    def wake(self) -> None:
        """There is something to carry, or another leads than before."""
        self._woken.set()
        if self._leader() != self._asked:
            self._asking.cancel()

    def certified(self, transactions: Iterable[bytes]) -> None:
        """A block holds these, for good."""
        for transaction in transactions:
            self._kept.pop(transaction, None)
            self._on_way.discard(transaction)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        self._network.serve(PROTOCOL, self._answer)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            await self._carry()

    async def _carry(self) -> None:
        while True:
            leader = self._leader()
            if leader != self._last:
                self._last, self._home = leader, trio.Event()
                self._held_again_s = 0.0
                await self._settle_in()
                await self._once_more(leader)
            if leader is None:
                self._on_way.clear()
                await self._run_orphans()
                if self._queue or self._held:
                    await self._bring_home()  # ahead of what comes in now
                self._home.set()
                await self._rest()
            elif self._held and trio.current_time() >= self._held_again_s:
                await self._forward(leader, list(_framed(self._held.values())), lambda _: [])
                self._held_again_s = trio.current_time() + HELD_AGAIN_S
            elif len(self._mempool) and (frame := self._mempool.take(1 << 62, FRAME_TRANSACTIONS_MAX, FRAME_BYTES_MAX)):
                await self._forward(leader, frame, self._mempool.put_back)
            elif self._queue:
                frame = [self._queue.popleft() for _ in list(_framed(self._queue))]
                await self._forward(leader, frame, list)
            else:
                await self._rest()

    async def _rest(self) -> None:
        with trio.move_on_after(LOOK_S):
            await self._woken.wait()
        self._woken = trio.Event()

    async def _bring_home(self) -> None:
        """This node leads now: what waited for another leader runs here. Never waited for: it may not lead for long."""
        waiting = [*self._held.values(), *self._queue]
        self._held.clear()
        self._queue.clear()
        taken = await self._send([one.signed for one in waiting], True)

        async def tell() -> None:
            for pending, answer in zip(waiting, await taken.finish(), strict=True):
                pending.done(outcome(_row(answer)))

        self._nursery.start_soon(tell)

    async def _forward(
        self, leader: Peer, frame: Sequence[Pending], put_back: Callable[[Sequence[Pending]], list[Pending]]
    ) -> None:
        """put_back: takes them again if the leader does not; those that it returns wait here."""
        self._on_way |= {pending.signed.id for pending in frame} - self._held.keys()
        self._in_hand = len(frame)
        try:
            answers = await self._ask(leader, [pending.signed for pending in frame])
        except (Invalid, Unavailable) as error:
            self._note(leader, str(error))
            self._queue.extendleft(reversed(put_back(frame)))
            self._in_hand = 0
            await trio.sleep(RETRY_S)
            return
        self._noted = None
        for pending, answer in zip(frame, answers, strict=True):
            if answer is None:
                self._hold(pending)
            else:
                self._settle(pending, answer)
        self._in_hand = 0

    def _hold(self, pending: Pending) -> None:
        """The leader has it; of its lane the mempool here knows no more than of what others sent."""
        if pending.lane is not None:
            self._mempool.settle(pending, refused=False)
            pending.lane = None
        first = self._held.setdefault(pending.signed.id, pending)
        if first is not pending:
            self._join(first, pending)

    def _join(self, first: Pending, pending: Pending) -> None:
        """The same transaction came here twice."""
        try:
            first.join(pending.done)
        except Unavailable as error:
            pending.done(error)

    def _settle(self, pending: Pending, answer: Receipt | Invalid | Unavailable) -> None:
        self.forwarded += 1
        first = self._held.pop(pending.signed.id, pending)
        if pending.lane is not None:
            self._mempool.settle(pending, leaves_free(answer))
        if isinstance(answer, Receipt) and pending.signed.id in self._on_way:
            self._keep(pending.signed)
        self._on_way.discard(pending.signed.id)
        pending.done(answer)
        if first is not pending:
            first.done(answer)

    def _note(self, leader: Peer | None, reason: str) -> None:
        """Log, once until it changes: it is asked again many times a second."""
        if (leader, reason) != self._noted:
            self._noted = leader, reason
            log.info("leader takes no transactions now; they wait", leader=leader, reason=reason)

    async def _settle_in(self) -> None:
        """If this node leads: wait until it has taken over, or begun, a block."""
        with trio.move_on_after(SETTLE_S):
            while self._leader() is None and not self._is_open():
                await trio.sleep(GLANCE_S)

    async def _once_more(self, leader: Peer | None) -> None:
        """What the last leader had taken goes to this one too, or runs here; ahead of whatever has come since."""
        now_ms = time.time_ns() // 1_000_000
        for gone in [name for name, signed in self._kept.items() if signed.transaction.expiry < now_ms]:
            del self._kept[gone]
        kept = deque(self._kept.values())
        while kept and self._leader() == leader:
            frame = [kept[at] for at in range(min(len(kept), FRAME_TRANSACTIONS_MAX))]
            try:
                await (self._run_again(frame) if leader is None else self._ask(leader, frame))
            except Unavailable as error:
                self._note(leader, str(error))
                await trio.sleep(RETRY_S)
                continue
            except Invalid as error:
                log.warning("leader refuses what the last one had taken", leader=leader, reason=str(error))
                return
            for _ in frame:
                kept.popleft()

    async def _run_orphans(self) -> None:
        while rows := self._orphans(FRAME_TRANSACTIONS_MAX):
            await self._run_again(await trio.to_thread.run_sync(_decoded, rows))

    async def _run_again(self, transactions: Sequence[SignedTransaction]) -> None:
        """Nobody is told: who sent them was answered, or asks again."""
        self._nursery.start_soon((await self._send(transactions, False)).finish)

    async def _ask(
        self, leader: Peer, frame: Sequence[SignedTransaction]
    ) -> list[Receipt | Invalid | Unavailable | None]:
        """None: its compiler holds it up. Raises Unavailable when it does not answer, or another leads by then."""
        payload, answer = codec.encode(tuple(signed.raw for signed in frame)), None
        with trio.CancelScope() as self._asking:
            self._asked = leader
            if self._leader() == leader:
                answer = await self._network.request(leader, PROTOCOL, payload, ANSWER_TIMEOUT_S)
        if answer is None:
            raise Unavailable("Another node leads now.")
        rows = codec.expect_array(codec.decode(answer, 2 * len(payload) + (8 << 20)), len(frame), "A leader's answer")
        return [None if row == _HELD else outcome(row) for row in rows]

    def _keep(self, signed: SignedTransaction) -> None:
        self._kept[signed.id] = signed
        while len(self._kept) > KEPT_MAX:
            self._kept.popitem(last=False)

    async def _answer(self, peer: Peer, payload: bytes) -> bytes:
        rows = codec.expect_array(codec.decode(payload, FRAME_BYTES_MAX * 2), None, "Transactions")
        if len(rows) > FRAME_TRANSACTIONS_MAX or not all(type(row) is bytes for row in rows):
            raise Invalid(f"At most {FRAME_TRANSACTIONS_MAX} transactions, as bytes.", "malformed")
        if self._leader() is not None and not self._passes_on(peer):
            raise Unavailable("This node does not lead; ask whoever does.")
        signed = await trio.to_thread.run_sync(lambda: [decode(row) for row in rows])
        await self.at_home()
        waits = self._passes_on(peer)
        taken = await self._send(signed, waits)
        finished = self._seen_through(taken)
        answers = await (finished() if waits else taken.at_hand())
        return codec.encode(tuple(_row(answer) for answer in answers))

    def _seen_through(self, taken: Taken) -> Callable[[], Awaitable[list[Any]]]:
        """Waits for all. What was begun is done even if whoever asks for it is gone by then: he asks again."""
        found: list[Any] = []
        done = trio.Event()

        async def see() -> None:
            found.extend(await taken.finish())
            done.set()

        async def finished() -> list[Any]:
            await done.wait()
            return found

        self._nursery.start_soon(see)
        return finished


def _decoded(rows: Sequence[bytes]) -> list[SignedTransaction]:
    """Those that are transactions."""
    found = []
    for row in rows:
        with suppress(Invalid):
            found.append(decode(row))
    return found


def _framed(waiting: Iterable[Pending]) -> Iterable[Pending]:
    """The first, as many as go in one frame."""
    size = 0
    for pending in islice(waiting, FRAME_TRANSACTIONS_MAX):
        yield pending
        size += pending.size
        if size >= FRAME_BYTES_MAX:
            return


def _row(answer: bytes | list[str]) -> bytes | tuple[str, ...]:
    return answer if isinstance(answer, bytes) else tuple(answer)


_HELD = _row(HELD)


def outcome(row: object) -> Receipt | Invalid | Unavailable:
    """Raises Invalid for what is neither."""
    if type(row) is bytes:
        return Receipt.decode(row)
    fault, code, message = codec.expect_array(row, 3, "A refusal")
    return Unavailable(str(message)) if fault == "unavailable" else Invalid(str(message), str(code))
