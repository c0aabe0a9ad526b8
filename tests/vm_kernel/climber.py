"""A program that asks the kernel as if it were a program."""

from execution.lang import Account, Program, ProgramRef, external, tx
from tests.vm_kernel.registry import Registry


class Climber(Program):
    @external
    def take(self, kernel: ProgramRef[Registry], program: Account) -> None:
        kernel.set_admin(program, tx.sender)
