"""An entry that writes, said to be a view."""

from execution.lang import Program, view


class Viewed(Program):
    @view
    def poke(self, mode: int) -> int:
        return mode
