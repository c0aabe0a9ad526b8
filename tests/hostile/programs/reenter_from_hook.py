"""Its hook calls a friend that calls it back."""

from face import Face

from execution.lang import DONE, Outcome, Program, ProgramRef, Timestamp, block, external, hook, schedule


class ReenterFromHook(Program):
    echo: ProgramRef[Face]
    inside: int

    @external
    def poke(self, mode: int) -> int:
        self.inside += 1
        return self.inside

    @external
    def attack(self, echo: ProgramRef[Face]) -> None:
        self.echo = echo
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.inside += 10
        self.echo.relay(self.me, 0)
        return DONE
