"""Golden files: `python -m tests.compiler.golden` writes them anew; the tests want an empty difference."""

from __future__ import annotations

from pathlib import Path

from execution.compiler import CompileError, check_bundle, compile_ir
from execution.compiler.ir_text import show
from tests.compiler.refused import BODIES, FILES, VENUE, bundle_of
from tests.compiler.samples import SAMPLES

FOLDER = Path(__file__).parent / "golden"
REFUSALS = FOLDER / "refusals.txt"


def refusal(name: str) -> str:
    """What the programmer sees for a refused source; a sentence that it was accepted otherwise."""
    try:
        check_bundle(bundle_of(name), "market.py")
    except CompileError as error:
        return str(error)
    return "ACCEPTED"


def refusals() -> str:
    return "".join(f"== {name}\n{refusal(name)}\n\n" for name in (*BODIES, *FILES))


def ir_text(name: str) -> str:
    module, _ = compile_ir({f"{name}.py": SAMPLES[name], "venue.py": VENUE}, f"{name}.py")
    return show(module)


if __name__ == "__main__":
    REFUSALS.write_text(refusals())
    for sample in SAMPLES:
        (FOLDER / f"{sample}.ir").write_text(ir_text(sample))
