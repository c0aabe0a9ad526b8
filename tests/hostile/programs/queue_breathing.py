"""Fills and drains a queue, so that pages come and go without end."""

from execution.lang import Program, Queue, external


class QueueBreathing(Program):
    waiting: Queue[int]

    @external
    def attack(self, count: int, times: int) -> int:
        for _ in range(times):
            for i in range(count):
                self.waiting.push(i)
            for _ in range(count):
                self.waiting.pop()
        return len(self.waiting)
