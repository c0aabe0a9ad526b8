"""
One transaction run again: the tree of its calls with gas, and where it failed, with the values of locals.

The chain is replayed to the block before, from the checkpoint or from genesis; the transaction's block runs up to it
on kernel and programs under CPython, which see what it finds and what each line of it costs. From that state it runs
once more as the Python its programs are, which gives the stack. Works on a copy of the folder, so the node may run.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from execution.compiler import locate_ir
from execution.compiler.abi import Abi, parse_abi
from execution.compiler.gas import GAS
from execution.compiler.ir import Module
from execution.compiler.optimise import optimise
from execution.compiler.places import Places
from execution.compiler.profile import lined
from execution.compiler.standard import PACKAGE, source_of
from execution.executor import Opening, Outcome
from execution.forced import forced_transactions
from execution.lang.rejection import OUT_OF_GAS
from execution.transition import opening_of
from execution.vm.genesis import Plan
from execution.vm.kernel import places
from execution.vm.machine import Machine
from genesis.chain import Block, Deployment, Deposit, Forced, Receipt, SignedTransaction, Transaction
from genesis.errors import Corrupt, Invalid, Unavailable
from genesis.spec import GENESIS_PROGRAMS, ChainSpec, genesis_address, genesis_hash
from node.audit import STORE_FOLDER
from node.deployments import main_file
from node.genesis_code import folder_plan
from node.open_block import decode_results
from node.recovery import initial_tip, replay_block, restore_checkpoint, stored_block
from node.running_order import class_rank, first_to_run, running_order
from node.store import Store
from node.testing.interpreted import ProfilingHost, ProfilingMirror
from node.tracing_rerun import Program, Rerun, Source, rerun

LOCK = "LOCK"
PHASES = (places.PHASE_CANCEL, places.PHASE_POST_ONLY, places.PHASE_TRADE)
"""By rank of the order class."""

NOBODY = (-1, -1)

Progress = Callable[[int, int], None]
Text = tuple[Mapping[str, str], str]


@dataclass(frozen=True, slots=True)
class Traced:
    """
    receipt: as stored. host: what the run on kernel and IR left behind: calls, profile. outcome: of that run.

    programs: by number. rerun: None when no program ran, when gas ran out, or when it takes too long without any.
    """

    receipt: Receipt
    signed: SignedTransaction
    host: ProfilingHost
    outcome: Outcome
    programs: dict[int, Program]
    rerun: Rerun | None


def trace(folder: Path, spec: ChainSpec, transaction: bytes, progress: Progress) -> Traced:
    """
    Run a stored transaction again.

    Args:
        folder: a node's data folder.
        progress: told the height replayed and that of the transaction.

    Raises:
        Invalid: the folder holds no chain, or not this transaction. Corrupt: the stored chain does not replay.
        Unavailable: the folder changed while it was read; try again.
    """
    if not (folder / STORE_FOLDER).is_dir():
        raise Invalid(f"{folder} holds no chain; name the folder of a node that has run.", "not_found")
    machine = Machine(folder_plan(folder, spec))
    root = machine.genesis(spec)
    with copied(folder / STORE_FOLDER) as copy, Store(copy, genesis_hash(spec, root)) as store:
        store.check_kept(1)  # programs' sources may stand anywhere
        position = store.position(transaction)
        if position is None:
            raise Invalid(
                f"No transaction 0x{transaction.hex()} is stored in {folder}; take its id from `tenor tx`.", "not_found"
            )
        return _Trace(spec, store, machine, root).run(transaction, position.height, progress)


@contextmanager
def copied(store: Path) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / STORE_FOLDER
        try:
            shutil.copytree(store, copy, ignore=shutil.ignore_patterns(LOCK))
        except (OSError, shutil.Error) as error:
            raise Unavailable(f"{store} changed while it was copied ({error}); try again.") from error
        yield copy


class _Trace:
    """One trace on an open store. machine: at genesis."""

    def __init__(self, spec: ChainSpec, store: Store, machine: Machine, root: bytes) -> None:
        self._spec, self._store, self._machine, self._root = spec, store, machine, root

    def run(self, transaction: bytes, height: int, progress: Progress) -> Traced:
        opening, block = self._replay(height, progress)
        (row,) = self._store.blocks(height, height)
        receipt = next(one for one in decode_results(row.receipts).receipts if one.transaction == transaction)
        sources = self._sources(opening, height)
        mirror = ProfilingMirror(
            lambda _: Plan(()), {code_hash: source.module for code_hash, source in sources.items()}
        )
        mirror.restore(self._spec, self._machine.checkpoint_meta(), self._machine.export(None))
        signed, outcome = self._apply(mirror, opening, block, transaction)
        programs = {info.number: Program(info.address, sources[info.code_hash]) for info in mirror.programs()}
        before = mirror.profiling.before
        starved = OUT_OF_GAS in (receipt.reason, *receipt.call_reasons)  # without gas it would just go on
        again = rerun(opening, programs, before, signed) if before and not starved else None
        return Traced(receipt, signed, mirror.profiling, outcome, programs, again)

    def _replay(self, height: int, progress: Progress) -> tuple[Opening, Block]:
        """The machine at the block before; the block at hand, and what opens it."""
        checkpoint = self._store.checkpoint()
        tip, first = initial_tip(self._spec, self._root), 1
        if checkpoint is not None and checkpoint[0] < height:
            tip, first = restore_checkpoint(self._spec, self._store, self._machine, *checkpoint), checkpoint[0] + 1
        for row in self._store.blocks(first, height - 1):
            tip = replay_block(self._spec, self._machine, tip, stored_block(row)[0])
            progress(row.height, height)
        (row,) = self._store.blocks(height, height)
        block, _ = stored_block(row)
        return opening_of(block, tip.waiting_deployments.get(height, ())), block

    def _apply(
        self, mirror: ProfilingMirror, opening: Opening, block: Block, transaction: bytes
    ) -> tuple[SignedTransaction, Outcome]:
        """The block's forced transactions and batches up to the transaction; of its own those that ran before it."""
        mirror.profiling.target = NOBODY
        forced = forced_transactions(opening.inbox, self._spec)
        index = next((at for at, one in enumerate(forced) if one.id == transaction), None)
        if index is not None:
            kept = _up_to(forced, index)
            mirror.profiling.target = (PHASES[class_rank(forced[index])], kept.index(index))
            deposits = [entry for entry in opening.inbox if isinstance(entry, Deposit)]
            again = [Forced(0, forced[at].raw, 0) for at in kept]
            result = mirror.apply(replace(opening, inbox=(*deposits, *again)), ()).forced
            assert result is not None, "one of them is the transaction"
            return forced[index], result.outcomes[kept.index(index)]
        mirror.begin(opening)
        for batch in block.body.batches:
            signed = batch.open()
            index = next((at for at, one in enumerate(signed) if one.id == transaction), None)
            if index is None:
                mirror.apply(opening, signed)
                continue
            kept = _up_to(signed, index)
            mirror.profiling.target = (PHASES[class_rank(signed[index])], kept.index(index))
            result = mirror.apply(opening, [signed[at] for at in kept])
            return signed[index], result.outcomes[kept.index(index)]
        raise Corrupt("the store's index names a block that does not hold the transaction")

    def _sources(self, opening: Opening, height: int) -> dict[bytes, Source]:
        """
        By hash of the code on the chain, versions that may be switched to included.

        Raises:
            Invalid: one is not to be had.
        """
        infos = self._machine.programs()
        wanted = {info.code_hash: (info.address, info.abi_json) for info in infos}
        wanted |= {sha256(one.wasm).digest(): (one.address, one.abi) for one in opening.deployments_active if one.abi}
        announced = {info.address for info in infos if info.upgrade_time_ms is not None}
        standard = {genesis_address(name): _standard(name) for name in GENESIS_PROGRAMS}
        others = any(address not in standard for address, _ in wanted.values())
        recorded = self._recorded(height) if others or announced or any(info.version > 1 for info in infos) else {}
        wanted |= {code: (one.address, one.abi) for code, (one, _) in recorded.items() if one.address in announced}
        found = {}
        for code_hash, (address, abi) in wanted.items():
            text = recorded[code_hash][1] if code_hash in recorded else standard.get(address)
            if text is None:
                raise Invalid(f"The source of the program 0x{address.hex()} is not stored in this folder.", "pruned")
            found[code_hash] = _source(*text, parse_abi(abi))
        return found

    def _recorded(self, height: int) -> dict[bytes, tuple[Deployment, Text]]:
        """What blocks up to a height recorded, by hash of the code, and its source."""
        found: dict[bytes, tuple[Deployment, Text]] = {}
        for row in self._store.blocks(1, height):
            block, _ = stored_block(row)
            recorded = {one.transaction_id: one for one in block.body.deployments if one.abi}
            for signed in (one for batch in block.body.batches for one in batch.open()) if recorded else ():
                if signed.id in recorded and not isinstance(signed.transaction, Transaction):
                    text = dict(signed.transaction.files), main_file(signed.transaction)
                    found[sha256(recorded[signed.id].wasm).digest()] = recorded[signed.id], text
        return found


def _standard(name: str) -> Text:
    text = source_of(f"{PACKAGE}.{name}")
    assert text is not None, f"{name} is part of Tenor"
    path = f"{PACKAGE.replace('.', '/')}/{name}.py"
    return {path: text}, path


def _source(files: Mapping[str, str], main: str, abi: Abi) -> Source:
    """Compiled anew, which must give the program's ABI. Raises Invalid."""
    module, places, now = _compiled(tuple(files.items()), main)
    if now.text() != abi.text():
        raise Invalid(
            f"This Tenor compiles {main} to another ABI than the chain has; trace with the version that deployed it.",
            "other_version",
        )
    return Source(files, main, abi, module, places)


@lru_cache(maxsize=32)
def _compiled(files: tuple[tuple[str, str], ...], main: str) -> tuple[Module, Places, Abi]:
    module, lines, abi = locate_ir(dict(files), main)
    return lined(optimise(module, GAS), GAS), lines, abi


def _up_to(batch: Sequence[SignedTransaction], index: int) -> list[int]:
    """Positions of a batch up to the one at `index` in the order they run, in the order they stand."""
    return first_to_run(batch, running_order(batch).index(index) + 1)
