"""
A node as an operator runs it, for the node bench: its own process and folder, the devnet preset, one perpetual market.

The market is listed and the accounts are funded over the node's own interface; no other way in. What the node logs of
its blocks (level debug) and what the kernel counts of its processes is how the bench sees inside.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import trio

from genesis.crypto import address_of, keccak256
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt, Unavailable
from genesis.spec import genesis_address
from genesis.transaction import Call
from node import keystore
from node.client import Client, connect
from node.config import load, render
from node.leash import leash
from node.programs import Programs
from node.wallet import Wallet

ADMIN, REPORTERS, RICH = 1, (2, 3, 4), range(6, 16)
"""Development keys, as the devnet preset gives them their parts."""
CASH, SPARE = 100_000, 10_000
"""Of each account in clearing, and in the bank for fees; whole units of the settlement asset."""
PRICE = 30_000
TICK, LOT = "0.1", "0.001"
REPORT_S = 0.25
FEED_AGE_MS = 10_000
CONSENT_MS = 2**60
PAYMENTS = 16
"""Transfers under one signature."""
START_S, STOP_S = 90.0, 20.0
_COMMAND = "from node.cli.app import app; from node.cli.edge import run; run(app)"


@dataclass(slots=True)
class Site:
    """
    port: of the running node. price: what is reported, give or take a dollar; whoever sets it moves the market. killed:
    whether the node ends by SIGKILL.
    """

    port: int
    core: int
    log: Path
    programs: Programs
    price: int = PRICE
    killed: bool = False

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws"

    def blocks(self) -> list[dict[str, Any]]:
        """What the node logged of each block, oldest first, so far."""
        return self.logged("sealed")

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The node's log lines of one kind, oldest first."""
        rows = (json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [row for row in rows if row.get("event") == event]

    def cpu_s(self) -> dict[str, float]:
        """Processor seconds used so far by core, gateway and this process, the sender."""
        gateway = sum(map(_cpu_s, _children(self.core)))
        return {"core": _cpu_s(self.core), "gateway": gateway, "sender": time.process_time()}


@asynccontextmanager
async def open_site(
    folder: Path, keys: Sequence[bytes], flags: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Site]:
    """
    A running node with a market whose price is reported, and an account with money for each key. flags: of its
    configuration, beside the bench's own.

    Raises:
        Unavailable: the node does not start.
        Corrupt: its market cannot be set up.
    """
    log = folder / "node.log"
    with node_process(write_folder(folder, flags), log) as process:
        port = await node_port(process, log)
        async with connect(f"ws://127.0.0.1:{port}/ws") as client, trio.open_nursery() as nursery:
            programs = await Programs.load(client)
            await _list_market(client, programs)
            site = Site(port, process.pid, log, programs)
            await nursery.start(_report, client, site)
            await _fund(client, programs, keys)
            yield site
            nursery.cancel_scope.cancel()
        if site.killed:
            process.kill()


@contextmanager
def node_process(config: Path, log: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """`tenor node run --config … words` as a process, its log in a file; ended on leaving, and with this process."""
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-c", _COMMAND, "node", "run", "--config", str(config), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr, **leash().process_options(),
        )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        _end(process)


def account_keys(count: int) -> list[bytes]:
    """Private keys of the bench's accounts: constant, worth nothing."""
    return [keccak256(b"tenor bench account %d" % number) for number in range(count)]


def write_folder(folder: Path, more: Mapping[str, str] = MappingProxyType({})) -> Path:
    """Configuration of a node of the devnet preset, and its validator's key."""
    secret = secrets.token_urlsafe(16)
    keystore.save(folder / "validator.json", development_key(0), secret, keystore.SCRYPT_N_LIGHT)
    (folder / "validator.password").write_text(secret + "\n")
    flags = {
        "node.folder": str(folder / "data"),
        "node.log_level": "debug",
        "node.log_format": "json",
        "keys.validator": str(folder / "validator.json"),
        "keys.password_file": str(folder / "validator.password"),
        "gateway.port": "0",
        "settlement.file": str(folder / "settlement.sqlite"),
    }
    (folder / "node.toml").write_text(render(load(None, {**flags, **more})))
    return folder / "node.toml"


async def node_port(process: subprocess.Popen[bytes], log: Path) -> int:
    """The port that the node says it listens on."""
    with trio.move_on_after(START_S):
        while process.poll() is None:
            for line in log.read_text().splitlines():
                if line.startswith("{") and (row := json.loads(line)).get("event") == "node runs":
                    return int(row["port"])
            await trio.sleep(0.05)
    raise Unavailable(f"The node did not start: {log.read_text()[-500:]}")


async def _list_market(client: Client, programs: Programs) -> None:
    oracle, perpetual, clearing, exchange = (programs[n] for n in ("oracle", "perpetual", "clearing", "exchange"))
    calls = [
        oracle.call("add_feed", "BTC-USD", FEED_AGE_MS, 2),
        *(oracle.call("add_reporter", 0, development_address(key)) for key in REPORTERS),
        perpetual.call("list", 0, "1", "0.01", 1_000, 10_000),
        clearing.call("list", genesis_address("perpetual"), 0, 0),
        clearing.call("configure", 0, "0.05", "0.3"),
        exchange.call("create_market", 0, TICK, LOT, "-0.0001", "0.0004"),
        perpetual.call("connect", 0, 0),
    ]
    await _must(await Wallet.open(client, development_key(ADMIN)), calls, gas=5_000_000)


async def _report(client: Client, site: Site, task_status: trio.TaskStatus[None]) -> None:
    """
    Three reporters, four prices a second each; started once the chain has taken two of each. From then on one that
    comes to nothing, as a report does that waited for longer than its age allows, has the next behind it.
    """
    wallets = [await Wallet.open(client, development_key(key)) for key in REPORTERS]
    turn = 0
    while True:
        turn += 1
        price = str(site.price + turn % 3 - 1)
        now_ms = time.time_ns() // 1_000_000
        for wallet in wallets:
            call = site.programs["oracle"].call("report", 0, price, "0.5", now_ms)
            await (_must(wallet, [call]) if turn <= 2 else wallet.send(call))
        if turn == 2:
            task_status.started()
        await trio.sleep(REPORT_S)


async def _fund(client: Client, programs: Programs, keys: Sequence[bytes]) -> None:
    """From the rich development accounts to each key's account, and from there by consent into clearing."""
    bank, clearing = programs["bank"], programs["clearing"]
    rich = [await Wallet.open(client, development_key(key)) for key in RICH]
    shares = [keys[at : at + PAYMENTS] for at in range(0, len(keys), PAYMENTS)]
    for turn, share in enumerate(shares):
        transfers = [bank.call("transfer", 0, address_of(key), str(CASH + SPARE)) for key in share]
        await _must(rich[turn % len(rich)], transfers, gas=5_000_000)
    own = [
        bank.call("allow", genesis_address("clearing"), 0, str(CASH), CONSENT_MS),
        clearing.call("deposit", str(CASH)),
    ]
    await _together(lambda key: _deposit(client, key, own), keys)


async def _together(work: Callable[[bytes], Awaitable[None]], keys: Sequence[bytes]) -> None:
    async with trio.open_nursery() as nursery:
        for key in keys:
            nursery.start_soon(work, key)


async def _deposit(client: Client, key: bytes, calls: Sequence[Call]) -> None:
    await _must(await Wallet.open(client, key), calls)


async def _must(wallet: Wallet, calls: Sequence[Call], gas: int = 0) -> None:
    receipt = await wallet.send(*calls, gas=gas)
    if receipt.status != "done":
        raise Corrupt(f"The bench's market cannot be set up: {receipt.reason or receipt.status}.")


def process_cpu_s(process: int) -> float:
    """Processor seconds used so far by a process and those it started."""
    return _cpu_s(process) + sum(map(_cpu_s, _children(process)))


def _children(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


def _cpu_s(process: int) -> float:
    """User and system time of all threads of a process."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
