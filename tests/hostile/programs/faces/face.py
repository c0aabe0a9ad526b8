"""What hostile programs call of one another; by itself it does as it is told."""

from execution.lang import Account, Program, external, require, view


class Face(Program):
    kept: int

    @external
    def poke(self, mode: int) -> int:
        require(mode != 1, "poked")
        while mode == 2:
            self.kept += 1
        self.kept += mode
        return self.kept

    @view
    def look(self, mode: int) -> int:
        require(mode != 1, "looked")
        while mode == 2:
            mode = 2 * mode // 2
        return self.kept

    @external
    def relay(self, other: Account, mode: int) -> int:
        return mode

    @external
    def peek(self, other: Account, mode: int) -> int:
        return mode
