"""A program whose hook does what it is told, at the expense of its purse."""

from execution.lang import (
    DONE,
    RETRY,
    Outcome,
    Program,
    ProgramRef,
    Rejected,
    Timestamp,
    block,
    external,
    hook,
    schedule,
)
from execution.programs.bank import Bank


class Waker(Program):
    """mode: what the hook does: 0 is done, 1 tries again, 2 fails, 3 burns all its gas, 4 empties the purse first."""

    bank: ProgramRef[Bank]
    mode: int
    runs: int

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank

    @external
    def wake(self, mode: int) -> None:
        self.mode = mode
        schedule(block.time, self.ring)

    @external
    def set_mode(self, mode: int) -> None:
        self.mode = mode

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        if self.mode == 1:
            return RETRY
        if self.mode == 2:
            raise Rejected("will not ring")
        while self.mode == 3:
            self.runs += 1
        if self.mode == 4:
            self.bank.take_gas(self.bank.gas_balance(self.me))
        return DONE
