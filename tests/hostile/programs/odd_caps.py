"""Caps of nothing, of one, below zero, and of the largest number there is."""

from face import Face

from execution.lang import List, Program, ProgramRef, Reason, Rejected, external, reason


class OddCaps(Program):
    reasons: List[Reason]

    @external
    def attack(self, other: ProgramRef[Face], cap: int) -> Reason:
        try:
            other.poke(3, gas=cap)
        except Rejected as refusal:
            self.reasons.append(refusal.reason)
            return refusal.reason
        return reason("went through")
