"""Programs are loaded with the language's arithmetic before any test imports them; the mirror needs deep recursion."""

import sys

from execution.lang.instrument import install

install("execution.programs", "tests.programs.broken", "tests.differential.alarm")
sys.setrecursionlimit(20_000)
