"""Why a mutant survives, by its name."""

EQUIVALENT: dict[str, str] = {
    "execution/vm/runtime/ordered_map.py roomy_leaf: constant 2": (
        "`compare` is 0 only for a key that is there, and a leaf with room is looked for only when it is not"
    ),
    "execution/vm/kernel/frames.py enter_frame: constant 1": "RECORD_NUMBER is 0, and 9 · 0 = 8 · 0",
    "execution/vm/kernel/outbox.py at_end: operator 17": "TABLE is a multiple of the table's bytes: the mask drops it",
    "execution/vm/kernel/services.py write_quote: constant 2": "the word behind a quote lies above the stack: free",
    "execution/compiler/check_statements.py _kept: constant 1": "every statement of a parsed tree has a line",
    "execution/vm/kernel/frames.py enter_frame: operator 12": "FRAME_SENDER is 0",
    "execution/vm/runtime/ordered_map.py omap_ceil: operator 1": "COUNT is 0",
    "execution/compiler/lower_expressions.py lower_expression: constant 1": (
        "a literal has as many values as its type has kinds; `strict` says so to the reader"
    ),
    "execution/vm/kernel/outbox.py at_end: constant 2": (
        "a hash as good as the other: where an entry lies shows only in how often two of them meet"
    ),
    "execution/compiler/check.py _Check._function: constant 1": (
        "parameters are read off the arguments one by one; `strict` says so to the reader"
    ),
    "execution/compiler/write_memory.py write_touch: constant 3": "places are even: the last two bytes are of one line",
}
"""The programs are the same for every input: no test can tell them apart."""
ALIVE: dict[str, str] = {
    "execution/vm/kernel/fees.py settle_hook_fee: constant 1": (
        "the function is gone; of hooks paid since, tests/vm_kernel/test_purses.py has one at a price of one unit"
    ),
    "execution/vm/kernel/crossings.py count_crossing: constant 1": (
        "one byte more is touched: where the count ends its line, the next is journalled and paid, too"
    ),
    "execution/vm/kernel/calls.py may_act: constant 3": (
        "a deployment would be let pass for agents of an address that no program has"
    ),
}
"""What nobody notices, and why that is let be. They count as survivors."""
