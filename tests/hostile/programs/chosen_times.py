"""Schedules at times whose places in the kernel's queue collide, so that the queue refuses the next one."""

from execution.lang import RETRY, Array, Outcome, Program, Timestamp, external, hook, schedule


class ChosenTimes(Program):
    runs: int

    @external
    def attack(self, times: Array[Timestamp, 64]) -> None:
        for time in times:
            schedule(time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        return RETRY
