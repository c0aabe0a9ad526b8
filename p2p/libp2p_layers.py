"""
Lets py-libp2p's layers be imported without the rest of it.

Its packages import hosts, QUIC, WebSockets, DNS and certificates when they are imported themselves (0.8.1), which a
node would pay for at every start: 0.38 s of processor time and 36 MB. While `layers_alone` lasts, empty packages stand
in for them, through which modules are found; after it, whoever imports such a package gets all of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

PACKAGES = ("libp2p", "libp2p.transport", "libp2p.host", "libp2p.network")
"""Parents first."""


@contextmanager
def layers_alone() -> Iterator[None]:
    """Nothing changes where the whole of it has been imported before."""
    if PACKAGES[0] in sys.modules:
        yield
        return
    for name in PACKAGES:
        spec = find_spec(name)
        assert spec is not None and spec.submodule_search_locations is not None, f"{name} is a package"
        sys.modules[name] = package = ModuleType(name)
        package.__path__ = list(spec.submodule_search_locations)
    try:
        yield
    finally:
        for name in PACKAGES:
            del sys.modules[name]
