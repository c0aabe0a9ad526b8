"""Answers so widely that its own call frame would lie under the answer, with a forged one in it."""

from execution.lang import Array, Program, external


class WideLiar(Program):
    @external
    def short(self) -> Array[int, 128]:
        words: Array[int, 128] = Array()
        for i in range(128):
            words[i] = 1024 + 8 * i
        return words
