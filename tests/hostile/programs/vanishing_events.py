"""Emits, fails, is tolerated: events that must not be seen; then one that must."""

from face import Face

from execution.lang import Event, Program, ProgramRef, Rejected, emit, external


class Noise(Event):
    number: int


class VanishingEvents(Program):
    @external
    def poke(self, mode: int) -> int:
        for i in range(mode):
            emit(Noise(i))
        raise Rejected("unsaid")

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        try:
            other.poke(mode, gas=100_000)
        except Rejected:
            emit(Noise(-1))
        return mode
