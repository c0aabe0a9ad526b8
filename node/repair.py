"""
A damaged store made good: what is whole is taken over into a new one, proven by running it; the rest is dropped, and
comes from other validators once the node runs.

Nothing is guessed. Blocks are kept as far as they follow one another, certified; state as far as it has the root that
was certified. Votes are kept when all can be read; what is missing of them the node asks of the others before it votes.
The damaged store stays beside, for whoever wants to look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from shutil import rmtree
from typing import TypeVar

from execution.vm.machine import Machine
from genesis.chain import Header
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec, genesis_hash
from node.audit import checked_block
from node.compiled import genesis_code
from node.genesis_code import folder_plan
from node.membership import stored_sets
from node.open_block import decode_results
from node.recovery import Progress, initial_tip, recover, replay_block, stored_block, stored_header
from node.store import PAGE_BYTES, REMEDY, Store, StoredBlock, Wreck
from node.store_files import Damage, find_damage
from node.store_swap import PARTIAL, STORE, finish, swap

BLOCKS_A_WRITE = 64

T = TypeVar("T")


@dataclass(slots=True)
class Repaired:
    """
    damage: of files. before, after: height of the newest block; before is None when it cannot be told. checkpoint:
    height of the one kept. votes, open_block: whether they were taken over. from_others: blocks below the state are
    pruned here, so that all of it has to come from the others. lost: what was not taken over, in words. aside: where
    the damaged store is, None when nothing was wrong.
    """

    damage: tuple[Damage, ...]
    before: int | None
    after: int = 0
    checkpoint: int | None = None
    votes: bool = True
    open_block: bool = True
    from_others: bool = False
    lost: list[str] = field(default_factory=list)
    aside: Path | None = None


def repair(folder: Path, spec: ChainSpec, progress: Progress) -> Repaired:
    """
    Make a stopped node's store good; does nothing to a sound one. To be called on the engine's stack.

    Args:
        folder: a node's data folder.

    Raises:
        Invalid: "not_found"; "wrong_store" for another chain's; "alone" when what is missing is nowhere else, on a
        chain of one validator.
        Unavailable: the node runs. Corrupt: the disk fails, too, or nothing can be read.
    """
    finish(folder)
    if not (folder / STORE).is_dir():
        raise Invalid(f"{folder} holds no chain; name the folder of a node that has run.", "not_found")
    rmtree(folder / PARTIAL, ignore_errors=True)
    plan = folder_plan(folder, spec, genesis_code)
    chain = genesis_hash(spec, Machine(plan).genesis(spec))
    damage = tuple(find_damage(folder / STORE))
    with Wreck(folder / STORE) as wreck, _beside(folder, wreck, chain) as fresh:
        done = Repaired(damage, _or_none(wreck.head))
        _Salvage(spec, wreck, fresh, done).take_over(progress)
        done.checkpoint = _prove(spec, lambda: Machine(plan), fresh, done, progress)
        done.after = fresh.head() or 0
        alone = len(stored_sets(spec, fresh)[-1].stakes) == 1
        small, notes = list(fresh.small_rows()), fresh.notes()
    if done.after and done.from_others:
        rmtree(folder / PARTIAL)
        with Store(folder / PARTIAL, chain) as empty:
            empty.put_small_rows(small)
            empty.put([], notes)
        done.after = 0
    if not done.lost and not any(not one.torn for one in damage):
        rmtree(folder / PARTIAL)
        return done
    if alone and (done.before != done.after or not done.votes or not done.open_block):
        rmtree(folder / PARTIAL)
        raise Invalid(
            f"{'; '.join(done.lost)}: on a chain of one validator that is nowhere else, and going on without it would "
            "sign those heights twice. Restore the folder from a backup that ends with the last block it has made.",
            "alone",
        )
    done.aside = swap(folder)
    return done


def _beside(folder: Path, wreck: Wreck, chain: bytes) -> Store:
    """The new store. Raises Invalid when the old one is of another chain, none of whose blocks would be kept."""
    if _or_none(wreck.chain) not in (None, chain):
        raise Invalid(f"{folder} is of another chain; name its specification with --chain.", "wrong_store")
    return Store(folder / PARTIAL, chain)


class _Salvage:
    """Takes over from a wreck, noting what is lost."""

    def __init__(self, spec: ChainSpec, wreck: Wreck, fresh: Store, done: Repaired) -> None:
        self._spec, self._wreck, self._fresh, self._done = spec, wreck, fresh, done

    def take_over(self, progress: Progress) -> None:
        wreck, fresh, done = self._wreck, self._fresh, self._done
        self._try("cursors", lambda: fresh.put_small_rows(list(wreck.small_rows())))
        first = self._try("what is pruned", wreck.first) or 1
        if first > 1:
            self._pruned(first, progress)
        else:
            self._put(self._sound_blocks(1), progress)
        head = fresh.head() or 0
        if done.before != head:
            done.lost.append(f"blocks from {head + 1} on")
        notes = self._try("votes", wreck.notes)
        logged = self._try("the open block", lambda: wreck.batches(head + 1))
        if wreck.rebuilt:
            done.lost.append("votes and the open block: the newest rows may be missing")
            notes = logged = None
        done.votes, done.open_block = notes is not None, logged is not None
        fresh.put([], notes or ())
        if logged:
            fresh.append_batch(head + 1, 0, *logged)
        if first == 1:
            self._try("the checkpoint", lambda: self._checkpoint(head))

    def _pruned(self, first: int, progress: Progress) -> None:
        """State and blocks to it belong together: without either nothing can be reached from here."""
        state = self._try("the checkpoint", self._gather)
        rows = self._sound_blocks(first)
        below = list(islice(rows, state[0] - first + 1)) if state is not None else []
        if state is None or not below or below[-1].height != state[0]:
            self._done.from_others = True
            return
        self._fresh.adopt_snapshot(*state, below, 0)
        self._put(rows, progress)

    def _gather(self) -> tuple[int, bytes, bytes]:
        """Take the state's pages over; height, meta and trees of the checkpoint. Raises Corrupt."""
        found = self._wreck.checkpoint()
        if found is None:
            raise Corrupt("there is none")
        self._fresh.begin_snapshot()
        for run in self._wreck.pages():
            cut = (run.data[at : at + PAGE_BYTES] for at in range(0, len(run.data), PAGE_BYTES))
            self._fresh.add_pages(run.program, dict(enumerate(cut, run.first_page)))
        return *found, self._wreck.trees()

    def _put(self, rows: Iterator[StoredBlock], progress: Progress) -> None:
        waiting: list[StoredBlock] = []
        for row in rows:
            waiting.append(row)
            if len(waiting) == BLOCKS_A_WRITE:
                self._fresh.put(waiting)
                progress(row.height, self._done.before or row.height)
                waiting = []
        if waiting:
            self._fresh.put(waiting)

    def _sound_blocks(self, height: int) -> Iterator[StoredBlock]:
        """As far as they follow one another and are certified. What precedes a pruned store's first is not known."""
        sets = stored_sets(self._spec, self._fresh)
        parent: Header | None = None
        while True:
            try:
                row = next(self._wreck.blocks(height, height), None)
                if row is None:
                    return
                results = decode_results(row.receipts)
                anchor = (parent or stored_header(row.header)[0]).anchor_number if height > 1 else 0
                block = checked_block(row, results, self._spec, sets, anchor)
                if parent is not None and block.header.parent != parent.hash():
                    raise Corrupt("it does not follow the block before it")
            except (Corrupt, Invalid) as error:
                self._done.lost.append(f"block {height}: {_why(error)}")
                return
            yield StoredBlock(height, row.header, row.body, row.receipts, [one.transaction for one in results.receipts])
            parent, height = block.header, height + 1

    def _checkpoint(self, head: int) -> None:
        found = self._wreck.checkpoint()
        if found is not None and found[0] <= head:
            self._fresh.put_checkpoint(*found, self._wreck.pages(), self._wreck.trees())

    def _try(self, what: str, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Corrupt as error:
            self._done.lost.append(f"{what}: {_why(error)}")
            return None


def _why(error: Exception) -> str:
    """Without the advice to do what is being done."""
    return str(error).removesuffix(REMEDY).removesuffix(".")


def _prove(
    spec: ChainSpec, make: Callable[[], Machine], fresh: Store, done: Repaired, progress: Progress
) -> int | None:
    """Come to the newest block as a start does; what does not lead there is dropped. The checkpoint's height."""
    try:
        machine = make()
        return recover(spec, fresh, machine, machine.genesis(spec), progress).checkpoint
    except Corrupt as error:
        done.from_others = fresh.first() > 1
        if fresh.checkpoint() is not None:
            done.lost.append(f"the checkpoint: {_why(error)}")
            fresh.drop_checkpoint()
        if done.from_others:
            return None
    machine = make()
    tip = initial_tip(spec, machine.genesis(spec))
    for row in fresh.blocks(1, fresh.head() or 0):
        try:
            tip = replay_block(spec, machine, tip, stored_block(row)[0])
        except Corrupt as error:
            done.lost.append(_why(error))
            fresh.roll_back(row.height - 1, (), {})
            break
        progress(row.height, fresh.head() or 0)
    return None


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except Corrupt:
        return None
