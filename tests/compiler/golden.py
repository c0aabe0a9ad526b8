"""Golden files: `python -m tests.compiler.golden` writes them anew; the tests want an empty difference."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from execution.compiler import CompileError, check_bundle, compile_bundle, compile_ir
from execution.compiler.ir_text import show
from tests.compiler import refused_tutorial, refused_types
from tests.compiler.hostile import MAIN, sources
from tests.compiler.refused import BODIES, FILES, VENUE, bundle_of
from tests.compiler.refused_more import bundles
from tests.compiler.samples import SAMPLES

FOLDER = Path(__file__).parent / "golden"
REFUSALS = FOLDER / "refusals.txt"
MORE_REFUSALS = FOLDER / "refusals_more.txt"
VERDICTS = FOLDER / "hostile.txt"
REFUSALS_OF_TUTORIAL = FOLDER / "refusals_tutorial.txt"
REFUSALS_OF_TYPES = FOLDER / "refusals_types.txt"


def refusal(name: str) -> str:
    """What the programmer sees for a refused source; a sentence that it was accepted otherwise."""
    return refused(bundle_of(name))


def refused(bundle: dict[str, str]) -> str:
    """The same for a bundle."""
    try:
        check_bundle(bundle, "market.py")
    except CompileError as error:
        return str(error)
    return "ACCEPTED"


def refusals() -> str:
    return "".join(f"== {name}\n{refusal(name)}\n\n" for name in (*BODIES, *FILES))


def refusals_of_types() -> str:
    return "".join(f"== {name}\n{refused(refused_types.bundle_of(name))}\n\n" for name in refused_types.BODIES)


def refusals_of_tutorial() -> str:
    """What a reader of the tutorial sees for each slip."""
    return "".join(
        f"== {name}\n{more_refusal(refused_tutorial.bundle_of(name), refused_tutorial.FILE)}\n\n"
        for name in refused_tutorial.MISTAKES
    )


def more_refusal(files: Mapping[str, str], main: str = MAIN) -> str:
    """What the programmer sees for a bundle of refused_more, compiled to the end."""
    try:
        compile_bundle(files, main)
    except CompileError as error:
        return str(error)
    return "ACCEPTED"


def more_refusals() -> str:
    return "".join(f"== {name}\n{more_refusal(files)}\n\n" for name, files in bundles().items())


def verdict(files: Mapping[str, str], main: str) -> str:
    """What becomes of a bundle: "compiles", or the first line of the error."""
    try:
        compile_bundle(files, main)
    except CompileError as error:
        return str(error).split("\n", 1)[0]
    return "compiles"


def verdicts() -> str:
    """A line for each hostile bundle."""
    return "".join(f"{name}: {verdict(files, MAIN)}\n" for name, files in sources().items())


def ir_text(name: str) -> str:
    module, _ = compile_ir({f"{name}.py": SAMPLES[name], "venue.py": VENUE}, f"{name}.py")
    return show(module)


if __name__ == "__main__":
    REFUSALS.write_text(refusals())
    REFUSALS_OF_TYPES.write_text(refusals_of_types())
    REFUSALS_OF_TUTORIAL.write_text(refusals_of_tutorial())
    MORE_REFUSALS.write_text(more_refusals())
    VERDICTS.write_text(verdicts())
    for sample in SAMPLES:
        (FOLDER / f"{sample}.ir").write_text(ir_text(sample))
