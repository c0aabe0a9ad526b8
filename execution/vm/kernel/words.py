"""What the kernel's files share: its memories, globals, tags, tables, container functions, prices and reasons."""

from __future__ import annotations

from hashlib import sha256

from execution.vm.core import Extern, Globals, Memory, Table, parameter
from execution.vm.runtime.words import exhausted, reason, reject

__all__ = ["exhausted", "reason", "reject"]

SCRATCH = Memory("scratch")
UNDO = Memory("undo")
BEFORE = Memory("before")
STATE = Memory("state")
IO = Memory("io")

g = Globals(
    gas="i64",
    mark="i64",
    block_mark="i64",
    undo_top="i32",
    before_top="i32",
    sp="i32",
    frame="i32",
    owed="i64",
    paying="i32",
)

dispatch = Table("dispatch", ("i32", "i32", "i32"), ())
restore = Table("restore", ("i32", "i32"), ())


def _container(name: str, words: int) -> Extern:
    return Extern(name.replace(".", "_"), ("i64",) * words, ("i64",))


# Containers of the kernel's own state; all operands are words, the first is the header's address.
touch = Extern("touch", ("i64", "i64"), ())
write_record = Extern("start", ("i64",), ())
registry_find = _container("map_find.k3.v27", 4)
registry_put = _container("map_put.k3.v27", 4)
programs_at = _container("list_at.v1", 2)
programs_push = _container("list_push.v1", 1)
signers_find = _container("map_find.k3.v2", 4)
signers_put = _container("map_put.k3.v2", 4)
lanes_find = _container("map_find.k4.v1", 5)
lanes_put = _container("map_put.k4.v1", 5)
feeds_find = _container("map_find.k1.v60", 2)
feeds_put = _container("map_put.k1.v60", 2)
moved_put = _container("map_put.k1.v1", 2)
moved_drop = _container("map_drop.k1.v1", 2)
subscribers_put = _container("map_put.k2.v1", 3)
subscribers_drop = _container("map_drop.k2.v1", 3)
schedules_put = _container("omap_put.d.v2", 3)
schedules_drop = _container("omap_drop.d.v2", 3)
due_put = _container("map_put.k4.v2", 5)
due_drop = _container("map_drop.k4.v2", 5)
creations_put = _container("map_put.k1.v80", 2)
creations_drop = _container("map_drop.k1.v80", 2)
failures_put = _container("map_put.k2.v4", 3)
waiting_find = _container("map_find.k4.v3", 5)
waiting_put = _container("map_put.k4.v3", 5)
waiting_drop = _container("map_drop.k4.v3", 5)
later_put = _container("omap_put.d.v1", 3)
later_drop = _container("omap_drop.d.v1", 3)
lines_find = _container("map_find.k1.v3", 2)
lines_put = _container("map_put.k1.v3", 2)
lines_drop = _container("map_drop.k1.v3", 2)
crossings_find = _container("map_find.k1.v9", 2)
crossings_put = _container("map_put.k1.v9", 2)
crossings_drop = _container("map_drop.k1.v9", 2)
crossers_put = _container("map_put.k1.v1", 2)
crossers_drop = _container("map_drop.k1.v1", 2)
levels_find = _container("omap_find.d.v2", 3)
levels_put = _container("omap_put.d.v2", 3)
levels_drop = _container("omap_drop.d.v2", 3)
levels_from = _container("omap_ceil.d.v2", 3)
levels_after = _container("omap_after.d.v2", 3)
sweeps_find = _container("map_find.k1.v8", 2)
sweeps_put = _container("map_put.k1.v8", 2)
sweeps_drop = _container("map_drop.k1.v8", 2)
listeners_find = _container("map_find.k2.v18", 3)
listeners_put = _container("map_put.k2.v18", 3)
listeners_drop = _container("map_drop.k2.v18", 3)
fills_push = _container("queue_push.v10", 1)
fills_pop = _container("queue_pop.v10", 1)
fills_free = Extern("queue_free_v10", ("i64",), ())
mul_d = Extern("mul_d", ("i64", "i64", "i64", "i64"), ("i64", "i64"))

KERNEL_ACCOUNT_WORD2 = 0x01 << 24
"""Third word of the account 0x00 … 01: bytes 16 to 19 and four of padding, little-endian."""

