"""Programs are loaded with the language's arithmetic before any test imports them."""

from execution.lang.instrument import install

install("execution.programs", "tests.programs.broken", "tests.programs.desk")
