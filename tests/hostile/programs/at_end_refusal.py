"""Succeeds, and then refuses at the end of the call, when its callers count on it."""

from face import Face

from execution.lang import Account, Program, ProgramRef, Rejected, at_end, external, tx


class AtEndRefusal(Program):
    handled: int

    @external
    def poke(self, mode: int) -> int:
        self.handled += 1
        at_end(self.check, tx.sender)
        return mode

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        try:
            return other.poke(mode, gas=50_000)
        except Rejected:
            return -1

    def check(self, account: Account) -> None:
        raise Rejected("changed my mind")
