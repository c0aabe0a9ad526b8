"""
JSON-RPC 2.0: text in, text out. One request, or a batch whose members run side by side.

The tenor_sendTransaction of one batch go to the core together and in their order. Errors carry the protocol's number,
a sentence, and `data.code`, a word for machines. A request without id is a notification: done, not answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from genesis.errors import Corrupt, Invalid, TenorError, Unavailable
from node import rpc_codes
from node.config import GatewayConfig
from node.gateway import wire
from node.gateway.caps import Caps, OverLimit
from node.gateway.link import Link
from node.gateway.methods import CALL, OTHERS, READS, WAIT, BadParams, Parameter, array_of, fields
from node.gateway.reads import Key, Reads
from node.gateway.traffic import Traffic
from node.gateway.transactions import Ticket, send
from node.gateway.turnstile import Turnstile

Special = Callable[[str, object], Awaitable[Any]]
"""Answers tenor_subscribe and tenor_unsubscribe; only a WebSocket has one."""

_IDS = (str, int, float, type(None))


class Dispatcher:
    def __init__(self, link: Link, pool: ThreadPoolExecutor, limits: GatewayConfig, traffic: Traffic) -> None:
        self._link = link
        self._reads = Reads(link, Caps(limits))
        self._turnstile = Turnstile()
        self._traffic = traffic
        self._pool = pool
        self._limits = limits
        self._send_many = (Parameter("transactions", array_of(_as_it_is, limits.batch_calls_max)), WAIT)

    async def answer(self, data: bytes, ticket: Ticket, special: Special | None, address: str = "") -> str | None:
        """
        Return the response text, None when nothing is to be answered.

        Args:
            ticket: the message's place in its line.
            address: where it came from.
        """
        try:
            request = wire.parse(data, self._limits.depth_max)
        except wire.NotJson as error:
            return self._refused(None, rpc_codes.PARSE_ERROR, str(error), "parse_error")
        except wire.TooDeep as error:
            return self._refused(None, rpc_codes.INVALID_REQUEST, str(error), "too_deep")
        if not _sends(request):
            await self._turnstile.enter(len(request) if isinstance(request, list) else 1)
        if not isinstance(request, list):
            return await self._one(request, ticket, special, address)
        if not 1 <= len(request) <= self._limits.batch_calls_max:
            message = f"A batch has 1 to {self._limits.batch_calls_max} requests, not {len(request)}."
            return self._refused(None, rpc_codes.INVALID_REQUEST, message, "batch_size")
        answers = [text for text in await self._batch(request, ticket, special, address) if text is not None]
        return f"[{','.join(answers)}]" if answers else None

    async def _batch(
        self, requests: list[Any], ticket: Ticket, special: Special | None, address: str
    ) -> list[str | None]:
        answers: list[str | None] = [None] * len(requests)
        sends = _asked(requests, "tenor_sendTransaction", SEND_ONE)
        calls = _asked(requests, "tenor_call", CALL)

        def put(asked: Iterable[int], results: Sequence[Any]) -> None:
            for index, result in zip(asked, results, strict=True):
                self._traffic.asked(requests[index]["method"])
                answers[index] = self._response(requests[index], result)

        async def run_sends() -> None:
            texts, waits = [p["transaction"] for p in sends.values()], [p["wait"] for p in sends.values()]
            put(sends, await self._send(ticket, texts, waits))

        async def run_calls() -> None:
            put(calls, await self._reads.calls([_key(given) for given in calls.values()], address))

        async def run_other(index: int) -> None:
            answers[index] = await self._one(requests[index], ticket, special, address)

        work = [run_other(index) for index in range(len(requests)) if index not in sends and index not in calls]
        work += [run_sends()] if sends else []
        work += [run_calls()] if calls else []
        if len(work) == 1:
            await work[0]
        else:
            await asyncio.gather(*work)
        return answers

    async def _one(self, request: Any, ticket: Ticket, special: Special | None, address: str) -> str | None:
        problem = _malformed(request)
        if problem is not None:
            identity = request.get("id") if isinstance(request, dict) else None
            echo = identity if type(identity) in _IDS else None
            return self._refused(echo, rpc_codes.INVALID_REQUEST, problem, "invalid_request")
        self._traffic.asked(request["method"])
        try:
            result = await self._result(request["method"], request.get("params", []), ticket, special, address)
        except TenorError as error:
            result = error
        return self._response(request, result)

    async def _result(self, method: str, params: object, ticket: Ticket, special: Special | None, address: str) -> Any:
        if method == "tenor_call":
            (answer,) = await self._reads.calls([_key(fields(CALL, params, method))], address)
            return answer
        if method in READS:
            return await self._reads.ask(method, fields(READS[method], params, method), address)
        if method == "tenor_sendTransaction":
            given = fields(SEND_ONE, params, method)
            return (await self._send(ticket, [given["transaction"]], [given["wait"]]))[0]
        if method == "tenor_sendTransactions":
            given = fields(self._send_many, params, method)
            texts = given["transactions"]
            results = await self._send(ticket, texts, [given["wait"]] * len(texts))
            members = [{"error": self._body(r)} if isinstance(r, TenorError) else r for r in results]
            return wire.Json(f"[{','.join(map(wire.to_json, members))}]")
        if method in OTHERS and special is not None:
            return await special(method, params)
        if method in OTHERS:
            raise _NoMethod(f"{method} needs a WebSocket; connect to /ws.")
        raise _NoMethod(f"There is no method {method[:64]!r}.")

    async def _send(self, ticket: Ticket, texts: list[object], waits: list[str]) -> list[Any]:
        return await send(self._link, self._pool, ticket, texts, waits)

    def _response(self, request: dict[str, Any], result: Any) -> str | None:
        body = self._body(result) if isinstance(result, TenorError) else None
        if "id" not in request:
            return None
        identity = wire.to_json(request["id"])
        if body is not None:
            return f'{{"jsonrpc":"2.0","id":{identity},"error":{wire.to_json(body)}}}'
        return f'{{"jsonrpc":"2.0","id":{identity},"result":{wire.to_json(result)}}}'

    def _body(self, error: TenorError) -> dict[str, Any]:
        """A refusal's body; counted."""
        body = _body(error)
        self._traffic.refusals[body["data"]["code"]] += 1
        return body

    def _refused(self, identity: object, number: int, message: str, word: str) -> str:
        """What is no request."""
        self._traffic.refusals[word] += 1
        error = {"code": number, "message": message, "data": {"code": word}}
        return wire.to_json({"jsonrpc": "2.0", "id": identity, "error": error})


