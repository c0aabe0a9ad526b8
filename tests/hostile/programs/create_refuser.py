"""Is deployed, paid for and refuses to exist."""

from execution.lang import RETRY, Outcome, Program, Timestamp, block, external, hook, require, schedule


class CreateRefuser(Program):
    turns: int

    def create(self) -> None:
        self.turns = 7
        schedule(block.time, self.ring)
        require(self.turns == 8, "will not be")

    @external
    def attack(self) -> None:
        self.turns += 1

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        return RETRY
