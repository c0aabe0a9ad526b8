"""Burns all the gas there is in `create`."""

from execution.lang import Program, external


class CreateBurner(Program):
    turns: int

    def create(self) -> None:
        while True:
            self.turns += 1

    @external
    def attack(self) -> None:
        self.turns += 1
