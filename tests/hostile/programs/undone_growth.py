"""Grows within a tolerated call that fails, again and again: memory that no state accounts for."""

from face import Face

from execution.lang import Map, Program, ProgramRef, Rejected, external


class UndoneGrowth(Program):
    seen: Map[int, int]
    rounds: int

    @external
    def poke(self, mode: int) -> int:
        for i in range(mode):
            self.seen[self.rounds * 100000 + i] = i
        raise Rejected("never mind")

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        for _ in range(3):
            try:
                other.poke(mode, gas=100_000)
            except Rejected:
                self.rounds += 1
        return len(self.seen)
