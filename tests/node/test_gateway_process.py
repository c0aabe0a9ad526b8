"""The gateway as a process: it ends with whoever started it, comes back on its port, and says when there is no core."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import httpx
import pytest
import trio

from genesis.errors import Unavailable
from node.client import Client, connect
from node.config import GatewayConfig
from node.corelink import CoreLink, link_path
from node.gateway_process import run_gateway
from node.unix_socket import SOCKET_PATH_BYTES_MAX
from tests.node.stage import LIMITS, StubCore, playing

REQUEST = {"jsonrpc": "2.0", "id": 1, "method": "tenor_chainInfo"}


@contextmanager
def alone(limits: GatewayConfig) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A gateway whose core never comes."""
    command = [sys.executable, "-m", "node.gateway", "/nonexistent/core.sock", json.dumps(asdict(limits))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    with process.stdin, process.stdout:
        process.stdin.write("\n")  # it is served, says who does not serve it
        process.stdin.flush()
        yield process, f"http://127.0.0.1:{json.loads(process.stdout.readline())['port']}"
    process.wait(10)


def test_without_a_core_requests_are_unavailable_and_health_says_so() -> None:
    with alone(LIMITS) as (_, url):
        answer = httpx.post(url, json=REQUEST).json()
        assert answer["error"]["code"] == -32050
        assert "core does not answer" in answer["error"]["message"]
        assert httpx.get(url + "/health").status_code == 503


def test_it_ends_when_its_stdin_closes() -> None:
    with alone(LIMITS) as (process, _):
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


def test_a_killed_gateway_is_back_on_its_port(tmp_path: Path) -> None:
    with playing(tmp_path) as core:
        assert "result" in httpx.post(core.url, json=REQUEST).json()
        os.kill(gateway_of(core), signal.SIGKILL)
        assert "result" in eventually_post(core.url)


def gateway_of(core: StubCore) -> int:
    """The process at the other end of the port."""
    children = subprocess.run(["ps", "-o", "pid,args", "--ppid", str(os.getpid())], capture_output=True, text=True)
    port = int(core.url.rsplit(":", 1)[1])
    found = [int(line.split()[0]) for line in children.stdout.splitlines() if "node.gateway" in line]
    listening = [pid for pid in found if port in ports_of(pid)]
    assert len(listening) == 1
    return listening[0]


def ports_of(pid: int) -> set[int]:
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if row[9] in inodes}


def eventually_post(url: str) -> dict[str, object]:
    """The answer of the next gateway; its start is waited for by trying."""
    for _ in range(200):
        try:
            answer: dict[str, object] = httpx.post(url, json=REQUEST, timeout=10).json()
        except httpx.TransportError:
            trio.run(trio.sleep, 0.05)
            continue
        if "result" in answer:
            return answer
    raise AssertionError("the gateway did not come back")


def test_a_restarted_core_ends_subscriptions_and_is_found_again(tmp_path: Path) -> None:
    async def main() -> None:
        stub = StubCore()
        path = link_path(tmp_path)
        async with trio.open_nursery() as nursery:
            first = trio.CancelScope()

            async def serve_first(task_status: trio.TaskStatus[None]) -> None:
                with first:
                    await stub.link.serve(path, task_status=task_status)

            await nursery.start(serve_first)
            port = await nursery.start(run_gateway, LIMITS, path)
            url = f"ws://127.0.0.1:{port}/ws"
            async with connect(url) as client, client.subscribe("blocks") as blocks:
                first.cancel()
                with pytest.raises(trio.EndOfChannel):
                    await blocks.receive()
                with pytest.raises(Unavailable, match="1013"):
                    await client.chain_info()
            await nursery.start(CoreLink(stub.handle).serve, path)
            async with connect(url) as client:
                while not await answers(client):
                    await trio.sleep(0.01)
            nursery.cancel_scope.cancel()

    trio.run(main)


async def answers(client: Client) -> bool:
    try:
        await client.chain_info()
    except Unavailable:
        return False
    return True


def test_a_port_in_use_is_said_at_the_first_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main(port: int) -> None:
        async def nothing(method: str, payload: object) -> object:
            return None

        async with trio.open_nursery() as nursery:
            path = link_path(tmp_path)
            await nursery.start(CoreLink(nothing).serve, path)
            try:
                await run_gateway(replace(LIMITS, port=port), path)
            finally:
                nursery.cancel_scope.cancel()

    with alone(LIMITS) as (_, url), pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main, int(url.rsplit(":", 1)[1]))
    assert caught.group_contains(Unavailable, match="did not start on")


def test_a_folder_too_deep_for_a_socket_gets_one_elsewhere(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 120)
    assert link_path(tmp_path).parent in (tmp_path, Path(link_path(tmp_path).parent))
    assert len(str(link_path(deep))) <= SOCKET_PATH_BYTES_MAX
    assert link_path(deep) == link_path(deep)
    assert link_path(deep) != link_path(tmp_path / ("e" * 120))
