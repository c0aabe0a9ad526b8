"""
The program of the language bench: each entry is a loop of `turns`, and each loop has a twin without the operation.
An addition takes less than counting gas and turns beside it, so a turn of `add` does ADDITIONS of them in a chain.

Keys of the map are 0, 1, 2 …; keys of the ordered map are the states of the generator, which repeats after 2³¹.
"""

ADDITIONS = 16
SOURCE = '''
"""Operations in loops."""

from execution.lang import Decimal, Map, OrderedMap, Program, external

PERIOD: int = 2147483648
FACTOR: int = 1103515245
STEP: int = 12345


class Desk(Program):
    prices: Map[int, Decimal]
    levels: OrderedMap[int, Decimal]

    @external
    def idle(self, turns: int, seed: int, price: Decimal, operand: Decimal) -> Decimal:
        total = price
        for turn in range(turns):
            total += price
        return total

    @external
    def add(self, turns: int, seed: int, price: Decimal, operand: Decimal) -> Decimal:
        total = price
        for turn in range(turns):
            total = total + operand + operand + operand + operand
            total = total + operand + operand + operand + operand
            total = total + operand + operand + operand + operand
            total = total + operand + operand + operand + operand
            total += price
        return total

    @external
    def multiply(self, turns: int, seed: int, price: Decimal, operand: Decimal) -> Decimal:
        total = price
        for turn in range(turns):
            total = total * operand + price
        return total

    @external
    def divide(self, turns: int, seed: int, price: Decimal, operand: Decimal) -> Decimal:
        total = price
        for turn in range(turns):
            total = total / operand + price
        return total

    @external
    def fill(self, turns: int) -> int:
        for turn in range(turns):
            self.prices[len(self.prices)] = Decimal(turn)
        return len(self.prices)

    @external
    def draw(self, turns: int, seed: int, price: Decimal) -> Decimal:
        entries = len(self.prices)
        keys = 0
        total = price
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
            key = seed * entries // PERIOD
            keys += key
            total += price
        return total + keys

    @external
    def get(self, turns: int, seed: int, price: Decimal) -> Decimal:
        entries = len(self.prices)
        keys = 0
        total = price
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
            key = seed * entries // PERIOD
            keys += key
            total += self.prices[key]
        return total + keys

    @external
    def set(self, turns: int, seed: int, price: Decimal) -> Decimal:
        entries = len(self.prices)
        keys = 0
        total = price
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
            key = seed * entries // PERIOD
            keys += key
            total += price
            self.prices[key] = total
        return total + keys

    @external
    def skip(self, turns: int, seed: int, price: Decimal) -> int:
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
        return seed

    @external
    def insert(self, turns: int, seed: int, price: Decimal) -> int:
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
            self.levels[seed] = price
        return seed

    @external
    def remove(self, turns: int, seed: int, price: Decimal) -> int:
        for turn in range(turns):
            seed = (seed * FACTOR + STEP) % PERIOD
            if seed in self.levels:
                del self.levels[seed]
        return seed
'''
