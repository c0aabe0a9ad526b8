"""
A state to hold a fault against: the one after the block's parent, under the root that was certified.

From the bundle itself where it is sound, or one bit away from it; from another node's bundle; from the folder of a
node, by replay; from a running node, page by page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from execution.executor import Executor
from execution.vm.genesis import Plan
from execution.vm.machine import Machine
from genesis.errors import Invalid
from genesis.merkle import ABSENT, PAGE_BYTES, page_leaf
from genesis.spec import ChainSpec, genesis_hash
from node.audit import STORE_FOLDER
from node.faults.fault import Fault, Spot, chunks_of
from node.genesis_code import folder_plan
from node.recovery import Progress, initial_tip, replay_block, restore_checkpoint, stored_block
from node.store import Store
from node.tracing import copied


@dataclass(frozen=True, slots=True)
class Ground:
    """origin: where it is from, in words."""

    origin: str
    meta: bytes
    pages: Mapping[Spot, bytes]

    def machine(self, spec: ChainSpec, fault: Fault) -> Machine:
        """
        A fresh engine in this state.

        Raises:
            Invalid: "wrong_ground": it has not the root that was certified.
        """
        machine = Machine(lambda _: Plan(()))
        root = machine.restore(spec, self.meta, iter(chunks_of(self.pages)))
        if not certified(spec, fault, root):
            raise Invalid(
                f"The state of {self.origin} does not have the root that block {fault.height} stands on; compare with "
                "a healthy node: --against FOLDER.",
                "wrong_ground",
            )
        return machine


def certified(spec: ChainSpec, fault: Fault, root: bytes) -> bool:
    """Whether this is the state root that the fault's block stands on."""
    if fault.parent is not None:
        return root == fault.parent.state_root
    return genesis_hash(spec, root) == fault.genesis


def of_bundle(fault: Fault, origin: str = "the bundle") -> Ground:
    """
    The state as the bundle has it, pages that changed by themselves put right where one bit did.

    Raises:
        Invalid: "not_whole" for a bundle of a large state, "beyond_repair" for a page that more than a bit is wrong in.
    """
    if not fault.whole:
        raise Invalid("The bundle holds a part of the state only; compare with --against FOLDER.", "not_whole")
    mended = {spot: mend(fault.pages[spot], leaf) for spot, leaf in fault.strays.items()}
    beyond = [spot for spot, page in mended.items() if page is None]
    if beyond:
        program, page = beyond[0]
        raise Invalid(
            f"Page {page} of program {program} differs in more than a bit from what was certified, so what it held is "
            "not to be had from the bundle; compare with --against FOLDER, or --against URL of a healthy node.",
            "beyond_repair",
        )
    right = {spot: page for spot, page in mended.items() if page is not None}
    return Ground(origin, fault.meta, {**fault.pages, **right})


def mend(page: bytes, leaf: bytes) -> bytes | None:
    """The page with this leaf that is a bit away, or empty; None when there is none. 15 ms."""
    if leaf == ABSENT:
        return bytes(PAGE_BYTES)
    tried = bytearray(page)
    for bit in range(8 * PAGE_BYTES):
        tried[bit >> 3] ^= 1 << (bit & 7)
        if page_leaf(bytes(tried)) == leaf:
            return bytes(tried)
        tried[bit >> 3] ^= 1 << (bit & 7)
    return None


def with_pages(fault: Fault, page: Callable[[Spot], bytes], origin: str) -> Ground:
    """
    The bundle's state with the pages that changed by themselves as somebody else has them.

    Args:
        page: what another node holds there now.

    Raises:
        Invalid: "moved_on" when that is not what was certified at the block: state has changed since.
    """
    if not fault.whole:
        raise Invalid("The bundle holds a part of the state only; compare with --against FOLDER.", "not_whole")
    pages = dict(fault.pages)
    for spot, leaf in fault.strays.items():
        found = page(spot) or bytes(PAGE_BYTES)
        if page_leaf(found) != leaf:
            raise Invalid(
                f"{origin} has written to page {spot[1]} of program {spot[0]} since; compare with --against FOLDER.",
                "moved_on",
            )
        pages[spot] = found
    return Ground(origin, fault.meta, pages)


def of_folder(folder: Path, spec: ChainSpec, fault: Fault, progress: Progress) -> Ground:
    """
    The state that a node's stored blocks lead to; works on a copy, so the node may run.

    Raises:
        Invalid: the folder holds no chain, another one, or not so many blocks. Corrupt: its blocks do not replay.
        Unavailable: it changed while it was read.
    """
    if not (folder / STORE_FOLDER).is_dir():
        raise Invalid(f"{folder} holds no chain; name the folder of a node that has run.", "not_found")
    machine = Machine(folder_plan(folder, spec))
    root = machine.genesis(spec)
    with copied(folder / STORE_FOLDER) as copy, Store(copy, genesis_hash(spec, root)) as store:
        _replay(spec, store, machine, root, fault.height - 1, progress)
    pages = {(one.program, one.page): one.content for one in machine.sealed_pages()}
    return Ground(str(folder), machine.checkpoint_meta(), pages)


def _replay(spec: ChainSpec, store: Store, machine: Executor, root: bytes, height: int, progress: Progress) -> None:
    if (store.head() or 0) < height:
        raise Invalid(f"{store.path} ends at block {store.head() or 0}, before block {height}.", "not_found")
    checkpoint = store.checkpoint()
    tip, first = initial_tip(spec, root), 1
    if checkpoint is not None and checkpoint[0] <= height:
        tip, first = restore_checkpoint(spec, store, machine, *checkpoint), checkpoint[0] + 1
    store.check_kept(first)
    for row in store.blocks(first, height):
        tip = replay_block(spec, machine, tip, stored_block(row)[0])
        progress(row.height, height)
