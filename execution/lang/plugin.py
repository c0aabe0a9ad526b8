"""
The pytest plug-in: `-p execution.lang.plugin`, with the packages and modules of programs in the ini option
`tenor_programs`.

Programs imported by tests then compute as on the chain.
"""

from __future__ import annotations

import pytest

from execution.lang.instrument import install


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("tenor_programs", "packages and modules of programs to instrument", "args", ["execution.programs"])


def pytest_configure(config: pytest.Config) -> None:
    install(*config.getini("tenor_programs"))
