"""Sources that must be refused, each with one thing wrong. `body` stands in an @external method of a small program."""

from __future__ import annotations

PROGRAM = """from execution.lang import (
    Account, Decimal, Enum, Event, List, Map, Optional, OrderedMap, Outcome, Program, ProgramRef, Quote, Record,
    Rejected, Struct, Symbol, Timestamp, World, at_end, block, emit, external, hook, reason, require, schedule, tx,
    view,
    DONE,
)
from venue import Other


class Side(Enum):
    BUY = 0
    SELL = 1


class Terms(Struct):
    rate: Decimal
    days: int


class Level(Record):
    size: Decimal
    orders: Map[int, Decimal]


class Seen(Event):
    size: Decimal


class Market(Program):
    total: Decimal
    count: int
    terms: Terms
    side: Side
    levels: Map[int, Level]
    prices: OrderedMap[Decimal, int]
    names: List[Symbol]
    shelf: List[Level]
    maybe: Optional[int]
    other: ProgramRef[Other]

    @external
    def run(self, amount: Decimal, number: int, side: Side, account: Account) -> None:
{body}

    @view
    def sees(self) -> int:
        return self.count

    def bump(self) -> int:
        self.count += 1
        return self.count

    def clearing(self) -> int:
        self.shelf.clear()
        return 1

    def relay(self, amount: Decimal) -> int:
        return self.other.act(amount)

    def drop(self, key: int) -> None:
        del self.levels[key]

    def find(self, key: int) -> Optional[int]:
        return self.maybe

    def pair(self) -> tuple[int, Decimal]:
        return 1, Decimal(2)

    def after(self, account: Account) -> None:
        require(self.count >= 0, "negative")

    @hook
    def due(self, time: Timestamp) -> Outcome:
        return DONE
"""

VENUE = """from execution.lang import Decimal, Program, Rejected, external, view


class Other(Program):
    @external
    def act(self, amount: Decimal) -> int:
        raise Rejected("interface")

    @view
    def look(self, amount: Decimal) -> int:
        raise Rejected("interface")
"""

