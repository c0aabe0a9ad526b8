"""What multiplies: exits out of nested loops and tries, borrows that may dangle, branches that join, long matches."""

from __future__ import annotations

from tests.compiler.hostile.frame import body, filled, method, module

RECORD = "class R(Record):\n    a: int\n    m: Map[int, int]\n"
ENUM = "class E(Enum):\n" + "".join(f"    M{i} = {i}\n" for i in range(64))


def tower(depth: int, inner: str, head: str = "for k{i} in self.m:") -> str:
    lines = [("    " * level + head.replace("{i}", str(level))) for level in range(depth)]
    return "\n".join([*lines, *("    " * depth + line for line in inner.split("\n"))])


def tree(depth: int, leaf: str, level: int = 0) -> str:
    if level == depth:
        return "    " * level + leaf
    pad = "    " * level
    return f"{pad}if n > {level}:\n{tree(depth, leaf, level + 1)}\n{pad}else:\n{tree(depth, leaf, level + 1)}"


def matches(count: int) -> str:
    cases = "".join(f"    case E.M{i}:\n        self.a = {i}\n" for i in range(60))
    return "\n".join([f"match e:\n{cases}    case _:\n        self.a = 1"] * count)


def sources() -> dict[str, str]:
    fields = ("a: int", "m: Map[int, int]", "r: Map[int, R]")
    borrows = "\n".join(f"b{i} = self.r[{i}]" for i in range(200))
    returns = "del self.m[n]\n" + "if n > 1:\n    return\n" * 150 + "self.a = 1"
    attempt = "try:\n    self.a = self.p.h(n, gas=9)\n    if n > 0:\n        return\nexcept Rejected:\n    pass"
    other = method("return n", "def h(self, n: int) -> int:", "external")
    members = (
        "match e:\n    case " + " | ".join(f"E.M{i}" for i in range(12)) + ":\n        pass\n    case _:\n        pass"
    )
    head = "def f(self, n: int, e: E) -> None:"
    return {
        "exits_of_8_loops": body(tower(8, returns)),
        "exits_of_9_loops": body(tower(9, "return")),
        "loops_in_a_row": filled(tower(8, "self.a = 1")),
        "loops_with_breaks": filled(tower(4, "if n > 0:\n    break\nself.a = 1", "while n > 0:")),
        "borrows_killed": body(borrows + "\n" + "\n".join("self.r.clear()" for _ in range(2_400)), RECORD, fields),
        "borrows_killed_in_a_tree": body(borrows + "\n" + tree(8, "self.r.clear()"), RECORD, fields),
        "borrows_used_dead": body(borrows + "\nself.r.clear()\nself.a = b7.a", RECORD, fields),
        "borrows_in_loops": body(borrows[:1_500] + "\n" + tower(6, "self.r.clear()", "while n > 0:"), RECORD, fields),
        "branches_8_deep": body(tree(8, "x = 1")),
        "branches_10_deep": body(tree(10, "n = 1")),
        "branches_of_names": body("\n".join(f"if n > {i}:\n    x{i} = 1\nelse:\n    x{i} = 2" for i in range(240))),
        "joins_flood": filled("if n > 0:\n    x = 1\nelse:\n    x = 2"),
        "matches": module(ENUM, methods=method(matches(1), head)),
        "matches_many": module(
            ENUM, methods="".join(method(matches(1), f"def f{i}(self, e: E) -> None:", "") for i in range(28))
        ),
        "matches_twice": module(ENUM, methods=method(matches(2), head)),
        "match_members_flood": module(ENUM, methods=method("\n".join([members] * 30), head)),
        "match_missing": module(ENUM, methods=method("match e:\n    case E.M1:\n        pass", head)),
        "tries_nested": body(
            tower(6, "self.a = self.p.h(n, gas=9)\n", "try:"), fields=("a: int", "p: ProgramRef[P]"), more=other
        ),
        "tries_in_loops": body(
            "\n".join([tower(3, attempt, "while n > 0:")] * 40), fields=("a: int", "p: ProgramRef[P]"), more=other
        ),
        "tries_in_tries": body(
            "try:\n    self.a = self.p.h(n, gas=9)\n    "
            + attempt.replace("\n", "\n    ")
            + "\nexcept Rejected:\n    pass",
            fields=("a: int", "p: ProgramRef[P]"),
            more=other,
        ),
        "savepoint_tower": body(
            "try:\n    self.a = self.p.h(n, gas=9)\nexcept Rejected:\n    pass\n" * 60 + "self.a = 1",
            fields=("a: int", "p: ProgramRef[P]"),
            more=other,
        ),
        "narrowing_chain": body(
            "x = self.m.get(n)\n" + "if x is not None and x > 0:\n    self.a = x\n" * 250 + "self.a = 1"
        ),
        "narrowing_flood": filled("x = self.m.get(n)\nif x is not None:\n    self.a = x"),
        "optional_flood": filled("self.z = self.m.get(n)", fields=("z: Optional[int]", "m: Map[int, int]")),
        "loops_changed": filled("for k in self.m:\n    self.m[k] = n"),
        "nested_calls": filled("self.a = max(max(max(max(n, n), n), n), max(n, max(n, n)))"),
        "at_end_flood": body(
            "\n".join(["at_end(self.h, tx.sender)"] * 700),
            more=method("return", "def h(self, x: Account) -> None:", ""),
        ),
    }
