"""More refused sources, so that every refusal the compiler knows has one: name → text of the file, or of a bundle."""

from __future__ import annotations

from tests.compiler.hostile import MAIN, sources
from tests.compiler.hostile.frame import indent

HEAD = """from execution.lang import (
    DONE, Account, Array, BoundedList, Bytes32, Crossing, Decimal, Duration, Enum, Event, Feed, Fill, List, Map,
    Optional, OrderedMap, Outcome, Program, ProgramRef, Queue, Quote, Record, Rejected, Struct, Symbol, Timestamp,
    at_end, block, create_like, emit, external, hook, invariant, migrate, reason, require, schedule, sha256,
    subscribe_cross, subscribe_fills, tx, unsubscribe_cross, view,
)


class E(Enum):
    A = 0
    B = 1


class S(Struct):
    a: int
    b: Decimal


class V(Event):
    a: int


class R(Record):
    a: int
    m: Map[int, int]

"""
FIELDS = """    a: int
    d: Decimal
    s: S
    e: E
    m: Map[int, int]
    r: Map[int, R]
    o: OrderedMap[int, Decimal]
    l: List[int]
    n: List[R]
    q: Queue[int]
    z: Optional[int]
    y: Map[int, Optional[int]]
    feed: Feed
    h: Account
    k: Array[int, 4]
    p: ProgramRef[P]
"""


SHIFTS = "    def pair(self) -> tuple[int, int]:\n        return self.a, 1\n\n    def shifted(self) -> int:\n        del self.r[1]\n        return 1\n"  # noqa: E501


def program(body: str, definitions: str = "", fields: str = "", methods: str = "") -> str:
    """A program whose entry f(n, x, g) has these statements."""
    head = "    @external\n    def f(self, n: int, x: Decimal, g: Account) -> None:\n"
    other = "    @external\n    def other(self, n: int) -> int:\n        return n\n\n    @hook\n    def due(self, t: Timestamp) -> Outcome:\n        return DONE\n\n"  # noqa: E501
    return f"{HEAD}{definitions}\n\nclass P(Program):\n{FIELDS}{fields}\n{head}{indent(body, 8)}\n{other}{methods}"


