"""Locals as large as they may be, on top of whatever its caller already has on the stack."""

from face import Face

from execution.lang import Array, Program, ProgramRef, external


class HugeFrames(Program):
    @external
    def poke(self, mode: int) -> int:
        wide: Array[int, 1024] = Array()
        more: Array[int, 1024] = Array()
        for i in range(1024):
            wide[i] = i
            more[1023 - i] = i
        return wide[mode % 1024] + more[mode % 1024]

    @external
    def relay(self, other: ProgramRef[Face], mode: int) -> int:
        wide: Array[int, 1024] = Array()
        wide[1023] = mode
        return other.poke(mode) + wide[1023]
