"""A view that never ends, for readers and for whoever asks it within a transaction."""

from execution.lang import Program, view


class BurnInView(Program):
    @view
    def look(self, mode: int) -> int:
        turns = 0
        while turns >= 0:
            turns = (turns + 1) % 1000
        return turns
