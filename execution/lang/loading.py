"""
State as plain data back into live programs: the inverse of `sandbox.Chain.state`.

For running a transaction again from what a chain had stored. Nothing is journalled; the chain begins here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from execution.lang.containers import Map, MapKind
from execution.lang.entries import RANKS, entries_of
from execution.lang.frames import Deployed
from execution.lang.journal import opened, record
from execution.lang.kinds import Kind, Plain
from execution.lang.listing import List, ListKind
from execution.lang.program import ENTRY, Program, fields_of, instance
from execution.lang.queue import Queue, QueueKind
from execution.lang.sandbox import Chain
from execution.lang.struct import RecordKind, kinds_of
from execution.lang.values import Account


def restore(chain: Chain, cls: type[Program], number: int, address: Account, fields: Mapping[str, Plain]) -> None:
    """
    Put a program on a chain, with its fields as they were.

    Raises:
        ValueError: plain data that no value has as its image.
    """
    program = instance(cls, address)
    with opened(None):
        _fill(program, fields_of(cls), fields)
    chain.runner.programs[address] = Deployed(number, program, cls, entries_of(cls))


def upgrade(chain: Chain, cls: type[Program], address: Account, arguments: tuple[Any, ...], admin: Account) -> None:
    """
    Let a program go on as another class with its fields as they are, new ones zero; its @migrate runs as a call of the
    admin.

    Raises:
        Rejected: @migrate refused; the program is what it was.
    """
    before, fields = chain.runner.programs[address], chain.state(address)
    program = instance(cls, address)
    kinds = {name: kind for name, kind in fields_of(cls).items() if name in fields}
    with opened(None):
        _fill(program, kinds, fields)
    methods = [name for name in dir(cls) if getattr(getattr(cls, name), ENTRY, ("",))[0] == "migrate"]
    with chain.runner.outermost(Account.zero(), RANKS["trade"]):
        record(chain.runner.programs.__setitem__, address, before)
        chain.runner.programs[address] = Deployed(before.number, program, cls, entries_of(cls))
        for name in methods:
            chain.runner.enter_hook(address, admin, name, arguments)


def _fill(owner: object, kinds: Mapping[str, Kind], plain: Mapping[str, Plain]) -> None:
    for name, kind in kinds.items():
        if kind.abi:
            setattr(owner, name, kind.load(plain[name]))
        else:
            _fill_container(getattr(owner, name), kind, plain[name])


def _fill_container(container: Any, kind: Kind, plain: Plain) -> None:
    match container, kind:
        case Map(), MapKind():
            for key, value in plain:
                _put(container, kind, key, value)
        case List(), ListKind():
            for value in plain:
                if kind.values.abi:
                    container.append(kind.values.load(value))
                else:
                    _nested(container.add(), kind.values, value)
        case Queue(), QueueKind():
            for value in plain:
                container.push(kind.values.load(value))
        case _:
            raise ValueError(f"{type(container).__name__} cannot be restored")


def _put(container: Map[Any, Any], kind: MapKind, key: Plain, value: Plain) -> None:
    if kind.values.abi:
        container[kind.keys.load(key)] = kind.values.load(value)
    else:
        _nested(container.create(kind.keys.load(key)), kind.values, value)


def _nested(made: Any, kind: Kind, plain: Plain) -> None:
    """A record or container just made in its place."""
    if isinstance(kind, RecordKind):
        kinds = kinds_of(kind.cls)
        _fill(made, kinds, dict(zip(kinds, plain, strict=True)))
    else:
        _fill_container(made, kind, plain)
