"""A hook that emits as many events as it may, to fill the batch before transactions come."""

from execution.lang import RETRY, Event, Outcome, Program, Timestamp, block, emit, external, hook, schedule


class Noise(Event):
    number: int


class EventHook(Program):
    runs: int

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.runs += 1
        for i in range(15):
            emit(Noise(i))
        return RETRY
