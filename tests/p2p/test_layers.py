"""A node loads the layers of libp2p that it uses, and no more: not when it starts, and not while it works."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
import trio
from p2p.address import StaticPeer, read_address
from p2p.identity import NodeKey
from p2p.tcp import open_tcp_network


async def main():
    here = read_address("/ip4/127.0.0.1/tcp/0")
    one, two = NodeKey(bytes([1]) * 32), NodeKey(bytes([2]) * 32)
    with trio.fail_after(60):
        async with open_tcp_network(one, here) as a, open_tcp_network(two, here) as b:
            everybody = [StaticPeer(node.identity, node.addresses[0]) for node in (a, b)]
            inbox = b.listen("votes")
            for node in (a, b):
                node.allow(everybody)
            while not a.peers():
                await trio.sleep(0.005)
            stream = await a.open(b.identity, "votes")
            await stream.send(b"vote")
            assert (await inbox.receive()).payload == b"vote"


trio.run(main)
assert "libp2p.stream_muxer.yamux.yamux" in sys.modules
assert not [name for name in sys.modules if name.startswith("libp2p.host")]
from libp2p import new_host  # who wants all of it still gets it
from libp2p.stream_muxer.yamux import yamux
import p2p.libp2p
assert p2p.libp2p.Yamux is yamux.Yamux
"""


def test_a_node_that_talks_has_loaded_no_host() -> None:
    subprocess.run([sys.executable, "-c", SCRIPT], check=True, timeout=120)
