"""
What the compiler makes of the standard programs, the samples and hostile bundles, as hashes: `python -m
tests.compiler.fingerprint`, a line of JSON.

Needs nothing but the compiler and the standard library, so that any interpreter can run it.
"""

from __future__ import annotations

import hashlib
import json
import sys

from execution.compiler import CompileError, compile_bundle
from execution.compiler.standard import source_of
from tests.compiler.hostile import MAIN, bundles_of, nesting
from tests.compiler.refused import VENUE
from tests.compiler.samples import SAMPLES

STANDARD = ("bank", "oracle", "clearing", "exchange", "perpetual")
PARSED = (nesting,)  # where parsers of different releases might differ


def bundles() -> dict[str, tuple[dict[str, str], str]]:
    """name → files and main file."""
    found: dict[str, tuple[dict[str, str], str]] = {}
    for name in STANDARD:
        path, text = f"execution/programs/{name}.py", source_of(f"execution.programs.{name}")
        assert text is not None
        found[name] = {path: text}, path
    for name, text in SAMPLES.items():
        found[name] = {f"{name}.py": text, "venue.py": VENUE}, f"{name}.py"
    return found


def fingerprint(files: dict[str, str], main: str) -> str:
    """Hashes of IR, WASM and ABI; where a refused bundle is refused. Python's own words for bad syntax are its own."""
    try:
        made = compile_bundle(files, main)
    except CompileError as error:
        return "refused" if error.wrong.startswith("this is not Python") else f"refused at {error.line}:{error.column}"
    abi = hashlib.sha256(made.abi.text().encode()).hexdigest()
    return f"{made.ir_hash.hex()} {hashlib.sha256(made.wasm).hexdigest()} {abi}"


def fingerprints(hostile: bool) -> dict[str, str]:
    made = {name: fingerprint(files, main) for name, (files, main) in bundles().items()}
    if hostile:
        made |= {name: fingerprint(files, MAIN) for group in PARSED for name, files in bundles_of(group).items()}
    return made


if __name__ == "__main__":
    print(json.dumps(fingerprints("hostile" in sys.argv[1:])))
