"""What a node over TCP counts; `Statistics` is the picture of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """See `Statistics`."""

    messages_sent: int = 0
    frames_sent: int = 0
    messages_received: int = 0
    publications_sent: int = 0
    publications_received: int = 0
    publications_dropped: int = 0
    requests_answered: int = 0
    refused: int = 0
    dial_failures: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    handler_failures: int = 0
