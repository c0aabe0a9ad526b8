"""
A node's place among the others: its name in the network, where it listens, and which node is which validator's.

The file of peers has a line for each validator, `0xADDRESS /ip4/HOST/tcp/PORT/p2p/NAME`; empty lines, and what stands
behind a #, are left out. All validators may share one file. It is read again and again while the node runs: a line for
whoever validates from a later set on is best there before that set begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from genesis.crypto import parse_address
from genesis.errors import Invalid
from genesis.spec import ChainSpec
from node.config import NOWHERE, NetworkConfig
from node.life import Place
from node.log import logger
from p2p.address import StaticPeer, read_address, read_static_peer
from p2p.identity import NodeKey
from p2p.network import Peer
from p2p.tcp import TcpNetwork, open_tcp_network

PEERS_BYTES_MAX = 1 << 20
NODE_KEY_BYTES = 32

log = logger("place")


@asynccontextmanager
async def open_place(config: NetworkConfig, spec: ChainSpec, own: bytes | None) -> AsyncIterator[Place | None]:
    """
    Join the network; None on a chain of one validator that listens nowhere.

    Args:
        own: this validator's address; None for a node that only follows, which need not listen.

    Raises:
        Invalid: "bad_config" for a file that is missing or says something else. Unavailable: the port is taken.
    """
    if config.listen == NOWHERE and own is not None:
        if len(spec.stakes) > 1:
            raise Invalid(
                f"This chain has {len(spec.stakes)} validators; set network.listen, network.peers and network.key.",
                "bad_config",
            )
        yield None
        return
    key = read_node_key(config.key)
    peers = _others(config.peers, own, key.peer)
    listen = None if config.listen == NOWHERE else read_address(config.listen)
    async with open_tcp_network(key, listen, peers.values(), strangers=config.followers == "on") as network:
        yield Place(network, _names(peers), PeersFile(config, own, network, peers).news)


class PeersFile:
    """The file of peers of a node that runs; what is new in it goes to the network."""

    def __init__(
        self, config: NetworkConfig, own: bytes | None, network: TcpNetwork, peers: Mapping[bytes, StaticPeer]
    ) -> None:
        self._config, self._own, self._network, self._peers = config, own, network, peers
        self._wrong = ""

    async def news(self) -> Mapping[bytes, Peer] | None:
        """The others by validator's address if the file says something new; a file that is wrong says nothing."""
        try:
            peers = await trio.to_thread.run_sync(_others, self._config.peers, self._own, self._network.identity)
        except Invalid as error:
            if str(error) != self._wrong:
                log.error("the file of peers is not read; those known stay", reason=str(error))
            self._wrong = str(error)
            return None
        self._wrong = ""
        if peers == self._peers:
            return None
        self._peers = peers
        self._network.allow(peers.values(), strangers=self._config.followers == "on")
        log.info("the file of peers has changed", peers=len(peers))
        return _names(peers)


def _others(path: Path, own: bytes | None, identity: Peer) -> dict[bytes, StaticPeer]:
    """Without this node, under whatever key. Raises Invalid "bad_config"."""
    return {at: peer for at, peer in read_peers(path).items() if at != own and peer.peer != identity}


def _names(peers: Mapping[bytes, StaticPeer]) -> dict[bytes, Peer]:
    return {address: peer.peer for address, peer in peers.items()}


def read_peers(path: Path) -> Mapping[bytes, StaticPeer]:
    """Validators' addresses → where their nodes are. Raises Invalid "bad_config", naming file and line."""
    found: dict[bytes, StaticPeer] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            if len(words) != 2:
                raise Invalid("a line is an address and a multiaddress.", "bad_config")
            address, peer = parse_address(words[0]), read_static_peer(words[1])
            if address in found:
                raise Invalid(f"{words[0]} stands here twice.", "bad_config")
        except Invalid as error:
            raise Invalid(f"{path}, line {number}: {error}", "bad_config") from error
        found[address] = peer
    return found


def read_node_key(path: Path) -> NodeKey:
    """Raises Invalid "bad_config"."""
    try:
        return NodeKey(bytes.fromhex(_read(path).strip()))
    except (ValueError, Invalid) as error:
        raise Invalid(f"{path} holds no node key: 64 hexadecimal digits are one.", "bad_config") from error


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()[: PEERS_BYTES_MAX + 1]
        if len(data) > PEERS_BYTES_MAX:
            raise Invalid(f"{path} has more than {PEERS_BYTES_MAX} bytes.", "bad_config")
        return data.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{path} cannot be read: {error}. `tenor node init --listen` writes one.", "bad_config"
        ) from error
