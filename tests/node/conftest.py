from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.node.stage import StubCore, playing


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubCore]:
    """One stub core with its gateway for all tests that leave it as it was."""
    with playing(tmp_path_factory.mktemp("node")) as stub:
        yield stub
