"""Tiny programs in core Python, and a chain made of them: what the kernel's tests run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from execution.compiler.write_names import FUNCTIONS, GLOBALS, KERNEL, MARKS_PAGES, STATE_PAGES_MAX, TAGS
from execution.executor import BatchResult, Opening, Outcome, Sealed
from execution.vm.core import CoreFunction, Extern, Globals, Memory, core, grow, i32, i64, load64, store64
from execution.vm.core_wasm import Emitter, Names
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.host import Code
from execution.vm.kernel.words import selector
from execution.vm.machine import Machine
from execution.vm.packing import pack_address
from execution.vm.runtime import emit_runtime
from execution.vm.runtime.words import exhausted, reject
from execution.wasm import ModuleBuilder
from genesis.chain import Call, SignedTransaction, Transaction, unsigned
from genesis.gas import GAS_TABLE
from genesis.spec import ChainSpec, Validator

STATE = Memory("state")
SCRATCH = Memory("scratch")
HEAP = 1024
CELL = 128
g = Globals(gas="i64", sp="i32", frame="i32", mark="i64")

call = Extern("call", ("i64", "i64", "i64", "i32", "i32", "i32", "i32", "i64", "i32"), ())
open_savepoint = Extern("open_savepoint", (), ())
keep_savepoint = Extern("keep_savepoint", (), ())
undo_savepoint = Extern("undo_savepoint", (), ())
emit = Extern("emit", ("i32", "i32", "i32"), ())
at_end = Extern("at_end", ("i32", "i64", "i64", "i64"), ())
service = Extern("service", ("i32", "i32"), ())
touch = Extern("touch", ("i64", "i64"), ())
WORDS: dict[str, tuple[int, int]] = {}
"""Entries of all tiny programs: signature → argument words, result words."""


def entry(signature: str, arguments: int, results: int) -> int:
    """Declare an entry; its selector."""
    WORDS[signature] = (arguments, results)
    number = selector(signature)
    return number - (1 << 32) if number >= 1 << 31 else number


def wasm_of(dispatch: CoreFunction[..., Any]) -> bytes:
    """A program module around a dispatch function."""
    builder = ModuleBuilder()
    shared = ("scratch", "undo", "before")
    memories = {name: builder.import_memory(KERNEL, name, 1) for name in shared}
    variables = {
        name: builder.import_global(KERNEL, name, kind, mutable=name != "self_index") for name, kind in GLOBALS.items()
    }
    tags = {name: builder.import_tag(KERNEL, name, kinds) for name, kinds in TAGS.items()}
    imported = {name: builder.import_function(KERNEL, name, kinds, ()) for name, kinds in FUNCTIONS.items()}
    memories["state"] = builder.memory(1, STATE_PAGES_MAX)
    memories["marks"] = builder.memory(MARKS_PAGES, MARKS_PAGES)
    prices = dict(GAS_TABLE)
    runtime = emit_runtime(builder, Names(memories, variables, tags), ("touch", "restore", "start"), prices)
    start = builder.function((), (), (), [("i64.const", HEAP), ("call", runtime["start"])])
    emitter = Emitter(builder, Names(memories, variables, tags, {}, imported | runtime))
    builder.export("dispatch", "function", emitter.function(dispatch))
    builder.export("restore", "function", runtime["restore"])
    builder.export("start", "function", start)
    for name in ("state", "marks"):
        builder.export(name, "memory", memories[name])
    return builder.encode()


def code_of(name: str, dispatch: CoreFunction[..., Any]) -> Code:
    wasm = wasm_of(dispatch)
    entries = {selector(signature).to_bytes(4, "little"): words for signature, words in WORDS.items()}
    return Code(name, wasm, sha256(wasm).digest(), "{}", entries)


SPEC = ChainSpec(
    chain_id=7,
    admin=b"a" * 20,
    fee_account=b"f" * 20,
    reporters=(),
    validators=(Validator(b"v" * 20, 1),),
    assets=("USD",),
    allocations=(),
)


def spec(**changes: Any) -> ChainSpec:
    return replace(SPEC, **changes)


def address(number: int) -> bytes:
    """Of the number-th program, counted from 0."""
    return bytes([0xC0 + number]) * 20


def planned(number: int, dispatch: CoreFunction[..., Any], role: Any = "") -> GenesisProgram:
    return GenesisProgram(code_of(f"tiny{number}", dispatch), address(number), None, bytes(4), role)


def plan(*programs: GenesisProgram) -> Plan:
    return Plan(programs)


def machine(*programs: GenesisProgram, of: ChainSpec = SPEC) -> Machine:
    """A machine after genesis with these programs."""
    made = Machine(lambda _: plan(*programs))
    made.genesis(of)
    return made


def call_of(program: int, signature: str, *words: int, gas: int = 0) -> Call:
    arguments = b"".join((word & (1 << 64) - 1).to_bytes(8, "little") for word in words)
    return Call(address(program), selector(signature).to_bytes(4, "little"), arguments, gas)


def transaction(
    calls: Sequence[Call], sequence: int, signer: bytes = b"s" * 20, lane: int = 0, atomic: bool = False, **fields: Any
) -> SignedTransaction:
    values: dict[str, Any] = {"expiry": 1 << 50, "gas": 1_000_000, "fee": 0, "account": signer} | fields
    v = values
    made = Transaction(7, v["account"], lane, sequence, v["expiry"], v["gas"], v["fee"], atomic, tuple(calls))
    return unsigned(made, signer)


class Node:
    """A machine whose blocks and sequences count themselves."""

    def __init__(self, *programs: GenesisProgram, of: ChainSpec = SPEC) -> None:
        self.machine = machine(*programs, of=of)
        self.height = 1
        self.next: dict[tuple[bytes, int], int] = {}

    @property
    def opening(self) -> Opening:
        return Opening(self.height, 1000 * self.height, 0, b"", ())

    def signed(self, *calls: Call, signer: bytes = b"s" * 20, lane: int = 0, **fields: Any) -> SignedTransaction:
        sequence = self.next.get((signer, lane), 0)
        self.next[signer, lane] = sequence + 1
        return transaction(calls, sequence, signer, lane, **fields)

    def run(self, *batch: SignedTransaction) -> BatchResult:
        return self.machine.apply(self.opening, batch)

    def one(self, *calls: Call, **fields: Any) -> Outcome:
        """The outcome of a transaction of its own."""
        return self.run(self.signed(*calls, **fields)).outcomes[0]

    def seal(self) -> Sealed:
        self.height += 1
        return self.machine.seal()

    def cell(self, program: int, place: int = CELL) -> int:
        return int.from_bytes(self.machine.memory(address(program))[place : place + 8], "little", signed=True)


def word(result: bytes) -> int:
    return int.from_bytes(result[:8], "little", signed=True)


def target(program: int) -> tuple[int, int, int]:
    return pack_address(address(program))


# One program for most tests: a cell, and calls into others.

SET = entry("set(int)", 1, 1)
GET = entry("get()", 0, 1)
FAIL = entry("fail(int)", 1, 0)
SPIN = entry("spin()", 0, 0)
TRAP = entry("trap()", 0, 0)
FAR = entry("far(int,int)", 2, 0)
RELAY = entry("relay(account,int,int)", 5, 1)
TOLERATE = entry("tolerate(account,int,int)", 5, 1)
QUEUE = entry("queue(account)", 3, 0)
QUEUED = entry("queued(account)", 3, 0)
GROW = entry("grow(int)", 1, 0)
SUBSCRIBE = entry("subscribe(int,int)", 2, 0)
SCHEDULE = entry("schedule(int,int)", 2, 0)
PUBLISH = entry("publish(int,int)", 2, 0)
ON_PRICE = entry("on_price(int)", 1, 0)
ON_TIME = entry("on_time(int)", 1, 0)
ON_FAIL = entry("on_fail(int)", 1, 0)
ON_RETRY = entry("on_retry(int)", 1, 0)
TAKE = entry("take(int)", 1, 1)
WALK = entry("walk(int,int)", 2, 0)
VENUE = 0xC0C0C0C0C0C0C0C0 - (1 << 64)
VENUE_END = 0xC0C0C0C0


@core()
def relay(args: i32, cap: i64) -> None:
    """Call entry args[3] of program args[0..2] with one word, args[4]; its word comes back in args[0]."""
    to = g.sp
    store64(SCRATCH, to, load64(SCRATCH, args + 32))
    g.sp = to + 8
    call(
        load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16), i32(load64(SCRATCH, args + 24)),
        to, 1, 0, cap, 0,
    )  # fmt: skip
    g.sp = to
    store64(SCRATCH, args, load64(SCRATCH, to))


@core()
def tolerate(args: i32) -> None:
    """relay under a savepoint with 200,000 gas; the reason of a refusal comes back in args[0]."""
    open_savepoint()
    try:
        relay(args, 200_000)
    except reject as refusal:
        undo_savepoint()
        store64(SCRATCH, args, refusal.value)
        return
    keep_savepoint()


@core()
def put(address: i64, value: i64) -> None:
    touch(address, 8)
    store64(STATE, address, value)


@core()
def hook(which: i32, args: i32) -> None:
    """The handlers; what they return stands in args[0]: 0 done, 1 retry."""
    if which == ON_PRICE:
        put(CELL, load64(SCRATCH, args + 8))
        to = g.sp
        store64(SCRATCH, to, 1)
        g.sp = to + 8
        call(VENUE, VENUE, VENUE_END, TAKE, to, 1, 0, -1, 0)
        g.sp = to
        store64(SCRATCH, args, 0)
    elif which == ON_TIME:
        put(CELL, load64(STATE, CELL) + load64(SCRATCH, args))
        store64(SCRATCH, args, 0)
    elif which == ON_RETRY:
        put(CELL, load64(STATE, CELL) + 1)
        store64(SCRATCH, args, 1)
    else:
        put(CELL, load64(STATE, CELL) + 1)
        raise reject(0x0FA1)


@core()
def ask(which: i32, args: i32) -> None:
    """Services."""
    if which == PUBLISH:
        to = g.sp
        g.sp = to + 56
        store64(SCRATCH, to, load64(SCRATCH, args))
        store64(SCRATCH, to + 8, load64(SCRATCH, args + 8))
        for i in range(2, 5):
            store64(SCRATCH, to + i32(8 * i), 0)
        store64(SCRATCH, to + 40, load64(SCRATCH, 0))
        store64(SCRATCH, to + 48, 60_000)
        service(1, to)
        g.sp = to
    elif which == SUBSCRIBE:
        service(2, args)
    else:
        service(4, args)


@core()
def walk(seed: i64, depth: i64) -> None:
    """Write, call the next program under a savepoint, fail: all as the seed says."""
    x = seed
    for _ in range(4):
        x = step(x)
        if x & 3:
            put(CELL + (x & 0x1FF8), x)
        elif depth < 2:
            open_savepoint()
            try:
                to = g.sp
                store64(SCRATCH, to, x)
                store64(SCRATCH, to + 8, depth + 1)
                g.sp = to + 16
                near = VENUE + 0x0101010101010101 * (depth + 1)
                call(near, near, near & 0xFFFFFFFF, WALK, to, 2, 0, -1, 0)
                g.sp = to
                keep_savepoint()
            except reject as refusal:
                undo_savepoint()
                put(CELL + (x & 0x1FF8), refusal.value)
    if step(x) & 3 == 0:
        raise reject(x)


@core()
def step(x: i64) -> i64:
    """A linear congruence, its high bits folded down."""
    y = x * 6364136223846793005 + 1442695040888963407
    return y ^ (y >> 29 & 0xFFFF)


@core()
def dispatch(which: i32, args: i32, flags: i32) -> None:
    g.gas -= 100
    if g.gas < 0:
        raise exhausted()
    if which == SET:
        old = load64(STATE, CELL)
        put(CELL, load64(SCRATCH, args))
        store64(SCRATCH, args, old)
    elif which == GET:
        store64(SCRATCH, args, load64(STATE, CELL))
    elif which == FAIL:
        put(CELL, -1)
        raise reject(load64(SCRATCH, args))
    elif which == SPIN:
        put(CELL, -1)
        while True:
            g.gas -= 10
            if g.gas < 0:
                raise exhausted()
    elif which == TRAP:
        put(CELL, -1)
        store64(STATE, 0xFFFFFFF0, 1)
    elif which == FAR:
        put(load64(SCRATCH, args), load64(SCRATCH, args + 8))
    elif which == RELAY:
        put(CELL, load64(STATE, CELL) + 1)
        relay(args, -1)
    elif which == TOLERATE:
        tolerate(args)
    elif which == QUEUE:
        at_end(QUEUED, load64(SCRATCH, args), load64(SCRATCH, args + 8), load64(SCRATCH, args + 16))
    elif which == QUEUED:
        put(CELL, load64(STATE, CELL) + 1000)
        emit(7, args, 3)
    elif which == GROW:
        if grow(STATE, load64(SCRATCH, args)) < 0:
            raise reject(0x0BAD)
        put(65_536, 77)
    elif which == TAKE:
        old = load64(STATE, CELL)
        if old == load64(SCRATCH, args):
            put(CELL, -load64(SCRATCH, args))
        store64(SCRATCH, args, old)
    elif which == WALK:
        walk(load64(SCRATCH, args), load64(SCRATCH, args + 8))
    elif which == SUBSCRIBE or which == SCHEDULE or which == PUBLISH:  # noqa: SIM109
        ask(which, args)
    elif which == ON_PRICE or which == ON_TIME or which == ON_FAIL or which == ON_RETRY:  # noqa: SIM109
        hook(which, args)
    else:
        raise reject(0x0BAD)
