"""
The door of the room: what a node asks of the engine.

`genesis` … `apply` … `seal` make a chain; the first `apply` of a header opens its block, `seal` closes it. The
executor returns changes and never persists them; it is used from one thread, the one node gives it, one call at a
time. Two implementations pass the same tests: `vm.machine.Machine` (WASM) and `vm.mirror.Mirror` (the same kernel
under CPython).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from genesis.chain import Deployment, InboxEntry, SignedTransaction
from genesis.receipt import Status
from genesis.spec import ChainSpec

PAGE_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Opening:
    """
    What is fixed when a block's first batch is cut. Before it, the inbox is taken in: deposits are credited, forced
    transactions run in a batch of their own (`forced`).
    """

    height: int
    time_ms: int
    gap_ms: int
    parent: bytes
    inbox: tuple[InboxEntry, ...]
    deployments_active: tuple[Deployment, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    One transaction's result.

    status: "done", "failed" (undone, fee charged) or "refused" (not executable: no fee, sequence not used).
    reason: text where known, else the reason word in hex. fee: raw 10⁻¹⁸ of the fee asset. results: packed words of
    each call,
    empty for a failed one. call_reasons: per call, "" when it succeeded.
    events: index range into the batch's events.
    """

    transaction: bytes
    status: Status
    reason: str
    gas_used: int
    fee: int
    results: tuple[bytes, ...]
    call_reasons: tuple[str, ...]
    events: tuple[int, int]
    created: bytes | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """
    An event as it left WASM: the emitting program's number, the event's number in its ABI, packed fields.

    Program 0 is the kernel; its event 0 tells of a failed hook: program, selector, reason word, tries.
    """

    program: int
    event: int
    data: bytes


@dataclass(frozen=True, slots=True)
class WithdrawalBurnt:
    """amount: raw 10⁻¹⁸; index: counts from 0 over the chain's life."""

    index: int
    account: bytes
    asset: int
    amount: int


@dataclass(frozen=True, slots=True)
class BatchResult:
    """
    outcomes: in the order of the batch given; order: the positions in the order they ran; events: all, hooks'
    included, those
    of the block's opening (deposits, creations) first. programs_changed: the opening created programs, or changed one.
    forced: of a block's first batch, what its forced transactions did before it; None when there were none.

    Outcomes and events are decoded when asked for; `tuple(…)` what is asked for often.
    """

    outcomes: Sequence[Outcome]
    order: Sequence[int]
    events: Sequence[Record]
    gas_used: int
    programs_changed: bool = False
    forced: BatchResult | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """
    Roots after the block; withdrawals burnt in it; dirty_pages: how many pages it changed. gas_used: hooks included.
    """

    height: int
    state_root: bytes
    claims_root: bytes
    withdrawals: tuple[WithdrawalBurnt, ...]
    dirty_pages: int
    gas_used: int


@dataclass(frozen=True, slots=True)
class Query:
    """A view call. selector: its 4 bytes read little-endian. gas: cap of this query."""

    program: bytes
    selector: int
    arguments: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class Answer:
    """reason "" means it succeeded."""

    reason: str
    result: bytes
    gas_used: int


@dataclass(frozen=True, slots=True)
class ProgramInfo:
    """
    number: index of creation, 1 is the first program (0 is the kernel). admin: who may upgrade it, zero for nobody.
    version: counts from 1. time_lock_ms: from the announcement of a next version to its switch. upgrade_time_ms: when
    an announced one may run, None when none is. room: bytes of state that are its fields', later ones' included.
    """

    number: int
    address: bytes
    name: str
    code_hash: bytes
    abi_json: str
    admin: bytes = bytes(20)
    version: int = 1
    time_lock_ms: int = 0
    upgrade_time_ms: int | None = None
    room: int = 0


@dataclass(frozen=True, slots=True)
class WaitingHooks:
    """
    Hooks that a batch left: due at once, put off to a later batch after a failure, parked until their purse has money.
    """

    due: int
    put_off: int
    parked: int


