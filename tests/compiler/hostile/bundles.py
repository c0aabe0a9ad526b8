"""Bundles and imports: circles, floods, odd paths, relative and star imports, look-alike modules, standard programs."""

from __future__ import annotations

from tests.compiler.hostile.frame import FILE_BYTES, body, module

IMPORTS = {
    "import_plain": "import os\n",
    "import_os": "from os import system\n",
    "import_builtins": "from builtins import eval\n",
    "import_star": "from execution.lang import *\n",
    "import_as": "from execution.lang import Program as Q\n",
    "import_relative": "from . import a\n",
    "import_parent": "from .. import a\n",
    "import_dots": "from " + "." * 60 + "a import b\n",
    "import_future": "from __future__ import annotations\n",
    "import_future_other": "from __future__ import braces\n",
    "import_private": "from execution.lang import _entries\n",
    "import_module_of_language": "from execution.lang.sandbox import Sandbox\n",
    "import_compiler": "from execution.compiler import compile_bundle\n",
    "import_unknown_word": "from execution.lang import Nothing\n",
    "import_own": "from p import P\n",
    "import_long": "from " + ".".join(["a"] * 30) + " import b\n",
    "import_flood": "from execution.lang import (\n" + "Program,\n" * 800 + ")\n",
    "imports_flood": "from execution.lang import Program\n" * 1_500,
    "import_typing": "from typing import Any\n",
    "import_dunder": "from __main__ import x\n",
    "import_keyword": "from class import x\n",
    "import_empty": "from execution.lang import ()\n",
    "import_traversal": "from execution.programs.bank.bank import x\n",
    "import_standard": "from execution.programs.clearing import Clearing\n",
    "import_missing_program": "from execution.programs.nothing import Nothing\n",
    "import_package": "from execution.programs import bank\n",
}
STANDARD = "".join(
    f"from execution.programs.{name} import {name.title()}\n"
    for name in ("bank", "oracle", "clearing", "exchange", "perpetual")
)


def ring(count: int) -> dict[str, str]:
    """Modules each of which takes a constant of the next, the last of the first."""
    files = {
        f"m{i}.py": f"from m{(i + 1) % count} import A{(i + 1) % count}\n\nA{i} = A{(i + 1) % count} + 1\n"
        for i in range(count)
    }
    return files | {"p.py": "from m0 import A0\n" + module()}


def sources() -> dict[str, str | dict[str, str]]:
    found: dict[str, str | dict[str, str]] = {name: text + module() for name, text in IMPORTS.items()}
    large = "".join(f"def g{i}(n: int) -> int:\n    return n\n\n\n" for i in range(1_100))
    comment = "#" * 199 + "\n"
    return found | {
        "bundle_circle": {
            "p.py": "from q import B\n" + module("A = B + 1\n"),
            "q.py": "from p import A\n\nB = A + 1\n",
        },
        "bundle_ring": ring(15),
        "bundle_of_programs": {
            "p.py": "from q import Q\n" + module(fields=("q: ProgramRef[Q]",)),
            "q.py": "from p import P\n" + module(fields=("p: ProgramRef[P]",)).replace("class P", "class Q"),
        },
        "bundle_imports_itself": {"p.py": "from p import P\n"},
        "bundle_of_17": {"p.py": module()} | {f"m{i}.py": "A = 1\n" for i in range(16)},
        "bundle_of_16_full": {"p.py": module()} | {f"m{i}.py": comment * (FILE_BYTES // 200) for i in range(15)},
        "bundle_of_16_dense": {"p.py": "".join(f"from m{i} import g{i}\n" for i in range(15)) + module()}
        | {f"m{i}.py": large for i in range(15)},
        "bundle_of_3_large": {"p.py": "from m0 import g1\nfrom m1 import g2\nfrom m2 import g3\n" + module()}
        | {f"m{i}.py": large for i in range(3)},
        "bundle_of_4_small": {
            "p.py": "".join(f"from m{i} import g{i}\n" for i in range(4)) + body("self.a = g1(g2(g3(n)))")
        }
        | {f"m{i}.py": large[:12_000].rsplit("\n\n\n", 1)[0] + "\n" for i in range(4)},
        "bundle_path_up": {"p.py": module(), "../q.py": "A = 1\n"},
        "bundle_path_absolute": {"p.py": module(), "/etc/passwd": "A = 1\n"},
        "bundle_of_256_kib": {"p.py": "".join(f"from m{i} import g{i}\n" for i in range(3)) + module()}
        | {f"m{i}.py": large for i in range(3)},
        "bundle_path_long": {"p.py": module(), "a" * 5_000 + ".py": "A = 1\n"},
        "bundle_path_deep": {"p.py": module(), "a/" * 2_000 + "b.py": "A = 1\n"},
        "bundle_path_look_alike": {"p.py": module(), "\u0440.py": "A = 1\n"},
        "bundle_path_null": {"p.py": module(), "a\0.py": "A = 1\n"},
        "bundle_path_keyword": {"p.py": module(), "class.py": "A = 1\n"},
        "bundle_path_empty": {"p.py": module(), "": "A = 1\n"},
        "bundle_same_module": {"p.py": module(), "q.py": "A = 1\n", "q/__init__.py": "A = 2\n"},
        "bundle_shadows_language": {"p.py": module(), "execution/lang.py": "Program = 1\n"},
        "bundle_shadows_bank": {
            "p.py": "from execution.programs.bank import Bank\n" + module(),
            "execution/programs/bank.py": "x = (\n",
        },
        "bundle_without_main": {"q.py": module()},
        "bundle_two_programs": {"p.py": module() + "\n\nclass Q(Program):\n    a: int\n"},
        "bundle_standard": STANDARD + module(fields=("b: ProgramRef[Bank]",)),
        "bundle_inherits": {
            "p.py": "from q import Q\n\n\nclass P(Q):\n    b: int\n",
            "q.py": module().replace("class P", "class Q").replace("    b: int\n", ""),
        },
        "ancestors_9": {
            "p.py": "from q import A9\n\n\nclass P(A9):\n    z: int\n",
            "q.py": "from execution.lang import Program\n"
            + "".join(f"\n\nclass A{i}({f'A{i - 1}' if i else 'Program'}):\n    a{i}: int\n" for i in range(10)),
        },
        "ancestors_1000": {
            "p.py": "from q import A999\n\n\nclass P(A999):\n    z: int\n",
            "q.py": "from execution.lang import Program\n"
            + "".join(f"\n\nclass A{i}({f'A{i - 1}' if i else 'Program'}):\n    a{i}: int\n" for i in range(1_000)),
        },
        "bundle_of_enums": {
            "p.py": "from q import E\n" + module(fields=("e: E",)),
            "q.py": "from execution.lang import Enum\n\n\nclass E(Enum):\n"
            + "".join(f"    M{i} = {i}\n" for i in range(257)),
        },
        "bundle_names_twice": {
            "p.py": "from q import S\n" + module("class T(Struct):\n    a: int\n", fields=("s: S", "t: T")),
            "q.py": "from execution.lang import Struct\n\n\nclass T(Struct):\n    b: int\n\n\n"
            "class S(Struct):\n    t: T\n",
        },
    }
