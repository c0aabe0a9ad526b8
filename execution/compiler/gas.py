"""
The gas table the compiler charges by when no chain gives its own: the default of `genesis.gas`, as a mapping.

Keys: names of OPS; the words of other instructions in the text form ("load", "invoke", "word" for each word packed);
"runtime:" and kind_operation of the containers ("runtime:map_find");
"service:" and a service of the kernel; what runtime and kernel charge as it arises.
Complete for everything `optimise_gas` asks: asserted here, so that a new operation cannot go unpriced.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from execution.compiler.ir import OPS
from genesis.gas import GAS_TABLE

GAS: Mapping[str, int] = MappingProxyType(dict(GAS_TABLE))
assert OPS.keys() <= GAS.keys(), f"without a price: {sorted(OPS.keys() - GAS.keys())}"
