"""Schedules one hook a thousand times for one and the same millisecond."""

from execution.lang import DONE, Outcome, Program, Timestamp, block, external, hook, schedule


class SameMillisecond(Program):
    runs: int

    @external
    def attack(self, count: int) -> None:
        for _ in range(count):
            schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        return DONE
