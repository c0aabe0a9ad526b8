"""A scale: sequences in arguments, results, events, digests and storage."""

from execution.lang import (
    Account,
    Array,
    BoundedList,
    Bytes32,
    Decimal,
    Event,
    Program,
    Queue,
    emit,
    external,
    require,
    sha256,
    view,
)


class Weighed(Event):
    digest: Bytes32
    weights: Array[Decimal, 3]
    names: BoundedList[Account, 2]


class Scale(Program):
    weights: Array[Decimal, 3]
    waiting: Queue[int]

    @external
    def weigh(self, weights: Array[Decimal, 3], names: BoundedList[Account, 2]) -> Bytes32:
        require(weights[0] >= 0, "negative weight")
        self.weights = weights
        self.waiting.push(len(names))
        digest = sha256(weights, names)
        emit(Weighed(digest, weights, names))
        return digest

    @view
    def largest(self, atleast: Decimal) -> BoundedList[Decimal, 3]:
        found: BoundedList[Decimal, 3] = BoundedList()
        for weight in self.weights:
            if weight >= atleast:
                found.append(weight)
        return found
