"""Answers in other types than its callers expect: wild words where a bool, an enum, a list should be."""

from execution.lang import Array, Program, external


class LyingCallee(Program):
    @external
    def flag(self) -> Array[int, 8]:
        return self.wild()

    @external
    def side(self) -> Array[int, 8]:
        return self.wild()

    @external
    def owner(self) -> Array[int, 8]:
        return self.wild()

    @external
    def maybe(self) -> Array[int, 8]:
        return self.wild()

    @external
    def few(self) -> Array[int, 8]:
        return self.wild()

    @external
    def short(self) -> None:
        pass

    def wild(self) -> Array[int, 8]:
        words: Array[int, 8] = Array(1000000007, -1, -1, -1, 5, 6, 7, 8)
        return words
