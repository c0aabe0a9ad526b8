"""
Writing a fault bundle in the node, on the engine's thread, once the node has stopped signing: the block is run again,
slowly, and everything that may tell why is kept.
"""

from __future__ import annotations

import platform
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version

from execution.executor import Executor
from execution.vm.checkpoint import decode_meta
from genesis.chain import Block
from genesis.errors import Corrupt, Invalid
from genesis.merkle import page_leaf
from genesis.spec import ChainSpec
from node.faults.fault import PAGES_MAX, Came, Fault, Spot
from node.faults.observed import Observed, observe
from node.line import difference
from node.tip import Tip

PACKAGES = ("tenor", "wasmtime")


@dataclass(frozen=True, slots=True)
class Suspect:
    """The block at hand. reason: what did not come out of it first. quorum: what stands behind it, encoded."""

    block: Block
    reason: str
    quorum: bytes


def capture(spec: ChainSpec, genesis: bytes, node: bytes, suspect: Suspect, executor: Executor, parent: Tip) -> Fault:
    """
    What there is to know.

    Args:
        genesis, node: as `Fault` has them.
        executor: at the end of `parent`, with no open block; it is left there.
    """
    pages: dict[Spot, bytes] = {}
    strays: dict[Spot, bytes] = {}
    count = 0
    for one in executor.sealed_pages():
        count += 1
        stray = page_leaf(one.content) != one.hash
        if stray:
            strays[one.program, one.page] = one.hash
        if stray or count <= PAGES_MAX:
            pages[one.program, one.page] = one.content
    meta = executor.checkpoint_meta()
    observed, again = _observe(spec, executor, parent, suspect.block)
    touched = observed.touched[:PAGES_MAX] if observed else ()
    if count > PAGES_MAX:
        pages = {spot: pages[spot] for spot in strays} | {(one.program, one.page): one.before for one in touched}
    came = None
    if observed is not None:
        left = {(one.program, one.page): one.now for one in touched}
        came = Came(observed.header, observed.receipts, left, observed.points)
    active = parent.waiting_deployments.get(suspect.block.header.height, ())
    return Fault(
        genesis, node, _software(meta), suspect.reason, again, suspect.block, suspect.quorum, parent.header,
        active, tuple(parent.span_withdrawals), meta, count <= PAGES_MAX, pages, strays,
        came,
    )  # fmt: skip


def _observe(spec: ChainSpec, executor: Executor, parent: Tip, block: Block) -> tuple[Observed | None, str]:
    """What came out, and what of it is not as the header says."""
    try:
        observed = observe(spec, executor, parent, block)
    except (Invalid, Corrupt) as error:
        return None, str(error)
    return observed, difference(observed.header, block.header)


def _software(meta: bytes) -> tuple[tuple[str, str], ...]:
    """What others can compare with theirs. kernel: hash of the WASM that runs."""
    _, kernel, _ = decode_meta(meta)
    found = [(name, version(name)) for name in PACKAGES]
    machine = ("python", platform.python_version()), ("machine", platform.platform())
    return (*found, *machine, ("kernel", sha256(kernel).hexdigest()))
