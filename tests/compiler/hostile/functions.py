"""Functions: floods, long chains and circles of calls, everything calling everything, entries with wide arguments."""

from __future__ import annotations

from tests.compiler.hostile.frame import FILE_BYTES, body, filled, method, module, repeated
from tests.compiler.hostile.types import FULL


def functions(count: int, text: str, head: str = "def g{i}(n: int) -> int:") -> str:
    return (
        "\n\n".join(f"{head}\n    {text}".replace("{i}", str(i)).replace("{next}", str(i + 1)) for i in range(count))
        + "\n"
    )


def methods(count: int, text: str, head: str = "def g{i}(self, n: int) -> int:", kind: str = "") -> str:
    return "".join(method(text, head, kind).replace("{i}", str(i)).replace("{next}", str(i + 1)) for i in range(count))


def sources() -> dict[str, str]:
    end = "def g{n}(n: int) -> int:\n    return n\n"
    chain = {
        count: functions(count, "return g{next}(n)") + "\n\n" + end.replace("{n}", str(count))
        for count in (40, 63, 64, 500, 1_300)
    }
    backwards = "\n\n".join(reversed(chain[1_300].split("\n\n")))
    deep = "return max(n, " + "max(1, " * 10 + "g{next}(n)" + ")" * 11
    own = methods(500, "return self.g{next}(n)") + method("return n", "def g500(self, n: int) -> int:", "")
    wide = "def e{i}(self, x: W) -> int:"
    return {f"calls_chain_{count}": module(text, methods=method("self.a = g0(n)")) for count, text in chain.items()} | {
        "calls_chain_backwards": module(backwards),
        "calls_chain_in_expressions": module(functions(60, deep) + "\n\n" + end.replace("{n}", "60")),
        "calls_chain_in_blocks": module(
            functions(
                60,
                "if n > 0:\n        if n > 1:\n            if n > 2:\n"
                "                return 1 + (2 + (3 + g{next}(n)))\n    return 0",
            )
            + "\n\n"
            + end.replace("{n}", "60")
        ),
        "calls_chain_of_methods": module(methods=own),
        "calls_circle": module(
            functions(499, "return g{next}(n)") + "\n\ndef g499(n: int) -> int:\n    return g0(n)\n"
        ),
        "calls_itself": module("def g(n: int) -> int:\n    return g(n)\n"),
        "calls_each_other": module(
            "def g(n: int) -> int:\n    return h(n)\n\n\ndef h(n: int) -> int:\n    return g(n)\n"
        ),
        "calls_doubling": module(functions(40, "return g{next}(n) + g{next}(n)") + "\n\n" + end.replace("{n}", "40")),
        "calls_all": module(
            "\n\n".join(
                f"def g{i}(n: int) -> int:\n    return n" + "".join(f" +\\\n g{j}(n)" for j in range(0))
                for i in range(300)
            )
        ),
        "calls_every_one": module(
            "\n\n".join(
                f"def g{i}(n: int) -> int:\n    return "
                + " + ".join(["n", *(f"g{j}(n)" for j in range(max(0, i - 9), i))])
                for i in range(60)
            )
        ),
        "functions_flood": module(functions(1_300, "return n")),
        "functions_512": module(functions(505, "return n")),
        "functions_long": module(functions(500, "return (n + 1) * (n - 1) // (n + 3) % 7 + n")),
        "functions_twice": module("def g() -> int:\n    return 1\n\n\ndef g() -> int:\n    return 2\n"),
        "methods_flood": module(methods=methods(900, "return n")),
        "methods_long": module(methods=methods(450, "self.a += n * 3\nreturn self.a")),
        "entries_flood": module(methods=methods(800, "return n", kind="external")),
        "entries_400": module(methods=methods(400, "return n", kind="external")),
        "entries_of_symbols": module(
            methods=methods(
                300, "return 1", "def e{i}(self, s: Symbol, t: Symbol, b: bool, u: Account) -> int:", "external"
            )
        ),
        "entries_wide": module(FULL, methods=methods(400, "return x.m1", wide, "external")),
        "entries_40_wide": module(FULL, methods=methods(40, "return x.m1", wide, "external")),
        "entries_of_optionals": module(
            "class B(Struct):\n" + "".join(f"    m{i}: Optional[bool]\n" for i in range(64)),
            methods=methods(150, "return 1", "def e{i}(self, x: B) -> int:", "view"),
        ),
        "views_flood": module(methods=methods(700, "return self.a", "def e{i}(self) -> int:", "view")),
        "hooks_flood": module(
            "from execution.lang import DONE\n",
            methods=methods(500, "return DONE", "def e{i}(self, t: Timestamp) -> Outcome:", "hook"),
        ),
        "inline_bomb": module(
            fields=("a: int", "b: int"),
            methods=method(repeated("self.g()", FILE_BYTES - 2_500, 9))
            + method("self.a = 1\nself.b = 1\nself.a = 2\nself.b = 2\nself.a = 3", "def g(self) -> None:", ""),
        ),
        "inline_bomb_of_registers": filled(
            "self.a = g(n)", "def g(n: int) -> int:\n    return n + n * n - n * 3 + n - 7\n"
        ),
        "inline_tower": module(
            "def g0(n: int) -> int:\n    return n + n * n - n\n\n\n"
            + "\n\n".join(f"def g{i}(n: int) -> int:\n    return g{i - 1}(n) + g{i - 1}(n)" for i in range(1, 50))
        ),
        "overrides_many": module("", methods=method("return") * 3),
        "selector_twice": module(
            methods=method("return", "def f(self, n: int) -> None:") + method("return", "def f(self, n: int) -> None:")
        ),
        "calls_of_wide_results": module(
            FULL, ("w: W",), method("self.g()\n" * 2_000 + "return") + method("return self.w", "def g(self) -> W:", "")
        ),
        "unused_functions": body("self.a = g0(n)", functions(450, "return n * n * n * n")),
        "parameters_33": module(
            "def g("
            + ", ".join(f"n{i}: int" for i in range(10))
            + ",\n"
            + ", ".join(f"m{i}: int" for i in range(23))
            + ") -> int:\n    return 1\n"
        ),
        "defaults_flood": filled(
            "self.a = g()",
            "def g("
            + ", ".join(f"n{i}: int = 1" for i in range(10))
            + ",\n"
            + ", ".join(f"m{i}: int = 1" for i in range(10))
            + ") -> int:\n    return 1\n",
        ),
    }
