"""Types: recursion, structs that double, records that nest, keys and values too large, many containers."""

from __future__ import annotations

from tests.compiler.hostile.frame import body, filled, method, module


def chain(kind: str, depth: int, member: str = "A{i}", first: str = "int", members: int = 1) -> str:
    """A0, A1, …: each made of the one before."""
    lines = []
    for number in range(depth):
        inner = first if number == 0 else member.replace("{i}", str(number - 1))
        lines.append(f"class A{number}({kind}):\n" + "".join(f"    m{i}: {inner}\n" for i in range(members)))
    return "\n".join(lines)


WIDE = chain("Struct", 2, members=11)  # 121 words
FULL = "class W(Struct):\n" + "".join(f"    m{i}: int\n" for i in range(128))
HALF = "class H(Struct):\n" + "".join(f"    m{i}: Decimal\n" for i in range(16))


def sources() -> dict[str, str]:
    found = {
        "struct_in_itself": "class A(Struct):\n    a: A\n",
        "struct_in_its_optional": "class A(Struct):\n    a: Optional[A]\n",
        "structs_in_each_other": "class A(Struct):\n    b: B\n\n\nclass B(Struct):\n    a: A\n",
        "record_in_itself": "class A(Record):\n    a: Map[int, A]\n",
        "records_in_each_other": "class A(Record):\n    b: Map[int, B]\n\n\nclass B(Record):\n    a: Map[int, A]\n",
        "struct_of_program": "class A(Struct):\n    p: P\n",
        "structs_chain_16": chain("Struct", 12),
        "structs_chain": chain("Struct", 1_500),
        "structs_doubling": chain("Struct", 60, members=2),
        "structs_of_optionals": chain("Struct", 60, "Optional[A{i}]"),
        "structs_times_eleven": chain("Struct", 9, members=11),
        "structs_backwards": "\n".join(reversed(chain("Struct", 1_500).split("\n\n"))),
        "records_chain": chain("Record", 1_200, "Map[int, A{i}]"),
        "records_doubling": chain("Record", 40, "Map[int, A{i}]", members=2),
        "records_times_seven": chain("Record", 12, "Map[int, A{i}]", members=7),
        "records_of_lists": chain("Record", 900, "List[A{i}]", "List[int]", 3),
        "events_of_events": chain("Event", 30),
        "event_too_wide": "class E(Event):\n" + "".join(f"    m{i}: int\n" for i in range(65)),
        "struct_of_128": FULL,
        "struct_of_129": FULL + "    x: int\n",
        "struct_of_none": "class A(Struct):\n    a: None\n",
        "type_of_value": "A = 1\n\n\nclass B(Struct):\n    a: A\n",
        "type_of_function": "def g() -> int:\n    return 1\n\n\nclass B(Struct):\n    a: g\n",
        "type_subscript_flood": "class B(Struct):\n    a: Map[" + "int, " * 30 + "int]\n",
        "type_empty": "class B(Struct):\n    a: Map[()]\n",
    }
    found = {f"type_{name}".replace("type_type", "type"): module(text) for name, text in found.items()}
    last = module(chain("Struct", 7, members=2), fields=("z: Map[A6, A6]",))
    records = chain("Record", 7, "Map[int, A{i}]", members=2)
    return found | {
        "key_too_wide": last,
        "value_too_wide": module(WIDE, fields=("z: Map[int, A1]",)),
        "value_of_record": module(WIDE + "\nclass R(Record):\n    a: A1\n", fields=("z: Map[int, R]",)),
        "fields_too_wide": module(FULL, fields=tuple(f"z{i}: W" for i in range(128))),
        "records_nested_7": module(records, fields=("z: Map[int, A6]",), methods=method("del self.z[n]")),
        "containers_flood": module(
            fields=tuple(f"z{i}: Map[int, Map[int, List[int]]]" for i in range(128)),
            methods=method("\n".join(f"self.z{i}.clear()" for i in range(128))),
        ),
        "shapes_flood": module(
            "".join(f"class V{i}(Struct):\n" + "".join(f"    m{j}: int\n" for j in range(i + 1)) for i in range(32)),
            fields=tuple(f"z{i}: Map[V{i % 6}, V{i % 32}]" for i in range(128)),
            methods=method("\n".join(f"self.z{i}.clear()" for i in range(128))),
        ),
        "compare_wide": filled("self.a = 1 if self.w == self.v else 2", FULL, ("a: int", "w: W", "v: W")),
        "copy_wide": filled("self.w = self.v", FULL, ("w: W", "v: W")),
        "replace_wide": filled("self.w = self.w.replace(m1=n).replace(m2=n).replace(m3=n)", FULL, ("w: W",)),
        "swap_wide": body("x, y = self.w, self.v\n" + "x, y = y, x\n" * 1_500 + "return", FULL, ("w: W", "v: W")),
        "locals_wide": filled("x{i} = self.w", FULL, ("w: W",)),
        "optional_wide": filled("self.w = None", FULL, ("w: Optional[W]",)),
        "map_wide": filled("self.z[n] = self.h", HALF, ("z: Map[int, H]", "h: H")),
        "get_wide": filled("self.h = self.z.get(n, self.h)", HALF, ("z: Map[int, H]", "h: H")),
        "choice_wide": filled("self.w = self.w if n > 0 else self.v", FULL, ("w: W", "v: W")),
        "arguments_wide": filled(
            "self.g(self.w, self.v)", FULL, ("w: W", "v: W"), method("return", "def g(self, x: W, y: W) -> None:", "")
        ),
        "constant_wide": filled(
            "self.w = C", FULL + f"\nC = W({', '.join(['1'] * 30)},\n{', '.join(['1'] * 98)})\n", ("w: W",)
        ),
        "tuple_wide": filled("x, y = self.w, self.w", FULL, ("w: W",)),
        "parameters_wide": module(
            FULL, methods=method("return", "def f(self, " + ", ".join(f"x{i}: W" for i in range(12)) + ") -> None:")
        ),
        "result_wide": module(
            FULL, ("w: W",), method("return self.w, self.w, self.w", "def g(self) -> tuple[W, W, W]:", "view")
        ),
        "inner_parameters_wide": module(FULL, methods=method("return", "def f(self, x: W, y: W, z: W) -> None:", "")),
        "result_of_many": module(FULL, methods=method("return", "def f(self) -> tuple[" + "W,\n" * 400 + "W]:", "")),
        "defaults_wide": filled(
            "g()",
            FULL + f"\nC = W({', '.join(['1'] * 30)},\n{', '.join(['1'] * 98)})\n\n\n"
            "def g(x: W = C, y: W = C) -> None:\n    return\n",
        ),
    }