@dataclass(frozen=True, slots=True)
class CheckpointChunk:
    """Pages of one program: program number, first page, consecutive 1 KiB pages."""

    program: int
    first_page: int
    pages: bytes


@dataclass(frozen=True, slots=True)
class SealedPage:
    """
    A page of the state as of the last seal. hash: its leaf in the tree from then; another one than of `content` means
    that the memory has changed without anything having been executed.
    """

    program: int
    page: int
    content: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class TouchedPage:
    """A page that the open block has written to: as it was before the block, and as it is."""

    program: int
    page: int
    before: bytes
    now: bytes


@dataclass(frozen=True, slots=True)
class ProgramTree:
    """
    A program under the state root. subtrees: hashes of its subtrees of pages (`genesis.merkle.PageTree.subtrees`).
    """

    address: bytes
    code_hash: bytes
    subtrees: bytes


class Executor(Protocol):
    def genesis(self, spec: ChainSpec) -> bytes:
        """Create the genesis programs and allocations; return the state root of height 0."""

    def prepare(self, batch: Sequence[SignedTransaction]) -> None:
        """Do ahead what a later `apply` of these transactions must do anyway; only speed depends on it."""

    def apply(self, opening: Opening, batch: Sequence[SignedTransaction]) -> BatchResult:
        """
        Run a batch of the block that `opening` names; the first one opens it. An empty batch runs what hooks are due.

        Raises:
            Invalid: another block is open, the height is not the next, or the batch does not fit (no transaction ran).
            Corrupt: the engine itself failed.
        """

    def seal(self) -> Sealed:
        """Close the open block. Raises Invalid when none is open."""

    def rollback(self, height: int) -> None:
        """Back to the state after `height`; also drops an open block. Raises Invalid when it is beyond what is kept."""

    def query(self, calls: Sequence[Query]) -> tuple[Answer, ...]:
        """View calls on the state as it is, in one go, each under its own gas."""

    def simulate(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        """
        Run as the next batch would, then undo everything. Signatures need not be valid: `signer` is taken as given.
        """

    def sequences(self, pairs: Sequence[tuple[bytes, int]]) -> tuple[int, ...]:
        """
        Last sequence used per (signer, lane); −1 where none was: lane 0 goes on with the next, others with any above.
        """

    def programs(self) -> tuple[ProgramInfo, ...]:
        """All programs, by number."""

    def waiting_hooks(self) -> WaitingHooks:
        """How many hooks wait, as it is now."""

    def memory(self, program: bytes) -> bytes:
        """A copy of a program's state memory up to its heap top, as it is now."""

    def prover(self, program: bytes) -> Callable[[int], tuple[bytes, ...]]:
        """
        For a page's number, the page and the siblings from page to state root as `genesis.merkle.verify_page` takes
        them, as of the last seal. To be used before the next call. Raises Invalid "unknown_program".
        """

    def sealed_height(self) -> int:
        """Height of the last seal: the block under whose state root `prover` proves."""

    def sealed_pages(self) -> Iterator[SealedPage]:
        """
        All pages under the root of the last seal, by program and page, absent ones left out; to find a fault of memory.

        Read it to the end before the next call.
        """

    def touched(self) -> tuple[TouchedPage, ...]:
        """Pages that the open block has written to so far, by program and page; none when no block is open."""

    def checkpoint_meta(self) -> bytes:
        """What `restore` needs beside the pages, as of the last seal: height, programs and their code."""

    def trees(self) -> tuple[ProgramTree, ...]:
        """What the state root of the last seal is made of, by number, the kernel first."""

    def export(self, since_height: int | None) -> Iterator[CheckpointChunk]:
        """
        Pages dirtied after that sealed height (None, or one no longer known: all) up to the last seal.

        Read it to the end before the next call.
        """

    def restore(self, spec: ChainSpec, meta: bytes, chunks: Iterator[CheckpointChunk]) -> bytes:
        """Rebuild from a checkpoint; returns the state root to compare."""
