"""
The typed client: one WebSocket, any number of requests in flight, subscriptions; trio. CLI, agents and tests use it.

`async with connect(url) as client:` … `receipt = await client.send(signed)`. Refusals of the node are raised as the
errors they were there: Invalid with its code, Unavailable, Corrupt. `blocking` runs one exchange for code without trio.
A method returns maps where the interface does; bytes in them are 0x-hexadecimal, amounts decimal text.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast
from urllib.parse import urlsplit

import h11
import trio
import trio_websocket
from wsproto.utilities import LocalProtocolError

from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from genesis.receipt import Receipt
from genesis.transaction import Call, SignedTransaction
from node import rpc_codes
from node.config import DEFAULT_PORT
from node.views import hexadecimal, parse_receipt

DEFAULT_URL = f"ws://127.0.0.1:{DEFAULT_PORT}/ws"
MESSAGE_BYTES_MAX = 64 << 20
READ_BYTES = 256 << 10
CONNECT_SECONDS = 5.0
NOTIFICATIONS_WAITING_MAX = 10_000

T = TypeVar("T")
Topic = Literal["blocks", "stages", "receipts", "events"]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Notification:
    """sequence: counts the topic's pushes, filtered or not; result: as the topic defines it."""

    topic: str
    sequence: int
    result: Any


