"""A hook that burns its cap to the last unit, every time."""

from execution.lang import Outcome, Program, Timestamp, block, external, hook, schedule


class HookBurner(Program):
    turns: int

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        while True:
            self.turns += 1
