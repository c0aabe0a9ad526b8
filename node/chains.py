"""
Which chain a node is of: a preset by name, or a specification in a file.
"""

from __future__ import annotations

from pathlib import Path

from genesis.errors import Invalid
from genesis.presets import PRESETS, load_preset, parse_spec
from genesis.spec import ChainSpec


def load_chain(chain: str, folder: Path) -> ChainSpec:
    """
    The spec that a configuration's `chain` names.

    Args:
        folder: what a relative path is relative to.

    Raises:
        Invalid: "bad_spec", naming what is wrong with it, or that it is neither preset nor file.
    """
    if chain in PRESETS:
        return load_preset(chain)
    path = folder / Path(chain).expanduser()
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(
            f"{chain} is no preset ({', '.join(PRESETS)}) and no readable file ({error}); name one of them.", "bad_spec"
        ) from error
    try:
        return parse_spec(text)
    except Invalid as error:
        raise Invalid(f"{path}: {error}", error.code) from error
