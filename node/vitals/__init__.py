"""
What the core tells of itself when somebody watches: `core` gathers it, `feeds` reads the oracle's state, `posting`
what posting takes, `disk` measures how the folder grows. Nothing of it runs while nobody asks, but for a look at the
folder every ten minutes.
"""
