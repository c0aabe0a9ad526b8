"""Spins until its gas is gone."""

from execution.lang import Program, external


class BurnAll(Program):
    turns: int

    @external
    def attack(self) -> None:
        while True:
            self.turns += 1
