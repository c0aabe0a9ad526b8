"""A Prometheus of one's own: scrapes a node, and says which of the shipped rules hold of what it saw."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable
from typing import Any

import trio
from prometheus_client.parser import text_string_to_metric_families

from node.watch.expression import firing
from node.watch.rules import RULES
from node.watch.samples import Sample, sample

ANSWER_S = 20.0


def scrape(url: str) -> list[Sample]:
    """What /metrics says, and `up` as Prometheus adds it."""
    try:
        with urllib.request.urlopen(f"{url}/metrics", timeout=ANSWER_S) as answer:
            text = answer.read().decode()
    except OSError:
        return [sample("up", 0)]
    read = [(one.name, one.labels, one.value) for of in text_string_to_metric_families(text) for one in of.samples]
    return [sample("up", 1), *read]


def page(url: str) -> str:
    """What /status says."""
    with urllib.request.urlopen(f"{url}/status", timeout=ANSWER_S) as answer:
        return str(answer.read().decode())


def alerts(url: str) -> dict[str, list[dict[str, Any]]]:
    """The rules that hold now, with the labels of what they hold of."""
    samples, now_s = scrape(url), time.time()
    found = {rule.name: firing(rule.expression, samples, now_s) for rule in RULES}
    return {name: of for name, of in found.items() if of}


async def calls(url: str, holds: Callable[[dict[str, list[dict[str, Any]]]], bool]) -> dict[str, list[dict[str, Any]]]:
    """Scrape again and again until the rules that hold are as wanted."""
    while not holds(found := await trio.to_thread.run_sync(alerts, url)):
        await trio.sleep(0.1)
    return found