BODIES: dict[str, str] = {
    "negative_account": "y = -g",
    "create_like_nothing": "y = create_like()",
    "create_like_account": "y = create_like(g, 1)",
    "record_compared": "y = self.r[1] == self.r[2]",
    "loop_two_names": "for i, j in range(3):\n    pass",
    "items_of_list": "for i, v in self.l.items():\n    pass",
    "case_of_value": "match self.e:\n    case 1:\n        pass\n    case _:\n        pass",
    "case_of_optional": "y = self.z\nmatch y:\n    case 1:\n        pass\n    case _:\n        pass",
    "builtin_keywords": "y = x.floor(n=1)",
    "abs_of_two": "y = abs(n, n)",
    "abs_of_account": "y = abs(g)",
    "max_of_one": "y = max(n)",
    "max_of_accounts": "y = max(g, g)",
    "len_of_two": "y = len(self.m, self.m)",
    "reason_of_two": 'y = reason("a", "b")',
    "schedule_unknown": "schedule(block.time, self.unknown)",
    "schedule_called": "schedule(block.time)",
    "cross_without_level": "subscribe_cross(self.feed, self.due)",
    "cross_both_sides": "subscribe_cross(self.feed, self.due, above=x, below=x)",
    "cross_level_in_place": "subscribe_cross(self.feed, x, self.due)",
    "cross_wrong_handler": "y = subscribe_cross(self.feed, self.due, above=x)",
    "cross_level_of_account": "y = subscribe_cross(self.feed, self.due, above=g)",
    "uncross_by_handler": "y = unsubscribe_cross(self.feed, self.due)",
    "fills_wrong_handler": "subscribe_fills(g, self.due)",
    "numbered_negative": "y = Account.numbered(n)",
    "account_called": "y = Account(1)",
    "account_of_nothing": "y = Account.of()",
    "account_of_int": "y = Account.of(n)",
    "method_of_int": "y = n.floor()",
    "value_called": "n()",
    "struct_static": "y = S.make()",
    "reference_of_two": "y = ProgramRef[P](g, g)",
    "reference_named": "y = ProgramRef[P](g, account=g)",
    "field_annotated": "self.a: int = 1",
    "local_without_value": "y: int",
    "in_chained": "y = 1 in self.m in self.m",
    "is_chained": "y = self.y is None is None",
    "enum_called": "y = E(1)",
    "unknown_keyword": "y = S(a=1, c=2)",
    "replace_positional": "y = self.s.replace(1)",
    "replace_twice": "y = self.s.replace(a=1, **{})",
    "type_as_value": "y = Map[int]",
    "queue_index": "y = self.q[0]",
    "in_list": "y = n in self.l",
    "get_keyword": "y = self.m.get(key=1)",
    "get_three": "y = self.m.get(1, 2, 3)",
    "add_to_flat": "y = self.l.add()",
    "queue_method": "self.q.append(1)",
    "queue_keyword": "self.q.push(value=1)",
    "create_flat": "y = self.m.create(1)",
    "get_optional": "y = self.y.get(1)",
    "function_as_value": "y = require",
    "ambient_unknown": "y = block.number",
    "optional_member_of_struct": "y = self.z.a",
    "sides_differ": "y = n if n > 0 else x",
    "digest_text": 'y = Bytes32("0x12")',
    "digest_of_nothing": "y = sha256()",
    "digest_of_many": "y = sha256(" + ", ".join(["self.k"] * 22) + ")",
    "digest_of_record": "y = sha256(self.r[1])",
    "which_array": "y = Array()",
    "array_keyword": "y: Array[int, 2] = Array(a=1, b=2)",
    "array_count": "y: Array[int, 2] = Array(1, 2, 3)",
    "array_as_value": "y: Array[int, 2] = Array(1, 2)\nz = (y, 1)\nv = y",
    "array_second_name": "y: Array[int, 2] = Array(1, 2)\nv = y",
    "array_index": "y: Array[int, 2] = Array(1, 2)\nv = y[2]",
    "array_length_changes": "y: BoundedList[int, 4] = BoundedList()\nfor v in y:\n    y.append(1)",
    "array_method": "y: Array[int, 2] = Array(1, 2)\ny.sort()",
    "array_method_arguments": "y: BoundedList[int, 4] = BoundedList()\ny.append()",
    "array_two_loop_names": "for i, v in self.k:\n    pass",
    "declared_only": "y: int",
    "refusal_assigned": "try:\n    self.a = self.p.other(n, gas=1)\nexcept Rejected as no:\n    no = reason('a')",
    "tuple_to_fields": "self.a, y = 1, 2",
    "store_to_int": "n[1] = 1",
    "store_to_queue": "self.q[0] = 1",
    "add_record": "self.r[1] += 1",
    "emit_two": "emit(V(1), V(2))",
    "at_end_one": "at_end(self.f)",
    "match_two_values": "y = self.z\nmatch y:\n    case None:\n        pass\n    case 1:\n        pass",
    "lone_bang": "y = !n",
    "string_too_long": 'require(n > 0,\n"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab\n")',  # noqa: E501
    "array_iterated_anew": "y: BoundedList[int, 4] = BoundedList()\nw: BoundedList[int, 4] = BoundedList()\nfor v in y:\n    y = w.copy()",  # noqa: E501
    "borrow_and_delete": "y, z = self.r[1], self.shifted()",
    "array_moved": "y: BoundedList[int, 4] = BoundedList()\nz = sha256(y, y.pop())",
}
METHODS: dict[str, str] = {
    "create_decorated": "    @external\n    def create(self) -> None:\n        self.a = 1\n",
    "create_like_wide": "    def create(self, w: Array[int, 65]) -> None:\n        self.a = w[0]\n\n    @external\n    def v(self, p: ProgramRef[P]) -> None:\n        create_like(p)\n",  # noqa: E501
    "create_like_short": "    def create(self, w: int) -> None:\n        self.a = w\n\n    @external\n    def v(self, p: ProgramRef[P]) -> None:\n        create_like(p)\n",  # noqa: E501
    "create_like_in_view": "    @view\n    def v(self, p: ProgramRef[P]) -> Account:\n        return create_like(p).me\n",  # noqa: E501
    "array_given_back_twice": "    def v(self) -> tuple[Array[int, 2], Array[int, 2]]:\n        y: Array[int, 2] = Array(1, 2)\n        return y, y\n\n    @external\n    def w(self) -> None:\n        y, z = self.v()\n",  # noqa: E501
    "argument_given_back": "    def v(self, y: Array[int, 2]) -> tuple[Array[int, 2], int]:\n        return y, 1\n\n    @external\n    def w(self, y: Array[int, 2]) -> None:\n        z, i = self.v(y)\n",  # noqa: E501
    "migrate_result": "    @migrate\n    def v(self) -> int:\n        return 1\n",
    "migrate_twice": "    @migrate\n    def v(self) -> None:\n        self.a = 1\n\n    @migrate\n    def w(self) -> None:\n        self.a = 1\n",  # noqa: E501
    "migrate_called": "    @migrate\n    def v(self) -> None:\n        self.a = 1\n\n    @external\n    def w(self) -> None:\n        self.v()\n",  # noqa: E501
    "create_result": "    def create(self) -> int:\n        return 1\n",
    "invariant_of_nothing": "    @invariant\n    def v(self) -> None:\n        return\n",
    "invariant_of_something": "    @invariant\n    def v(self, n: int) -> bool:\n        return self.a > n\n",
    "invariant_writes": "    @invariant\n    def v(self) -> bool:\n        self.a += 1\n        return True\n",
    "invariant_writes_below": "    @invariant\n    def v(self) -> bool:\n        return self.other(1) > 0 and self.w()\n\n    def w(self) -> bool:\n        self.q.push(1)\n        return True\n",  # noqa: E501
    "invariant_emits": "    @invariant\n    def v(self) -> bool:\n        emit(V(1))\n        return True\n",
    "invariant_loops": "    @invariant\n    def v(self) -> bool:\n        total = 0\n        for _, n in self.m.items():\n            total += n\n        return total == self.a\n",  # noqa: E501
    "invariant_loops_below": "    @invariant\n    def v(self) -> bool:\n        return self.w() > 0\n\n    def w(self) -> int:\n        n = 1\n        while n < self.a:\n            n *= 2\n        return n\n",  # noqa: E501
    "invariant_calls": "    @view\n    def seen(self) -> bool:\n        return True\n\n    @invariant\n    def v(self) -> bool:\n        return self.p.seen()\n",  # noqa: E501
    "invariant_calls_below": "    @view\n    def seen(self) -> bool:\n        return True\n\n    @invariant\n    def v(self) -> bool:\n        return self.w()\n\n    def w(self) -> bool:\n        return ProgramRef[P](self.h).seen()\n",  # noqa: E501
    "invariant_ordered": '    @invariant(order="cancel")\n    def v(self) -> bool:\n        return True\n',
    "view_of_nothing": "    @view\n    def v(self) -> None:\n        return\n",
    "many_parameters": "    def v(\n        self,\n        a0: int,\n        a1: int,\n        a2: int,\n        a3: int,\n        a4: int,\n        a5: int,\n        a6: int,\n        a7: int,\n        a8: int,\n        a9: int,\n        a10: int,\n        a11: int,\n        a12: int,\n        a13: int,\n        a14: int,\n        a15: int,\n        a16: int,\n        a17: int,\n        a18: int,\n        a19: int,\n        a20: int,\n        a21: int,\n        a22: int,\n        a23: int,\n        a24: int,\n        a25: int,\n        a26: int,\n        a27: int,\n        a28: int,\n        a29: int,\n        a30: int,\n        a31: int,\n        a32: int,\n    ) -> None:\n        return\n",  # noqa: E501
    "tuple_parameter": "    def v(self, a: tuple[int, int]) -> None:\n        return\n",
    "return_nothing": "    def v(self) -> int:\n        return\n",
    "return_one_of_two": "    def v(self) -> tuple[int, int]:\n        return self.a\n",
    "create_again": "    def create(self) -> None:\n        self.a = 1\n\n    def v(self) -> None:\n        self.create()\n",  # noqa: E501
    "array_parameter": "    def change(self, v: Array[int, 4]) -> None:\n        v[0] = 1\n",
    "wide_entry": "    @view\n    def v(self, b: Array[Account, 30], c: Array[Account, 30]) -> int:\n        return 1\n",  # noqa: E501
}
DEFINITIONS: dict[str, str] = {
    "self_in_function": "def v(n: int) -> int:\n    return self.a\n",
    "self_called_in_function": "def v(n: int) -> int:\n    return self.v(n)\n",
    "constant_without_value": "C: int\n",
    "struct_with_method": "class T(Struct):\n    a: int\n\n\nclass W(Record):\n    a: int\n\n    def v(self) -> int:\n        return 1\n",  # noqa: E501
    "base_unknown": "class T(Symbol):\n    a: int\n",
    "queue_of_records": "class T(Record):\n    a: Queue[R]\n",
    "array_of_records": "class T(Struct):\n    a: Array[R, 2]\n",
    "array_without_count": "class T(Struct):\n    a: Array[int]\n",
    "array_of_zero": "class T(Struct):\n    a: Array[int, 0]\n",
    "array_too_large": "class T(Struct):\n    a: Array[int, 5000]\n",
    "key_of_records": "class T(Record):\n    a: Map[R, int]\n",
    "map_of_events": "class T(Record):\n    a: Map[int, V]\n",
    "map_of_tuples": "class T(Record):\n    a: Map[int, tuple[int, int]]\n",
}


