"""Dialling a peer on the list: again and again, at once after a loss, slower while it fails."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from p2p.tcp_bounds import BACK_OFF_GROWTH, BACK_OFF_S, BACK_OFF_S_MAX, STABLE_S
from p2p.tcp_connection import Connection


async def keep_dialled(
    hesitant: bool,
    connection: Callable[[], Connection | None],
    banned_for_s: Callable[[], float],
    dial: Callable[[], Awaitable[None]],
) -> None:
    """
    Keep a connection to a peer; runs until cancelled.

    Args:
        hesitant: whether the peer is the one to dial first, so that two do not meet half way.
        connection: the one there is, whoever dialled it.
        dial: returns when it has failed, or the connection has ended.
    """
    back_off_s = BACK_OFF_S
    while True:
        if hesitant:
            await trio.sleep(BACK_OFF_S)
        started_s = trio.current_time()
        present = connection()
        if present is not None:
            await present.ended.wait()
        elif wait_s := banned_for_s():
            await trio.sleep(wait_s)
        else:
            await dial()
        if trio.current_time() - started_s > STABLE_S:
            back_off_s = BACK_OFF_S
        else:
            await trio.sleep(back_off_s * random.uniform(0.5, 1.0))
            back_off_s = min(BACK_OFF_S_MAX, back_off_s * BACK_OFF_GROWTH)
