"""Sources about sequences, digests, queues and matches that must be refused, each with one thing wrong."""

from __future__ import annotations

PROGRAM = """from execution.lang import (
    Account, Array, BoundedList, Bytes32, Decimal, Enum, List, Map, Optional, Program, Queue, Record, Rejected, Struct,
    external, require, sha256, view,
)

LEVELS: Array[int, 3] = Array(1, 2, 3)


class Side(Enum):
    BUY = 0
    SELL = 1
    HOLD = 2


class Curve(Struct):
    name: int
    points: Array[Decimal, 3]


class Node(Record):
    marks: Array[int, 3]


class Market(Program):
    points: Array[int, 4]
    recent: BoundedList[int, 3]
    curve: Curve
    line: Queue[int]
    nodes: Map[int, Node]
    rows: List[Array[int, 2]]
    root: Bytes32
    large: Array[int, 200]
    maybe: Optional[int]
    grid: Optional[Array[int, 2]]

    @external
    def run(self, number: int, side: Side, given: Array[int, 4], some: BoundedList[int, 3]) -> None:
{body}

    @view
    def sees(self) -> BoundedList[int, 3]:
        return self.recent.copy()

    def note(self, value: int) -> int:
        self.recent.append(value)
        return value

    def make(self, value: int) -> Array[int, 4]:
        made: Array[int, 4] = Array(value, value, value, value)
        return made

    def kept(self, values: Array[int, 4]) -> Array[int, 4]:
        return values.copy()

    def two(self) -> tuple[Array[int, 4], int]:
        return self.make(1), 2

    def drop(self, key: int) -> int:
        del self.nodes[key]
        return key
"""

LARGE = "mine: Array[int, 200] = Array()\n"
MINE = "mine: Array[int, 4] = Array()\n"
FOUND = "found: BoundedList[int, 3] = BoundedList()\n"

# name → body of Market.run
BODIES: dict[str, str] = {
    "array_untyped": "mine = Array(1, 2)",
    "array_wrong_count": "mine: Array[int, 4] = Array(1, 2)",
    "list_too_many": "found: BoundedList[int, 3] = BoundedList(1, 2, 3, 4)",
    "array_keywords": "mine: Array[int, 1] = Array(x=1)",
    "array_of_wrong_item": "mine: Array[int, 2] = Array(1, side)",
    "array_is_no_list": "found: BoundedList[int, 3] = Array(1)",
    "array_without_size": "mine: Array[int] = Array()",
    "array_of_size_zero": "mine: Array[int, 0] = Array()",
    "array_of_unknown_size": "mine: Array[int, number] = Array()",
    "array_too_large": "mine: Array[Decimal, 513] = Array()",
    "large_in_optional": "mine: Optional[Array[int, 200]] = None",
    "large_written_out": LARGE.replace("()", "(1)"),
    "large_copied": LARGE + "other = mine.copy()",
    "large_compared": LARGE + 'require(mine == self.large.copy(), "same")',
    "large_stored": LARGE + "self.large = mine",
    "large_item": "mine: Array[Array[int, 200], 2] = Array()",
    "array_far_too_large": "mine: Array[int, 99999999999999999999] = Array()",
    "array_of_records": "mine: Array[Node, 2] = Array()",
    "queue_of_records": "line: Queue[Node] = 1",
    "index_beyond": MINE + "mine[4] = 1",
    "index_negative": "self.points[-1] = 1",
    "index_no_int": "x = self.points[side]",
    "second_name": MINE + "other = mine",
    "second_name_of_field": "mine = self.points",
    "second_name_by_choice": MINE + "other = mine if number > 0 else given",
    "second_name_by_tuple": MINE + "other, x = mine, 1",
    "second_name_in_optional": "mine: Array[int, 2] = Array()\nkept: Optional[Array[int, 2]] = mine",
    "second_value_of_own_name": MINE + "mine = given",
    "frozen_name_changed": "row = self.rows[0]\nrow[1] = 2",
    "field_as_value": "self.kept(self.points)",
    "field_compared": 'require(self.points == given, "same")',
    "field_hashed": "self.root = sha256(self.points)",
    "parameter_changed": "given[0] = 1",
    "loop_variable_changed": "for row in self.rows:\n    row[0] = 1",
    "constant_changed": "LEVELS[0] = 1",
    "member_changed": "self.curve.points[0] = Decimal(1)",
    "item_changed": "self.rows[0][1] = 5",
    "list_full_item": FOUND + "found.append(side)",
    "array_append": MINE + "mine.append(1)",
    "list_insert": FOUND + "found.insert(0, 1)",
    "list_append_two": FOUND + "found.append(1, 2)",
    "array_deleted": MINE + "del mine[0]",
    "array_contains": 'require(1 in given, "one")',
    "array_sliced": "x = given[1:2]",
    "array_reused_as_loop_name": "mine: Array[int, 2] = Array()\nfor mine in self.rows:\n    pass",
    "list_iterated_appended": FOUND + "for x in found:\n    found.append(x)",
    "list_iterated_assigned": MINE + "for x in mine:\n    mine = self.make(x)",
    "field_iterated_changed": "for x in self.recent:\n    self.note(x)",
    "used_then_popped": FOUND + 'require(some == found or found.pop() > 1, "no")',
    "record_dropped_in_index": "node = self.nodes[1]\nnode.marks[self.drop(1)] = 2",
    "record_dropped_before": "node = self.nodes[1]\nself.drop(1)\nx = node.marks[0]",
    "queue_index": "x = self.line[0]",
    "queue_store": "self.line[0] = 1",
    "queue_append": "self.line.append(1)",
    "queue_contains": 'require(1 in self.line, "one")',
    "queue_deleted": "del self.line[0]",
    "queue_assigned": "self.line = self.line",
    "queue_items": "for k, v in self.line.items():\n    pass",
    "bytes32_short": 'self.root = Bytes32("0x00")',
    "bytes32_no_hex": 'self.root = Bytes32("' + "z" * 66 + '")',
    "bytes32_of_number": "self.root = Bytes32(number)",
    "bytes32_order": 'require(self.root < Bytes32.zero(), "order")',
    "sha256_nothing": "self.root = sha256()",
    "sha256_optional": "self.root = sha256(self.maybe)",
    "sha256_of_map": "self.root = sha256(self.nodes)",
    "sha256_text": 'self.root = sha256("text")',
    "match_misses": "match side:\n    case Side.BUY:\n        pass\n    case Side.HOLD:\n        pass",
    "match_misses_after_or": "match side:\n    case Side.BUY | Side.SELL:\n        pass",
    "match_twice": "match side:\n    case Side.BUY | Side.SELL:\n        pass\n    case Side.SELL:\n        pass",
    "match_optional_without_none": "match self.maybe:\n    case x:\n        pass",
    "match_optional_alone": "match self.maybe:\n    case None:\n        pass",
    "match_optional_number": "match self.maybe:\n    case None:\n        pass\n    case 5:\n        pass",
    "match_true": "match side:\n    case True:\n        pass\n    case _:\n        pass",
    "raise_number": "raise Rejected(number)",
    "raise_from": 'raise Rejected("no") from number',
}


def bundle_of(name: str) -> dict[str, str]:
    body = "\n".join("        " + line for line in BODIES[name].split("\n"))
    return {"market.py": PROGRAM.replace("{body}", body)}
