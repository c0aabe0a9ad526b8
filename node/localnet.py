"""
Folders of a network on this machine: a configuration, a key and a data folder for each validator, one settlement chain.

The keys are published, like the development keys, and worth nothing.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from importlib.resources import files
from itertools import islice
from pathlib import Path
from random import SystemRandom

from genesis.crypto import address_of, checksum_address, keccak256
from genesis.devkeys import development_key
from genesis.errors import Unavailable
from node import keystore
from node.config import load, render
from node.place import read_peers
from p2p.identity import NodeKey

CONFIG_NAME = "node.toml"
PASSWORD = "devnet"
PORTS = range(10_000, 32_768)
"""Below those that Linux and others give to connections that name none, above those of most services."""
VALIDATORS_MAX = 16
"""Of a devnet, as `tenor devnet` takes them."""


def validator_key(number: int) -> bytes:
    """The key of the devnet's validator `number`: published, like the development keys, of which 0 is the first's."""
    return development_key(0) if number == 0 else keccak256(f"tenor devnet validator {number}".encode())


def chain_text(validators: int) -> str:
    """The devnet's specification with so many validators of equal stake."""
    text = (files("genesis.presets") / "devnet.toml").read_text()
    more = "".join(
        f'[[validators]]\naddress = "{checksum_address(address_of(validator_key(number)))}"\nstake = 1\n\n'
        for number in range(1, validators)
    )
    return text.replace("[[allocations]]", more + "[[allocations]]", 1)


def write_folders(folder: Path, validators: int, ports: Sequence[int], settlement_block_ms: int) -> list[Path]:
    """
    A folder for each validator, all with one settlement chain, and a list of peers when there are several; return the
    paths of their configurations. What is there stays.

    Args:
        ports: of the gateways; 0 takes a free one.
    """
    if validators == 1:
        return [write_folder(folder, ports[0], settlement_block_ms)]
    folder.mkdir(parents=True, exist_ok=True)
    chain, peers = folder / "chain.toml", folder / "peers"
    if not chain.exists():
        chain.write_text(chain_text(validators))
        peers.write_text("".join(map(_peer_line, range(validators), free_ports(validators))))
    return [
        write_folder(folder / f"validator-{number}", ports[number], settlement_block_ms, number, folder)
        for number in range(validators)
    ]


def write_folder(
    folder: Path,
    port: int,
    settlement_block_ms: int,
    number: int = 0,
    shared: Path | None = None,
    log: tuple[str, str] = ("warning", "human"),
) -> Path:
    """
    Configuration, validator key and its password; return the configuration's path. What is there stays.

    Args:
        shared: folder of chain.toml, peers and the settlement chain; None for a chain of one validator.
        log: level and format.
    """
    folder = folder.absolute()  # a configuration's relative paths begin where it is
    shared = shared.absolute() if shared else None
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / CONFIG_NAME
    if config.exists():
        return config
    key_file = folder / "validator.json"
    keystore.save(key_file, validator_key(number), PASSWORD, keystore.SCRYPT_N_LIGHT)
    (folder / "validator.password").write_text(PASSWORD + "\n")
    flags = {
        "node.folder": str(folder),
        "node.log_level": log[0],
        "node.log_format": log[1],
        "keys.validator": str(key_file),
        "keys.password_file": str(folder / "validator.password"),
        "gateway.port": str(port),
        "settlement.file": str((shared or folder) / "settlement.sqlite"),
        "settlement.block_time_ms": str(settlement_block_ms),
    }
    if shared is not None:
        (folder / "node.key").write_text(_node_secret(number).hex())
        address = read_peers(shared / "peers")[address_of(validator_key(number))].address
        flags |= {
            "node.chain": str(shared / "chain.toml"),
            "network.listen": str(address),
            "network.peers": str(shared / "peers"),
            "network.key": str(folder / "node.key"),
        }
    config.write_text(render(load(None, flags)))
    return config


def _node_secret(number: int) -> bytes:
    return keccak256(f"tenor devnet node {number}".encode())


def _peer_line(number: int, port: int) -> str:
    address = checksum_address(address_of(validator_key(number)))
    return f"{address} /ip4/127.0.0.1/tcp/{port}/p2p/{NodeKey(_node_secret(number)).peer}\n"


def check_free(ports: Sequence[int]) -> None:
    """Raises Unavailable, naming the first port that somebody has."""
    for port in ports:
        why = _hindered(port)
        if why is not None:
            raise Unavailable(
                f"Port {port} cannot be used: {why}; stop what listens there, or name other ports with --port."
            )


def free_ports(count: int) -> list[int]:
    """
    Ports of PORTS that nobody has now, and that nobody else is given while this process lives, though who is to listen
    there may come later, and come and go: they are outside what connections get, and each draw holds its own.

    Raises:
        Unavailable: there are not so many.
    """
    drawn = SystemRandom().sample(PORTS, len(PORTS))
    free = list(islice((port for port in drawn if _hindered(port) is None and _held(port)), count))
    if len(free) < count:
        raise Unavailable(f"Only {len(free)} of {count} ports are free from {PORTS.start} to {PORTS.stop - 1}.")
    return free


def _held(port: int) -> bool:
    """Whether the port's name among the abstract sockets is now this process's, which keeps it open."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0tenor port {port}")
    except OSError:
        name.close()
        return False
    name.detach()
    return True


def _hindered(port: int) -> str | None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        return os.strerror(error.errno or 0)
    return None
