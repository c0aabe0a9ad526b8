"""One command of the command line, run in this process: exit code, the JSON object of its last line, both streams."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from node.cli.app import app
from node.cli.edge import run
from node.log import silence


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def result(self) -> Any:
        return json.loads(self.out.splitlines()[-1])


def tenor(capsys: pytest.CaptureFixture[str], *words: object) -> Ran:
    """`tenor word word …`"""
    with mock.patch("sys.argv", ["tenor", *map(str, words)]), pytest.raises(SystemExit) as end:
        run(app)
    silence()  # `node run` has its log written to what pytest closes after the test
    out, err = capsys.readouterr()
    return Ran(int(end.value.code or 0), out, err)
