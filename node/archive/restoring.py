"""
From an archive into a folder without a chain, trusting nothing in it but what proves itself.

The first validator set is the specification's, later ones must be those that the settlement chain names. Each block's
certificate is checked by the set that holds at its anchor, and the block is run again: all that is stored is what came
out here. It grows in a folder of its own beside, which takes its place when the last block is in; what an earlier
attempt left there is thrown away.
"""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import trio

from execution.vm.machine import Machine
from genesis import codec, crypto
from genesis.chain import BLOCK_BYTES_MAX, Block, Body, Certificate
from genesis.errors import Corrupt, Invalid
from genesis.membership import ValidatorSet
from genesis.spec import ChainSpec, genesis_hash
from node.archive.frames import BlockFrame, Reader
from node.archive.writing import STORE_FOLDER
from node.audit import check_certified
from node.engine import on_engine_stack
from node.genesis_code import FILE as CODE_FILE
from node.genesis_code import GenesisCode
from node.line import Executed, copy_pages, run_block, stored_row
from node.membership import CURSOR as SETS
from node.membership import stored_sets
from node.recovery import Progress, initial_tip, stored_header
from node.reorganisation import CURSOR as ROLLBACKS
from node.reorganisation import rollbacks
from node.store import Store, StoredBlock
from node.tip import Tip

IMPORTING = "importing"
BLOCKS_A_WRITE = 32

AskSets = Callable[[int], Awaitable[Sequence[ValidatorSet]]]
"""The sets that settlement names up to a height of it."""
Ran = tuple[Executed, Certificate]


def restore(folder: Path, spec: ChainSpec, path: Path, ask_sets: AskSets, progress: Progress) -> Tip:
    """
    Fill a node's data folder; return where its chain ends.

    Raises:
        Invalid: "exists" for a folder with a chain, "bad_archive", "wrong_chain", "wrong_sets", or "bad_block", naming
            file, block and what is wrong with it.
        Unavailable: settlement is needed and cannot be asked. Corrupt: the disk failed.
    """
    if (folder / STORE_FOLDER).exists():
        raise Invalid(f"{folder} holds a chain already; name the configuration of an empty folder.", "exists")
    try:
        with path.open("rb") as file:
            reader = Reader(path, file)
            if reader.head.spec != spec.encode():
                raise Invalid(f"{path} is of another chain than the configuration names.", "wrong_chain")
            beside = folder / IMPORTING
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            try:
                tip = on_engine_stack(lambda: _Restoring(beside, spec, path, ask_sets).run(reader, progress))
                _move_in(beside, folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    except OSError as error:
        raise Invalid(f"{path} cannot be read, or {folder} not be written: {error}.", "bad_file") from error
    return tip


class _Restoring:
    def __init__(self, beside: Path, spec: ChainSpec, path: Path, ask_sets: AskSets) -> None:
        self._beside, self._spec, self._path, self._ask_sets = beside, spec, path, ask_sets

    def run(self, reader: Reader, progress: Progress) -> Tip:
        head, spec = reader.head, self._spec
        (self._beside / CODE_FILE).write_bytes(head.code)
        try:
            machine = Machine(GenesisCode.decode(head.code).plan())
            root = machine.genesis(spec)
        except Invalid as error:
            raise Invalid(f"{self._path}: the chain's genesis code is none: {error}", "bad_archive") from error
        if genesis_hash(spec, root) != head.genesis:
            raise Invalid(f"{self._path}: the chain does not begin with the code that is in it.", "bad_archive")
        with Store(self._beside / STORE_FOLDER, head.genesis) as store:
            rows = {SETS: head.sets, ROLLBACKS: head.rollbacks}
            store.put_cursors({name: row for name, row in rows.items() if row})
            sets = self._checked_sets(store)
            tip, waiting = initial_tip(spec, root), list[StoredBlock]()
            for frame in reader:
                executed, certificate = self._ran(machine, tip, frame, sets)
                tip = executed.tip
                waiting.append(stored_row(executed, certificate))
                if len(waiting) == BLOCKS_A_WRITE or frame.height == head.last:
                    store.put(waiting)
                    waiting.clear()
                progress(frame.height, head.last)
            if tip.header is not None:
                copied = copy_pages(machine, None)
                store.put_checkpoint(tip.height, copied.meta, copied.chunks, copied.trees)
        return tip

    def _checked_sets(self, store: Store) -> Sequence[ValidatorSet]:
        try:
            sets = stored_sets(self._spec, store)
            rollbacks(store)
        except Corrupt as error:
            raise Invalid(f"{self._path}: its head does not decode: {error}", "bad_archive") from error
        told: Sequence[ValidatorSet] = (ValidatorSet(0, 0, self._spec.stakes),)
        if len(sets) > 1:
            told = tuple(trio.run(self._ask_sets, sets[-1].from_height))
        if tuple(sets) != tuple(told):
            raise Invalid(f"{self._path}: it names other validators than the settlement chain does.", "wrong_sets")
        return sets

    def _ran(
        self, machine: Machine, tip: Tip, frame: BlockFrame, sets: Sequence[ValidatorSet]
    ) -> tuple[Executed, Certificate]:
        try:
            block, certificate = _opened(frame)
            header = block.header
            if header.height != frame.height or header.parent != tip.hash:
                raise Invalid(f"it says height {header.height}, and does not follow the block before it", "bad_block")
            if crypto.recover(header.proposal_digest(), block.signature) != header.proposer:
                raise Invalid("its signature is not the proposer's", "bad_block")
            check_certified(certificate, block, self._spec, sets, tip.anchor.number)
            return run_block(self._spec, machine, tip, block, None), certificate
        except (Invalid, Corrupt) as error:
            what = f"{self._path}: block {frame.height} is not what was certified: {error}"
            raise Invalid(what, "bad_block") from error


def _opened(frame: BlockFrame) -> tuple[Block, Certificate]:
    header, signature, certificate = stored_header(frame.header)
    return Block(header, Body.of(codec.decode(frame.body, BLOCK_BYTES_MAX)), signature), certificate


def _move_in(beside: Path, folder: Path) -> None:
    """The store counts, so it comes last."""
    (beside / CODE_FILE).replace(folder / CODE_FILE)
    (beside / STORE_FOLDER).rename(folder / STORE_FOLDER)
