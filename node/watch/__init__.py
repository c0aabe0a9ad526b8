"""
What whoever operates a node sees of it. Reading order: `samples` (a number with a name), `metrics` (which there are),
`rules` (when to worry), `expression` (whether a rule holds now), `page` (all that in sentences).

Nothing here knows a node; the numbers come from `node.vitals` and from the gateway.
"""
