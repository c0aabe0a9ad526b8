"""Why a mutant survived: the programs are the same for every input, or which test was added for it since."""

EQUIVALENT: dict[str, str] = {
    "execution/vm/runtime/ordered_map.py:212:44 constant": (
        "`compare` is 0 only for a key that is there, and a leaf with room is looked for only when it is not"
    ),
    "execution/vm/kernel/frames.py:69:46 constant": "RECORD_NUMBER is 0, and 9 · 0 = 8 · 0",
    "execution/vm/kernel/outbox.py:121:27 operator": "TABLE is a multiple of the table's bytes: the mask drops it",
    "execution/vm/kernel/services.py:71:22 constant": "the word behind a quote lies above the stack: free",
    "execution/compiler/optimise_inline.py:41:27 constant": "a bound of growth, one instruction more",
    "execution/compiler/check_statements.py:206:70 constant": "every statement of a parsed tree has a line",
}
TESTED_SINCE: dict[str, str] = {
    "execution/compiler/check.py:186:12 dropped call": "tests/compiler/test_refusals.py: struct_with_method",
    "execution/vm/runtime/slots.py:147:21 constant": "tests/vm/test_growth.py: a list of many segments",
    "execution/compiler/optimise_touch.py:92:36 operator": "tests/compiler_back/test_touch.py: before a told address",
    "execution/compiler/check_expressions.py:232:16 dropped rejection": "tests/compiler/refused_more.py: in_chained",
    "execution/compiler/check_calls.py:45:15 logic": "tests/compiler/refused_more.py: reference_named",
    "execution/compiler/check_statements.py:60:7 logic": "tests/compiler/refused_more.py: field_annotated",
    "execution/vm/kernel/fees.py:106:16 constant": "tests/vm_kernel/test_purses.py: a hook's price of one unit",
    "execution/vm/kernel/hooks.py:138:12 operator": "tests/vm_kernel/test_hooks.py: its record of failures",
    "execution/compiler/optimise_touch.py:92:51 operator": "tests/compiler/test_survivors.py: touches behind a branch",
}
