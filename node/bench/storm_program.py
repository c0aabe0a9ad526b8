"""
The program of the storm bench: bells that ring at many times, and levels of a feed.

Each of HANDLERS handlers is called in every millisecond asked for: `HANDLERS * count` hooks become due in `count` ms.
"""

HANDLERS = 8
_HEAD = '''
"""Hooks and crossings by the hundred."""

from execution.lang import (
    DONE,
    Crossing,
    Decimal,
    Feed,
    Outcome,
    Program,
    Timestamp,
    external,
    hook,
    schedule,
    subscribe_cross,
    view,
)


class Storm(Program):
    """rung: hooks that ran at their time. crossed: those that a level called."""

    rung: int
    crossed: int

    @external
    def wait(self, feed: Feed, lowest: Decimal, step: Decimal, count: int) -> None:
        """Be called at `count` levels of a feed, from the lowest."""
        for place in range(count):
            subscribe_cross(feed, self.cross, above=lowest + step * place)

    @view
    def count_rung(self) -> int:
        return self.rung

    @view
    def count_crossed(self) -> int:
        return self.crossed

    @hook
    def cross(self, crossing: Crossing) -> Outcome:
        self.crossed += 1
        return DONE

    @external
    def ring(self, start: Timestamp, count: int) -> None:
        """Be called by every bell in each of `count` ms from start."""
        for step in range(count):
            time = Timestamp(start.ms + step)
'''
_BELL = """
    @hook
    def bell_{number}(self, time: Timestamp) -> Outcome:
        self.rung += 1
        return DONE
"""
SOURCE = "".join(
    (
        _HEAD,
        *(f"            schedule(time, self.bell_{number})\n" for number in range(HANDLERS)),
        *(_BELL.format(number=number) for number in range(HANDLERS)),
    )
)
