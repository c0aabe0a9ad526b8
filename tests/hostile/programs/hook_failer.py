"""A hook that always fails, and stays due for as long as somebody pays."""

from execution.lang import Outcome, Program, Rejected, Timestamp, block, external, hook, schedule


class HookFailer(Program):
    tries: int

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.tries += 1
        raise Rejected("never")
