"""Validators that are killed, stopped, parted, skewed and restarted lose nothing that was certified."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import trio

from devnet.weather import HOLD_S_MAX, HOLD_S_MIN, KINDS, SKEW_MS_MAX, draw
from devnet.wires import Wires
from node.localnet import free_ports, write_folders
from node.place import read_peers

SEED = 1
LEADERS_FALL = 319
COMMAND = [sys.executable, "-c", "from devnet.cli import main; main()", "devnet"]


def ran(*arguments: str) -> dict[str, Any]:
    """The object on the last line of a command that ends well."""
    done = subprocess.run([*COMMAND, *arguments, "--json"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4_000:] + done.stdout[-2_000:]
    summary: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(summary))
    return summary


def check(summary: dict[str, Any]) -> None:
    assert summary["roots_equal"] and summary["conserved"] and summary["replay_equal"]
    assert summary["lost_receipts"] == summary["changed_receipts"] == summary["unasked_receipts"] == 0
    assert summary["certified_receipts"] > 20
    assert summary["blocks"] > 10


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_chaos_loses_nothing_that_was_certified() -> None:
    """Whoever leads is parted from the others, killed, and stopped: the seed's first three faults."""
    summary = ran("chaos", "--seed", str(LEADERS_FALL), "--faults", "3", "--minutes", "10")
    check(summary)
    faults = {kind: count for kind, count in summary["faults"].items() if count}
    assert faults == {"hush": 1, "kill": 1, "pause": 1}
    assert summary["fills"] > 0, "agents trade on through it"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_leader_that_is_restarted_under_load_loses_nothing_that_was_certified() -> None:
    summary = ran("roll", "--seed", str(SEED), "--rate", "20", "--nodes", "1")
    check(summary)
    assert summary["restarts"] == len(summary["leaving_s"]) == 1, "it left by itself, once"


def test_a_seed_draws_the_same_faults_again() -> None:
    faults = list(islice(draw(SEED, 4), 500))
    assert faults == list(islice(draw(SEED, 4), 500))
    assert faults != list(islice(draw(SEED + 1, 4), 500))
    assert Counter(fault.kind for fault in faults).keys() == set(KINDS)
    assert {fault.node for fault in faults} == {None, 0, 1, 2, 3}
    assert all(HOLD_S_MIN <= fault.hold_s <= HOLD_S_MAX for fault in faults)
    assert all(abs(fault.skew_ms) <= SKEW_MS_MAX for fault in faults)


class Echo:
    """The network of two nodes, of which node 1 sends back whatever it gets."""

    def __init__(self, folder: Path) -> None:
        write_folders(folder, 2, free_ports(2), 500)
        self.wires, lists = Wires.lay(folder, 2)
        direct, relayed = (list(read_peers(path).values())[1].address for path in (folder / "peers", lists[0]))
        assert direct is not None and relayed is not None and direct.port != relayed.port
        self.port, self._target = relayed.port, direct.port

    async def play(self, nursery: trio.Nursery) -> None:
        async def echo(stream: trio.SocketStream) -> None:
            async with stream:
                async for data in stream:
                    await stream.send_all(data)

        await nursery.start(trio.serve_tcp, echo, self._target)
        await nursery.start(self.wires.run)

    async def dial(self) -> trio.SocketStream:
        return await trio.open_tcp_stream("127.0.0.1", self.port)


def test_a_wire_carries_holds_and_breaks(tmp_path: Path) -> None:
    site = Echo(tmp_path)

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await site.play(nursery)
                async with await site.dial() as stream:
                    await stream.send_all(b"one")
                    assert await stream.receive_some() == b"one"

                    site.wires.part([1], "hushed")
                    await stream.send_all(b"two")
                    with trio.move_on_after(0.3) as silent:
                        await stream.receive_some()
                    assert silent.cancelled_caught
                    site.wires.heal()
                    assert await stream.receive_some() == b"two"

                    site.wires.part([0], "cut")
                    assert await stream.receive_some() == b""
                async with await site.dial() as refused:
                    assert await refused.receive_some() == b"", "nothing new is taken"
                site.wires.heal()
                async with await site.dial() as again:
                    await again.send_all(b"three")
                    assert await again.receive_some() == b"three"
                nursery.cancel_scope.cancel()

    trio.run(main)


def test_only_wires_across_the_cut_are_touched(tmp_path: Path) -> None:
    site = Echo(tmp_path)

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await site.play(nursery)
                site.wires.part([0, 1], "cut")
                async with await site.dial() as stream:
                    await stream.send_all(b"within")
                    assert await stream.receive_some() == b"within"
                nursery.cancel_scope.cancel()

    trio.run(main)