# Where the value of an entry starts: behind 16 bytes of links and the key words.
VALUE_K1 = 24
VALUE_K2 = 32
VALUE_K3 = 40
VALUE_K4 = 48


def selector(signature: str) -> int:
    """The number of an entry: the first 4 bytes of its signature's SHA-256, little-endian."""
    return int.from_bytes(sha256(signature.encode()).digest()[:4], "little")


REASONS = (
    "overflow", "division by zero", "missing key", "key exists", "empty", "index out of range", "out of gas",
    "call depth", "on the stack", "unknown program", "unknown entry", "order class", "bad argument",
    "changed while iterating", "read only", "trap", "too many events", "state full",
    "not authorised", "invalid number", "expired", "sequence used", "sequence gap", "too many lanes",
    "gas too low", "gas too high", "block full", "fee unpayable", "too many subscribers", "too many handlers",
    "atomic", "list is full", "storage deposit unpayable", "too many crossings", "too many schedules",
    "too many programs", "upgrade pending", "no upgrade pending", "layout",
)  # fmt: skip
"""Texts of the reasons that kernel and runtime give; receipts carry the word, the host puts the text back."""

OUT_OF_GAS = reason("out of gas")
DEEP = reason("call depth")
ON_STACK_REASON = reason("on the stack")
UNKNOWN_PROGRAM = reason("unknown program")
BAD_ARGUMENT = reason("bad argument")
UNKNOWN_ENTRY = reason("unknown entry")
READ_ONLY = reason("read only")
TRAP = reason("trap")
TOO_MANY_EVENTS = reason("too many events")
NOT_AUTHORISED = reason("not authorised")
EXPIRED = reason("expired")
SEQUENCE_USED = reason("sequence used")
SEQUENCE_GAP = reason("sequence gap")
TOO_MANY_LANES = reason("too many lanes")
GAS_TOO_LOW = reason("gas too low")
GAS_TOO_HIGH = reason("gas too high")
BLOCK_FULL = reason("block full")
FEE_UNPAYABLE = reason("fee unpayable")
DEPOSIT_UNPAYABLE = reason("storage deposit unpayable")
TOO_MANY_SUBSCRIBERS = reason("too many subscribers")
TOO_MANY_HANDLERS = reason("too many handlers")
TOO_MANY_CROSSINGS = reason("too many crossings")
TOO_MANY_SCHEDULES = reason("too many schedules")
KEY_EXISTS = reason("key exists")
ATOMIC = reason("atomic")
TOO_MANY_PROGRAMS = reason("too many programs")
UPGRADE_PENDING = reason("upgrade pending")
NO_UPGRADE_PENDING = reason("no upgrade pending")
LAYOUT = reason("layout")

HOLD = selector("hold(account,decimal,decimal)")
SETTLE = selector("settle(account,decimal,decimal)")
SET_ADMIN = selector("set_admin(account,account)")
SET_TIME_LOCK = selector("set_time_lock(account,duration)")
CANCEL_UPGRADE = selector("cancel_upgrade(account)")
KERNEL_ENTRIES = {SET_ADMIN: 6, SET_TIME_LOCK: 4, CANCEL_UPGRADE: 3}
"""What the kernel itself can be asked at its own address: argument words by selector; there are no results."""
MAY_ACT = selector("may_act(account,account,account,timestamp)")
CHECK_INVARIANTS = selector("@invariants()")
"""The entry that the compiler makes of a program's invariants; no name in a source can be its name."""

# Prices in gas, constants of generation from the chain's table. Compiled code itself charges invoke, emit, at_end,
# service and try before it asks.
EMIT_BASE = parameter("emit_base")
EMIT_WORD = parameter("emit_word")
CALL_BASE = parameter("call_base")
ARGUMENT_WORD = parameter("argument_word")
HOOK_BASE = parameter("hook_base")
REJECT = parameter("reject")
PROBE = parameter("probe")
SHA256_BLOCK = parameter("sha256_block")
INSTANCE = parameter("instance")
PRICES = ("emit_base", "emit_word", "call_base", "argument_word", "hook_base", "reject", "probe", "sha256_block")

SYSTEM_GAS = 1 << 40
"""What the kernel gives itself for its own bookkeeping; bounded by construction, never charged."""
