"""A walk over a large Map in steps of a hook's gas: the cursor is state, RETRY goes on in the next batch."""

from execution.lang import DONE, RETRY, Decimal, Map, Outcome, Program, Timestamp, block, external, hook, schedule

STEP: int = 100


class Walker(Program):
    entries: Map[int, Decimal]
    cursor: int
    total: Decimal
    rounds: int

    @external
    def fill(self, count: int) -> None:
        first = len(self.entries)
        for index in range(min(count, 1000)):
            self.entries[first + index] = Decimal(first + index)

    @external
    def start(self) -> None:
        begin = self.entries.first()
        self.cursor = -1 if begin is None else begin
        self.total = Decimal(0)
        schedule(block.time, self.walk)

    @hook
    def walk(self, due: Timestamp) -> Outcome:
        """STEP entries, counting up what they are worth."""
        self.rounds += 1
        for _ in range(STEP):
            if self.cursor < 0:
                return DONE
            self.total += self.entries[self.cursor]
            following = self.entries.after(self.cursor)
            self.cursor = -1 if following is None else following
        return RETRY
