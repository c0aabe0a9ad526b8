"""
Reads on their way to the core: view calls gathered into few trips, dear ones one after another.

One trip of view calls is under way at a time; what comes meanwhile gathers for the next, the same call once. Each gets
TRIP_GAS at first, which most need a tenth of. A call that needs more, and every simulation, waits in a line of its
client's address, and the lines take turns: no dear read holds up a cheap one, nor one client another.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from genesis.errors import TenorError
from node.gateway.caps import Caps, OverLimit
from node.gateway.frames import CALLS
from node.gateway.link import Link
from node.gateway.wire import Json, to_json

TRIP_CALLS_MAX = 256
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


class Reads:
    """One for a gateway; needs a running event loop."""

    def __init__(self, link: Link, caps: Caps) -> None:
        self._link, self._caps = link, caps
        self._gathering: dict[Key, list[tuple[str, asyncio.Future[Any]]]] = {}
        self._trip: asyncio.Task[None] | None = None
        self._lines: OrderedDict[str, deque[tuple[Work, asyncio.Future[Any]]]] = OrderedDict()
        self._dear: set[asyncio.Task[None]] = set()

    async def ask(self, method: str, given: dict[str, Any], address: str) -> Any:
        """Answer a read of READS. Raises OverLimit, and what the core raises."""
        try:
            self._caps.ask(address)
        except OverLimit:
            await asyncio.sleep(HOLD_S)
            raise
        if method == "tenor_call":
            return await self._call((given["program"], given["selector"], given["arguments"], given["gas"]), address)
        if method == "tenor_simulate":
            return await self._in_line(address, lambda: self._simulate(given, address))
        return await self._link.ask(method, given)

    # Cheap

    async def _call(self, key: Key, address: str) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._gathering.setdefault(key, []).append((address, answer))
        if self._trip is None:
            self._trip = asyncio.get_running_loop().create_task(self._trips())
        found = await answer
        return found if found is not None else await self._in_line(address, lambda: self._alone(key, address))

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

    def _tell(self, key: Key, askers: list[tuple[str, asyncio.Future[Any]]], answer: Any) -> None:
        """Whoever asked first has caused the work and pays for it."""
        waiting = [future for _, future in askers if not future.done()]
        if isinstance(answer, TenorError):
            for future in waiting:
                future.set_exception(answer)
            return
        self._caps.spent(askers[0][0], answer[2])
        dear = answer[0] == OUT_OF_GAS and (key[3] or TRIP_GAS + 1) > TRIP_GAS
        found = None if dear else _shown(answer)
        for future in waiting:
            future.set_result(found)

    # Dear

    async def _alone(self, key: Key, address: str) -> Json:
        (answer,) = await self._link.ask(CALLS, [key])
        self._caps.spent(address, answer[2])
        return _shown(answer)

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
