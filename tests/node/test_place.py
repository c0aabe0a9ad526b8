"""The file of peers is read again while a node runs: whoever joins later is let in without a restart."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import trio

from genesis.crypto import checksum_address
from genesis.devkeys import development_address
from genesis.presets import load_preset
from node.config import NetworkConfig
from node.localnet import free_ports
from node.place import open_place
from p2p.identity import NodeKey

DEADLINE_S = 60.0
SPEC = load_preset("devnet")


@dataclass(frozen=True, slots=True)
class Site:
    """What one operator has."""

    folder: Path
    key: int
    port: int

    @property
    def line(self) -> str:
        peer = NodeKey(bytes([self.key]) * 32).peer
        return f"{checksum_address(development_address(self.key))} /ip4/127.0.0.1/tcp/{self.port}/p2p/{peer}\n"

    @property
    def peers(self) -> Path:
        return self.folder / f"peers-{self.key}"

    def config(self, *others: Site) -> NetworkConfig:
        self.peers.write_text("".join(one.line for one in (self, *others)))
        secret = self.folder / f"key-{self.key}"
        secret.write_text((bytes([self.key]) * 32).hex())
        return NetworkConfig(f"/ip4/127.0.0.1/tcp/{self.port}", self.peers, secret)


def test_a_line_added_to_the_file_of_peers_lets_a_node_in(tmp_path: Path) -> None:
    first, later = (Site(tmp_path, key, port) for key, port in zip((5, 6), free_ports(2), strict=True))

    async def main() -> None:
        with trio.fail_after(DEADLINE_S):
            here = open_place(first.config(), SPEC, development_address(5))
            there = open_place(later.config(first), SPEC, development_address(6))
            async with here as place, there as other:
                assert place is not None and other is not None
                assert place.peers == {} and await place.news() is None
                first.peers.write_text(first.line + "nonsense\n")
                assert await place.news() is None, "a file that is wrong changes nothing"
                again = later.line.replace(checksum_address(development_address(6)), "0x" + "77" * 20)
                first.peers.write_text(first.line + later.line + again + "\n")
                names = await place.news()
                assert names == {development_address(6): other.network.identity, b"\x77" * 20: other.network.identity}
                while not place.network.peers() or not other.network.peers():
                    await trio.sleep(0.02)

    trio.run(main)
