"""What the gateway counts: requests by method, refusals by code, who is connected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from node.gateway.methods import OTHERS, READS
from node.watch.process import process_samples
from node.watch.samples import Sample, sample

UNKNOWN = "unknown"
"""Stands for every method that there is not, lest a client make up labels."""
_KNOWN = frozenset((*READS, *OTHERS))


@dataclass(slots=True)
class Traffic:
    """Since the gateway started; websockets: now."""

    requests: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    websockets: int = 0

    def asked(self, method: str) -> None:
        self.requests[method if method in _KNOWN else UNKNOWN] += 1

    def samples(self) -> Iterator[Sample]:
        yield sample("tenor_gateway_websockets", self.websockets)
        for method, count in self.requests.items():
            yield sample("tenor_gateway_requests_total", count, method=method)
        for code, count in self.refusals.items():
            yield sample("tenor_gateway_refusals_total", count, code=code)
        yield from process_samples("gateway")
