"""
The devnet's nodes: processes like any operator's, each with a folder, a key and a configuration, started again when one
dies.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import trio

from genesis.crypto import address_of, checksum_address, keccak256
from genesis.devkeys import development_key
from genesis.errors import Unavailable
from node import keystore
from node.config import load, render
from node.place import read_peers
from p2p.identity import NodeKey

CONFIG_NAME = "node.toml"
PASSWORD = "devnet"
STOP_S = 20.0
RESTART_S = 0.2
RESTARTS_MAX = 100


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


def write_folders(folder: Path, validators: int, port: int, settlement_block_ms: int) -> list[Path]:
    """
    A folder for each validator, all with one settlement chain, and a list of peers when there are several; return the
    paths of their configurations. What is there stays.

    Args:
        port: of the first gateway; the others follow. 0 takes free ones.
    """
    if validators == 1:
        return [write_folder(folder, port, settlement_block_ms)]
    folder.mkdir(parents=True, exist_ok=True)
    chain, peers = folder / "chain.toml", folder / "peers"
    if not chain.exists():
        chain.write_text(chain_text(validators))
        peers.write_text("".join(map(_peer_line, range(validators), _free_ports(validators))))
    return [
        write_folder(folder / f"validator-{number}", port + number if port else 0, settlement_block_ms, number, folder)
        for number in range(validators)
    ]


def write_folder(
    folder: Path, port: int, settlement_block_ms: int, number: int = 0, shared: Path | None = None
) -> Path:
    """
    Configuration, validator key and its password; return the configuration's path. What is there stays.

    Args:
        shared: folder of chain.toml, peers and the settlement chain; None for a chain of one validator.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / CONFIG_NAME
    if config.exists():
        return config
    key_file = folder / "validator.json"
    keystore.save(key_file, validator_key(number), PASSWORD, keystore.SCRYPT_N_LIGHT)
    (folder / "validator.password").write_text(PASSWORD + "\n")
    flags = {
        "node.folder": str(folder),
        "node.log_level": "warning",
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


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class NodeProcess:
    """pid and restarts are for those who watch; `run` keeps the process alive until `stop`."""

    def __init__(self, config: Path) -> None:
        self._command = [sys.executable, "-m", "node.cli", "node", "run", "--config", str(config)]
        self._process: trio.Process | None = None
        self._ending = False
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def run(self) -> None:
        """Raises Unavailable when it ends too often, or at once."""
        while not self._ended():
            self._process = await trio.lowlevel.open_process(
                self._command, stdin=subprocess.DEVNULL, stdout=sys.stderr.fileno()
            )
            code = await self._process.wait()
            if self._ended():
                return
            self.restarts += 1
            if code > 0 or self.restarts > RESTARTS_MAX:
                raise Unavailable(f"The node ended by itself with code {code}; its log above says why.")
            await trio.sleep(RESTART_S)

    def _ended(self) -> bool:
        return self._ending

    async def stop(self) -> None:
        """Let it seal its block and leave; kill it when it does not."""
        self._ending = True
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        with trio.move_on_after(STOP_S):
            await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
