"""The mirror needs deep recursion."""

import sys

sys.setrecursionlimit(20_000)
