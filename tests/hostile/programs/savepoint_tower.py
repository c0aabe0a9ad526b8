"""Savepoints within savepoints, as deep as source can be indented, each with writes to undo."""

from face import Face

from execution.lang import List, Program, ProgramRef, Rejected, external


class SavepointTower(Program):
    marks: List[int]

    @external
    def poke(self, mode: int) -> int:
        return self.climb(mode)

    @external
    def attack(self, other: ProgramRef[Face], times: int) -> int:
        for _ in range(times):
            try:
                self.marks.append(1)
                other.poke(3, gas=5_000)
                try:
                    self.marks.append(2)
                    other.poke(3, gas=5_000)
                    try:
                        self.marks.append(3)
                        other.poke(3, gas=5_000)
                        try:
                            self.marks.append(4)
                            other.poke(1, gas=5_000)
                        except Rejected as refusal:
                            self.marks.append(5)
                            raise Rejected(refusal.reason) from None
                    except Rejected as refusal:
                        self.marks.append(6)
                        raise Rejected(refusal.reason) from None
                except Rejected as refusal:
                    self.marks.append(7)
                    raise Rejected(refusal.reason) from None
            except Rejected:
                self.marks.append(8)
        return len(self.marks)

    def climb(self, mode: int) -> int:
        self.marks.append(mode)
        return len(self.marks)
