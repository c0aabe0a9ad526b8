"""A real gateway process before a stub of the core: what the gateway's tests play on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.receipt import Receipt
from genesis.transaction import Call, SignedTransaction, Transaction, sign
from node.config import GatewayConfig
from node.corelink import CoreLink, Later, link_path, refusal
from node.gateway.frames import CALLS, SEND
from node.gateway_process import run_gateway
from node.views import receipt_view

KEY = bytes(31) + b"\x07"
REFUSED_SEQUENCE = 13
LIMITS = GatewayConfig(port=0, body_bytes_max=64 << 10, batch_calls_max=60, depth_max=8, subscriptions_max=3)


def signed(sequence: int, key: bytes = KEY) -> SignedTransaction:
    call = Call(program=b"p" * 20, selector=b"abcd", arguments=b"")
    return sign(Transaction(7, b"a" * 20, 0, sequence, 1 << 40, 100_000, 1, True, (call,)), key)


def receipt(identity: bytes, position: int = 0) -> Receipt:
    return Receipt(identity, 3, position, "done", "", 21_000, 10**30, (b"\x01" * 8,), ("",), (0, 2), None)


class StubCore:
    """Answers like a core; keeps in `arrived` what came, in order."""

    def __init__(self) -> None:
        self.link = CoreLink(self.handle)
        self.arrived: list[tuple[bytes, bytes, bytes]] = []
        self.url = ""
        self.run: Callable[..., Any] = lambda *_: None

    async def handle(self, method: str, payload: Any) -> Any:
        if method == SEND:
            return self.take(payload)
        if method == CALLS:
            return [("", program + selector + arguments, 1) for program, selector, arguments, _ in payload]
        if method == "tenor_getReceipt":
            raise Invalid("No block holds this transaction.", "not_found")
        if method == "tenor_getBook" and payload["market"] == 404:
            raise ValueError("a bug")
        if method == "tenor_getBlock":
            raise Unavailable("The store is busy; try again.")
        used = {"gas_used": 1} if method == "tenor_simulate" else {}
        return {"method": method, **payload, **used}

    def take(self, payload: Any) -> Later:
        taken = [tuple(entry) for entry in payload["transactions"]]
        self.arrived += taken

        async def outcomes() -> list[Any]:
            await trio.lowlevel.checkpoint()
            return [self.outcome(raw, identity, payload["wait"]) for raw, _, identity in taken]

        return Later(outcomes)

    def outcome(self, raw: bytes, identity: bytes, wait: str) -> Any:
        if raw == signed(REFUSED_SEQUENCE).raw:
            return refusal(Invalid("Lane 0 leaves no gap.", "sequence_gap"))
        return {"transaction": identity} if wait == "received" else receipt_view(receipt(identity))


@contextmanager
def playing(folder: Path, limits: GatewayConfig = LIMITS) -> Iterator[StubCore]:
    """Core in a thread, gateway in a process. core.url: its HTTP address; core.run(f, *args): f in the core's loop."""
    core = StubCore()
    ready = threading.Event()
    failure: list[BaseException] = []
    stop: list[Callable[[], None]] = []

    async def main() -> None:
        token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as nursery:
            stop.append(lambda: token.run_sync_soon(nursery.cancel_scope.cancel))
            path = link_path(folder)
            await nursery.start(core.link.serve, path)
            port = await nursery.start(run_gateway, limits, path)
            core.url = f"http://127.0.0.1:{port}"
            core.run = lambda f, *args: trio.from_thread.run_sync(f, *args, trio_token=token)
            ready.set()

    def thread() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # noqa: BLE001 - carried to the test's thread
            failure.append(error)
        finally:
            ready.set()

    running = threading.Thread(target=thread)
    running.start()
    ready.wait()
    try:
        if failure:
            raise failure[0]
        yield core
    finally:
        if stop and running.is_alive():
            stop[0]()
        running.join()
    assert not failure, failure


__all__ = ["KEY", "LIMITS", "REFUSED_SEQUENCE", "Corrupt", "StubCore", "playing", "receipt", "signed"]
