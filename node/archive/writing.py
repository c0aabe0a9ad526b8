"""From a stopped node's store, or a copy of it, into an archive: whole, or no file at all."""

from __future__ import annotations

import os
from pathlib import Path

from execution.vm.machine import Machine
from genesis.errors import Invalid
from genesis.spec import ChainSpec, genesis_hash
from node.archive.frames import BlockFrame, Head, Writer
from node.engine import on_engine_stack
from node.genesis_code import FILE as CODE_FILE
from node.genesis_code import folder_plan
from node.membership import CURSOR as SETS
from node.recovery import Progress
from node.reorganisation import CURSOR as ROLLBACKS
from node.store import Store

STORE_FOLDER = "store"


def export(folder: Path, spec: ChainSpec, path: Path, progress: Progress) -> Head:
    """
    Write all blocks stored in a node's data folder.

    Raises:
        Invalid: "not_found" for a folder without a chain, or none for the file; "exists", or "pruned" when it lacks
        the first blocks; "bad_file" when the file cannot be written.
        Unavailable: a node has the folder open. Corrupt: the store is damaged.
    """
    if not (folder / STORE_FOLDER).is_dir() or not (folder / CODE_FILE).exists():
        raise Invalid(f"{folder} holds no chain; name the configuration of a node that has run.", "not_found")
    if path.exists():
        raise Invalid(f"{path} exists; name another file or move it away.", "exists")
    if not path.parent.is_dir():
        raise Invalid(f"There is no folder {path.parent} to write {path.name} into; make it first.", "not_found")
    root = on_engine_stack(lambda: Machine(folder_plan(folder, spec)).genesis(spec))
    genesis = genesis_hash(spec, root)
    with Store(folder / STORE_FOLDER, genesis) as store:
        last = store.head() or 0
        if store.first() > 1:
            raise Invalid(f"{folder} lacks the chain's first blocks; export from a node that keeps them.", "pruned")
        code = (folder / CODE_FILE).read_bytes()
        sets, rollbacks = (store.cursor(name) or b"" for name in (SETS, ROLLBACKS))
        head = Head(genesis, spec.encode(), code, sets, rollbacks, last)
        try:
            _write(store, head, path, progress)
        except OSError as error:
            raise Invalid(
                f"{path} cannot be written: {error.strerror}. Free space, or name another place.", "bad_file"
            ) from error
    return head


def _write(store: Store, head: Head, path: Path, progress: Progress) -> None:
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            writer = Writer(file)
            writer.head(head)
            for row in store.blocks(1, head.last):
                writer.block(BlockFrame(row.height, row.header, row.body))
                progress(row.height, head.last)
            writer.end(head.last)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
