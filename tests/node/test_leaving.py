"""A leader that is asked to leave goes only when what it told as executed is certified, or handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import trio

from devnet.journal import CERTIFIED
from genesis.errors import Invalid, Unavailable
from node.consensus import wire
from node.consensus.post import Post
from node.forwarder import PROTOCOL
from node.heritage import BATCHES
from p2p.memory_node import MemoryNetwork
from tests.node.test_validators import COUNT, Town, play

SLOW_S = 3.0
"""A view's time, and more."""


def hushed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Names of nodes whose blocks and batches reach nobody, and whose requests take long."""
    names: set[str] = set()
    send, request = Post.send, MemoryNetwork.request

    def sends(post: Post, protocol: str, payload: bytes, to: str | None = None) -> None:
        if protocol not in (wire.BLOCKS, BATCHES) or post._network.identity not in names:
            send(post, protocol, payload, to)

    async def requests(node: MemoryNetwork, peer: str, protocol: str, payload: bytes, timeout_s: float) -> bytes:
        if protocol == PROTOCOL and node.identity in names:
            await trio.sleep(SLOW_S)
        return await request(node, peer, protocol, payload, timeout_s)

    monkeypatch.setattr(Post, "send", sends)
    monkeypatch.setattr(MemoryNetwork, "request", requests)
    return names


@pytest.mark.slow
def test_a_leader_whose_block_failed_leaves_once_the_next_one_has_what_it_had_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = hushed(monkeypatch)
    monkeypatch.setattr(Town, "lasting_first", frozenset(range(COUNT)))

    async def test(town: Town) -> None:
        await town.grown(0, 3)
        leader = await town.leader()
        names.add(f"v{leader}")
        told = await town.pay(leader)
        town.lives[leader].stop()
        while not town.left(leader):
            await trio.sleep(0.02)
        other = town.members[(leader + 1) % COUNT].client
        with trio.fail_after(60):
            while await stage(other, told.transaction) not in CERTIFIED:
                await trio.sleep(0.05)

    play(tmp_path, test)


async def stage(client: Any, transaction: bytes) -> str:
    try:
        return str((await client.receipt(transaction)).stage)
    except (Invalid, Unavailable):
        return ""
