"""Schedules hooks by the hundred for the same moment, each at a time of its own."""

from execution.lang import DONE, Outcome, Program, Timestamp, block, external, hook, schedule


class HookStorm(Program):
    runs: int

    @external
    def attack(self, count: int) -> None:
        for i in range(count):
            schedule(Timestamp(block.time.ms - i % block.time.ms), self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        return DONE
