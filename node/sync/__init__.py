"""
How a node comes level with the others, and how it helps them to. Reading order:

`wire` what is asked and answered, `serving` the side that has, `download` the side that lacks: a checkpoint's pages,
each piece proven by a certified header before it is kept. `joining` decides at the start whether to take one, `leap`
whether a node that runs begins again for one; `following` is the life of a node that never votes; `pruning` forgets
what nobody needs any more.
"""
