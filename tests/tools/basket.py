"""A basket that asks a scale: sequences cross from program to program, and keep their values under `try`."""

from scale import Scale

from execution.lang import Account, Array, BoundedList, Decimal, Program, ProgramRef, Rejected, external, reason


class Basket(Program):
    weights: Array[Decimal, 3]
    other: ProgramRef[Scale]

    def create(self, other: ProgramRef[Scale]) -> None:
        self.other = other

    @external
    def relay(self, weights: Array[Decimal, 3], names: BoundedList[Account, 2]) -> Decimal:
        tried: BoundedList[Decimal, 4] = BoundedList(1)
        mine = weights.copy()
        for _turn in range(3):
            try:
                self.weights[1] = mine[0]
                mine[1] += 1
                tried.append(mine[0])
                self.other.weigh(mine, names, gas=1_000_000)
                if mine[0] > 3:
                    return tried[len(tried) - 1]
            except Rejected as refusal:
                if refusal.reason != reason("negative weight"):
                    raise Rejected(refusal.reason) from None
                mine[0] += 2
        total = Decimal(0)
        for weight in self.other.largest(Decimal(1)):
            total += weight
        return total + len(tried) + mine[1]
