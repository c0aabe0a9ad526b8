"""A fault that somebody puts into an engine is found, made small, and replays while it is there."""

from __future__ import annotations

from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType

import pytest

from execution.compiler import interpret_steps
from execution.compiler.interpret_arithmetic import MEANING
from node.fuzz import shrink
from node.fuzz.calls import made
from node.fuzz.case import read_case
from node.fuzz.legs import Legs
from node.fuzz.worker import small, told_by, written


def test_a_wrong_operation_is_found_and_made_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter's `<` of words is `<=`."""
    meaning = {**MEANING, "lt.w": lambda a, b: int(a <= b)}
    with monkeypatch.context() as patch:
        patch.setattr(interpret_steps, "MEANING", MappingProxyType(meaning))
        legs = Legs()
        single = (case for case in (made(f"shrink {n}") for n in range(300)) if len(case.programs) == 1)
        case, found = next((case, told) for case in single if (told := told_by(legs, case)))
        patch.setattr(shrink, "monotonic", partial(next, count()))  # looks, not seconds: the load does not count
        smallest, told = small(legs, case, found, seconds=60.0)
        assert smallest.calls < case.calls
        assert sum(map(len, smallest.files.values())) < sum(map(len, case.files.values()))
        again = read_case(written(smallest, told, tmp_path))
        assert told_by(Legs(), again) is not None
    assert told_by(Legs(), again) is None
