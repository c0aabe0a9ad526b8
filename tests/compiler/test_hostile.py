"""No source hurts the compiler: whatever the text, it compiles or is refused with a CompileError, at once."""

from __future__ import annotations

import random
import sys
import threading

import pytest

from execution.compiler import CompileError, check_bundle, compile_bundle, compile_ir, limits
from execution.compiler.ir_check import check
from tests.compiler.refused import PROGRAM, VENUE
from tests.compiler.samples import CALLS, COUNTER, GYM, LEDGER

HEAD = """from execution.lang import Program, external


class P(Program):
    a: int

    @external
    def f(self, n: int) -> None:
"""


def refused(text: str) -> CompileError:
    with pytest.raises(CompileError) as caught:
        check_bundle({"p.py": text}, "p.py")
    return caught.value


def body(line: str) -> str:
    return HEAD + "".join(f"        {each}\n" for each in line.split("\n"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (body("self.a = " + "(" * 10_000 + "1" + ")" * 10_000), 9),
        (body("self.a = (\n" + "(\n" * 2_000 + "1" + ")\n" * 2_001), 9 + limits.BRACKET_DEPTH_MAX),
        (body("self.a = " + "-" * 100 + "1"), 9),
        (body("self.a = (" + "not\n" * 100 + "1)"), 7 + limits.OPERATORS_MAX),
        (body("self.a = (1\n" + "+ 1\n" * 5_000 + ")"), 8 + limits.OPERATORS_MAX),
        (body("self.a = (n\n" + ".a\n" * 5_000 + ")"), 8 + limits.OPERATORS_MAX),
        (body("self.a = (n\n" + "if n else n\n" * 500 + ")"), 9 + limits.OPERATORS_MAX // 2),
        (body("f(\n" + "n,\n" * 2_000 + ")"), 9 + limits.TOKENS_MAX // 2),
        (body("self.a = " + "9" * 41), 9),
        (body("self.a = 1" + " " * limits.LINE_CHARACTERS_MAX), 9),
        (body("if n > 0:\n    self.a = 1\n" + "elif n > 1:\n    self.a = 2\n" * 100), 11 + 2 * limits.ELIFS_MAX),
        ("x = 1\0\n", 1),
        ("\ufeffx = 1\n", 1),
        (body("self.\u0430 = 1"), 9),  # a Cyrillic letter that looks like a
        (body("self.a = \uff11"), 9),  # a full-width digit
        ("# \u202e reversed\n", 1),
        ("x = 1 \\\n", 1),
        ("x = 'a\\n'\n", 1),
        ("\tx = 1\n", 1),
        ("x = 1\r\n", 1),
        ("x = 1\f\n", 1),
        ("x = 1; y = 2\n", 1),
        ("x = u'a'\n", 1),
        ("x = 1if True else 2\n", 1),
        ("x = 1j\n", 1),
        ("x = 1_000L\n", 1),
        ("x = .5\n", 1),
        ("x = 'abc\n", 1),
        ('"""abc\n', 1),
        ("x = (1\n", 1),
        ("x = 1)\n", 1),
        ("x = (1]\n", 1),
        ("x = a" + "b" * limits.NAME_CHARACTERS_MAX + "\n", 1),
        ("x = '" + "b" * 300 + "'\n", 1),
        ("x = $a\n", 1),
        (" " * 60 + "x = 1\n", 1),
        ("x = ...\n", 1),
        ("print 1\n", 1),
    ],
)
def test_a_hostile_text_is_refused_at_its_line(text: str, line: int) -> None:
    error = refused(text)
    assert (error.file, error.line) == ("p.py", line), str(error)


def test_a_large_file_is_refused() -> None:
    assert "longer than" in str(refused("# a\n" * limits.FILE_BYTES_MAX))


def test_a_large_bundle_and_odd_paths_are_refused() -> None:
    files = {f"m{number}.py": "A = 1\n" for number in range(limits.FILES_MAX + 1)}
    with pytest.raises(CompileError, match="more than 16 files"):
        check_bundle(files, "m0.py")
    for path in ("../p.py", "p", "a b.py", "/p.py", "p.py.py", "\u0430.py"):
        with pytest.raises(CompileError, match="not a path"):
            check_bundle({path: COUNTER}, path)
    with pytest.raises(CompileError, match="no such file"):
        check_bundle({"p.py": COUNTER}, "q.py")


def test_modules_that_import_each_other_are_no_endless_loop() -> None:
    a = "from execution.lang import Program\nfrom b import B\n\nA = B + 1\n\n\nclass P(Program):\n    x: int\n"
    with pytest.raises(CompileError, match="defined through itself"):
        check_bundle({"a.py": a, "b.py": "from a import A\n\nB = A + 1\n"}, "a.py")


def test_a_caller_deep_in_its_stack_compiles_as_well() -> None:
    def deep(levels: int) -> str:
        if levels:
            return deep(levels - 1)
        return compile_ir({"counter.py": COUNTER}, "counter.py")[1].name

    assert deep(sys.getrecursionlimit() - 200) == "Counter"


def test_the_deepest_allowed_nesting_compiles() -> None:
    depth = limits.BRACKET_DEPTH_MAX - 1
    calls = "max(n,\n" * depth + "n" + ")" * depth
    tests = "if n > 0:\n    self.a = 1\n" + "elif n > 1:\n    self.a = 2\n" * limits.ELIFS_MAX
    nested = "".join("    " * level + "if n > 0:\n" for level in range(9)) + "    " * 9 + "self.a = 3"
    terms = "self.a = (" + "\n+ ".join(["n"] * (limits.OPERATORS_MAX - 2)) + ")"
    compile_bundle({"p.py": body(f"self.a = {calls}\n{tests}{nested}\n{terms}")}, "p.py")


def test_the_longest_allowed_match_compiles() -> None:
    members = "".join(f"    M{number} = {number}\n" for number in range(limits.ENUM_MEMBERS_MAX))
    head = HEAD.replace("Program, external", "Enum, Program, external").replace(
        "class P", f"class E(Enum):\n{members}\n\nclass P"
    )
    cases = "".join(f"    case E.M{n}:\n        self.a = {n}\n" for n in range(limits.ELIFS_MAX - 1))
    text = head.replace("n: int", "n: E") + "".join(
        f"        {line}\n" for line in f"match n:\n{cases}    case _:\n        return".split("\n")
    )
    compile_bundle({"p.py": text}, "p.py")
    more = text.replace("            case _:", "            case E.M99:\n                return\n            case _:")
    assert "64 `elif` and `case`" in str(refused(more))


def test_the_size_of_other_threads_stacks_is_left_alone() -> None:
    before = threading.stack_size()
    check_bundle({"counter.py": COUNTER}, "counter.py")
    assert threading.stack_size() == before


SEEDS = {
    "counter.py": COUNTER,
    "ledger.py": LEDGER,
    "calls.py": CALLS,
    "gym.py": GYM,
    "market.py": PROGRAM.replace("{body}", "        return"),
}


def pieces(text: str) -> list[str]:
    """Names, numbers and single other characters, in order."""
    found: list[str] = []
    for character in text:
        if found and (character.isalnum() or character == "_") and (found[-1][-1].isalnum() or found[-1][-1] == "_"):
            found[-1] += character
        else:
            found.append(character)
    return found


@pytest.mark.parametrize("path", SEEDS)
def test_mutated_sources_compile_or_are_refused(path: str) -> None:
    chance = random.Random(path)
    original = pieces(SEEDS[path])
    words = sorted({piece for piece in original if piece.strip()} | {"None", "True", "self", "1", "0", "Decimal", "x"})
    for _ in range(120):
        mutant = list(original)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(mutant))
            match chance.randrange(4):
                case 0:
                    mutant[at] = chance.choice(words)
                case 1:
                    del mutant[at]
                case 2:
                    mutant.insert(at, chance.choice(words))
                case _:
                    other = chance.randrange(len(mutant))
                    mutant[at], mutant[other] = mutant[other], mutant[at]
        try:
            check(compile_ir({path: "".join(mutant), "venue.py": VENUE}, path)[0])
        except CompileError:
            continue
