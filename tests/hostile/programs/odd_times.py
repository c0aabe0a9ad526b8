"""Schedules for times before time, long past, and never."""

from execution.lang import DONE, Outcome, Program, Timestamp, external, hook, schedule


class OddTimes(Program):
    runs: int

    @external
    def attack(self, time: Timestamp) -> None:
        schedule(time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        return DONE
