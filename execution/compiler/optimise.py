"""
The optimiser: a tuple of pure passes over a module, the checker before, between and after; gas comes last.

Every pass keeps results, rejections, state and events as they are; only gas and speed change, and gas is counted
after all of them. Same module and table, same outcome, to the byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from execution.compiler.ir import Module
from execution.compiler.ir_check import check
from execution.compiler.optimise_copies import propagate_copies
from execution.compiler.optimise_dead import drop_dead, drop_unreachable
from execution.compiler.optimise_fold import fold
from execution.compiler.optimise_gas import insert_gas
from execution.compiler.optimise_inline import inline
from execution.compiler.optimise_touch import merge_touches

Pass = Callable[[Module], Module]

PASSES: tuple[Pass, ...] = (
    inline,
    fold,
    propagate_copies,
    fold,
    propagate_copies,
    drop_dead,
    drop_unreachable,
    merge_touches,
)


def optimise(module: Module, gas: Mapping[str, int]) -> Module:
    """
    The module rewritten by every pass and charged by the gas table.

    Raises:
        Invalid: the module is beyond a bound of `ir_check`; the author must split it.
        BrokenIr: a pass is wrong.
    """
    check(module)
    for rewrite in PASSES:
        before, module = module, rewrite(module)
        check(module, before)
    before, module = module, insert_gas(module, gas)
    check(module, before)
    return module