class Client:
    """Made by `connect`."""

    def __init__(self, socket: trio_websocket.WebSocketConnection) -> None:
        self._socket = socket
        self._next_id = 0
        self._waiting: dict[int, _Answer] = {}
        self._channels: dict[str, trio.MemorySendChannel[Notification]] = {}
        self._lost: TenorError | None = None

    # Transactions

    async def send(self, signed: SignedTransaction) -> Receipt:
        """Send and wait until executed. Raises Invalid when the node refuses it outright."""
        return parse_receipt(await self.request("tenor_sendTransaction", transaction=hexadecimal(signed.raw)))

    async def post(self, signed: SignedTransaction) -> None:
        """Send and return once the node has taken it in. Raises Invalid when it refuses."""
        await self.request("tenor_sendTransaction", transaction=hexadecimal(signed.raw), wait="received")

    async def send_many(self, signed: Sequence[SignedTransaction]) -> list[Receipt | TenorError]:
        """Send a frame and wait until all are executed; a refusal stands in its transaction's place."""
        texts = [hexadecimal(one.raw) for one in signed]
        answers = await self.request("tenor_sendTransactions", transactions=texts)
        return [_error(one["error"]) if "error" in one else parse_receipt(one) for one in answers]

    async def receipt(self, transaction: bytes) -> Receipt:
        """Raises Invalid "not_found" when the node knows nothing of it, Unavailable while it waits for a batch."""
        receipt = await self.found(transaction)
        if receipt is None:
            raise Unavailable("The transaction was received and waits for a batch; ask again in a moment.")
        return receipt

    async def found(self, transaction: bytes) -> Receipt | None:
        """As `receipt`, but None while it waits for a batch."""
        view = await self.request("tenor_getReceipt", transaction=hexadecimal(transaction))
        return None if view["stage"] == "received" else parse_receipt(view)

    async def receipt_proof(self, transaction: bytes) -> Json:
        """The receipt as the interface gives it; its member `proof` is what `genesis.verify.verify_receipt` takes."""
        return cast(Json, await self.request("tenor_getReceipt", transaction=hexadecimal(transaction), proof=True))

    async def sequence(self, signer: bytes, lane: int = 0) -> int:
        """The next sequence of a signer's lane."""
        return int(await self.request("tenor_getSequence", signer=hexadecimal(signer), lane=lane))

    # Reads

    async def chain_info(self) -> Json:
        return cast(Json, await self.request("tenor_chainInfo"))

    async def consensus(self) -> Json:
        """The node's part among the validators: who leads, what it waits for, and if it does not vote, why."""
        return cast(Json, await self.request("tenor_getConsensus"))

    async def evidence(self) -> list[Json]:
        """Proofs that validators contradicted themselves: validator, view, kind, proof, and whether it costs stake."""
        return cast(list[Json], await self.request("tenor_getEvidence"))

    async def block(self, height: int | None = None) -> Json:
        """height None: the newest."""
        return cast(Json, await self.request("tenor_getBlock", height="latest" if height is None else height))

    async def account(self, account: bytes) -> Json:
        return cast(Json, await self.request("tenor_getAccount", account=hexadecimal(account)))

    async def positions(self, account: bytes) -> Any:
        return await self.request("tenor_getPositions", account=hexadecimal(account))

    async def book(self, market: int, depth: int = 20) -> Json:
        return cast(Json, await self.request("tenor_getBook", market=market, depth=depth))

    async def withdrawals(self, account: bytes, first_height: int = 0) -> list[Json]:
        """The account's withdrawals in blocks from first_height on, those that are final with the proof that pays."""
        params = {"account": hexadecimal(account), "first_height": first_height}
        return cast(list[Json], await self.request("tenor_getWithdrawals", **params))

    async def programs(self) -> list[Json]:
        return cast(list[Json], await self.request("tenor_getPrograms"))

    async def proof(self, program: bytes, page: int) -> Json:
        """A page of a program's state, as `genesis.verify.verify_state` takes it."""
        return cast(Json, await self.request("tenor_getProof", program=hexadecimal(program), page=page))

    async def value_proof(self, program: bytes, field: str, *path: bytes | str) -> Json:
        """A named value: packed keys and indices, or names of members, from the field down; absence is proven, too."""
        steps = [hexadecimal(step) if isinstance(step, bytes) else step for step in path]
        params = {"program": hexadecimal(program), "field": field, "path": steps}
        return cast(Json, await self.request("tenor_getProof", **params))

    async def call(self, program: bytes, selector: bytes, arguments: bytes = b"", gas: int = 0) -> Any:
        """Ask a view. gas 0: the most a read may use."""
        return await self.request(
            "tenor_call",
            program=hexadecimal(program),
            selector=hexadecimal(selector),
            arguments=hexadecimal(arguments),
            gas=gas,
        )

    async def simulate(self, account: bytes, calls: Sequence[Call], *, atomic: bool = True, gas: int = 0) -> Any:
        """What a transaction with these calls would do now; nothing is signed and nothing changes."""
        members = [
            {
                "program": hexadecimal(call.program),
                "selector": hexadecimal(call.selector),
                "arguments": hexadecimal(call.arguments),
                "gas": call.gas,
            }
            for call in calls
        ]
        return await self.request("tenor_simulate", account=hexadecimal(account), calls=members, atomic=atomic, gas=gas)

    # Subscriptions

    @asynccontextmanager
    async def subscribe(self, topic: Topic, **wanted: Any) -> AsyncIterator[trio.MemoryReceiveChannel[Notification]]:
        """
        Yield the channel of a topic's notifications; of list results only members whose fields have the values wanted.

            async with client.subscribe("receipts", transaction=[hexadecimal(id)]) as notifications: …

        The channel ends when the connection does; NOTIFICATIONS_WAITING_MAX unread ones end it too.
        """
        sender, receiver = trio.open_memory_channel[Notification](NOTIFICATIONS_WAITING_MAX)

        def stand(answer: Json) -> None:
            """Called by the reader: the first notification may follow the answer at once."""
            self._channels[answer["subscription"]] = sender

        answer = await self._ask("tenor_subscribe", {"topic": topic, "filter": wanted}, stand)
        name = answer["subscription"]
        try:
            async with receiver:
                yield receiver
        finally:
            self._channels.pop(name, None)
            sender.close()
            if self._lost is None:
                with trio.CancelScope(shield=True), trio.move_on_after(1):
                    await self._forget(name)

    async def request(self, method: str, **params: Any) -> Any:
        """Return the result of any method. Raises Invalid, Unavailable or Corrupt, as the node says."""
        return await self._ask(method, params, lambda _: None)

    async def _ask(self, method: str, params: Json, arrived: Callable[[Any], None]) -> Any:
        """arrived: told the result before anything behind it is read."""
        if self._lost is not None:
            raise self._lost
        self._next_id += 1
        identity = self._next_id
        answer = self._waiting[identity] = _Answer(arrived)
        text = json.dumps({"jsonrpc": "2.0", "id": identity, "method": method, "params": params}, separators=(",", ":"))
        try:
            await self._socket.send_message(text)
            await answer.event.wait()
        except trio_websocket.ConnectionClosed as closed:
            raise _closed(closed) from closed
        finally:
            del self._waiting[identity]
        if answer.error is not None:
            raise answer.error
        return answer.result

    async def _forget(self, name: str) -> None:
        with suppress(Unavailable):  # the connection went away, and the subscription with it
            await self.request("tenor_unsubscribe", subscription=name)

    async def _read(self) -> None:
        try:
            while True:
                self._take(json.loads(await self._socket.get_message()))
        except trio_websocket.ConnectionClosed as closed:
            self._lost = _closed(closed)
        for answer in self._waiting.values():
            answer.error = self._lost
            answer.event.set()
        for channel in self._channels.values():
            channel.close()

    def _take(self, message: Json) -> None:
        if message.get("method") == "tenor_subscription":
            self._notify(message["params"])
            return
        answer = self._waiting.get(message.get("id") or 0)
        if answer is None:
            return  # its asker was cancelled
        if "error" in message:
            answer.error = _error(message["error"])
        else:
            answer.result = message["result"]
            answer.arrived(answer.result)
        answer.event.set()

    def _notify(self, params: Json) -> None:
        channel = self._channels.get(params["subscription"])
        if channel is None:
            return  # unsubscribed in the meantime
        try:
            channel.send_nowait(Notification(params["topic"], params["sequence"], params["result"]))
        except trio.WouldBlock:
            channel.close()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # its reader has left; unsubscribing is under way


