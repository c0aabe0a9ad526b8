"""The kernel's places in scratch: none lies in another, however they came there."""

from __future__ import annotations

import re
from pathlib import Path

from execution.vm.kernel import places

NAMED = re.compile(r"^([A-Z_]+) = (\d+)(.*)$", re.MULTILINE)
COUNTS = ("_WORDS", "_BYTES")


def test_variables_and_limits_do_not_overlap() -> None:
    text = Path(places.__file__).read_text().partition("JOURNAL_BYTES_MAX")[0]
    owners: dict[int, str] = {}
    for name, place, comment in NAMED.findall(text):
        if name.endswith(COUNTS):
            continue
        for word in range(int(place), int(place) + (24 if "three words" in comment else 8), 8):
            assert word not in owners, f"{name} and {owners[word]} share scratch[{word}]"
            owners[word] = name
    assert len(owners) > 50 and max(owners) < places.STACK_START
