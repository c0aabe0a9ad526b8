"""Dense functions: the shortest statements that compile to the most, as often as a file holds them."""

from __future__ import annotations

from tests.compiler.hostile.frame import FILE_BYTES, filled, method, module, repeated

EVENT = "class E(Event):\n    a: int\n    d: Decimal\n"
RECORD = "class R(Record):\n    a: int\n    d: Decimal\n    m: Map[int, int]\n    l: List[int]\n"
LINES = {
    "increments": "self.a += n",
    "assignments": "self.a = n",
    "products": "self.a = n * n * n * n * n * n * n * n * n * n",
    "sums": "self.a = n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n + n",
    "divisions": "self.a = n // n % n // n % n // n % n // n",
    "decimal_sums": "self.d = q + q + q + q + q + q + q + q + q + q",
    "decimal_products": "self.d = q * q * q * q * q * q * q * q",
    "extremes": "self.d = max(q, q, q, q, q, q, q, q, q, q, q, q, q, q, q, q)",
    "absolutes": "self.d = abs(abs(abs(abs(abs(abs(abs(abs(q))))))))",
    "negations": "self.d = - - - - - - - - - - - - - - - - - - - - - - - - q",
    "comparisons": "self.a = 1 if q < q < q < q < q < q < q < q < q < q else 2",
    "conditions": "self.a = 1 if n > 0 and n > 1 or n > 2 and n > 3 else 2",
    "choices": "self.a = n if n > 1 else n if n > 2 else n if n > 3 else 4",
    "map_adds": "self.m[n] += n",
    "map_deletes": "del self.m[n]",
    "map_pops": "self.a = self.m.pop(n) + self.m.pop(n)",
    "ordered_neighbours": "x = self.o.after(n)",
    "list_adds": "self.l[n] += 1",
    "list_reads": "self.a = self.l[self.l[self.l[self.l[n]]]]",
    "account_maps": "self.x[tx.sender] = q",
    "requires": 'require(n > 0, "no")',
    "raises": 'if n > 0:\n    raise Rejected("no")',
    "returns": "if n > 0:\n    return",
    "ifs_deep": "if n > 0:\n    if n > 1:\n        if n > 2:\n            x = 1",
    "emits": "emit(E(n, q))",
    "fors": "for i in range(n):\n    x = i",
    "walks": "for k in self.m:\n    x = k",
    "walks_guarded": "for k in self.m:\n    del self.m[k]",
    "records": "self.r.obtain(n).a = n",
    "records_dropped": "del self.r[n]",
    "records_cleared": "self.r.clear()",
    "calls_own": "self.a = self.h(n)",
    "calls_other": "self.a = self.p.h(n)",
    "tolerated": "try:\n    self.a = self.p.h(n, gas=9)\nexcept Rejected:\n    pass",
    "unused": "x = n * n + n",
}
FIELDS = (
    "a: int",
    "b: int",
    "d: Decimal",
    "m: Map[int, int]",
    "o: OrderedMap[int, Decimal]",
    "l: List[int]",
    "x: Map[Account, Decimal]",
    "r: Map[int, R]",
    "p: ProgramRef[P]",
)
OWN = method("return n", "def h(self, n: int) -> int:", "external")


BRIM = {
    "brim_requires": (LINES["requires"], 8, 195),
    "brim_requires_dense": (LINES["requires"], 2, 440),
    "brim_loops": ("while n > 0:\n    break", 8, 85),
    "brim_walks": ("for k in self.m:\n    x = k", 8, 75),
    "brim_deletes": (LINES["map_deletes"], 2, 300),
    "brim_sums": (LINES["decimal_sums"], 2, 160),
}


def split(line: str, methods: int) -> str:
    """The same density spread over several methods."""
    room = (FILE_BYTES - len(module(EVENT + RECORD, FIELDS, OWN))) // methods - 100
    text = repeated(line, room, 9)
    return module(
        EVENT + RECORD,
        FIELDS,
        OWN + "".join(method(text, f"def f{i}(self, n: int, q: Decimal) -> None:", "") for i in range(methods)),
    )


def brim(line: str, methods: int, count: int) -> str:
    """As much as the bounds on functions and programs let through."""
    text = "\n".join([line] * count)
    heads = [f"def f{i}(self, n: int, q: Decimal) -> None:" for i in range(methods)]
    return module(EVENT + RECORD, FIELDS, OWN + "".join(method(text, head) for head in heads))


def sources() -> dict[str, str]:
    found = {f"dense_{name}": filled(line, EVENT + RECORD, FIELDS, OWN) for name, line in LINES.items()}
    found |= {
        f"spread_{name}": split(LINES[name], 30)
        for name in (
            "increments",
            "decimal_sums",
            "extremes",
            "map_adds",
            "walks_guarded",
            "requires",
            "calls_own",
            "tolerated",
            "sums",
        )
    }
    most = {
        "increments": 250,
        "sums": 90,
        "decimal_sums": 100,
        "extremes": 60,
        "map_adds": 60,
        "list_adds": 60,
        "requires": 480,
        "ifs_deep": 200,
        "walks_guarded": 30,
        "comparisons": 60,
        "choices": 100,
        "products": 120,
        "conditions": 150,
        "emits": 150,
        "tolerated": 40,
        "records_dropped": 90,
        "account_maps": 100,
    }
    for name, count in most.items():
        text = "\n".join(LINES[name].replace("{i}", str(i)) for i in range(count))
        found[f"largest_{name}"] = module(EVENT + RECORD, FIELDS, OWN + method(text))
    return found | {name: brim(line, methods, count) for name, (line, methods, count) in BRIM.items()}
