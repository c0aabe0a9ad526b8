"""Hashes the longest input there is, over and over."""

from execution.lang import Array, Bytes32, Program, external, sha256


class ShaLoop(Program):
    @external
    def attack(self, turns: int) -> Bytes32:
        wide: Array[int, 127] = Array()
        last = sha256(wide)
        for i in range(turns):
            wide[i % 127] = i
            last = sha256(wide)
        return last
