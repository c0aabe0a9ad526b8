"""A hook that is never done: RETRY for ever."""

from execution.lang import RETRY, Outcome, Program, Timestamp, block, external, hook, schedule


class HookRetrier(Program):
    tries: int

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        self.tries += 1
        return RETRY
