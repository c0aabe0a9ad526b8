"""Takes the longest arguments there are, to be called with them and fail."""

from execution.lang import Array, Program, external, require


class FatArguments(Program):
    @external
    def attack(self, wide: Array[int, 127], mode: int) -> int:
        require(mode != 1, "no, after all that")
        return wide[mode]
