"""Programs are typed Python: mypy --strict understands a right one and refuses wrong ones, without a plug-in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

HEAD = """
from execution.lang import (
    DONE, Account, Crossing, Decimal, Duration, Enum, Event, Feed, Fill, List, Map, OrderedMap, Optional, Outcome,
    Program, ProgramRef, Quote, Record, Rejected, Struct, Timestamp, World, at_end, block, emit, external, hook,
    require, schedule, subscribe_cross, subscribe_fills, tx, unsubscribe_cross, unsubscribe_fills, view,
)


class Side(Enum):
    BUY = 0
    SELL = 1


class Order(Struct):
    owner: Account
    size: Decimal


class Level(Record):
    total: Decimal
    orders: Map[int, Order]


class Filled(Event):
    order: int
    size: Decimal


class Bank(Program):
    balances: Map[Account, Decimal]

    @external
    def transfer(self, target: Account, amount: Decimal) -> bool:
        self.balances[target] = self.balance(target) + amount
        return True

    @external(order="cancel")
    def cancel(self, order: int) -> int:
        return order

    @view
    def balance(self, account: Account) -> Decimal:
        return self.balances.get(account, Decimal(0))


class Book(Program):
    bank: ProgramRef[Bank]
    bids: OrderedMap[Decimal, Level]
    best: Optional[Decimal]

    def create(self, bank: ProgramRef[Bank]) -> None:
        self.bank = bank
"""

RIGHT = """
    @external
    def place(self, price: Decimal, size: Decimal, side: Side) -> Decimal:
        require(size > 0, "size")
        level = self.bids.obtain(price)
        level.total += size
        level.orders[1] = Order(tx.sender, size).replace(size=size * 2)
        best = self.bids.first()
        if best is not None and best < 3:
            self.best = best
        paid: bool = self.bank.transfer(self.me, size)
        world = World(1, Decimal(1), Decimal(1), Duration(0))
        there: Decimal = self.bank.balance(tx.sender, gas=500, world=world)
        again: Decimal = self.bank.balance(tx.sender, world=world)
        try:
            number: int = self.bank.cancel(3, gas=5)
        except Rejected as refusal:
            emit(Filled(0, Decimal(0)))
        at_end(self.check, tx.sender)
        schedule(block.time + Duration.seconds(5), self.tick)
        crossing: int = subscribe_cross(Feed(1), self.hear, above=price)
        crossing += subscribe_cross(Feed(1), self.cross, below=5)
        withdrawn: bool = unsubscribe_cross(crossing)
        subscribe_fills(self.bank.me, self.filled)
        unsubscribe_fills(self.bank.me)
        for key, here in self.bids.items():
            there += key + here.total
        require(self.bank.me != tx.sender, "bank")
        match side:
            case Side.BUY:
                return there
            case Side.SELL:
                return again

    def check(self, account: Account) -> None:
        pass

    @hook
    def tick(self, due: Timestamp) -> Outcome:
        return DONE

    @hook
    def hear(self, quote: Quote) -> Outcome:
        return DONE

    @hook
    def cross(self, crossing: Crossing) -> Outcome:
        return DONE

    @hook
    def filled(self, fill: Fill) -> Outcome:
        return DONE
"""

WRONG = {
    "self.bank.transfer(4, size)": "call-overload",
    "self.bank.transfer(tx.sender)": "call-overload",
    "text: str = self.bank.balance(tx.sender, gas=5)": "assignment",
    "self.bank.cancel(3, gas=5, world=4, time=block.time).floor()": "attr-defined",
    "Order(tx.sender)": "call-arg",
    "Order(tx.sender, size, 6)": "call-arg",
    "order = Order(tx.sender, size); order.size = size": "misc",
    "self.bids[price] + 1": "operator",
    "self.bids.first() + 1": "operator",
    "self.best + 1": "operator",
    "size + 0.5": "operator",
    "tx.sender + 1": "operator",
    "block.time + block.time": "operator",
    "emit(Order(tx.sender, size))": "arg-type",
    "schedule(block.time, self.place)": "arg-type",
    "subscribe_cross(Feed(1), self.tick, above=price)": "arg-type",
    "subscribe_cross(Feed(1), self.hear)": "call-overload",
    "subscribe_cross(Feed(1), self.hear, above=price, below=price)": "call-overload",
    "unsubscribe_cross(self.hear)": "arg-type",
    "subscribe_fills(self.bank.me, self.hear)": "arg-type",
    "at_end(self.create, tx.sender)": "arg-type",
    "self.bank.me == self.bank": "comparison-overlap",
}


def test_mypy_accepts_what_is_right_and_refuses_what_is_wrong(tmp_path: Path) -> None:
    wrong = "".join(
        f"\n    def wrong_{number}(self, price: Decimal, size: Decimal) -> None:\n        {line}\n"
        for number, line in enumerate(WRONG)
    )
    source = HEAD + RIGHT + wrong
    file = tmp_path / "program.py"
    file.write_text(source)
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-pretty",
        "--cache-dir",
        str(tmp_path / "cache"),
        str(file),
    ]
    run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False)
    lines = source.splitlines()
    found = {
        lines[int(match[1]) - 1].strip(): match[2]
        for match in re.finditer(r"program\.py:(\d+): error: .*\[([a-z-]+)\]", run.stdout)
    }
    assert found == WRONG, run.stdout + run.stderr
