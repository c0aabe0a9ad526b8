"""
When this node comes to another result than a quorum: what it keeps of it, and how the difference is found.

Read `observed` (a block run with an eye on everything), `fault` (the file), `capture` and `keeping` (writing one in the
node), `ground` (a state to hold it against), `compare`, `naming`.
"""
