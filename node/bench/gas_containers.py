"""
Container patterns of the gas bench: each operation on containers of one size, with keys at random, in order and the
same again and again.

A loop goes from key to key by a stride modulo the number of entries: golden for "random" (neighbours in time are far
apart, and no key comes twice), one for "sequential", zero for "hot". That costs three units a turn, so that a turn is
the operation and little else. Ordered maps are filled in the golden order, so that neighbours by key are far apart.
"""

from __future__ import annotations

from dataclasses import dataclass

GOLDEN = 0.6180339887
"""Share of the entries that a random stride skips."""
FEW = 1_000
"""Below so many entries a loop that comes to each but once is too short to be timed."""
FILL = 20_000
"""Entries that one call enters."""


@dataclass(frozen=True, slots=True)
class Walk:
    """An entry of the program. statement: body of its loop. once: each key but once, so turns are at most entries."""

    name: str
    statement: str
    modes: tuple[str, ...] = ("random", "sequential", "hot")
    once: bool = False
    nested: bool = False
    """On containers that are not filled at the largest size."""


_TWO = ("random", "sequential")
_ONE = ("random",)
_HOT = ("hot",)

WALKS = (
    Walk("map_get", "total += self.prices[key]"),
    Walk("map_get_default", "total += self.prices.get(key, 1)", _ONE),
    Walk("map_miss", "if key + entries in self.prices:\n    total += 1", _TWO),
    Walk("map_contains", "if key in self.prices:\n    total += 1", _ONE),
    Walk("map_overwrite", "self.prices[key] = total"),
    Walk("map_update", "self.prices[key] += 1"),
    Walk("map_insert", "self.prices[key + entries] = total", _TWO, once=True),
    Walk("map_delete", "del self.prices[key]", _TWO, once=True),
    Walk("map_pop", "total += self.prices.pop(key)", _ONE, once=True),
    Walk("map_churn", "self.prices[key + entries] = total\ndel self.prices[key + entries]", _ONE),
    Walk("map_after", "at = self.prices.after(key)\nif at is not None:\n    total += at", _ONE),
    Walk("ordered_get", "total += self.levels[key * 16]"),
    Walk("ordered_miss", "if key * 16 + 1 in self.levels:\n    total += 1", _ONE),
    Walk("ordered_ceiling", "at = self.levels.ceiling(key * 16 + 1)\nif at is not None:\n    total += at", _ONE),
    Walk("ordered_floor", "at = self.levels.floor(key * 16 + 1)\nif at is not None:\n    total += at", _ONE),
    Walk("ordered_after", "at = self.levels.after(key * 16)\nif at is not None:\n    total += at"),
    Walk("ordered_overwrite", "self.levels[key * 16] = total"),
    Walk("ordered_insert", "self.levels[key * 16 + 5] = total", _TWO, once=True),
    Walk("ordered_append", "self.levels[16 * entries + key] = total", ("sequential",), once=True),
    Walk("ordered_delete", "del self.levels[key * 16]", _TWO, once=True),
    Walk("ordered_churn", "self.levels[key * 16 + 5] = total\ndel self.levels[key * 16 + 5]", _ONE),
    Walk("ordered_first", "at = self.levels.first()\nif at is not None:\n    total += at", _HOT),
    Walk("decimal_levels_get", "total += self.marks[amount + key]", _ONE, nested=True),
    Walk("decimal_levels_insert", "self.marks[half + key] = key", _ONE, once=True, nested=True),
    Walk("decimal_levels_delete", "del self.marks[amount + key]", _ONE, once=True, nested=True),
    Walk("list_get", "total += self.items[key]"),
    Walk("list_set", "self.items[key] = total"),
    Walk("cards_get", "card = self.cards[key // 4]\ntotal += card.a + card.x", _ONE),
    Walk("cards_set", "self.cards[key // 4] = value", _ONE),
    Walk("list_append", "self.items.append(total)", _HOT),
    Walk("list_pop", "total += self.items.pop()", _HOT, once=True),
    Walk("list_churn", "self.items.append(total)\ntotal = self.items.pop()", _HOT),
    Walk("queue_push", "self.line.push(total)", _HOT),
    Walk("queue_pop", "total += self.line.pop()", _HOT, once=True),
    Walk("queue_churn", "self.line.push(total)\ntotal = self.line.pop()", _HOT),
    Walk("wide_get", "found = self.wides[Wide(key, 1, 2, 3, 4, 5)]\ntotal += found.a + found.p", _TWO, nested=True),
    Walk("wide_set", "self.wides[Wide(key, 1, 2, 3, 4, 5)] = value", _TWO, nested=True),
    Walk("wide_insert", "self.wides[Wide(key + entries, 1, 2, 3, 4, 5)] = value", _ONE, once=True, nested=True),
    Walk("wide_delete", "del self.wides[Wide(key, 1, 2, 3, 4, 5)]", _ONE, once=True, nested=True),
    Walk("nested_get", "total += self.books[key][1]", _TWO, nested=True),
    Walk("nested_set", "self.books[key][1] = key", _TWO, nested=True),
    Walk("nested_insert", "self.books[key][entries] = key", _ONE, once=True, nested=True),
    Walk("nested_create", "self.books.obtain(key + entries)[1] = key", _ONE, once=True, nested=True),
    Walk("nested_delete", "del self.books[key]", _ONE, once=True, nested=True),
    Walk("nested_iterate", "for k, v in self.books[key].items():\n    total += v", _ONE, nested=True),
    Walk("nested_first", "at = self.books[key].first()\nif at is not None:\n    total += at", _ONE, nested=True),
)

