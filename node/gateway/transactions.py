"""
Signed transactions on their way in: hexadecimal → canonical bytes → signer, then to the core in one request.

Recovery runs on threads (the curve's arithmetic releases the interpreter lock); a single small transaction is done in
place, for there the hop costs more than the work. Those refused here never reach the core. Order is kept: with a Ticket
per message the frames of a connection recover side by side and leave in the order they came.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from genesis.errors import Invalid, TenorError
from genesis.transaction import decode
from node.gateway.frames import SEND
from node.gateway.link import Link, fault
from node.gateway.methods import hexadecimal
from node.gateway.wire import Json
from node.views import receipt_json

IN_PLACE_DIGITS_MAX = 4_096
"""A transaction this long (2 KiB) or shorter is recovered in place when it comes alone: about 80 µs."""

Entry = tuple[bytes, bytes, bytes]
"""raw, signer, id: what the core needs in order not to do the work again."""

_raw = hexadecimal()


class Ticket:
    """One message's place in its connection's queue: behind `before`; whoever comes next waits for `leave`."""

    def __init__(self, before: Ticket | None = None) -> None:
        self._before = None if before is None or before._left.done() else before._left
        self._left: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def turn(self) -> None:
        """Wait until every earlier message has left."""
        if self._before is not None and not self._before.done():
            await self._before

    def leave(self) -> None:
        """What had to keep its order is on its way; harmless when repeated."""
        if not self._left.done():
            self._left.set_result(None)


def recover(texts: Sequence[object]) -> list[Entry | TenorError]:
    """Decode each; an error stands in its place."""
    found: list[Entry | TenorError] = []
    for text in texts:
        try:
            signed = decode(_raw(text, "transaction"))
            found.append((signed.raw, signed.signer, signed.id))
        except Invalid as error:
            found.append(error)
    return found


async def send(
    link: Link, pool: ThreadPoolExecutor, ticket: Ticket, texts: Sequence[object], waits: Sequence[str]
) -> list[Any]:
    """
    Return for each transaction its receipt as JSON (or {"transaction": id} where wait is "received"), or its error.

    waits: "received" or "executed", for each.
    """
    if len(texts) == 1 and isinstance(texts[0], str) and len(texts[0]) <= IN_PLACE_DIGITS_MAX:
        outcomes: list[Any] = recover(texts)
    else:
        outcomes = await asyncio.get_running_loop().run_in_executor(pool, recover, texts)
    await ticket.turn()
    posted = [(places, _post(link, wait, [outcomes[i] for i in places])) for wait, places in _groups(outcomes, waits)]
    ticket.leave()
    for places, answer in posted:
        try:
            answers: Sequence[Any] = [_outcome(one) for one in await answer]
        except TenorError as error:
            answers = [error] * len(places)
        for place, one in zip(places, answers, strict=True):
            outcomes[place] = one
    return outcomes


def _groups(outcomes: Sequence[Entry | TenorError], waits: Sequence[str]) -> list[tuple[str, list[int]]]:
    """The places of those recovered, by how long their sender waits; in order."""
    groups: dict[str, list[int]] = {}
    for place, (outcome, wait) in enumerate(zip(outcomes, waits, strict=True)):
        if isinstance(outcome, tuple):
            groups.setdefault(wait, []).append(place)
    return list(groups.items())


def _post(link: Link, wait: str, entries: list[Entry]) -> asyncio.Future[Any]:
    try:
        return link.post(SEND, {"wait": wait, "transactions": entries})
    except TenorError as error:
        refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        refused.set_exception(error)
        return refused


def _outcome(answer: Any) -> Any:
    if isinstance(answer, bytes):
        return Json(receipt_json(answer))
    return fault(*answer) if isinstance(answer, list) else answer