# name → body of Market.run
BODIES: dict[str, str] = {
    "refusal_as_value": "try:\n    self.other.act(amount, gas=1)\nexcept Rejected as refusal:\n    x = refusal",
    "refusal_after": "try:\n    self.other.act(amount, gas=1)\nexcept Rejected as no:\n    pass\nx = no.reason",
    "local_shadows": "Side = 1",
    "local_named_len": "len = 1",
    "narrowed_in_loop": "x = self.find(1)\nif x is not None:\n    for i in range(3):\n        x = self.find(x)",
    "try_calls_uncapped": "try:\n    self.relay(amount)\nexcept Rejected:\n    pass",
    "list_comprehension": "x = [a for a in self.names]",
    "lambda": "x = lambda: 1",
    "f_string": 'require(True, f"no {number}")',
    "bytes": 'require(True, b"no")',
    "float": "self.total = amount * 0.5",
    "hexadecimal": "self.count = 0x10",
    "bit_operation": "self.count = number & 1",
    "walrus": "if (x := number) > 0:\n    pass",
    "assert": "assert number > 0",
    "with": "with tx:\n    pass",
    "global": "global total",
    "nested_function": "def inner() -> None:\n    pass",
    "star_argument": "self.pair(*account)",
    "import_inside": "from execution.lang import Feed",
    "try_finally": "try:\n    self.other.act(amount, gas=1)\nfinally:\n    pass",
    "loop_else": "for i in range(3):\n    pass\nelse:\n    pass",
    "slice": "x = self.names[1:2]",
    "dunder": "x = number.__class__",
    "undefined": "x = missing + 1",
    "maybe_unassigned": "if number > 0:\n    x = 1\nself.count = x",
    "wrong_type": "self.count = amount",
    "decimal_local_gets_int": "x = Decimal(1)\nx = 5",
    "text_value": 'x = "hello"',
    "mixed_operands": "x = account + 1",
    "bool_as_int": "x = True + 1",
    "int_as_condition": "if number:\n    pass",
    "never_equal": "x = account == number",
    "no_order": "x = account < account",
    "int_too_large": "x = 9223372036854775808",
    "bad_decimal": 'x = Decimal("1e5")',
    "power": "x = number ** 2",
    "unknown_field": "self.volume = 1",
    "unknown_method": "self.jump()",
    "unknown_member": "x = self.terms.price",
    "frozen_struct": "self.terms.days = 3",
    "assign_container": "self.levels = self.levels",
    "assign_record": "self.levels[1] = self.levels[2]",
    "record_constructor": "x = Level()",
    "record_get": "x = self.levels.get(1)",
    "append_record": "self.shelf.append(1)",
    "delete_list_item": "del self.names[0]",
    "optional_unchecked": "x = self.find(1)\nself.count = x",
    "optional_member": "x = self.prices.first().floor()",
    "compare_none": "x = self.find(1)\ny = x == None",
    "is_not_none_of_int": "x = number is None",
    "none_without_type": "x = None",
    "stale_borrow": "level = self.levels[1]\ndel self.levels[2]\nlevel.size = amount",
    "stale_through_call": "level = self.levels[1]\nself.drop(2)\nlevel.size = amount",
    "stale_nested": "orders = self.levels[1].orders\nself.levels.clear()\norders[1] = amount",
    "stale_in_loop": "level = self.levels[1]\nfor i in range(3):\n    level.size = amount\n    self.drop(i)",
    "deleted_while_iterated": "for order in self.levels[1].orders:\n    self.drop(1)",
    "match_not_exhaustive": "match side:\n    case Side.BUY:\n        self.count = 1",
    "match_unreachable": "match side:\n    case _:\n        pass\n    case Side.BUY:\n        pass",
    "match_on_int": "match number:\n    case 1:\n        pass",
    "unknown_member_of_enum": "x = Side.HOLD",
    "unreachable": "return\nself.count = 1",
    "return_value": "return 1",
    "break_outside": "break",
    "range_step": "for i in range(0, 10, 2):\n    pass",
    "try_without_call": "try:\n    self.count = 1\nexcept Rejected as refusal:\n    pass",
    "try_without_gas": "try:\n    self.other.act(amount)\nexcept Rejected as refusal:\n    pass",
    "catch_everything": "try:\n    self.other.act(amount, gas=1)\nexcept Exception:\n    pass",
    "world_on_external": "self.other.act(amount, world=World(1, amount, amount, block.gap))",
    "unknown_entry": "self.other.missing(1)",
    "too_many_arguments": "self.other.act(amount, 1)",
    "missing_argument": "x = Terms(amount)",
    "given_twice": "x = Terms(amount, rate=amount)",
    "replace_unknown": "x = self.terms.replace(sise=1)",
    "emit_struct": "emit(self.terms)",
    "require_without_text": "require(number > 0)",
    "raise_other": 'raise ValueError("no")',
    "raise_variable_text": "raise Rejected(account)",
    "at_end_wrong_handler": "at_end(self.bump, account)",
    "schedule_wrong_handler": "schedule(block.time, self.bump)",
    "event_stored": "x = self.names.get(1)",
    "tuple_count": "a, b, c = self.pair()",
    "no_effect": "number + 1",
    "long_symbol": 'self.names.append(Symbol("12345678901234567"))',
    "self_as_value": "x = self",
    "chained_assignment": "x = y = 1",
    "changed_type": "x = 1\nx = account",
    "items_as_value": "x = self.prices.items()",
    "len_of_number": "x = len(number)",
    "delete_in_statement": "self.shelf[0].orders[self.clearing()] = amount",
}

