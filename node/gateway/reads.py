"""
Reads on their way to the core: view calls gathered into few trips, dear ones one after another.

One trip of view calls is under way at a time; what comes meanwhile gathers for the next, the same call once. Each gets
TRIP_GAS at first, which most need a tenth of. A call that needs more, and every simulation, waits in a line of its
client's address, and the lines take turns: no dear read holds up a cheap one, nor one client another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from genesis.errors import TenorError, Unavailable
from node.gateway.caps import Caps, OverLimit
from node.gateway.frames import CALLS
from node.gateway.link import Link
from node.gateway.wire import Json, to_json

TRIP_CALLS_MAX = 256
GATHERED_MAX = 8_192
"""Different calls that wait for a trip."""
TRIP_GAS = 50_000
"""What a view call may use before it counts as dear."""
OUT_OF_GAS = "out of gas"
DEAR_WAITING_MAX = 64
"""Of one address."""
DEAR_RETRY_MS = 500
DEAR_AT_ONCE = 2
SIMULATION_GAS = 100_000
"""What a simulation costs beside the gas it uses: the state is put back after it."""
HOLD_S = 0.1
"""A read above the limits is refused so late: who asks again at once keeps nobody else waiting meanwhile."""

Key = tuple[bytes, bytes, bytes, int]
"""program, selector, arguments and gas of a view call."""
Work = Callable[[], Awaitable[Any]]


class _Answers:
    """What the view calls of one message are waiting for. Each is Json, an error, or None for a call that is dear."""

    __slots__ = ("all_there", "found", "left")

    def __init__(self, count: int) -> None:
        self.found: list[Json | TenorError | None] = [None] * count
        self.left = count
        self.all_there: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def put(self, index: int, answer: Json | TenorError | None) -> None:
        self.found[index] = answer
        self.left -= 1
        if self.left == 0 and not self.all_there.done():
            self.all_there.set_result(None)


class Reads:
    """One for a gateway; needs a running event loop."""

    def __init__(self, link: Link, caps: Caps) -> None:
        self._link, self._caps = link, caps
        self._gathering: dict[Key, list[tuple[str, _Answers, int]]] = {}
        self._trip: asyncio.Task[None] | None = None
        self._lines: OrderedDict[str, deque[tuple[Work, asyncio.Future[Any]]]] = OrderedDict()
        self._dear: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, given: dict[str, Any], address: str) -> Any:
        """Answer a read of READS other than tenor_call. Raises OverLimit, and what the core raises."""
        refusal = self._caps.ask(address)
        if refusal is not None:
            await asyncio.sleep(HOLD_S)
            raise refusal
        if method == "tenor_simulate":
            return await self._in_line(address, lambda: self._simulate(given, address))
        return await self._link.ask(method, given)

    # Cheap

    async def calls(self, keys: Sequence[Key], address: str) -> list[Json | TenorError]:
        """The answers of view calls that came in one message, in their order."""
        answers = _Answers(len(keys))
        for index, key in enumerate(keys):
            refusal = self._caps.ask(address) or self._full()
            if refusal is None:
                self._gathering.setdefault(key, []).append((address, answers, index))
            else:
                answers.put(index, refusal)
        if self._gathering and self._trip is None:
            self._trip = asyncio.get_running_loop().create_task(self._trips())
        if any(isinstance(answer, OverLimit) for answer in answers.found):
            await asyncio.sleep(HOLD_S)
        await answers.all_there
        alone = [self._dearly(key, address) for key, found in zip(keys, answers.found, strict=True) if found is None]
        dear = iter(await asyncio.gather(*alone))
        return [next(dear) if found is None else found for found in answers.found]

    def _full(self) -> Unavailable | None:
        if len(self._gathering) < GATHERED_MAX:
            return None
        return Unavailable(f"{GATHERED_MAX} view calls are waiting for the core; try again in a moment.")

    async def _trips(self) -> None:
        """Until nothing is gathered."""
        try:
            while self._gathering:
                keys = list(self._gathering)[:TRIP_CALLS_MAX]
                asked = [(key, self._gathering.pop(key)) for key in keys]
                try:
                    answers = await self._link.ask(CALLS, [_capped(key) for key in keys])
                except TenorError as error:
                    answers = [error] * len(keys)
                for (key, askers), answer in zip(asked, answers, strict=True):
                    self._tell(key, askers, answer)
        finally:
            self._trip = None

    def _tell(self, key: Key, askers: list[tuple[str, _Answers, int]], answer: Any) -> None:
        """Whoever asked first has caused the work and pays for it."""
        found: Json | TenorError | None = answer if isinstance(answer, TenorError) else None
        if found is None:
            self._caps.spent(askers[0][0], answer[2])
            dear = answer[0] == OUT_OF_GAS and (key[3] or TRIP_GAS + 1) > TRIP_GAS
            found = None if dear else _shown(answer)
        for _, answers, index in askers:
            answers.put(index, found)

    # Dear

    async def _dearly(self, key: Key, address: str) -> Json | TenorError:
        """A view call by itself, with all the gas it may use."""

        async def alone() -> Json:
            (answer,) = await self._link.ask(CALLS, [key])
            self._caps.spent(address, answer[2])
            return _shown(answer)

        try:
            shown: Json = await self._in_line(address, alone)
        except TenorError as error:
            return error
        return shown

    async def _simulate(self, given: dict[str, Any], address: str) -> Any:
        self._caps.spent(address, SIMULATION_GAS)
        answer = await self._link.ask("tenor_simulate", given)
        self._caps.spent(address, answer["gas_used"])
        return answer

    async def _in_line(self, address: str, work: Work) -> Any:
        """Wait for the address's turn, then do it, if there is gas left by then."""
        line = self._lines.setdefault(address, deque())
        if len(line) >= DEAR_WAITING_MAX:
            raise OverLimit(DEAR_WAITING_MAX, "dear reads of one address at once", DEAR_RETRY_MS)
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        line.append((work, answer))
        if len(self._dear) < DEAR_AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._turns())
            self._dear.add(task)
            task.add_done_callback(self._dear.discard)
        return await answer

    async def _turns(self) -> None:
        """The first in line of each address in turn, until all lines are empty."""
        while self._lines:
            address, line = self._lines.popitem(last=False)
            work, answer = line.popleft()
            if line:
                self._lines[address] = line
            if answer.done():
                continue  # whoever asked has gone
            try:
                self._caps.go_on(address)
                found = await work()
            except TenorError as error:
                if not answer.done():
                    answer.set_exception(error)
            else:
                if not answer.done():
                    answer.set_result(found)


def _capped(key: Key) -> Key:
    program, selector, arguments, gas = key
    return program, selector, arguments, min(gas or TRIP_GAS, TRIP_GAS)


def _shown(answer: Any) -> Json:
    reason, result, gas_used = answer
    return Json(to_json({"reason": reason, "result": result, "gas_used": gas_used}))
