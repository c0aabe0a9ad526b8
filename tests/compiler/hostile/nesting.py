"""Nesting: of every bracket, operator, statement and type that can stand in itself."""

from __future__ import annotations

from tests.compiler.hostile.frame import body, module

PAIRS = {"round": "()", "square": "[]", "curly": "{}", "mixed": "([{}])"}
STATEMENTS = {
    "if": "if n > 0:",
    "while": "while n > 0:",
    "for": "for i{i} in range(n):",
    "walk": "for k{i} in self.m:",
    "try": "try:",
    "match": "match n:",
    "case": "case 1:",
    "with": "with tx:",
    "def": "def g{i}() -> None:",
    "class": "class C{i}:",
    "else": "else:",
    "async_def": "async def g{i}() -> None:",
}
REPEATED = {
    "minus": "-",
    "not": "not ",
    "invert": "~",
    "plus": "+",
    "await": "await ",
    "lambda": "lambda: ",
    "star": "*",
    "walrus": "x := ",
    "yield": "yield ",
    "if_else": "n if n > 0 else ",
    "or": "n > 0 or ",
    "and": "n > 0 and ",
    "comparison": "n < ",
    "sum": "n + ",
    "power": "2 ** ",
    "attribute": "self.",
    "comma": "n, ",
    "unary_pairs": "- -",
    "not_in": "n not in ",
    "is_not": "n is not ",
    "matmul": "n @ ",
    "arrow": "n -> ",
    "colon": "n: ",
}
AFTER = {"calls": "()", "subscripts": "[0]", "attributes": ".a", "slices": "[:]", "calls_of_calls": "(n)"}


def nested(head: str, depth: int, inner: str) -> str:
    return (
        "\n".join("    " * level + head.replace("{i}", str(level)) for level in range(depth))
        + "\n"
        + "    " * depth
        + inner
    )


def sources() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, pair in PAIRS.items():
        left, right = pair[: len(pair) // 2], pair[len(pair) // 2 :]
        found[f"brackets_{name}"] = body(f"self.a = {left * 90}1{right * 90}")
        found[f"brackets_{name}_lines"] = body("self.a = " + f"{left}\n" * 9_000 + "1" + right * 9_000)
        found[f"brackets_{name}_open"] = body("self.a = " + left * 20)
        found[f"brackets_{name}_closed"] = body("self.a = 1" + right)
    for name, head in STATEMENTS.items():
        found[f"nested_{name}"] = body(nested(head, 9, "self.a = 1"))
        found[f"nested_{name}_deep"] = body(nested(head, 40, "self.a = 1"))
    for name, piece in REPEATED.items():
        found[f"row_{name}"] = body(f"self.a = {piece * 12}n")
        found[f"rows_{name}"] = body("self.a = (" + f"{piece}\n" * 900 + "n)")
    for name, piece in AFTER.items():
        found[f"after_{name}"] = body("self.a = (n" + f"\n{piece}" * 40 + ")")
        found[f"afters_{name}"] = body("self.a = (n" + f"\n{piece}" * 3_000 + ")")
    return found | types() | whole()


def types() -> dict[str, str]:
    found = {}
    for name, head, tail in (
        ("map", "Map[int, ", "]"),
        ("list", "List[", "]"),
        ("optional", "Optional[", "]"),
        ("tuple", "tuple[", "]"),
        ("ordered", "OrderedMap[int, ", "]"),
        ("program", "ProgramRef[", "]"),
    ):
        for depth in (8, 9, 23, 1_000):
            lines = "\n" if depth > 10 else ""
            found[f"type_{name}_{depth}"] = module(fields=(f"z: {(head + lines) * depth}int{tail * depth}",))
    return found


def whole() -> dict[str, str]:
    """As deep as the bounds allow, all at once: what recurses over the tree meets its deepest tree."""
    elifs = "if n > 0:\n    self.a = 1\n" + "elif n > 1:\n    self.a = 2\n" * 63
    ternary = "n if n > 0 else\n" * 20 + "n"
    nots = "self.a = 1 if " + "not " * 60 + "n > 0 else 2"
    brackets = "self.a = " + "max(n,\n" * 23 + "n" + ")" * 23
    inner = f"self.a = (\n{ternary})\n{nots}\n{brackets}"
    ifs = nested("if n > 0:", 9, "").rstrip() + "\n" + "\n".join(" " * 36 + line for line in inner.split("\n"))
    last = (
        elifs
        + "else:\n"
        + "\n".join("    " + line for line in nested("if n > 0:", 8, inner.split("\n")[-1]).split("\n"))
    )
    mixed = "self.a = " + "max(n if n > 0 else -n + 1 * \nabs(" * 11 + "n" + "))" * 11
    return {
        "deepest_elifs": body(elifs),
        "deepest_ifs": body(ifs),
        "deepest_all": body(last),
        "deepest_mixed": body(mixed),
    }
