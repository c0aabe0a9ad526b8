"""Each of its hooks schedules two more."""

from execution.lang import DONE, Outcome, Program, Timestamp, block, external, hook, schedule


class Hydra(Program):
    runs: int

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        schedule(Timestamp(due.ms + 1), self.ring)
        schedule(Timestamp(due.ms + 2), self.ring)
        return DONE
