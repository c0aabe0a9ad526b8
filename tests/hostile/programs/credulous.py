"""Believes a liar's answers, type by type, and hands on what it got."""

from trusted import Trusted, Way

from execution.lang import Program, ProgramRef, external


class Credulous(Program):
    @external
    def attack(self, liar: ProgramRef[Trusted], which: int) -> int:
        if which == 0:
            return 1 if liar.flag() else 0
        if which == 1:
            match liar.side():
                case Way.UP:
                    return 1
                case Way.DOWN:
                    return 2
        if which == 2:
            return 1 if liar.owner() == self.me else 0
        if which == 3:
            found = liar.maybe()
            return found if found is not None else -1
        if which == 4:
            total = 0
            for one in liar.few():
                total += one
            return total
        rest = liar.short()
        return rest[0] + rest[7]
