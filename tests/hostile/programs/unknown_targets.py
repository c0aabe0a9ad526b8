"""Calls addresses without programs, and programs without the entry."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external


class UnknownTargets(Program):
    @external
    def attack(self, nobody: ProgramRef[Face], times: int) -> int:
        refused = 0
        for _ in range(times):
            try:
                nobody.poke(1, gas=5_000)
            except Rejected:
                refused += 1
        return refused
