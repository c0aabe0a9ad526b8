"""
Clients' transactions on their way from a node that only follows to the validators.

Whoever proposed the newest block is asked first, then who leads after it; a validator that does not lead passes on what
comes from no validator. The answers are the validators'. Frames go side by side, those of a lane one after another; a
deployment goes alone, for it is compiled first. A question that was not answered is put to the next one: whoever has
run a transaction already tells how it came out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import trio

from genesis import codec
from genesis.chain import Receipt
from genesis.errors import Invalid, Unavailable
from genesis.transaction import KINDS_WITH_SOURCE
from node.forwarder import ANSWER_TIMEOUT_S, FRAME_TRANSACTIONS_MAX, PROTOCOL, WAITING_MAX, outcome
from node.log import logger
from node.mempool import LaneKey, Pending
from p2p.network import Network, Offence, Peer

FRAME_BYTES_MAX = 192 << 10
"""Of a frame's transactions; a validator takes 256 KiB from whoever is no validator."""
FRAMES_MAX = 4
"""On their way; and so many deployments beside them."""
RETRY_S = 0.2
"""When none of them has answered."""
AVOIDED_S = 30.0
"""So long whoever had no answer is asked last: one that stalls while it leads holds up a frame, not all that come."""
PATIENCE_S = 30.0
"""So long a frame is offered to one validator after the other."""
DEPLOYMENT_ANSWER_S, DEPLOYMENT_PATIENCE_S = 45.0, 90.0
"""The same of a deployment: the validators compile it one after another, and it goes ahead to them (`ahead`)."""

ANSWER_BYTES_MAX = 8 << 20

log = logger("sending")

Answer = Receipt | Invalid | Unavailable


class Sending:
    """Has the face of `Forwarder` for the service. order: nodes to ask, whoever is likeliest to lead first."""

    def __init__(self, network: Network, order: Callable[[], Sequence[Peer]]) -> None:
        self._network, self._order = network, order
        self._queue: deque[Pending] = deque()
        self._lanes: set[LaneKey] = set()
        """Of what is on its way."""
        self._under_way = {False: 0, True: 0}
        """Frames, of calls and of a deployment."""
        self._failed_s: dict[Peer, float] = {}
        self._woken = trio.Event()
        self.forwarded = 0

    def takes(self) -> bool:
        return True

    async def at_home(self) -> None:
        """It never leads."""

    def submit(self, pending: Pending) -> None:
        """Raises Unavailable: WAITING_MAX are waiting."""
        if len(self._queue) >= WAITING_MAX:
            raise Unavailable(f"{WAITING_MAX} transactions wait for a validator, which is the limit; send again later.")
        self._queue.append(pending)
        self._woken.set()

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with trio.open_nursery() as nursery:
            task_status.started()
            while True:
                if frame := self._next():
                    nursery.start_soon(self._deliver, frame)
                else:
                    await self._woken.wait()
                    self._woken = trio.Event()

    def _next(self) -> list[Pending]:
        """The oldest that may go, now on their way; none of a lane that has others there."""
        frame: list[Pending] = []
        stay: list[Pending] = []
        passed, size = set(self._lanes), 0
        while self._queue and self._under_way[False] < FRAMES_MAX and len(frame) < FRAME_TRANSACTIONS_MAX:
            if frame and (_deploys(frame[0]) or size + self._queue[0].size > FRAME_BYTES_MAX):
                break
            pending = self._queue.popleft()
            waits = _deploys(pending) and (bool(frame) or self._under_way[True] == FRAMES_MAX)
            if pending.key in passed or waits:
                stay.append(pending)
                passed.add(pending.key)
            else:
                frame.append(pending)
                size += pending.size
        self._queue.extendleft(reversed(stay))
        if frame:
            self._under_way[_deploys(frame[0])] += 1
        self._lanes.update(pending.key for pending in frame)
        return frame

    async def _deliver(self, frame: Sequence[Pending]) -> None:
        answers: Sequence[Answer] | None = None
        deploys = _deploys(frame[0])
        with trio.move_on_after(DEPLOYMENT_PATIENCE_S if deploys else PATIENCE_S):
            answers = await self._answers(frame, DEPLOYMENT_ANSWER_S if deploys else ANSWER_TIMEOUT_S)
        away = Unavailable("No validator answers now; ask for its receipt before you send the transaction again.")
        self._under_way[deploys] -= 1
        self._lanes.difference_update(pending.key for pending in frame)
        self._woken.set()
        for pending, answer in zip(frame, answers or [away] * len(frame), strict=True):
            pending.done(answer)

    async def _answers(self, frame: Sequence[Pending], timeout_s: float) -> Sequence[Answer]:
        """Those of the first validator that has any."""
        while True:
            for peer in sorted(self._order(), key=self._is_avoided):
                try:
                    answers = await self._ask(peer, frame, timeout_s)
                except (Invalid, Unavailable) as error:
                    log.info("a validator takes no transactions now", peer=peer, reason=str(error))
                    self._failed_s[peer] = trio.current_time()
                    continue
                self.forwarded += len(frame)
                return answers
            await trio.sleep(RETRY_S)

    def _is_avoided(self, peer: Peer) -> bool:
        return peer in self._failed_s and trio.current_time() < self._failed_s[peer] + AVOIDED_S

    async def _ask(self, peer: Peer, frame: Sequence[Pending], timeout_s: float) -> Sequence[Answer]:
        """Raises Invalid, Unavailable."""
        payload = codec.encode(tuple(pending.signed.raw for pending in frame))
        answer = await self._network.request(peer, PROTOCOL, payload, timeout_s)
        try:
            return _decoded(answer, frame)
        except Invalid:
            self._network.report(peer, Offence.FORGED)
            raise


def _deploys(pending: Pending) -> bool:
    return pending.signed.transaction.kind in KINDS_WITH_SOURCE


def _decoded(answer: bytes, frame: Sequence[Pending]) -> Sequence[Answer]:
    """Raises Invalid unless these are answers to that."""
    rows = codec.expect_array(codec.decode(answer, ANSWER_BYTES_MAX), len(frame), "A validator's answer")
    answers = [outcome(row) for row in rows]
    for pending, one in zip(frame, answers, strict=True):
        if isinstance(one, Receipt) and one.transaction != pending.signed.id:
            raise Invalid("This receipt is another transaction's.", "wrong_receipt")
    return answers
