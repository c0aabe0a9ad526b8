"""
The sync bench: how long a node takes to come level, by running blocks and by snapshot, and to come back with a large
state. Real processes over TCP, as an operator runs them.

Last line with --json, seconds from the start of a process:

    replay_100k_s           until a fresh follower, running every block, is level with its validator 100,000 orders on
    snapshot_100k_s         the same of a follower that takes a snapshot
    restart_1m_accounts_s   until a validator killed with SIGKILL, its bank holding 1,000,000 accounts, answers again

Blocks go on meanwhile, with prices twelve times a second. The snapshot is of a checkpoint written after the orders.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import trio

from genesis.crypto import address_of, checksum_address, keccak256
from genesis.devkeys import development_key
from genesis.errors import Corrupt, TenorError, Unavailable
from genesis.transaction import OrderClass
from node.bench.figures import show
from node.bench.load import Tally, saturate
from node.bench.orders import Orders
from node.bench.site import RICH, Site, account_keys, node_port, node_process, open_site, write_folder
from node.client import Client, connect
from node.localnet import free_ports
from node.programs import Programs
from node.views import hexadecimal
from node.wallet import Wallet
from p2p.identity import NodeKey

ORDERS, TRADERS, LINES, FRAME, IN_FLIGHT = 100_000, 200, 4, 50, 4
ACCOUNTS, PAYMENTS = 1_000_000, 80
"""Fresh accounts, and transfers to them in one transaction."""
AMOUNT = "0.001"
PAYMENT_FRAME = 4
LEVEL_BLOCKS = 1
LEVEL_S = 120.0
LOOK_S = 0.02
NEVER_BLOCKS, ALWAYS_BLOCKS = 1_000_000_000, 1


@dataclass(frozen=True, slots=True)
class Plan:
    orders: int = ORDERS
    accounts: int = ACCOUNTS


def main(json: bool, plan: Plan = Plan()) -> int:
    """Measure and print; the exit code."""
    return show(trio.run(measure, plan), json)


async def measure(plan: Plan) -> dict[str, Any]:
    """
    Raises:
        Unavailable: a node does not start, or does not come level within LEVEL_S. Corrupt: a transaction was not done.
    """
    with TemporaryDirectory(prefix="tenor-bench-") as name:
        folder = Path(name)
        network = _network(folder)
        keys = account_keys(TRADERS)
        async with open_site(folder, keys, network) as site:
            _say(f"{plan.orders} orders")
            await _trade(site, keys, plan.orders)
            sent = await _height(site.url)
            replay = await _follow(folder / "replay", network, site, NEVER_BLOCKS)
            _say(f"a follower has run {sent} blocks after {replay:.1f} s")
            await _checkpoint_after(site, sent)
            snapshot = await _follow(folder / "snapshot", network, site, ALWAYS_BLOCKS)
            _say(f"a follower is level by snapshot after {snapshot:.1f} s; {plan.accounts} accounts")
            await _spread(site, plan.accounts)
            await _checkpoint_after(site, await _height(site.url))
            height = await _height(site.url)
            site.killed = True
        _say("the validator comes back")
        restart = await _restart(folder, height)
    return {
        "replay_100k_s": round(replay, 2),
        "snapshot_100k_s": round(snapshot, 2),
        "restart_1m_accounts_s": round(restart, 2),
        "orders": plan.orders,
        "blocks": sent,
        "accounts": plan.accounts,
        "cores": os.cpu_count(),
    }


def _network(folder: Path) -> dict[str, str]:
    """A validator that lets followers in, as configuration; its file of peers is theirs, too."""
    (port,) = free_ports(1)
    secret = keccak256(b"tenor bench node")
    (folder / "node.key").write_text(secret.hex())
    address, listen = checksum_address(address_of(development_key(0))), f"/ip4/127.0.0.1/tcp/{port}"
    (folder / "peers").write_text(f"{address} {listen}/p2p/{NodeKey(secret).peer}\n")
    return {
        "network.listen": listen,
        "network.peers": str(folder / "peers"),
        "network.key": str(folder / "node.key"),
        "settlement.file": str(folder / "settlement.sqlite"),
    }


async def _trade(site: Site, keys: Sequence[bytes], count: int) -> None:
    async with connect(site.url) as client:
        info = await client.chain_info()
    lines = [Orders(site.programs, info["chain_id"], info["fee_min"], keys[n::LINES], n) for n in range(LINES)]
    frames = [[one.frame(FRAME) for _ in range(count // LINES // FRAME)] for one in lines]
    await _send(site.url, frames)


async def _spread(site: Site, count: int) -> None:
    """Give so many accounts that nobody holds the key of a little money."""
    async with connect(site.url) as client:
        bank = (await Programs.load(client))["bank"]
        wallets = [await Wallet.open(client, development_key(key)) for key in RICH]
        targets = iter(keccak256(b"tenor bench holder %d" % number)[12:] for number in range(count))
        lines: list[list[list[str]]] = [[] for _ in range(LINES)]
        turn = 0
        while share := list(islice(targets, PAYMENTS * PAYMENT_FRAME)):
            wallet = wallets[turn % len(wallets)]
            frame = []
            for at in range(0, len(share), PAYMENTS):
                calls = [bank.call("transfer", 0, target, AMOUNT) for target in share[at : at + PAYMENTS]]
                signed = await wallet.sign(calls, order=OrderClass.TRADE, gas=5_000_000)
                frame.append(hexadecimal(signed.raw))
            lines[turn % len(wallets) % LINES].append(frame)
            turn += 1
    await _send(site.url, lines)


async def _send(url: str, lines: Sequence[Sequence[Sequence[str]]]) -> None:
    tally = Tally()
    await saturate(url, lines, IN_FLIGHT, tally)
    if tally.refused:
        raise Corrupt(f"The bench's transactions are not all done: {tally.refused.most_common(1)}")


# Coming level


async def _follow(folder: Path, network: dict[str, str], site: Site, snapshot_blocks: int) -> float:
    """Seconds from the start of a follower's process until it is level."""
    folder.mkdir()
    (folder / "node.key").write_text(keccak256(folder.name.encode()).hex())
    own = {"network.listen": "off", "network.key": str(folder / "node.key")}
    config = write_folder(folder, {**network, **own, "sync.snapshot_blocks": str(snapshot_blocks)})
    async with _running(config, folder / "log", "--follow") as (process, began_s):
        port = await node_port(process, folder / "log")
        async with connect(site.url) as ahead, connect(f"ws://127.0.0.1:{port}/ws") as client:
            with trio.move_on_after(LEVEL_S):
                while await _own(client) < await _own(ahead) - LEVEL_BLOCKS:
                    await trio.sleep(LOOK_S)
                return time.perf_counter() - began_s
    raise Unavailable(f"The follower is not level after {LEVEL_S:.0f} s.")


