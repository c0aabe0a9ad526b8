"""A hook, said to be an entry for everybody."""

from execution.lang import Program, Timestamp, external


class Hooked(Program):
    @external
    def ring(self, due: Timestamp) -> None:
        pass
