"""
Fuzzing of the language: random well-typed programs run as source under CPython, as IR in the interpreter and as WASM.

`generator` writes source text, `calls` what is done with it, both from the tables in `rules` and `values`; `legs` runs
a case three times in step and compares; `shrink` makes a case that differs small; `run` spreads cases over processes.
A case is data (`case`): it is written to a file and replays.
"""
