"""
The status page: whether the node votes, and if not why and what to do; what needs attention; every number.

One HTML document without script, style sheet or picture from anywhere, to be read in a terminal's browser too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from node.watch.expression import firing
from node.watch.metrics import METRICS
from node.watch.rules import RULES, RUNBOOK
from node.watch.samples import Sample
from node.watch.words import CORE_SILENT, sentences

_STYLE = "body{font:16px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}td{padding:0 1em 0 0}"


def status_page(consensus: Mapping[str, Any] | None, samples: Sequence[Sample], now_s: float) -> str:
    """
    Args:
        consensus: as `tenor_getConsensus` answers, None when the core is silent.
        now_s: Unix time.
    """
    told = [CORE_SILENT] if consensus is None else sentences(consensus)
    moment = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(now_s))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(told[0])}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{escape(told[0])}</h1>"
        + "".join(f"<p>{escape(text)}</p>" for text in told[1:])
        + _attention(samples, now_s)
        + _numbers(samples, now_s)
        + f"<p>{moment}</p></body></html>\n"
    )


def attention(samples: Iterable[Sample], now_s: float) -> list[str]:
    """A sentence for each rule that holds now, with what to do."""
    known = list(samples)
    found = []
    for rule in RULES:
        for labels in firing(rule.expression, known, now_s):
            of = f" ({', '.join(f'{name} {text}' for name, text in sorted(labels.items()))})" if labels else ""
            found.append(f"{rule.name}{of}: {rule.meaning} {rule.remedy}")
    return found


def _attention(samples: Sequence[Sample], now_s: float) -> str:
    found = attention(samples, now_s)
    if not found:
        return "<p>Nothing needs attention.</p>"
    rows = "".join(f"<li>{escape(text)}</li>" for text in found)
    return f"<h2>Needs attention</h2><ul>{rows}</ul><p>More in {RUNBOOK}.</p>"


def _numbers(samples: Sequence[Sample], now_s: float) -> str:
    rows = []
    for name, labels, value in samples:
        kind, text = METRICS[name]
        of = ", ".join(labels.values())
        shown = _mean(*value) if kind == "histogram" else _plain(name, value, now_s)
        rows.append(f"<tr><td>{escape(f'{name} {of}')}</td><td>{escape(shown)}</td><td>{escape(text)}</td></tr>")
    return f"<h2>Numbers</h2><table>{''.join(rows)}</table>"


def _plain(name: str, value: float, now_s: float) -> str:
    """Of a point in time how long ago it is."""
    return f"{now_s - value:.1f} s ago" if name.endswith("_timestamp_seconds") and value else f"{value:.15g}"


def _mean(counts: Sequence[int], total_s: float) -> str:
    count = sum(counts)
    return f"{total_s / count * 1000:.3g} ms in the mean of {count}" if count else "none yet"
