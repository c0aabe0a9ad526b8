"""
Three legs in step: source under CPython (`Twin`), IR in the interpreter (`Mirror`), WASM (`Machine`).

Compared after every batch: result, reason, events, failed hooks; gas between interpreter and WASM; after every block
roots, the bytes of every memory, and state decoded against CPython's objects. After a case the engines roll back to
genesis, whose root must come back.
"""

from __future__ import annotations

from execution.lang import Account
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.machine import Machine
from execution.vm.mirror import Mirror
from execution.vm.twin import Twin
from genesis.errors import Invalid
from genesis.spec import ChainSpec, Validator
from node.fuzz.building import ORACLE, ORACLE_AT, Built, build, oracle
from node.fuzz.case import Case
from node.fuzz.compare import Difference, Refused, attempt, equal
from node.fuzz.coverage import Coverage
from node.fuzz.stepping import GAS_TRANSACTION, Run

MACHINE_PROGRAMS_MAX = 400
"""Instances a machine makes before it is replaced: wasmtime frees them with their store only."""
SPEC = ChainSpec(
    chain_id=7,
    admin=b"a" * 20,
    fee_account=b"f" * 20,
    reporters=(),
    validators=(Validator(b"v" * 20, 1),),
    assets=("USD",),
    allocations=(),
    gas_transaction_max=GAS_TRANSACTION,
    gas_batch_max=2_000_000_000,
    gas_block_max=8_000_000_000,
    gas_hook_max=GAS_TRANSACTION,
    gas_hooks_batch_max=2_000_000_000,
    gas_hooks_block_max=8_000_000_000,
    events_transaction_max=4096,  # CPython counts none
)


class Legs:
    """coverage: of what the interpreter runs, if wanted."""

    def __init__(self, coverage: Coverage | None = None) -> None:
        built = oracle()
        self._plan = Plan((GenesisProgram(built.code, ORACLE_AT, None, bytes(4), "oracle"),))
        self._modules = {built.code.code_hash: built.module}
        self._coverage = coverage
        self._watch = coverage.watch if coverage else None
        self.twin = Twin()
        self._begin()

    def _begin(self) -> None:
        """Engines that nothing has happened to."""
        self.mirror = Mirror(lambda _: self._plan, self._modules, self._watch)
        self._root = self.mirror.genesis(SPEC)
        if self._coverage:
            self._coverage.gather(keep=True)
        self._renew()

    def _renew(self) -> None:
        self.machine = Machine(lambda _: self._plan, large_programs=0)
        equal("root at genesis", self.machine.genesis(SPEC), self._root)
        self._made = 0

    def run(self, case: Case) -> int:
        """
        Returns how many programs came to life.

        Raises:
            Difference: the legs disagree. Refused: a program does not compile.
        """
        built = {path: _built(case, path) for path in dict.fromkeys(program.path for program in case.programs)}
        if self._made + len(built) > MACHINE_PROGRAMS_MAX:
            self._renew()
        self._made += len(built)
        self.twin = Twin()
        self.twin.add({"oracle.py": ORACLE}, "oracle.py", oracle().abi, ORACLE_AT)
        self.twin.chain.pin(Account(ORACLE_AT))
        self._modules.update({one.code.code_hash: one.module for one in built.values()})
        try:
            alive = Run(self, case, built).run()
        except Difference:
            self._begin()  # a leg may have stopped in the middle of a call
            raise
        self.mirror.rollback(0)
        self.machine.rollback(0)
        for one in built.values():
            self._modules.pop(one.code.code_hash, None)
        return alive


def _built(case: Case, path: str) -> Built:
    def work() -> Built:
        try:
            return build(case.files, path, case.inlined)
        except Invalid as error:  # a CompileError is one
            raise Refused(f"{case.name}: {error}") from None

    return attempt("compiler", work)
