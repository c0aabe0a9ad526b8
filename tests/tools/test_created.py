"""Authors test programs that create programs as any other, on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from execution.lang import Account, Decimal, Timestamp
from node.testing.chain import Chain
from node.testing.cpython import CPython
from node.testing.engines import Engine
from node.testing.wasm import Wasm

PROGRAMS = Path(__file__).parents[1] / "vm_kernel"
USER = Account.numbered(7)


@pytest.mark.parametrize("engine", [CPython, Wasm])
def test_a_factory_and_what_it_made(engine: type[Engine], tmp_path: Path) -> None:
    for name in ("option.py", "factory.py"):
        text = (PROGRAMS / name).read_text()
        (tmp_path / name).write_text(text.replace("tests.vm_kernel.option", "option"))
    chain = Chain(engine(), tmp_path)
    option = chain.deploy("option.py", Decimal(1), Timestamp(0))
    factory = chain.deploy("factory.py", option)
    series = chain.made(factory.list(Decimal(5), Timestamp(9), sender=USER), option)
    with pytest.raises(Exception, match="unknown program"):
        factory.buy(Decimal(5), 2, sender=USER)
    chain.open_block()
    assert factory.buy(Decimal(5), 2, sender=USER) == 2
    assert series.terms() == Decimal(5) and series.state["factory"] == factory.me
    assert [event.by for _, event in chain.engine.events][-1] == factory.me
