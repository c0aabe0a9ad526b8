"""
For whoever operates the node: `GET /metrics` for Prometheus, `GET /status` for people.

By default only this machine is answered (`gateway.metrics`): from a loopback address, not through a proxy that says so,
and under a name of this machine, since a browser here asks whatever a page makes a foreign name mean (DNS rebinding).
A proxy in front of the gateway must not pass these two paths on.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from genesis.errors import TenorError
from node.gateway.frames import WATCH
from node.gateway.link import Link
from node.watch.metrics import CONTENT_TYPE, exposition
from node.watch.page import status_page
from node.watch.samples import Sample, sample

LOCAL, ALL, OFF = "local", "all", "off"
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip", "via")
MISDIRECTED = """\
This path answers under a name of this machine alone, localhost or 127.0.0.1, and to no page from elsewhere.
Ask for it there, or set gateway.metrics to "all" in the node's configuration.
"""
ANSWER_S = 5.0
"""A core that takes longer counts as silent: Prometheus waits ten seconds by default."""


class Counted(Protocol):
    """What has numbers of its own."""

    def samples(self) -> Iterable[Sample]: ...


def operator_routes(link: Link, counted: Sequence[Counted], whom: str) -> list[Route]:
    """whom: LOCAL, ALL or OFF."""

    async def gather() -> tuple[list[Sample], dict[str, Any] | None]:
        """Every sample, and what consensus says; of a silent core only the gateway's own."""
        try:
            async with asyncio.timeout(ANSWER_S):
                core = await link.ask(WATCH, None)
                consensus = await link.ask("tenor_getConsensus", {})
        except (TenorError, TimeoutError):
            core, consensus = [], None
        own = [sample("tenor_core_up", consensus is not None)]
        return [*map(tuple, core), *own, *chain.from_iterable(one.samples() for one in counted)], consensus

    async def metrics(request: Request) -> Response:
        if refusal := _refusal(request, whom):
            return refusal
        samples, _ = await gather()
        text = await asyncio.to_thread(exposition, samples)
        return Response(text, media_type=CONTENT_TYPE)

    async def status(request: Request) -> Response:
        if refusal := _refusal(request, whom):
            return refusal
        samples, consensus = await gather()
        return HTMLResponse(status_page(consensus, samples, time.time()))

    return [Route("/metrics", metrics, methods=["GET"]), Route("/status", status, methods=["GET"])]


def _refusal(request: Request, whom: str) -> Response | None:
    """For others it is as if there were nothing here; who is here under a foreign name learns why."""
    if whom == ALL:
        return None
    address = request.client.host if request.client else ""
    if whom == OFF or not _loopback(address) or any(name in request.headers for name in FORWARDED):
        return PlainTextResponse("Not Found", 404)
    hosts = [f"//{host}" for host in request.headers.getlist("host")]
    foreign = [name for name in (*hosts, *request.headers.getlist("origin")) if not _here(name)]
    return PlainTextResponse(MISDIRECTED, 421) if foreign else None


def _here(url: str) -> bool:
    """Whether its host is this machine, whatever names mean today."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return host == "localhost" or _loopback(host)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
