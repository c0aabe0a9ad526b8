"""
Simplex among the validators: how blocks become certified, and why two never do at one height.

Read `words` (what is said), `schedule` (who leads), `tally` (what a quorum has said), `simplex` (the protocol, pure:
events in, actions out), then what carries it out: `journal`, `wire`, `service`.
"""
