"""A program that stores and deletes on request, in every kind of container, also in tolerated calls and in hooks."""

from execution.lang import (
    DONE,
    Account,
    Asset,
    Decimal,
    List,
    Map,
    OrderedMap,
    Outcome,
    Program,
    ProgramRef,
    Queue,
    Record,
    Rejected,
    Timestamp,
    block,
    external,
    hook,
    require,
    schedule,
)
from execution.programs.bank import Bank


class Shelf(Record):
    title: int
    items: Map[int, Decimal]
    pages: List[int]


class Keeper(Program):
    bank: ProgramRef[Bank]
    shelves: Map[int, Shelf]
    ranks: OrderedMap[int, Account]
    notes: List[Account]
    waiting: Queue[Decimal]
    turn: int

    def create(self, bank: ProgramRef[Bank], stored: int) -> None:
        """What is stored here nobody paid for."""
        self.bank = bank
        for i in range(stored):
            self.waiting.push(Decimal(i))

    @external
    def put(self, shelf: int, count: int) -> None:
        held = self.shelves.obtain(shelf)
        for i in range(count):
            held.items[i] = Decimal(i)
            held.pages.append(i)

    @external
    def drop(self, shelf: int) -> None:
        if shelf in self.shelves:
            del self.shelves[shelf]

    @external
    def rank(self, key: int) -> None:
        if key in self.ranks:
            del self.ranks[key]
        else:
            self.ranks[key] = self.me

    @external
    def push(self, count: int) -> None:
        for _ in range(count):
            self.notes.append(self.me)
            self.waiting.push(Decimal(1))

    @external
    def pop(self, count: int) -> None:
        for _ in range(min(count, len(self.waiting))):
            self.waiting.pop()
        for _ in range(min(count, len(self.notes))):
            self.notes.pop()

    @external
    def fail(self, shelf: int) -> None:
        self.put(shelf, 9)
        self.pop(9)
        require(shelf < 0, "failed")

    @external
    def relay(self, count: int) -> None:
        """Stores, and has the bank reject: what the tolerated call stored is not owed."""
        self.push(count)
        try:
            self.notes.append(self.me)
            self.bank.transfer(Asset(0), self.me, Decimal(-1), gas=100_000)
        except Rejected:
            self.turn += 1

    @external
    def wake(self, turn: int) -> None:
        self.turn = turn
        schedule(block.time, self.ring)

    @hook
    def ring(self, due: Timestamp) -> Outcome:
        if self.turn > 0:
            self.push(self.turn)
        else:
            self.pop(-self.turn)
        return DONE
