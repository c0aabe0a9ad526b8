"""
The audit: every stored block run again from genesis by a process that trusts nothing but the chain's spec, and the
validator sets that the node has read from the settlement chain.

Checked at every block: the proposer's signature, the quorum's certificate, every root of the header after running the
block again, the stored receipts and events under their roots, and conservation (`node.audit_books`). What is found
first is told with its height. `python -m node.audit FOLDER --json`; the node must be stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import trio

from execution.executor import Sealed
from execution.vm.machine import Machine
from genesis import chain
from genesis.chain import Block, Certificate
from genesis.crypto import recover
from genesis.errors import Corrupt, Invalid, TenorError
from genesis.membership import ValidatorSet, certifying
from genesis.spec import ChainSpec, genesis_hash
from node.audit_books import Books
from node.chains import load_chain
from node.compiled import genesis_code, give_engine
from node.config import load
from node.engine import EngineThread
from node.genesis_code import folder_plan
from node.membership import stored_sets
from node.open_block import Results, decode_results
from node.recovery import initial_tip, replay_block, stored_block
from node.store import Store, StoredBlock

CONFIG_FILE = "node.toml"
STORE_FOLDER = "store"

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class AuditReport:
    """
    Counts of what the replayed blocks hold. withdrawals: burnt on the chain. state_root: of the last block replayed.
    first_difference: None when all is right, else what was wrong first, and where.
    """

    blocks: int
    transactions: int
    orders: int
    fills: int
    liquidations: int
    deposits: int
    withdrawals: int
    conserved: bool
    replay_equal: bool
    state_root: bytes
    first_difference: str | None

    @property
    def passed(self) -> bool:
        return self.conserved and self.replay_equal


def audit(folder: Path, spec: ChainSpec, progress: Progress) -> AuditReport:
    """
    Replay the blocks stored in a node's data folder.

    Args:
        progress: told the height replayed and the last one.

    Raises:
        Invalid: the folder holds no store, or another chain's. Unavailable: a node has it open. Corrupt: it is damaged.
    """
    if not (folder / STORE_FOLDER).is_dir():
        raise Invalid(f"{folder} holds no chain; name the folder of a node that has run.", "not_found")

    async def run() -> AuditReport:
        engine = EngineThread()
        engine.start()
        try:
            return await engine.run(_audit, folder, spec, progress)
        finally:
            engine.stop()

    return trio.run(run)


def located(folder: Path, chain_name: str = "devnet") -> tuple[Path, ChainSpec]:
    """Data folder and spec: of the folder's node.toml, or the folder itself with the chain named."""
    config_file = folder / CONFIG_FILE
    if config_file.exists():
        config = load(config_file)
        return config.node.folder, load_chain(config.node.chain, folder)
    return folder, load_chain(chain_name, Path())


@dataclass(slots=True)
class _Counts:
    """What has been seen so far."""

    blocks: int = 0
    transactions: int = 0
    withdrawals: int = 0
    events: dict[str, int] = field(default_factory=dict)
    state_root: bytes = b""
    conserved: bool = True
    replay_equal: bool = True
    first_difference: str | None = None


def _audit(folder: Path, spec: ChainSpec, progress: Progress) -> AuditReport:
    give_engine(spec)
    executor = Machine(folder_plan(folder, spec, genesis_code))
    root = executor.genesis(spec)
    with Store(folder / STORE_FOLDER, genesis_hash(spec, root)) as store:
        counts = _Counts(state_root=root)
        books = Books(spec, executor)
        tip = initial_tip(spec, root)
        sets = stored_sets(spec, store)
        store.check_kept(1)
        last = store.head() or 0
        for row in store.blocks(1, last):
            results = decode_results(row.receipts)
            seen: list[Sealed] = []
            try:
                block = checked_block(row, results, spec, sets, tip.anchor.number)
                tip = replay_block(spec, executor, tip, block, lambda _, sealed: seen.append(sealed))  # noqa: B023
            except (Corrupt, Invalid) as error:
                counts.replay_equal = False
                counts.first_difference = counts.first_difference or f"block {row.height}: {error}"
                break
            _count(counts, block, results, books)
            unbalanced = books.check(results.events, seen[0].withdrawals)
            if unbalanced is not None:
                counts.conserved = False
                counts.first_difference = counts.first_difference or f"block {row.height}: {unbalanced}"
            progress(row.height, last)
    return _report(counts)


