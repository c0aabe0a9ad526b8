"""
Plain data of storage as values a test can compare: what a field holds, whatever it is nested in.
"""

from __future__ import annotations

from typing import Any

from execution.lang.containers import MapKind
from execution.lang.kinds import Kind, Plain
from execution.lang.listing import ListKind
from execution.lang.queue import QueueKind
from execution.lang.struct import RecordKind, kinds_of


def shown(kind: Kind, plain: Plain) -> Any:
    """Maps as dicts in their order, lists as lists, records as dicts by member, flat values as the language's."""
    if isinstance(kind, MapKind):
        return {kind.keys.load(key): shown(kind.values, value) for key, value in plain}
    if isinstance(kind, (ListKind, QueueKind)):
        return [shown(kind.values, value) for value in plain]
    if isinstance(kind, RecordKind):
        members = zip(kinds_of(kind.cls).items(), plain, strict=True)
        return {name: shown(member, value) for (name, member), value in members}
    return kind.load(plain)
