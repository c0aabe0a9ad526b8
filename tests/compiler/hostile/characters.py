"""Characters: look-alikes, invisible ones, odd line ends, long lines and files, prefixes and escapes of strings."""

from __future__ import annotations

from tests.compiler.hostile.frame import FILE_BYTES, IMPORTS, body, module

ANYWHERE = {
    "null_byte": "\0",
    "escape": "\x1b[2J",
    "backspace": "\b",
    "delete": "\x7f",
    "vertical_tab": "\v",
    "bell": "\a",
    "form_feed": "\f",
    "next_line": "\x85",
    "line_separator": "\u2028",
    "paragraph_separator": "\u2029",
    "no_break_space": "\xa0",
    "zero_width_space": "\u200b",
    "zero_width_joiner": "\u200d",
    "soft_hyphen": "\xad",
    "right_to_left": "\u202e",
    "byte_order_mark": "\ufeff",
    "lone_surrogate": "\ud800",
    "private_use": "\ue000",
    "tag_letter": "\U000e0061",
    "emoji": "\U0001f4a3",
    "combining_accent": "a\u0301",
    "ideographic_space": "\u3000",
    "carriage_return": "\r",
    "newest_letter": "\U00016d40",
}
LOOK_ALIKES = {
    "cyrillic_a": "self.\u0430 = 1",
    "greek_question_mark": "self.a = 1\u037e self.b = 2",
    "full_width_digit": "self.a = \uff11",
    "arabic_digit": "self.a = \u0661",
    "superscript": "self.a = 2\u00b2",
    "bold_letter": "self.\U0001d41a = 1",
    "ligature": "\ufb01 = 1",
    "long_s": "pa\u017f\u017f",
    "minus": "self.a = \u22121",
    "smart_quotes": "self.a = \u201c1\u201d",
    "full_width_equals": "self.a \uff1d 1",
    "division_slash": "self.d = q \u2215 q",
    "not_equal": "self.a = 1 if n \u2260 1 else 2",
    "full_width_bracket": "self.a = \uff081\uff09",
    "middle_dot": "a\u00b7b = 1",
    "kelvin": "\u212a = 1",
}
STRINGS = {
    f"prefix_{prefix}": f'require(n > 0, {prefix}"no")'
    for prefix in ("b", "u", "r", "f", "rb", "bR", "F", "fr", "t", "U", "x", "rbf")
} | {
    "escape_newline": 'require(n > 0, "a\\nb")',
    "escape_name": 'require(n > 0, "\\N{BULLET}")',
    "escape_hex": 'require(n > 0, "\\x41")',
    "string_open": 'require(n > 0, "no)',
    "string_open_long": 'x = """no',
    "string_long": f'require(n > 0, "{"a" * 150}" "{"b" * 120}")',
    "string_joined": "require(n > 0, " + "'a'\n" * 300 + ")",
    "string_too_long": "require(n > 0,\n'" + "a" * 190 + "')",
    "string_empty": 'require(n > 0, "")',
    "string_lines": 'require(n > 0, """a\nb""")',
    "string_times": 'require(n > 0, "a" * 9999999999)',
    "string_added": 'require(n > 0, "a" + "b")',
    "string_format": 'require(n > 0, "%9999999999d" % n)',
    "name_after_string": 'require(n > 0, "no"if n else "yes")',
    "docstring_large": '"""' + ("x" * 190 + "\n") * 300 + '"""',
    "f_string_nested": "x = f'{f\"{f'{n}'}\"}'",
}


def sources() -> dict[str, str]:
    plain = body("self.a = 1")
    found = {f"{name}_in_code": body(f"self.a {each}= 1") for name, each in ANYWHERE.items()}
    found |= {f"{name}_in_comment": f"# {ANYWHERE[name]}\n{plain}" for name in ("null_byte", "right_to_left", "emoji")}
    found |= {f"{name}_in_string": body(f'require(n > 0, "{ANYWHERE[name]}")') for name in ("null_byte", "emoji")}
    found |= {name: body(text) for name, text in (LOOK_ALIKES | STRINGS).items()}
    found |= {
        "byte_order_mark_first": "\ufeff" + plain,
        "line_ends_of_windows": plain.replace("\n", "\r\n"),
        "line_ends_of_old": plain.replace("\n", "\r"),
        "encoding_cookie": "# -*- coding: utf-7 -*-\n" + plain,
        "shebang": "#!/bin/sh\n" + plain,
        "empty": "",
        "one_newline": "\n",
        "newlines": "\n" * FILE_BYTES,
        "spaces": " " * 200,
        "lines_of_spaces": (" " * 40 + "\n") * 1_500,
        "comments": "#\n" * (FILE_BYTES // 2),
        "no_last_newline": plain.rstrip("\n"),
        "one_long_line": "x" * FILE_BYTES,
        "long_comment": "#" * FILE_BYTES,
        "line_of_201": plain + "#" * 201,
        "line_of_200": plain + "#" * 200,
        "ten_megabytes": "# a\n" * 2_600_000,
        "one_byte_too_many": plain + "#\n" * ((FILE_BYTES - len(plain)) // 2) + "##",
        "page_break": plain + "\f\n",
        "continuation": body("self.a = 1 \\\n    + 2"),
        "continuation_at_end": plain + "\\",
        "continuations": plain + "\\\n" * 10_000,
        "semicolons": body("self.a = 1" + ";" * 100),
        "backticks": body("self.a = `n`"),
        "dollar": body("self.a = $n"),
        "question": body("self.a = n ? 1 : 2"),
        "tab": plain.replace("    ", "\t"),
        "tab_and_spaces": plain.replace("        ", "    \t"),
        "tab_inside": body("self.a\t= 1"),
        "dedent_between": IMPORTS + "\nclass P(Program):\n        a: int\n    b: int\n",
        "indent_alone": "    x = 1\n",
        "indent_of_60": " " * 60 + "x = 1\n",
        "no_indent": module() + "\n    @view\n    def v(self) -> int:\n    return 1\n",
        "indent_of_1": body("self.a = 1").replace("        self", "     self"),
    }
    return found