class _Answer:
    """An answer to come."""

    __slots__ = ("arrived", "error", "event", "result")

    def __init__(self, arrived: Callable[[Any], None]) -> None:
        self.arrived = arrived
        self.event = trio.Event()
        self.result: Any = None
        self.error: TenorError | None = None


@asynccontextmanager
async def connect(url: str = DEFAULT_URL) -> AsyncIterator[Client]:
    """Yield a connected client. Raises Unavailable when nobody answers there, or somebody who is no node."""
    connected = False
    try:
        async with _connected(url) as client:
            connected = True
            yield client
    except* (_NoNode, LocalProtocolError, h11.LocalProtocolError):
        pass  # trio-websocket answers what it cannot: a ping while this side closes, or a greeting that is no HTTP
    if not connected:
        raise _nobody(url)


class _NoNode(Exception):
    """Whoever took the connection does not greet back."""


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Client]:
    async with await _open(url) as stream, trio.open_nursery() as nursery:
        try:
            with trio.fail_after(CONNECT_SECONDS):
                socket = await trio_websocket.wrap_client_stream(
                    nursery,
                    stream,
                    urlsplit(url).netloc,
                    urlsplit(url).path or "/",
                    max_message_size=MESSAGE_BYTES_MAX,
                    receive_buffer_size=READ_BYTES,
                )
        except (trio.TooSlowError, trio_websocket.HandshakeError) as error:
            raise _NoNode from error
        client = Client(socket)
        nursery.start_soon(client._read)
        try:
            yield client
        finally:
            with trio.move_on_after(1, shield=True):
                await socket.aclose()
            nursery.cancel_scope.cancel()


async def _open(url: str) -> trio.SocketStream | trio.SSLStream[trio.SocketStream]:
    """The stream below is held here: trio-websocket leaves it open when the node closes first."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise Invalid(f"{url} is no address of a node; it looks like {DEFAULT_URL}.", "bad_url")
    try:
        with trio.fail_after(CONNECT_SECONDS):
            if parts.scheme == "ws":
                return await trio.open_tcp_stream(parts.hostname, parts.port or 80)
            return await trio.open_ssl_over_tcp_stream(parts.hostname, parts.port or 443, https_compatible=True)
    except (OSError, trio.TooSlowError) as error:
        raise _nobody(url) from error


def _nobody(url: str) -> Unavailable:
    return Unavailable(f"No node answers at {url}; start one, or name another with --url.")


def blocking(url: str, exchange: Callable[[Client], Awaitable[T]]) -> T:
    """Connect, run one exchange, disconnect: for code that is not trio. Raises what the exchange raises."""

    async def run() -> T:
        async with connect(url) as client:
            return await exchange(client)

    try:
        return trio.run(run)
    except BaseExceptionGroup as group:
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


def _error(body: Json) -> TenorError:
    """The error a JSON-RPC error object stands for."""
    number, message, word = body["code"], body["message"], (body.get("data") or {}).get("code", "invalid")
    if number in (rpc_codes.UNAVAILABLE, rpc_codes.OVER_LIMIT):
        return Unavailable(message)
    if number in (rpc_codes.CORRUPT, rpc_codes.INTERNAL_ERROR):
        return Corrupt(message)
    return Invalid(message, word)


def _closed(closed: trio_websocket.ConnectionClosed) -> Unavailable:
    reason = closed.reason
    said = f" ({reason.code} {reason.reason})" if reason is not None else ""
    return Unavailable(f"The node closed the connection{said}; connect again.")
