"""Emits as many events as one call may, and one more when told so."""

from execution.lang import Event, Program, emit, external


class Noise(Event):
    number: int


class EventFlood(Program):
    @external
    def attack(self, count: int) -> None:
        for i in range(count):
            emit(Noise(i))
