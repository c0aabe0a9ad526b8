"""The gateway's end of the link when the core ends: whoever asked is told, and nothing else is heard of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvloop

from genesis.errors import Unavailable
from node.gateway.link import Link


def test_what_is_asked_while_the_connection_closes_fails_with_it(tmp_path: Path) -> None:
    path = tmp_path / "core.sock"
    complaints: list[dict[str, Any]] = []

    async def core(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
        async with await asyncio.start_unix_server(core, path):
            link = Link(path)
            running = asyncio.create_task(link.run())
            while not link.connected:
                await asyncio.sleep(0.001)
            assert link._writer is not None
            link._writer.transport.abort()
            with pytest.raises(Unavailable, match="went away while it worked on this"):
                await link.ask("tenor_chainInfo", {})
            running.cancel()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(asyncio.wait_for(main(), 60))
    assert complaints == []
