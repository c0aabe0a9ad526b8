"""
One program on a machine of its own, asked through its views: what the benches of the language and the tests of the
library measure and check. Everything runs in WASM, compiled from source as on any chain.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from execution.compiler import compile_bundle
from execution.compiler.abi import Abi
from execution.compiler.abi_values import pack_plain, plain_result
from execution.executor import Query
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.machine import Machine
from execution.vm.programs import code_of
from genesis.errors import Corrupt
from genesis.spec import ChainSpec, Validator

ADDRESS = bytes.fromhex("de" * 20)
ADMIN = bytes.fromhex("ad" * 20)
GAS_MAX = (1 << 32) - 1
RUNS = 5

Plain = object
"""Plain data of an ABI value: ints, raw decimals, bytes, tuples for structs."""


def desk_spec() -> ChainSpec:
    return ChainSpec(
        chain_id=7_358,
        admin=ADMIN,
        fee_account=ADMIN,
        reporters=(),
        validators=(Validator(ADMIN, 1),),
        assets=("USD",),
        allocations=(),
        gas_transaction_max=GAS_MAX,
        gas_batch_max=1 << 50,
        gas_block_max=1 << 52,
        gas_query_max=GAS_MAX,
    )


@dataclass(slots=True)
class Desk:
    """The machine and its program's interface. Runs on the thread that made it, as every Machine."""

    source: str
    abi: Abi = field(init=False)
    machine: Machine = field(init=False)

    def __post_init__(self) -> None:
        spec = desk_spec()
        artifact = compile_bundle({"desk.py": self.source}, "desk.py", spec.gas)
        code = code_of(artifact.name, artifact.wasm, artifact.abi, artifact.source_hash)
        program = GenesisProgram(code, ADDRESS, None, bytes(4), "")
        self.abi = artifact.abi
        self.machine = Machine(lambda _: Plan((program,)))
        self.machine.genesis(spec)

    def ask(self, name: str, *arguments: Plain) -> Plain:
        """The view's result; Corrupt when it refuses."""
        (result,) = self.ask_all(name, [arguments])
        if isinstance(result, str):
            raise Corrupt(f"{name} refused: {result}.")
        return result

    def ask_all(self, name: str, rows: Sequence[Sequence[Plain]]) -> list[Plain]:
        """The view's result for each row of arguments; the reason, a str, where it refused."""
        entry = self.abi.entry(name)
        kinds = [of for _, of in entry.parameters]
        queries = [Query(ADDRESS, entry.selector, pack_plain(kinds, row), GAS_MAX) for row in rows]
        answers = self.machine.query(queries)
        return [answer.reason or plain_result(entry, answer.result) for answer in answers]

    def seconds(self, name: str, *arguments: Plain) -> float:
        """Processor time of one call of a view, the shortest of RUNS."""
        best = float("inf")
        for _ in range(RUNS):
            started = time.thread_time()
            self.ask(name, *arguments)
            best = min(best, time.thread_time() - started)
        return best