def checked_block(
    row: StoredBlock, results: Results, spec: ChainSpec, sets: Sequence[ValidatorSet], parent_anchor: int
) -> Block:
    """The stored block, once signatures and stored results agree with its header. Raises Corrupt or Invalid."""
    block, certificate = stored_block(row)
    header = block.header
    if header.height != row.height:
        raise Corrupt(f"the header says height {header.height}")
    if recover(header.proposal_digest(), block.signature) != header.proposer:
        raise Corrupt("the signature is not the proposer's")
    check_certified(certificate, block, spec, sets, parent_anchor)
    if chain.receipts_root(receipt.encode() for receipt in results.receipts) != header.receipts_root:
        raise Corrupt("the stored receipts are not those that were signed")
    if chain.events_root((e.program, e.event, e.data) for e in results.events) != header.events_root:
        raise Corrupt("the stored events are not those that were signed")
    return block


def check_certified(
    certificate: Certificate, block: Block, spec: ChainSpec, sets: Sequence[ValidatorSet], parent_anchor: int
) -> None:
    """By the set that its parent's anchor names, as the node read it from the settlement chain."""
    header = block.header
    certifies = certifying(sets, parent_anchor, header.anchor_number)
    if not header.validators == certificate.validators == certifies.version:
        raise Corrupt(f"set {certifies.version} certifies it, not {header.validators} or {certificate.validators}")
    if header.proposer not in certifies.stakes:
        raise Corrupt(f"the proposer 0x{header.proposer.hex()} is no validator")
    if (certificate.height, certificate.block_hash) != (header.height, header.hash()):
        raise Corrupt("the certificate is of another block")
    chain.check_certificate(certificate, spec.chain_id, certifies.stakes)


def _count(counts: _Counts, block: Block, results: Results, books: Books) -> None:
    counts.blocks += 1
    counts.transactions += len(results.receipts)
    counts.withdrawals += len(results.withdrawals)
    counts.state_root = block.header.state_root
    for name in books.names(results.events):
        counts.events[name] = counts.events.get(name, 0) + 1


def _report(counts: _Counts) -> AuditReport:
    events = counts.events
    return AuditReport(
        blocks=counts.blocks,
        transactions=counts.transactions,
        orders=events.get("exchange.Accepted", 0),
        fills=events.get("exchange.Filled", 0),
        liquidations=events.get("clearing.Liquidated", 0),
        deposits=events.get("bank.Credited", 0),
        withdrawals=counts.withdrawals,
        conserved=counts.conserved,
        replay_equal=counts.replay_equal,
        state_root=counts.state_root,
        first_difference=counts.first_difference,
    )


def main() -> int:
    """
    `python -m node.audit FOLDER`: the report as one JSON object on stdout, for whoever starts a second process.

    Exit code: 0 when all is right, 1 when not, 3 when there was nothing to audit; people use `tenor audit`.
    """
    parser = argparse.ArgumentParser(prog="node.audit", description="Replay a stopped node's blocks from genesis.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chain", default="devnet")
    parser.add_argument("--json", action="store_true", help="for the likeness to `tenor audit`; it is always JSON")
    options = parser.parse_args()
    try:
        report = audit(*located(options.folder, options.chain), lambda *_: None)
    except TenorError as error:
        print(f"error: {error}", file=sys.stderr)
        return 3
    print(json.dumps({**asdict(report), "state_root": "0x" + report.state_root.hex()}))
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main())
