"""
From a generator's steps to batches: each step a call, calls in transactions, transactions in batches, ticks as blocks.

Two ways, chosen by dice. Live: the twin runs each call at once and the generator learns the answer, the others run
the same calls as one batch in trade lanes. Sorted: steps are gathered unanswered, put into atomic, many-call, wrong
and right lanes, and every engine sorts them into phases by itself. Some calls are spoilt on the way.
"""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

from execution.compiler.abi_values import pack, unpack_result
from execution.vm.twin import Ran
from genesis.chain import Call as RawCall
from genesis.chain import SignedTransaction, Transaction, unsigned
from genesis.settling import Deposit
from tests.differential.engines import GAS_TRANSACTION, ROOT, SPEC, Difference, Engines, abi_of, path_of
from tests.differential.storm import ADDRESSES, ALL
from tests.programs.steps import START_MS, TRADERS, Answer, Ask, Call, Step, Tick, opening

CLASS_OF = {"trade": 0, "post_only": 1, "cancel": 2}
ANSWERED = ("hold", "settle")  # their generator must know how they went
BATCH_MAX = 60
PENDING = Answer(None, "pending")


class Session:
    """One seeded run of one program's generator; `calls` counts what ran."""

    def __init__(self, program: str, seed: int, calls: int) -> None:
        self.program, self.seed, self.wanted = program, seed, calls
        self.dice = random.Random(f"{program} {seed}")
        self.engines = Engines()
        self.calls = self.batches = self.deposits = 0
        self.reasons: dict[str, int] = {}
        self._sequences: dict[tuple[bytes, int], int] = {}
        self._steps = ALL[program](seed)
        self._batch: list[SignedTransaction] = []
        self._expected: list[list[Ran] | None] = []
        self._open = self._set = False

    # ---- a run

    def run(self) -> None:
        """Raises Difference, with seed, block, batch, and the calls of the batch at hand."""
        try:
            self._set_up()
            step = next(self._steps)
            while self.calls < self.wanted:
                step = self._sorted(step) if self.dice.random() < 0.25 else self._live(step)
            self._flush()
            self._seal(decode=True)
        except Difference as difference:
            raise Difference(f"{self.where()}\n{difference}\n{self._told()}") from None

    def where(self) -> str:
        return f"{self.program}, seed {self.seed}: block {self.engines.height}, batch {self.batches}, call {self.calls}"

    def _set_up(self) -> None:
        self._begin(START_MS)
        for step in opening(*self._money()):
            answer = self._take(step)
            if answer.reason:
                raise Difference(f"the opening's {step} is rejected: {answer.reason}")
        self._set = True

    def _money(self) -> tuple[int, int]:
        """Cash of each trader and insurance: little in every second run, and in storms."""
        return (2_000, 500) if self.seed % 2 or self.program == "storm" else (100_000, 50_000)

    def _live(self, step: Step) -> Step:
        """A batch whose calls the generator sees answered."""
        for _ in range(self.dice.randint(1, BATCH_MAX)):
            if isinstance(step, Tick):
                step = self._steps.send(self._take(step))
                return step
            step = self._steps.send(self._take(step))
        self._flush()
        return step

    def _take(self, step: Step) -> Answer:
        if isinstance(step, Tick):
            self._tick(step.ms)
            return Answer()
        return self._answer(step, self._one(step))

    def _one(self, step: Call | Ask) -> Ran:
        """Run a call on the twin now, and remember it for the batch of the others."""
        twin = self.engines.twin
        assert twin is not None
        if not self._open:
            twin.run(())
            self._open = True
        sender, call = packed(step)
        call = self._spoilt(call)
        ran = twin.call(sender, call)
        self._add(sender, (call,), "trade", False)
        self._expected.append([ran])
        self._count(ran)
        return ran

    def _sorted(self, step: Step) -> Step:
        """A batch of transactions in any lanes, answered to nobody."""
        self._flush()
        for _ in range(self.dice.randint(1, BATCH_MAX)):
            if isinstance(step, Tick) or step_method(step) in ANSWERED:
                break
            gathered = [step]
            step = self._steps.send(PENDING)
            while self.dice.random() < 0.5 and isinstance(step, (Call, Ask)) and step_method(step) not in ANSWERED:
                if packed(step)[0] != packed(gathered[0])[0]:
                    break
                gathered.append(step)
                step = self._steps.send(PENDING)
            meant = getattr(gathered[0], "order", "trade")
            order = meant if self.dice.random() < 0.7 else self.dice.choice([*CLASS_OF])
            calls = tuple(self._spoilt(packed(one)[1]) for one in gathered)
            self._add(packed(gathered[0])[0], calls, order, self.dice.random() < 0.5)
        twin = self.engines.twin
        assert twin is not None
        self._expected = [list(ran) for ran in twin.run(self._batch)]
        for rans in self._expected:
            for ran in rans or ():
                self._count(ran)
        self._open = True
        self._flush()
        return step

    # ---- batches and blocks

    def _begin(self, time_ms: int) -> None:
        inbox = []
        if self.dice.random() < 0.2:
            self.deposits += 1
            inbox = [Deposit(self.deposits, self.dice.choice(TRADERS).data, 0, self.dice.randint(1, 10**21), 1)]
        self.engines.open(time_ms, inbox, self.dice.choice((0, 0, 0, 0, 6000)))

    def _tick(self, ms: int) -> None:
        self._flush()
        self._seal(decode=self.engines.height % 20 == 0)
        self._begin(self.engines.time_ms + ms)
        self._empty()

    def _empty(self) -> None:
        """A batch without transactions: only what is due."""
        twin = self.engines.twin
        assert twin is not None
        twin.run(())
        self._open = True
        self._flush()

    def _flush(self) -> None:
        """What the twin has run, the others run now; the twin's next call begins the next batch."""
        if self._open:
            self.batches += 1
            self.engines.run(self._batch, self._expected)
        self._batch, self._expected, self._open = [], [], False

    def _seal(self, decode: bool) -> None:
        if self.batches == 0:
            self._empty()
        self.engines.seal(decode)

    # ---- transactions

    def _add(self, sender: bytes, calls: tuple[RawCall, ...], order: str, atomic: bool) -> None:
        lane = CLASS_OF[order] << 30
        sequence = self._sequences.get((sender, lane), 0)
        self._sequences[sender, lane] = sequence + 1
        made = Transaction(SPEC.chain_id, sender, lane, sequence, 1 << 50, GAS_TRANSACTION, 0, atomic, calls)
        self._batch.append(unsigned(made, sender))

    def _spoilt(self, call: RawCall) -> RawCall:
        """One call in forty with other bytes than its generator meant."""
        if not self._set or self.dice.random() > 0.025 or step_kept(call):
            return call
        data = bytearray(call.arguments)
        match self.dice.randrange(6):
            case 0:
                return RawCall(call.program, call.selector, bytes(data[:-8]))
            case 1:
                return RawCall(call.program, call.selector, bytes(data) + bytes(8))
            case 2:
                return RawCall(call.program, self.dice.randbytes(4), bytes(data))
            case 3:
                return RawCall(self.dice.choice((bytes(20), TRADERS[0].data)), call.selector, bytes(data))
            case 4 if data:
                data[self.dice.randrange(len(data))] ^= 1 << self.dice.randrange(8)
            case _ if data:
                at = self.dice.randrange(len(data) // 8) * 8
                data[at : at + 8] = self.dice.choice((b"\xff" * 8, bytes(7) + b"\x80", b"\xff" * 7 + b"\x7f"))
        return RawCall(call.program, call.selector, bytes(data))

    def _answer(self, step: Call | Ask, ran: Ran) -> Answer:
        if ran.reason:
            return Answer(None, ran.reason)
        result = unpack_result(abi_of(step.program).entry(step.method), ran.result)
        return Answer(SimpleNamespace(**result) if isinstance(result, dict) else result)

    def _count(self, ran: Ran) -> None:
        self.calls += 1
        self.reasons[ran.reason] = self.reasons.get(ran.reason, 0) + 1

    # ---- telling

    def _told(self) -> str:
        """Every call of the batch at hand, with the line of its source."""
        lines = []
        for number, signed in enumerate(self._batch):
            transaction = signed.transaction
            assert isinstance(transaction, Transaction)
            flags = f"lane {transaction.lane >> 30}{' atomic' if transaction.atomic else ''}"
            for call in transaction.calls:
                lines.append(f"  {number}: {flags} 0x{signed.signer.hex()[-4:]} {told(call)}")
        return "\n".join(lines)


def packed(step: Call | Ask) -> tuple[bytes, RawCall]:
    """Who sends a step, and its call; anybody asks a view."""
    entry = abi_of(step.program).entry(step.method)
    sender = step.sender if isinstance(step, Call) else TRADERS[0]
    call = RawCall(ADDRESSES[step.program].data, entry.selector.to_bytes(4, "little"), pack(entry, step.arguments))
    return sender.data, call


def told(call: RawCall) -> str:
    name = next((name for name, address in ADDRESSES.items() if address.data == call.program), "")
    entry = abi_of(name).by_selector.get(int.from_bytes(call.selector, "little")) if name else None
    if entry is None:
        return f"{name or call.program.hex()}.{call.selector.hex()}({call.arguments.hex()})"
    lines = (ROOT / path_of(name)).read_text().splitlines()
    line = next((at for at, text in enumerate(lines, 1) if text.strip().startswith(f"def {entry.name}(")), 0)
    return f"{name}.{entry.signature} {call.arguments.hex()} {path_of(name)}:{line}"


def step_method(step: Step) -> str:
    return step.method if isinstance(step, (Call, Ask)) else ""


def step_kept(call: RawCall) -> bool:
    """Calls that are never spoilt."""
    bank = abi_of("bank")
    return any(call.selector == bank.entry(name).selector.to_bytes(4, "little") for name in ANSWERED)


def summary(session: Session) -> dict[str, Any]:
    return {"calls": session.calls, "batches": session.batches, "blocks": session.engines.height, **session.reasons}
