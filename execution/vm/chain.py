"""
The `Executor` over any host: opening and sealing blocks, batches in one call, rollback, reads between batches.

What the kernel decides stays in the kernel; here bytes are carried in and out, pages hashed and kept for going back.
A broken promise of the host (a trap outside a batch, a lost stack) is Corrupt: the node stops.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from execution.executor import (
    Answer,
    BatchResult,
    CheckpointChunk,
    Opening,
    ProgramInfo,
    ProgramTree,
    Query,
    Sealed,
    SealedPage,
    TouchedPage,
    WaitingHooks,
    WithdrawalBurnt,
)
from execution.forced import forced_transactions
from execution.vm import checkpoint, deploy, packing, upgrade, versions
from execution.vm.genesis import MakePlan
from execution.vm.history import History, Past, image_of, images, keys_of, put_back
from execution.vm.host import Host, Trapped
from execution.vm.kernel import places
from execution.vm.kernel.words import KERNEL_ENTRIES
from execution.vm.layout import HEAP_TOP, LINES_PER_PAGE, MARK_BYTES
from execution.vm.results import KNOWN_REASONS, Outcomes, Records, reason_text
from execution.vm.state import KERNEL_ADDRESS, Key, StateTree, key_of, place_of
from genesis import merkle
from genesis.chain import Deposit, SignedTransaction
from genesis.errors import Corrupt, Invalid
from genesis.spec import ChainSpec

PAGE_BYTES = 1024
_ZERO_PAGE = bytes(PAGE_BYTES)
KERNEL = 0
KERNEL_SHAPES = {
    KERNEL_ADDRESS + selector.to_bytes(4, "little"): (words, 0) for selector, words in KERNEL_ENTRIES.items()
}
_PAGE_MARKS = LINES_PER_PAGE * MARK_BYTES
MakeHost = Callable[[ChainSpec, bytes | None], Host]
"""For a spec and a kernel's WASM; None is the one that this Tenor builds."""
_SCRATCH = struct.Struct("<q")
_WITHDRAWN = struct.Struct("<q20s4xqQq")


