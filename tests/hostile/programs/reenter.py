"""Has its callee call it again while it is on the stack."""

from face import Face

from execution.lang import Program, ProgramRef, external, view


class Reenter(Program):
    inside: int

    @external
    def poke(self, mode: int) -> int:
        self.inside += 1
        return self.inside

    @view
    def look(self, mode: int) -> int:
        return self.inside

    @external
    def attack(self, echo: ProgramRef[Face], viewing: bool) -> int:
        self.inside = 100
        if viewing:
            return echo.peek(self.me, 0)
        return echo.relay(self.me, 0)
