"""Numbers: giant literals, giant folds, notations Python has and the language has not, floods of them."""

from __future__ import annotations

from tests.compiler.hostile.frame import FILE_BYTES, body, filled, module

VALUES = {
    "digits_41": "9" * 41,
    "digits_40": "9" * 40,
    "digits_line": "9" * 150,
    "tower": "2**2**2**2**2**2",
    "tower_of_9": "9**9**9**9",
    "power_63": "2**63",
    "power_62": "2**62",
    "power_negative": "2**-1",
    "power_of_power": "(2**62)**62",
    "shift": "1 << 999999",
    "hexadecimal": "0xFFFF",
    "octal": "0o777",
    "binary": "0b1",
    "old_octal": "0777",
    "underscores": "1__0",
    "underscore": "1_000",
    "underscore_last": "1_",
    "float": "1.5",
    "float_bare": "1.",
    "float_short": ".5",
    "exponent": "1e999",
    "imaginary": "1j",
    "int_max": "9223372036854775807",
    "int_over": "9223372036854775808",
    "int_min": "-9223372036854775808",
    "int_under": "-9223372036854775809",
    "sum_over": "9223372036854775807 + 1",
    "product_over": "3037000500 * 3037000500",
    "zero_divided": "1 // 0",
    "zero_mod": "1 % 0",
    "infinity": "inf",
    "letters": "1if n > 0 else 2",
    "long_suffix": "1L",
    "true_plus": "True + True",
    "ellipsis": "...",
    "none": "None",
    "text": "'1'",
    "text_minus": "-'1'",
    "tuple": "(1, 2)",
    "list_of_numbers": "[" + "1," * 90 + "]",
    "sum_of_sums": "(" * 20 + "1" + "+1)" * 20,
}
DECIMALS = {
    "decimal_19_places": "0." + "1" * 19,
    "decimal_18_places": "0." + "1" * 18,
    "decimal_digits": "1" * 150,
    "decimal_nan": "NaN",
    "decimal_infinity": "Infinity",
    "decimal_exponent": "1e10",
    "decimal_empty": "",
    "decimal_minus": "-",
    "decimal_dots": "1.2.3",
    "decimal_underscore": "1_0",
    "decimal_space": " 1",
    "decimal_max": "170141183460469231731.687303715884105727",
    "decimal_over": "170141183460469231731.687303715884105728",
    "decimal_plus": "+1",
}


def sources() -> dict[str, str]:
    found = {f"number_{name}": body(f"self.a = {value}") for name, value in VALUES.items()}
    found |= {name: body(f'self.d = Decimal("{text}")') for name, text in DECIMALS.items()}
    found |= {
        f"constant_{name}": module(f"A = {VALUES[name]}\n")
        for name in ("tower", "power_of_power", "sum_over", "zero_divided")
    }
    chain = "\n".join(f"A{n} = A{n + 1} + 1" for n in range(3_000)) + "\nA3000 = 1\n"
    doubling = "A0 = 1\n" + "\n".join(f"A{n + 1} = A{n} * A{n}" for n in range(3_000)) + "\n"
    squares = "A0 = 3\n" + "\n".join(f"A{n + 1} = A{n} * A{n}" for n in range(3_000)) + "\n"
    circle = "\n".join(f"A{n} = A{(n + 1) % 3_000} + 1" for n in range(3_000)) + "\n"
    decimals = 'D0 = Decimal("1.000000001")\n' + "\n".join(f"D{n + 1} = D{n} * D{n}" for n in range(2_500)) + "\n"
    flood = "".join(f"C{n}: int = {n}\n" for n in range(3_800))
    return found | {
        "constants_in_a_chain": module(chain),
        "constants_doubling": module(doubling),
        "constants_squaring": module(squares),
        "constants_in_a_circle": module(circle),
        "decimals_squaring": module(decimals),
        "constants_flood": module(flood),
        "constants_twice": module("A = 1\nA = 2\n"),
        "constants_long": module("A = " + "1 + " * 40 + "1\n"),
        "constants_of_constants": module(flood[:30_000] + "Z = C1 + C2\n"),
        "literals_flood": filled("self.a = 9223372036854775807"),
        "literals_in_one": body("self.a = (1" + "\n+ 1" * 60 + ")"),
        "literals_too_many": body("f(" + "1,\n" * 9_000 + ")"),
        "folding_flood": filled("self.a = 2**62 + 1 - 2 * 3 // 4 % 5 + 2**61 - 7 * 8"),
        "decimal_flood": filled('self.d = Decimal("0.123456789012345678")'),
        "digits_file": "A = " + "9" * (FILE_BYTES - 10),
        "digits_lines": "A = (" + ("9" * 39 + "\n") * 1_600 + ")",
    }
