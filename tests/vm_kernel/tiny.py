"""Tiny programs in core Python, and a chain made of them: what the kernel's tests run on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

from execution.compiler.write_names import FUNCTIONS, GLOBALS, KERNEL, MARKS_PAGES, STATE_PAGES_MAX, TAGS
from execution.vm.core import CoreFunction, Extern, Globals, Memory, core, i32, i64, load64, store64, u64
from execution.vm.core_wasm import Emitter, Names
from execution.vm.genesis import GenesisProgram, Plan
from execution.vm.host import Code
from execution.vm.kernel.words import selector
from execution.vm.machine import Machine
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
    made = Transaction(7, values["account"], lane, sequence, values["expiry"], values["gas"], values["fee"], atomic, tuple(calls))
    return unsigned(made, signer)


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
    else:
        raise reject(0x0BAD)
