"""
From the sources of a case to what the legs run: WASM for the machine, optimised IR for the mirror, one ABI.

The stages of `compile_bundle`, but each is run once and the checker of the IR only around the passes, since the
passes themselves are under test here by what their output does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from execution.compiler import Abi, compile_ir
from execution.compiler.ir import Module
from execution.compiler.ir_check import check
from execution.compiler.optimise import PASSES
from execution.compiler.optimise_gas import insert_gas
from execution.compiler.write import write
from execution.vm.host import Code
from execution.vm.programs import code_of
from genesis.gas import GAS_TABLE

GAS = dict(GAS_TABLE)
ORACLE_AT = (0x1001).to_bytes(20, "big")
ORACLE = '''"""The pinned oracle of a case: anybody may report."""

from execution.lang import Decimal, Duration, Feed, Program, Timestamp, external, publish


class Oracle(Program):
    @external
    def report(
        self, feed: Feed, price: Decimal, confidence: Decimal, time: Timestamp, max_age: Duration
    ) -> None:
        publish(feed, price, confidence, time, max_age)
'''


@dataclass(frozen=True, slots=True)
class Built:
    code: Code
    abi: Abi
    module: Module


def build(files: Mapping[str, str], main: str, inline: bool = True) -> Built:
    """
    Compile a program. inline: as the chain does, which takes thrice as long.

    Raises:
        CompileError: the source is refused. Invalid: it is beyond a bound.
    """
    module, abi = compile_ir(files, main)
    check(module)
    for rewrite in PASSES:
        module = rewrite(module)
    module = insert_gas(module, GAS)
    check(module)
    return Built(code_of(abi.name, write(module, GAS, inline), abi, bytes(32)), abi, module)


@lru_cache(maxsize=1)
def oracle() -> Built:
    return build({"oracle.py": ORACLE}, "oracle.py")
