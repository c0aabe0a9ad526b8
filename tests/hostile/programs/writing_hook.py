"""A hook that dirties a fresh page with every unit it has, for the state root to hash."""

from execution.lang import RETRY, Map, Outcome, Program, Timestamp, block, external, hook, schedule


class WritingHook(Program):
    seen: Map[int, int]

    @external
    def attack(self) -> None:
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        for i in range(10):
            self.seen[len(self.seen) * 64 + i] = i
        return RETRY
