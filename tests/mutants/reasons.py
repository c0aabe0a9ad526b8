"""Mutants that no test can kill, by name: the programs are the same for every input."""

EQUIVALENT: dict[str, str] = {
    "execution/vm/runtime/ordered_map.py roomy_leaf: constant 2": (
        "`compare` is 0 only for a key that is there, and a leaf with room is looked for only when it is not"
    ),
    "execution/vm/kernel/frames.py enter_frame: constant 1": "RECORD_NUMBER is 0, and 9 · 0 = 8 · 0",
    "execution/vm/kernel/outbox.py at_end: operator 17": "TABLE is a multiple of the table's bytes: the mask drops it",
    "execution/vm/kernel/services.py write_quote: constant 2": "the word behind a quote lies above the stack: free",
    "execution/compiler/check_statements.py _kept: constant 1": "every statement of a parsed tree has a line",
}
