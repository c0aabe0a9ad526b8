"""
Going back outside a batch: simulations, a trap in the host's own calls, and what follows a rollback of pages by the
host.
"""

from __future__ import annotations

from execution.vm.core import core, i32, i64, load64, store64, u64
from execution.vm.kernel import places as p
from execution.vm.kernel.journal import undo_before, undo_savepoint
from execution.vm.kernel.system import begin_system
from execution.vm.kernel.words import SCRATCH, STATE, g


@core()
def before_length() -> i64:
    """Bytes of the block's journal."""
    return u64(g.before_top)


@core()
def simulate_begin() -> i64:
    """From here every page written is saved in the block's journal again, above the place returned."""
    store64(SCRATCH, p.SAVED_MARK, g.block_mark)
    store64(SCRATCH, p.SAVED_GAS, load64(SCRATCH, p.BLOCK_GAS))
    store64(SCRATCH, p.SAVED_HOOK_GAS, load64(SCRATCH, p.BLOCK_HOOK_GAS))
    g.mark += 1
    g.block_mark = g.mark
    return u64(g.before_top)


@core()
def simulate_end(top: i64) -> None:
    """
    Undo every page saved above `top`, and the block's counters.

    The marks of pages that only the simulation touched are the host's to clear, or the block would not save them.
    """
    begin_system()
    while g.before_top > i32(top):
        undo_before()
    g.block_mark = load64(SCRATCH, p.SAVED_MARK)
    store64(SCRATCH, p.BLOCK_GAS, load64(SCRATCH, p.SAVED_GAS))
    store64(SCRATCH, p.BLOCK_HOOK_GAS, load64(SCRATCH, p.SAVED_HOOK_GAS))
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def abandon() -> None:
    """After a trap in a call of the host's own: undo what it did."""
    while load64(SCRATCH, p.SAVEPOINTS_OPEN) > 0:
        undo_savepoint()
    store64(SCRATCH, p.STAGE, p.STAGE_IDLE)


@core()
def rolled_back() -> None:
    """After the host put pages back: the ambient block is the last one of the state as it is now."""
    g.mark += 1
    g.block_mark = g.mark
    g.before_top = 0
    store64(SCRATCH, p.HEIGHT, load64(STATE, p.LAST_HEIGHT))
    store64(SCRATCH, p.TIME, load64(STATE, p.LAST_TIME))
    store64(SCRATCH, p.GAP, load64(STATE, p.LAST_GAP))
