"""Answers with the widest result there is, call after call, to run the batch's receipts over the end of their room."""

from execution.lang import Array, Program, external


class FatResults(Program):
    @external
    def attack(self) -> Array[int, 128]:
        wide: Array[int, 128] = Array()
        return wide