ITERATIONS = (
    ("map_iterate", "for k in self.prices:\n    total += k"),
    ("map_items", "for k, v in self.prices.items():\n    total += v"),
    ("ordered_iterate", "for k in self.levels:\n    total += k"),
    ("ordered_descending", "for k in self.levels.descending():\n    total += k"),
    ("ordered_items", "for k, v in self.levels.items():\n    total += v"),
    ("list_iterate", "for v in self.items:\n    total += v"),
    ("queue_iterate", "for v in self.line:\n    total += v"),
)

_HEAD = '''"""Containers in loops."""

from execution.lang import Decimal, List, Map, OrderedMap, Program, Queue, Struct, external


class Wide(Struct):
    a: int
    b: int
    c: int
    d: int
    e: int
    f: int


class Value(Struct):
{members}


class Desk(Program):
    prices: Map[int, Decimal]
    levels: OrderedMap[int, Decimal]
    marks: OrderedMap[Decimal, int]
    items: List[Decimal]
    cards: List[Value]
    line: Queue[Decimal]
    wides: Map[Wide, Value]
    books: Map[int, Map[int, int]]

    @external
    def fill(self, turns: int, key: int, step: int, entries: int) -> int:
        total = Decimal(1)
        for turn in range(turns):
            self.prices[turn + len(self.items)] = total
            self.levels[key * 16] = total
            key += step
            if key >= entries:
                key -= entries
        for turn in range(turns):
            self.items.append(total)
            self.line.push(total)
        for turn in range((turns + 3) // 4):
            self.cards.append(Value({ones}))
        return key

    @external
    def fill_small(self, turns: int, key: int, step: int, entries: int) -> int:
        value = Value({ones})
        for turn in range(turns):
            self.wides[Wide(key, 1, 2, 3, 4, 5)] = value
            self.marks[Decimal(key)] = key
            book = self.books.obtain(key)
            for inner in range(4):
                book[inner] = key
            key += step
            if key >= entries:
                key -= entries
        return key
'''
_WALK = """
    @external
    def {name}(self, turns: int, key: int, step: int, entries: int) -> Decimal:
        total = Decimal(1)
        amount = Decimal(0)
        half = Decimal("0.5")
{before}
        for turn in range(turns):
{body}
            key += step
            if key >= entries:
                key -= entries
        return total
"""
_ITERATION = """
    @external
    def {name}(self, turns: int, key: int, step: int, entries: int) -> Decimal:
        total = Decimal(1)
        count = 0
{head}
            count += 1
            if count >= turns:
                break
        return total
"""


def source() -> str:
    members = [chr(ord("a") + i) for i in range(24)]
    ones = ", ".join("1" for _ in members)
    text = _HEAD.format(members="\n".join(f"    {name}: int" for name in members), ones=ones)
    for walk in WALKS:
        before = f"        value = Value({ones})" if "value" in walk.statement else "        pass"
        body = "\n".join(" " * 12 + line for line in walk.statement.split("\n"))
        text += _WALK.format(name=walk.name, before=before, body=body)
    for name, statement in ITERATIONS:
        head = "\n".join(" " * 8 + line for line in statement.split("\n"))
        text += _ITERATION.format(name=name, head=head)
    return text
