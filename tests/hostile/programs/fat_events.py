"""Emits the widest events there are, to fill the batch's room for those of others."""

from execution.lang import Array, Event, Program, emit, external


class Wide(Event):
    words: Array[int, 64]


class FatEvents(Program):
    @external
    def attack(self, count: int) -> None:
        wide: Array[int, 64] = Array()
        for i in range(count):
            wide[0] = i
            emit(Wide(wide))