async def _restart(folder: Path, height: int) -> float:
    async with _running(folder / "node.toml", folder / "log.again") as (process, began_s):
        port = await node_port(process, folder / "log.again")
        async with connect(f"ws://127.0.0.1:{port}/ws") as client:
            if await _own(client) < height:
                raise Corrupt(f"Height {height} was certified before the restart and is not there after it.")
        return time.perf_counter() - began_s


@asynccontextmanager
async def _running(config: Path, log: Path, *words: str) -> AsyncIterator[tuple[subprocess.Popen[bytes], float]]:
    """A node's process, and when it was started."""
    began_s = time.perf_counter()
    with node_process(config, log, *words) as process:
        yield process, began_s


async def _checkpoint_after(site: Site, height: int) -> None:
    """Wait until the node has written a checkpoint of a later block."""
    with trio.move_on_after(LEVEL_S):
        while max((row["height"] for row in site.logged("checkpoint")), default=0) <= height:
            await trio.sleep(LOOK_S)
        return
    raise Unavailable(f"No checkpoint above {height} within {LEVEL_S:.0f} s.")


async def _height(url: str) -> int:
    async with connect(url) as client:
        return await _own(client)


async def _own(client: Client) -> int:
    try:
        return int((await client.chain_info())["height"])
    except TenorError:
        return 0


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main("--json" in sys.argv))
