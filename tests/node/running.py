"""
A whole node for tests: core in a thread, gateway as a process, local settlement, one market with prices.

    with running(folder) as node:
        receipt = node.do(node.send, 6, node.programs["bank"].call("transfer", 0, target, "1"))

Blocks come faster than on the devnet, so that a receipt is final within a second.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401 - must know trio's generator before a node freezes the garbage collector
import trio

from genesis import crypto
from genesis.chain import Call, OrderClass, Receipt, SignedTransaction, Transaction, sign
from genesis.devkeys import development_address, development_key
from genesis.errors import Corrupt
from genesis.membership import Readiness
from genesis.presets import load_preset
from genesis.spec import ChainSpec, genesis_address
from node.app import Ready, run_node
from node.client import Client, connect
from node.config import Config, load
from node.programs import Programs
from settlement.actions import Activate
from settlement.contract import Terms
from settlement.local import LocalSettlement, open_local, wall_clock_ms

UNIT = 10**18
DEADLINE_S = 90.0
SETTLEMENT_BLOCK_MS = 60
ADMIN, REPORTERS, TRADERS = 1, (2, 3, 4), range(6, 16)
BODY_BYTES_MAX = 512 << 10
SPEC = replace(load_preset("devnet"), block_time_ms=60, commitment_blocks=4)
PRICE = "100"


def config_of(folder: Path, **flags: str) -> Config:
    """Flags as `section__key="value"`."""
    chosen = {name.replace("__", "."): value for name, value in flags.items()}
    given = {
        "node.folder": str(folder),
        "gateway.port": "0",
        "gateway.body_bytes_max": str(BODY_BYTES_MAX),
        "settlement.file": str(folder / "settlement.sqlite"),
        "settlement.block_time_ms": str(SETTLEMENT_BLOCK_MS),
    }
    return load(None, {**given, **chosen})


class Node:
    """What a test holds of a running node; its coroutines run by `do`."""

    def __init__(self, spec: ChainSpec, ready: Ready, client: Client, settlement: LocalSettlement) -> None:
        self.spec, self.ready, self.client, self.settlement = spec, ready, client, settlement
        self.url = f"http://127.0.0.1:{ready.port}"
        self.programs: Programs = Programs(())
        self.ended: Callable[[float], None] = lambda _: None
        """Wait, at most so many seconds, until the node has come to its end by itself."""
        self._token = trio.lowlevel.current_trio_token()

    def do(self, work: Callable[..., Awaitable[Any]], *args: Any, **named: Any) -> Any:
        """Run a coroutine beside the node and wait for it, DEADLINE_S at most."""

        async def bounded() -> Any:
            with trio.fail_after(DEADLINE_S):
                return await work(*args, **named)

        return trio.from_thread.run(bounded, trio_token=self._token)

    async def send(self, key: int, *calls: Call, **fields: Any) -> Receipt:
        """Sign with the next sequence, send, wait until executed."""
        return await self.client.send(await self.signed(key, *calls, **fields))

    async def until(self, holds: Callable[[], Awaitable[Any]]) -> Any:
        """Ask again and again until the answer is true; return it."""
        while not (answer := await holds()):
            await trio.sleep(0.01)
        return answer

    async def next_block(self, after: int | None = None) -> dict[str, Any]:
        """
        The block after `after`, once it is there; by default one that stands behind all answered so far: the newest
        stored one may be followed by one on its way to the store and by the open one.
        """
        wanted = after + 1 if after is not None else (await self.client.chain_info())["height"] + 2

        async def there() -> bool:
            return bool((await self.client.chain_info())["height"] >= wanted)

        await self.until(there)
        return await self.client.block(wanted)

    async def signed(self, key: int, *calls: Call, **fields: Any) -> SignedTransaction:
        """A good transaction of a key, but for the fields given; its sequence is the next of its lane."""
        lane = fields.get("lane", 0)
        sequence = await self.client.sequence(development_address(key), lane)
        return transaction(key, calls, **{"sequence": sequence, **fields})


async def activate(settlement: LocalSettlement, key: int) -> None:
    """Say in a registered key's node's place that it is ready; wait until a set with it is known."""
    while await settlement.standing((newest := await settlement.committed()).height or 1) not in ("posted", "final"):
        await trio.sleep(0.01)
    address = development_address(key)
    ready = Readiness(SPEC.chain_id, address, newest.height, newest.block_hash)
    signature = crypto.sign(ready.digest(), development_key(key))
    while address not in await settlement.pending_validators():
        await trio.sleep(0.01)
    await settlement.activate(Activate(address, newest.height, newest.block_hash, signature))
    while address not in (await settlement.validator_sets(0, 10**9))[-1].stakes:
        await trio.sleep(0.01)


def transaction(key: int, calls: Sequence[Call], **fields: Any) -> SignedTransaction:
    values = {
        "chain": SPEC.chain_id,
        "account": development_address(key),
        "lane": 0,
        "sequence": 0,
        "expiry": wall_clock_ms() + 60_000,
        "gas": 2_000_000,
        "fee": SPEC.fee_min,
        "atomic": True,
    }
    return sign(Transaction(**{**values, **fields}, calls=tuple(calls)), development_key(key))


async def open_market(node: Node) -> None:
    """A feed that three report, a perpetual on it, a book with tick 0.1 and lot 0.001, traders 6 and 7 with money."""
    oracle, perpetual, clearing, exchange, bank = (
        node.programs[name] for name in ("oracle", "perpetual", "clearing", "exchange", "bank")
    )
    await node.send(
        ADMIN,
        oracle.call("add_feed", "BTC-USD", 60_000, 2),
        *(oracle.call("add_reporter", 0, development_address(key)) for key in REPORTERS),
        perpetual.call("list", 0, "1", "0.01", 1_000, 10_000),
        clearing.call("list", genesis_address("perpetual"), 0, 0),
        exchange.call("create_market", 0, "0.1", "0.001", "-0.0001", "0.0004"),
        perpetual.call("connect", 0, 0),
        gas=SPEC.gas_transaction_max,
    )
    await report(node)
    for key in (6, 7):
        expiry = wall_clock_ms() + 10**9
        allow = bank.call("allow", genesis_address("clearing"), 0, "500000", expiry)
        receipt = await node.send(key, allow, clearing.call("deposit", "100000"))
        assert receipt.status == "done", receipt.reason
    await node.next_block()


async def report(node: Node, price: str = PRICE) -> None:
    for key in REPORTERS:
        receipt = await node.send(key, node.programs["oracle"].call("report", 0, price, "0.01", wall_clock_ms()))
        assert receipt.status == "done", receipt.reason


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def _only(error: BaseException) -> BaseException:
    """The one error inside the groups around it: what ended the node, before what its end did to the client here."""
    leaves = _leaves(error)
    if len(leaves) == 1:
        return leaves[0]
    return next((leaf for leaf in leaves if isinstance(leaf, Corrupt)), error)


@contextmanager
def running(folder: Path, *, spec: ChainSpec = SPEC, market: bool = True, **flags: str) -> Iterator[Node]:
    """Start a node on a folder, yield it, stop it. Raises what the node raised."""
    started: list[Node] = []
    failure: list[BaseException] = []
    up, leave = threading.Event(), trio.Event()
    config = config_of(folder, **flags)

    async def main() -> None:
        async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
            ready = await nursery.start(run_node, config, spec, development_key(0))
            account = await stack.enter_async_context(
                open_local(config.settlement.file, Terms.of(spec), SETTLEMENT_BLOCK_MS, wall_clock_ms)
            )
            async with connect(f"ws://127.0.0.1:{ready.port}/ws") as client:
                node = Node(spec, ready, client, account)
                node.programs = await Programs.load(client)
                if market:
                    await open_market(node)
                started.append(node)
                up.set()
                await leave.wait()
            ready.stop()

    def thread() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failure.append(error)
        finally:
            up.set()

    loop = threading.Thread(target=thread)
    loop.start()
    up.wait()
    try:
        if failure:
            raise _only(failure[0])
        started[0].ended = loop.join
        yield started[0]
    finally:
        if started and loop.is_alive():
            started[0]._token.run_sync_soon(leave.set)
        loop.join()
    if failure:
        raise _only(failure[0])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


__all__ = [
    "ADMIN",
    "BODY_BYTES_MAX",
    "PRICE",
    "REPORTERS",
    "SPEC",
    "TRADERS",
    "UNIT",
    "Node",
    "OrderClass",
    "activate",
    "config_of",
    "now_ms",
    "report",
    "running",
    "transaction",
]  # fmt: skip