HOSTILE = [
    "after_calls",
    "ancestors_9",
    "brackets_round",
    "brackets_round_closed",
    "brackets_round_open",
    "bundle_imports_itself",
    "bundle_names_twice",
    "bundle_of_16_full",
    "bundle_of_17",
    "bundle_path_up",
    "bundle_same_module",
    "bundle_without_main",
    "calls_chain_64",
    "functions_flood",
    "continuation",
    "decorator_call",
    "definition_class_empty",
    "definition_class_metaclass",
    "definition_constant_call",
    "definition_constant_none",
    "definition_enum_empty",
    "definition_enum_text",
    "definition_statement_tuple",
    "dense_sums",
    "spread_increments",
    "entries_of_symbols",
    "enum_flood",
    "escape_newline",
    "field_named_method",
    "field_twice",
    "fields_129",
    "fields_too_wide",
    "head_duplicate",
    "head_only_keywords",
    "head_star",
    "head_text_type",
    "key_too_wide",
    "literals_flood",
    "locals_wide",
    "name_after_string",
    "name_of_65",
    "names_flood",
    "nested_while",
    "null_byte_in_code",
    "number_digits_41",
    "number_ellipsis",
    "number_float_short",
    "one_byte_too_many",
    "parameters_wide",
    "row_not_in",
    "rows_comma",
    "rows_minus",
    "spaces",
    "statement_assign_me",
    "statement_delete_name",
    "statement_is_number",
    "statement_loop_tuple",
    "statement_match_guard",
    "statement_match_many",
    "statement_try_star",
    "string_empty",
    "string_open",
    "type_event_too_wide",
    "type_map_9",
    "type_program_8",
    "type_struct_of_program",
    "type_structs_chain",
    "type_structs_times_eleven",
    "type_subscript_flood",
    "type_tuple_8",
    "calls_chain_backwards",
    "value_too_wide",
]


def bundles() -> dict[str, dict[str, str]]:
    """name → files of a refused bundle; p.py is the main one. Of the hostile ones, what shows a refusal of its own."""
    found = {name: program(text, "C = 1\n", methods=SHIFTS) for name, text in BODIES.items()}
    found |= {name: program("return", methods=text) for name, text in METHODS.items()}
    found |= {name: program("return", text) for name, text in DEFINITIONS.items()}
    hostile = sources()
    return {name: {MAIN: text} for name, text in found.items()} | {name: hostile[name] for name in HOSTILE}