# name → whole text of the file
FILES: dict[str, str] = {
    "large_struct": """\
from execution.lang import Account, Map, Program, Struct


class A(Struct):
    a: Account
    b: Account
    c: Account
    d: Account
    e: Account


class B(Struct):
    a: A
    b: A
    c: A
    d: A
    e: A


class C(Struct):
    a: B
    b: B


class P(Program):
    a: C
""",
    "large_record": """\
from execution.lang import Map, Program, Record


class R(Record):
    a: Map[int, int]
    b: Map[int, int]
    c: Map[int, int]
    d: Map[int, int]
    e: Map[int, int]
    f: Map[int, int]
    g: Map[int, int]
    h: Map[int, int]


class P(Program):
    a: Map[int, R]
""",
    "no_program": """\
from execution.lang import Struct


class A(Struct):
    a: int
""",
    "two_programs": """\
from execution.lang import Program


class A(Program):
    a: int


class B(Program):
    a: int
""",
    "plain_import": """\
import os
""",
    "unknown_module": """\
from os import path


class A:
    pass
""",
    "relative_import": """\
from . import bank
""",
    "import_star": """\
from execution.lang import *
""",
    "import_as": """\
from execution.lang import Program as P
""",
    "unknown_word": """\
from execution.lang import Program, Float


class A(Program):
    a: int
""",
    "not_imported": """\
from execution.lang import Program


class A(Program):
    a: Decimal
""",
    "statement_outside": """\
print(1)
""",
    "redefined_word": """\
from execution.lang import Program


def require(a: int) -> None:
    return
""",
    "defined_twice": """\
from execution.lang import Program

A = 1
A = 2
""",
    "enum_numbers": """\
from execution.lang import Enum, Program


class E(Enum):
    A = 1


class P(Program):
    a: int
""",
    "recursive_struct": """\
from execution.lang import Program, Struct


class A(Struct):
    a: A


class P(Program):
    a: A
""",
    "container_in_struct": """\
from execution.lang import Map, Program, Struct


class A(Struct):
    a: Map[int, int]


class P(Program):
    a: A
""",
    "long_key": """\
from execution.lang import Account, Map, Program, Struct


class K(Struct):
    a: Account
    b: Account
    c: int


class P(Program):
    a: Map[K, int]
""",
    "ordered_by_account": """\
from execution.lang import Account, OrderedMap, Program


class P(Program):
    a: OrderedMap[Account, int]
""",
    "field_with_value": """\
from execution.lang import Program


class P(Program):
    a: int = 5
""",
    "constant_overflows": """\
from execution.lang import Program

A = 9223372036854775807 + 1


class P(Program):
    a: int
""",
    "constant_not_constant": """\
from execution.lang import Program, block

A = block.height


class P(Program):
    a: int
""",
    "recursion": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self) -> None:
        self.g()

    def g(self) -> None:
        self.f()
""",
    "view_writes": """\
from execution.lang import Program, view


class P(Program):
    a: int

    @view
    def f(self) -> int:
        self.a = 1
        return 1
""",
    "view_calls_writer": """\
from execution.lang import Program, view


class P(Program):
    a: int

    @view
    def f(self) -> int:
        return self.g()

    def g(self) -> int:
        self.a += 1
        return 1
""",
    "no_result": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self, b: bool) -> int:
        if b:
            return 1
""",
    "no_annotation": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self, b) -> int:
        return 1
""",
    "no_result_type": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self):
        return
""",
    "container_parameter": """\
from execution.lang import Map, Program, external


class P(Program):
    a: int

    @external
    def f(self, m: Map[int, int]) -> None:
        return
""",
    "entry_default": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self, n: int = 1) -> None:
        return
""",
    "wrong_order": """\
from execution.lang import Program, external


class P(Program):
    a: int

    @external(order="first")
    def f(self) -> None:
        return
""",
    "unknown_decorator": """\
from execution.lang import Program


class P(Program):
    a: int

    @property
    def f(self) -> int:
        return 1
""",
    "hook_signature": """\
from execution.lang import Program, hook


class P(Program):
    a: int

    @hook
    def f(self, n: int) -> int:
        return 1
""",
    "method_without_self": """\
from execution.lang import Program


class P(Program):
    a: int

    def f(n: int) -> int:
        return 1
""",
    "syntax": """\
from execution.lang import Program


class P(Program)
    a: int
""",
    "optional_of_optional": """\
from execution.lang import Optional, Program


class P(Program):
    a: Optional[Optional[int]]
""",
}


def source_of(name: str) -> str:
    """The whole text of a refused source."""
    if name in FILES:
        return FILES[name]
    body = "\n".join(" " * 8 + line for line in BODIES[name].split("\n"))
    return PROGRAM.replace("{body}", body)


def bundle_of(name: str) -> dict[str, str]:
    """The files of a refused bundle; market.py is the main one."""
    return {"market.py": source_of(name), "venue.py": VENUE}