def _as_it_is(value: object, _: str) -> object:
    """Transactions stay text here: they are decoded on the thread that recovers the signer."""
    return value


SENDS = ("tenor_sendTransaction", "tenor_sendTransactions")
SEND_ONE = (Parameter("transaction", _as_it_is), WAIT)


class _NoMethod(Invalid):
    number = rpc_codes.METHOD_NOT_FOUND

    def __init__(self, message: str) -> None:
        super().__init__(message, "method_not_found")


def _sends(request: Any) -> bool:
    """Whether transactions are among what a message asks."""
    members = request if isinstance(request, list) else [request]
    return any(type(one) is dict and one.get("method") in SENDS for one in members)


def _asked(requests: list[Any], method: str, parameters: tuple[Parameter, ...]) -> dict[int, dict[str, Any]]:
    """Place and checked parameters of the members of a batch that are well-formed requests of a method."""
    found: dict[int, dict[str, Any]] = {}
    for index, request in enumerate(requests):
        if type(request) is dict and request.get("method") == method and _malformed(request) is None:
            with suppress(BadParams):  # answered one by one, with the reason
                found[index] = fields(parameters, request.get("params", []), method)
    return found


def _key(given: dict[str, Any]) -> Key:
    return given["program"], given["selector"], given["arguments"], given["gas"]


def _malformed(request: Any) -> str | None:
    if type(request) is not dict:
        return "A request is an object."
    if request.get("jsonrpc") != "2.0":
        return 'A request has "jsonrpc": "2.0".'
    if type(request.get("method")) is not str:
        return "A request has a method, a text."
    if type(request.get("id")) not in _IDS:
        return "A request's id is a text or a number."
    if type(request.get("params", [])) not in (list, dict):
        return "A request's params are an array or an object."
    return None


def _body(error: TenorError) -> dict[str, Any]:
    if isinstance(error, Invalid):
        number = getattr(error, "number", None) or rpc_codes.number(error.code)
        return {"code": number, "message": str(error), "data": {"code": error.code}}
    if isinstance(error, OverLimit):
        data = {"code": "over_limit", "limit": error.limit, "retry_ms": error.retry_ms}
        return {"code": rpc_codes.OVER_LIMIT, "message": str(error), "data": data}
    if isinstance(error, Unavailable):
        return {"code": rpc_codes.UNAVAILABLE, "message": str(error), "data": {"code": "unavailable"}}
    if isinstance(error, Corrupt):
        return {"code": rpc_codes.CORRUPT, "message": str(error), "data": {"code": "corrupt"}}
    return {"code": rpc_codes.INTERNAL_ERROR, "message": str(error), "data": {"code": "internal"}}
