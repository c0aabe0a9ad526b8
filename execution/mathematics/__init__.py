"""
Elementary functions of decimals: what they are in integers, to the bit, for every world that runs programs.

`functions` computes them on Python's integers, for the language under CPython, the interpreter of the IR and the
constant folder; `execution.vm.runtime.mathematics` computes the same on 64-bit words, for WASM. The two are written
apart and agree on every bit; the constants they share are in `tables`. Floating point occurs nowhere.
"""
