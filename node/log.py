"""
Structured logs: for people on a terminal, or one JSON object a line for machines. On stderr; stdout is for results.

`logger("sequencer").info("block sealed", height=7)`: the message is a constant, what varies goes into named values.
Until `configure` is called nothing is written, so that a library use of node stays silent.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
BYTES_SHOWN = 64
"""Longer byte strings are cut in the log."""


class Format(StrEnum):
    HUMAN = "human"
    JSON = "json"


def configure(level: str = "info", form: Format = Format.HUMAN, stream: TextIO | None = None) -> None:
    """
    Set where and how this process logs.

    Args:
        level: one of LEVELS; lower ones are not written.
        form: HUMAN for a console (coloured when it is a terminal), JSON for a line per entry.
        stream: stderr when None.
    """
    target = sys.stderr if stream is None else stream
    renderer: Processor
    if form is Format.JSON:
        renderer = structlog.processors.JSONRenderer()
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=target.isatty(), pad_event_to=28)
        stamp = structlog.processors.TimeStamper(fmt="%H:%M:%S.%f", utc=False)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            stamp,
            _show_bytes,
            structlog.processors.format_exc_info if form is Format.JSON else _keep,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )


def silence() -> None:
    """Write nothing; the state before configure."""
    structlog.configure(
        processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50), cache_logger_on_first_use=False
    )


def logger(part: str) -> FilteringBoundLogger:
    """Return the log of one part of the node, named in every entry."""
    return cast(FilteringBoundLogger, structlog.get_logger(part=part))


def _show_bytes(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    for name, value in entry.items():
        if isinstance(value, bytes):
            entry[name] = value[:BYTES_SHOWN].hex() + ("…" if len(value) > BYTES_SHOWN else "")
    return entry


def _keep(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    return entry


def _drop(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
    raise structlog.DropEvent


silence()
