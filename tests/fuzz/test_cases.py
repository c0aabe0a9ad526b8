"""Cases that once differed, made small by the fuzzer: they agree."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.fuzz.case import read_case
from node.fuzz.legs import Legs

CASES = sorted(Path(__file__).with_name("cases").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_what_once_differed_agrees(path: Path) -> None:
    Legs().run(read_case(path))