class Chain:
    """Not for several threads. `genesis` or `restore` comes first."""

    def __init__(self, make_host: MakeHost, plan: MakePlan) -> None:
        self._make_host, self._plan = make_host, plan
        self._opened: int | None = None
        self._begun: tuple[bool, BatchResult | None] | None = None

    # ---- the beginning

    def genesis(self, spec: ChainSpec) -> bytes:
        plan = self._plan(spec)
        self._start(spec, plan.kernel)
        self._host.call("open_block", 0, 0, 0)
        self._host.call("init")
        self._opened = 0
        deploy.carry_out(self._host, self._programs, plan, spec)
        self._learn_programs()
        return self.seal().state_root

    def _start(self, spec: ChainSpec, kernel: bytes | None) -> None:
        """A fresh host without programs, limits written."""
        self._spec = spec
        self._host = self._make_host(spec, kernel)
        self._replaced: bytes | None = None
        self._changed: list[tuple[int, deploy.Program]] = []
        self._programs: list[deploy.Program] = []
        self._tree = StateTree()
        self._tree.add(KERNEL_ADDRESS, self._host.kernel_hash)
        self._history = History(spec.rollback_blocks)
        self._sealed = -1
        self._opened = self._begun = None
        self._withdrawals: list[WithdrawalBurnt] = []
        self._gas_used = 0
        self._packed: dict[bytes, bytes] = {}
        deploy.write_limits(self._host, spec)

    def _learn_programs(self) -> None:
        """After programs came or went: what packing, reading and hashing need to know of them."""
        self._tree.truncate(1 + len(self._programs))
        for program in self._programs[len(self._tree.codes) - 1 :]:
            self._tree.add(program.address, program.code.code_hash)
        self._packed.clear()
        self._numbers = {program.address: number for number, program in enumerate(self._programs, 1)}
        self._shapes: dict[bytes, tuple[int, int]] = {
            program.address + selector: words
            for program in self._programs
            for selector, words in program.code.entries.items()
        } | KERNEL_SHAPES
        texts = [text for program in self._programs for text in program.code.reasons]
        self._reasons: Mapping[int, str] = {**KNOWN_REASONS, **deploy.words_of(texts)}

    # ---- blocks

    def apply(self, opening: Opening, batch: Sequence[SignedTransaction]) -> BatchResult:
        self.begin(opening)
        result = self._carry_out(batch)
        if self._begun is None:
            return result
        (changed, forced), self._begun = self._begun, None
        return replace(result, programs_changed=changed, forced=forced)

    def begin(self, opening: Opening) -> None:
        """Open the block unless it is open; its first `apply` tells what that did. Raises as `apply`."""
        if self._opened is None:
            forced = forced_transactions(opening.inbox, self._spec)
            changed = self._open(opening)
            self._begun = changed, self._carry_out(forced) if forced else None
        elif opening.height != self._opened:
            raise Invalid(f"Block {self._opened} is open: seal it before block {opening.height}.", "block_open")

    def _carry_out(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        result = self._run(batch)
        self._gas_used += result.gas_used
        self._note_withdrawals(result)
        return result

    def _open(self, opening: Opening) -> bool:
        """
        Open the block: programs asked for are created, deposits credited, deployed ones created.

        Returns:
            Whether the chain has other programs than before.
        """
        if opening.height != self._sealed + 1:
            raise Invalid(f"The next block is {self._sealed + 1}, not {opening.height}.", "wrong_height")
        kernel = upgrade.next_kernel(opening.deployments_active, self._spec)
        if kernel is not None:
            self._replaced = self._switch(kernel)
        self._opened = opening.height
        self._withdrawals, self._gas_used = [], 0
        self._host.call("open_block", opening.height, opening.time_ms, opening.gap_ms)
        changed = deploy.create_asked(self._host, self._programs) > 0
        for entry in opening.inbox:
            if isinstance(entry, Deposit):
                deploy.credit(self._host, self._bank(), entry.account, entry.asset, entry.amount)
        gas = self._spec.gas_transaction_max
        for deployment in opening.deployments_active:
            number = self._numbers.get(deployment.address)
            if number is not None:
                program = self._programs[number - 1]
                self._change(number, versions.staged(self._host, number, program, deployment))
            elif deployment.address != KERNEL_ADDRESS:
                deploy.activate(self._host, self._programs, deployment, opening.height, gas)
                changed = True
        for number in versions.waiting(self._host, self._programs):
            self._change(number, versions.switched(self._host, number, self._programs[number - 1], gas))
            changed = True
        if changed:
            self._learn_programs()
            deploy.restore_roles(self._host, self._programs)
        return changed

    def _change(self, number: int, program: deploy.Program) -> None:
        """A program is another from this block on; what it was is kept for going back."""
        self._changed.append((number, self._programs[number - 1]))
        self._programs[number - 1] = program

    def _switch(self, kernel: bytes) -> bytes:
        """Go on under another kernel, between two blocks; return the one before. Raises Invalid when it cannot run."""
        host = self._make_host(self._spec, kernel)
        deploy.write_limits(host, self._spec)
        upgrade.move_state(self._host, host, [program.code for program in self._programs], self._sealed)
        before, self._host = self._host.kernel, host
        deploy.restore_roles(host, self._programs)
        host.call("rolled_back")
        return before

    def _run(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        gas = self._spec.gas
        records = [self._pack(signed, gas) for signed in batch]
        self._host.write(KERNEL, "io", places.IO_INPUT, packing.pack_batch(records))
        self._batch(len(batch))
        io = self._host.read
        receipts = io(KERNEL, "io", places.IO_RECEIPTS, self._scratch(places.RECEIPTS_TOP) - places.IO_RECEIPTS)
        events = io(KERNEL, "io", places.IO_EVENTS, self._scratch(places.EVENTS_TOP) - places.IO_EVENTS)
        outcomes = Outcomes(batch, receipts, self._table(places.IO_RECEIPT_INDEX, len(batch)), self._reasons)
        order = self._table(places.IO_ORDER, len(batch))
        made = Records(events, self._table(places.IO_EVENT_INDEX, self._scratch(places.EVENTS_COUNT)))
        used = self._scratch(places.BATCH_GAS) + self._scratch(places.BATCH_HOOK_GAS)
        return BatchResult(outcomes, order, made, used)

    def _batch(self, count: int) -> None:
        """The one call; after a trap the kernel recovers and goes on."""
        try:
            self._host.call("run", count)
            return
        except Trapped:
            pass
        while True:
            try:
                if self._host.call("recover") == 0:
                    raise Corrupt("The kernel trapped in work of its own; its state cannot be trusted.")
                return
            except Trapped:
                continue

    def _pack(self, signed: SignedTransaction, gas: Mapping[str, int]) -> bytes:
        record = self._packed.pop(signed.id, None)
        return record or packing.pack_transaction(signed, self._shapes, gas)

    def prepare(self, batch: Sequence[SignedTransaction]) -> None:
        """Pack transactions that will come in a batch soon, while there is time; only speed depends on it."""
        gas = self._spec.gas
        for signed in batch:
            self._packed[signed.id] = packing.pack_transaction(signed, self._shapes, gas)

    def _note_withdrawals(self, result: BatchResult) -> None:
        """
        The kernel's notes may name events that were undone since, and others in their place: those are passed over.
        """
        bank = self._bank()
        withdrawn = self._programs[bank - 1].code.withdrawn if bank else None
        for index in self._table(places.IO_WITHDRAWALS, self._scratch(places.WITHDRAWALS)):
            event = result.events[index] if index < len(result.events) else None
            if event is not None and (event.program, event.event) == (bank, withdrawn):
                number, account, asset, low, high = _WITHDRAWN.unpack(event.data)
                self._withdrawals.append(WithdrawalBurnt(number, account, asset, low + (high << 64)))

    def seal(self) -> Sealed:
        height = self._must_be_open()
        journal = self._journal()
        keys = set(keys_of(journal))
        self._tree.recode(KERNEL, self._host.kernel_hash)
        self._recode(self._changed)
        replaced = self._tree.update(keys, self._host.state)
        self._history.add(Past(height, journal, replaced, self._replaced, tuple(self._changed)))
        self._sealed, self._opened, self._replaced = height, None, None
        self._changed.clear()
        bank = self._bank()
        claims = self._tree.pages[bank].root if bank else bytes(32)
        return Sealed(height, self._tree.root, claims, tuple(self._withdrawals), len(keys), self._gas_used)

    def _recode(self, changed: Sequence[tuple[int, deploy.Program]]) -> None:
        """Tell the tree under which code these programs are now."""
        for number, _ in changed:
            self._tree.recode(number, self._programs[number - 1].code.code_hash)

    def _must_be_open(self) -> int:
        if self._opened is None:
            raise Invalid("No block is open: apply a batch first.", "no_block")
        return self._opened

    def rollback(self, height: int) -> None:
        if self._opened is not None:
            self._drop_block(Past(self._opened, self._journal(), {}, self._replaced, tuple(self._changed)))
            self._opened = self._replaced = self._begun = None
            self._changed.clear()
        for past in self._history.take_back(height):
            self._drop_block(past)
        self._sealed = height
        self._host.call("rolled_back")

    def _drop_block(self, past: Past) -> None:
        """Write a block's images back; programs it created go, for the kernel's restored list does not have them."""
        for number, before in reversed(past.programs):
            if before.code is not self._programs[number - 1].code:
                self._host.replace(number, before.code)
            self._programs[number - 1] = before
        put_back(self._host, past.journal, 1 + len(self._programs))
        count = deploy.count_programs(self._host)
        if count < len(self._programs):
            del self._programs[count:]
            self._host.drop(1 + count)
            self._learn_programs()
        if past.programs:
            self._learn_programs()
            deploy.restore_roles(self._host, self._programs)
            self._recode(past.programs)
        self._tree.put_back(past.replaced)
        if past.kernel is not None:
            self._switch(past.kernel)
            self._tree.recode(KERNEL, self._host.kernel_hash)

    # ---- reads between batches

    def query(self, calls: Sequence[Query]) -> tuple[Answer, ...]:
        packed = packing.pack_batch([packing.pack_query(call, self._shapes) for call in calls])
        self._host.write(KERNEL, "io", places.IO_INPUT, packed)
        try:
            end = self._host.call("query", len(calls))
        except Trapped:
            self._host.call("abandon")
            if len(calls) == 1:
                return (Answer("trap", b"", calls[0].gas),)
            return tuple(answer for call in calls for answer in self.query((call,)))
        blob = self._host.read(KERNEL, "io", places.IO_RECEIPTS, end - places.IO_RECEIPTS)
        answers, at = [], 0
        for _ in calls:
            why, used, words = struct.unpack_from("<qqq", blob, at)
            at += 24 + 8 * words
            answers.append(Answer(reason_text(why, self._reasons), blob[at - 8 * words : at], used))
        return tuple(answers)

    def simulate(self, batch: Sequence[SignedTransaction]) -> BatchResult:
        saved = set(keys_of(self._journal())) if self._opened is not None else set()
        top = self._host.call("simulate_begin")
        try:
            return self._run(batch)
        finally:
            length = self._host.call("before_length")
            journal = self._host.read(KERNEL, "before", top, length - top)
            self._host.call("simulate_end", top)
            self._unmark(set(keys_of(journal)) - saved)

    def _unmark(self, keys: set[Key]) -> None:
        """Pages that only a simulation touched are untouched again: the block saves them when it writes them."""
        for key in keys:
            program, page = place_of(key)
            self._host.write(program, "marks", page * _PAGE_MARKS, bytes(_PAGE_MARKS))

    def sequences(self, pairs: Sequence[tuple[bytes, int]]) -> tuple[int, ...]:
        return tuple(self._host.call("sequence", *packing.pack_address(signer), lane) for signer, lane in pairs)

    def programs(self) -> tuple[ProgramInfo, ...]:
        return tuple(deploy.info_of(self._host, number, program) for number, program in enumerate(self._programs, 1))

    def waiting_hooks(self) -> WaitingHooks:
        counts = (self._host.read(KERNEL, "state", place, 8) for place in (places.DUE, places.WAITING, places.PARKED))
        return WaitingHooks(*(int.from_bytes(count, "little") for count in counts))

    def memory(self, program: bytes) -> bytes:
        number = self._number(program)
        return self._host.read(number, "state", 0, self._heap_top(number))

    def memory_of(self, number: int, size: int) -> bytes:
        """The first `size` bytes of a program's state memory, whatever its heap top says; for tests and diagnosis."""
        return self._host.read(number, "state", 0, size)

    def prover(self, program: bytes) -> Callable[[int], tuple[bytes, ...]]:
        number = self._number(program)
        journal = self._journal() if self._opened is not None else b""
        keys = keys_of(journal)
        top = self._heap_top(number)  # what lies above may be no memory at all

        def prove(page: int) -> tuple[bytes, ...]:
            before = image_of(journal, keys, key_of(number, page))
            now = self._page(number, page) if page * PAGE_BYTES < top else bytes(PAGE_BYTES)
            return self._tree.prove(number, page, now if before is None else before)

        return prove

    def sealed_height(self) -> int:
        return self._sealed

    # ---- looking for a fault

    def sealed_pages(self) -> Iterator[SealedPage]:
        """What exists the tree says, not the heap tops: they lie in memory, too."""
        overlay = self._overlay()
        for number, tree in enumerate(self._tree.pages):
            for page in range(tree.extent):
                key, leaf = key_of(number, page), tree.leaf(page)
                content = self._sealed_page(key, overlay)
                if leaf != merkle.ABSENT or content != _ZERO_PAGE:
                    yield SealedPage(number, page, content, leaf)

    def touched(self) -> tuple[TouchedPage, ...]:
        overlay = self._overlay()
        keys = sorted(overlay, key=place_of)
        return tuple(TouchedPage(*place_of(key), overlay[key], self._page(*place_of(key))) for key in keys)

    # ---- checkpoints

    def checkpoint_meta(self) -> bytes:
        """What `restore` needs beside the pages: height, kernel and programs."""
        programs = list(self._programs)
        for number, before in reversed(self._changed):
            programs[number - 1] = before
        return checkpoint.encode_meta(self._sealed, self._replaced or self._host.kernel, programs)

    def trees(self) -> tuple[ProgramTree, ...]:
        pairs = zip(self._tree.codes, self._tree.pages, strict=True)
        return tuple(ProgramTree(*code, pages.subtrees()) for code, pages in pairs)

    def export(self, since_height: int | None) -> Iterator[CheckpointChunk]:
        keys = None if since_height is None else self._history.changed_since(since_height)
        overlay = self._overlay()
        full = keys is None
        if keys is None:
            keys = {
                key_of(n, page)
                for n in range(1 + len(self._programs))
                for page in range(self._heap_top(n) // PAGE_BYTES)
            }
            self._history.exported(self._sealed)
        else:  # a program whose `create` was refused has left its pages in the journal, and is no more
            keys = {key for key in keys if place_of(key)[0] <= len(self._programs)}
        return checkpoint.chunks(sorted(keys, key=place_of), lambda key: self._sealed_page(key, overlay), not full)

    def restore(self, spec: ChainSpec, meta: bytes, chunks: Iterator[CheckpointChunk]) -> bytes:
        height, kernel, programs = checkpoint.decode_meta(meta)
        self._start(spec, kernel)
        self._host.call("open_block", height, 0, 0)
        for program in programs:
            self._host.add(program.code)
        self._programs.extend(programs)
        self._learn_programs()
        keys = checkpoint.write_chunks(self._host, chunks, 1 + len(programs))
        deploy.restore_roles(self._host, self._programs)
        self._sealed = height
        self._history.exported(height)
        self._host.call("rolled_back")
        self._tree.update(keys, self._host.state)
        return self._tree.root

    # ---- bytes

    def _scratch(self, place: int) -> int:
        return int(_SCRATCH.unpack(self._host.read(KERNEL, "scratch", place, 8))[0])

    def _table(self, place: int, count: int) -> array[int]:
        return array("I", self._host.read(KERNEL, "io", place, 4 * count))

    def _journal(self) -> bytes:
        return self._host.read(KERNEL, "before", 0, self._host.call("before_length"))

    def _page(self, program: int, page: int) -> bytes:
        return self._host.read(program, "state", page * PAGE_BYTES, PAGE_BYTES)

    def _overlay(self) -> dict[Key, bytes]:
        """Pages that the open block has changed, as they were when the last was sealed."""
        return dict(images(self._journal())) if self._opened is not None else {}

    def _sealed_page(self, key: Key, overlay: Mapping[Key, bytes]) -> bytes:
        return overlay[key] if key in overlay else self._page(*place_of(key))

    def _heap_top(self, program: int) -> int:
        return int.from_bytes(self._host.read(program, "state", HEAP_TOP, 8), "little")

    def _bank(self) -> int:
        return int.from_bytes(self._host.read(KERNEL, "state", places.BANK, 8), "little")

    def _number(self, program: bytes) -> int:
        if program == KERNEL_ADDRESS:
            return KERNEL
        for number, known in enumerate(self._programs, 1):
            if known.address == program:
                return number
        raise Invalid(f"There is no program at 0x{program.hex()}.", "unknown_program")
