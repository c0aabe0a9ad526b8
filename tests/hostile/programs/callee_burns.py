"""Gives its callee most of its gas, to be burnt, and goes on with what is left."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external, reason, require


class CalleeBurns(Program):
    left: int

    @external
    def attack(self, other: ProgramRef[Face], cap: int) -> int:
        try:
            other.poke(2, gas=cap)
        except Rejected as refusal:
            require(refusal.reason == reason("out of gas"), "another reason")
        self.left += 1
        return self.left
