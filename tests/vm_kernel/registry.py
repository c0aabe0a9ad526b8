"""The kernel as a program would see it, if it were one."""

from execution.lang import Account, Program, external


class Registry(Program):
    @external
    def set_admin(self, program: Account, admin: Account) -> None:
        return
