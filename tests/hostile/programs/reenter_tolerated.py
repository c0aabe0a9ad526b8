"""Is called back while on the stack under a `try`, and sees whether anything was left behind."""

from face import Face

from execution.lang import Program, ProgramRef, Rejected, external, reason, require


class ReenterTolerated(Program):
    inside: int
    refused: int

    @external
    def poke(self, mode: int) -> int:
        self.inside += 1
        return self.inside

    @external
    def attack(self, echo: ProgramRef[Face]) -> int:
        for _ in range(5):
            try:
                echo.relay(self.me, 0, gas=20_000)
            except Rejected as refusal:
                require(refusal.reason == reason("on the stack"), "let in")
                self.refused += 1
        return self.refused
