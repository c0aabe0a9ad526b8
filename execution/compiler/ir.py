"""
The typed intermediate representation: what `lower` writes, `optimise` rewrites, `write` turns into WASM and
`interpret` runs.

Structured (no jumps but leaving a labelled block), over registers of two kinds: "w", a signed 64-bit word, and "d", a
signed 128-bit decimal counting 10⁻¹⁸. Everything larger (accounts, structs, optionals) is flattened into registers by
`lower`. Meaning of every operation: the table OPS. The text form and the checker stand in `ir_text` and `ir_check`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["w", "d"]


class Reg(NamedTuple):
    """
    A function's local register; assigned any number of times, zero before the first. A tuple, since passes keep most of
    what they know by register and a tuple's hash is Python's own.
    """

    number: int
    kind: Kind


@dataclass(frozen=True, slots=True)
class Const:
    """A literal: a word in [−2⁶³, 2⁶³), or a decimal's raw value in [−2¹²⁷, 2¹²⁷)."""

    value: int
    kind: Kind


Operand = Reg | Const


@dataclass(frozen=True, slots=True)
class Op:
    """A pure or checked operation of OPS; a checked one may reject."""

    name: str
    out: tuple[Reg, ...]
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """Read state memory at address + offset: 8 bytes into a word, 16 into a decimal, an unsigned u32 (size 4) too."""

    out: Reg
    address: Operand
    offset: int
    size: int = 8
    line: int = 0


@dataclass(frozen=True, slots=True)
class Store:
    """Write state memory. The bytes must have been touched since the last mark moved."""

    address: Operand
    offset: int
    value: Operand
    size: int = 8
    line: int = 0


@dataclass(frozen=True, slots=True)
class Touch:
    """Journal the lines of [address + offset, + size) unless saved under the current mark; charges each line saved."""

    address: Operand
    offset: int
    size: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class ScratchLoad:
    """Read an 8-byte word of the scratch memory (packed arguments of an entry)."""

    out: Reg
    address: Operand
    offset: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class ScratchStore:
    address: Operand
    offset: int
    value: Operand
    line: int = 0


@dataclass(frozen=True, slots=True)
class Reserve:
    """Take `size` bytes of scratch from the stack pointer on: their address. They are not zeroed."""

    out: Reg
    size: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class Release:
    """Give back everything reserved at this address and after it. A rejection leaves that to the savepoint."""

    address: Operand
    line: int = 0


@dataclass(frozen=True, slots=True)
class Context:
    """
    Read the ambient context: name is one of CONTEXT.

    In a world other than 0 `time` is shifted and `sender`, `signer` are zero.
    """

    out: tuple[Reg, ...]
    name: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class CallFunction:
    """Call a function of the same module."""

    out: tuple[Reg, ...]
    function: str
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Runtime:
    """Call a specialised container function, e.g. "map_find.k3.v4"; all operands are words (see vm/layout.py)."""

    out: tuple[Reg, ...]
    name: str
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Invoke:
    """
    Call an entry of another program.

    target: three words; args: packed words in order, decimals as one "d" operand; gas: cap or None (no cap);
    world: the six words of a World (number, price as d, volatility as d, shift) as 4 operands, or () for none.
    """

    out: tuple[Reg, ...]
    target: tuple[Operand, Operand, Operand]
    selector: int
    args: tuple[Operand, ...]
    gas: Operand | None
    world: tuple[Operand, ...]
    view: bool
    line: int = 0


@dataclass(frozen=True, slots=True)
class Emit:
    """Append an event; args are its fields flattened, decimals as one operand."""

    event: int
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class AtEnd:
    """Queue an internal handler (by selector of its hook entry) for an account at the end of the outermost call."""

    selector: int
    account: tuple[Operand, Operand, Operand]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Service:
    """Ask the kernel: name is one of SERVICES; args and out are flattened values."""

    out: tuple[Reg, ...]
    name: str
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Reject:
    """Fail with a reason word: a Const, or the register of a caught refusal. Ends the block."""

    reason: Operand
    line: int = 0


@dataclass(frozen=True, slots=True)
class If:
    condition: Operand
    then: Block
    other: Block
    line: int = 0


@dataclass(frozen=True, slots=True)
class Scope:
    """A labelled block; `Leave(label)` inside continues after it."""

    label: int
    body: Block
    line: int = 0


@dataclass(frozen=True, slots=True)
class Loop:
    """Repeats its body until it is left by a Leave of an enclosing Scope, a Return or a Reject."""

    body: Block
    line: int = 0


@dataclass(frozen=True, slots=True)
class Leave:
    label: int
    line: int = 0


@dataclass(frozen=True, slots=True)
class Try:
    """
    Run body under a savepoint. Its normal end keeps the savepoint; a rejection inside undoes it, puts the reason into
    `reason` and runs the handler; registers keep their values. A Leave or Return that crosses the Try stands right
    after a Keep.
    """

    body: Block
    reason: Reg
    handler: Block
    line: int = 0


@dataclass(frozen=True, slots=True)
class Keep:
    """Keep the innermost savepoint, before control leaves its Try."""

    line: int = 0


@dataclass(frozen=True, slots=True)
class Return:
    args: tuple[Operand, ...]
    line: int = 0


@dataclass(frozen=True, slots=True)
class Gas:
    """Charge a basic block; put in by the last pass of `optimise`."""

    amount: int
    line: int = 0


Instruction = (
    Op | Load | Store | Touch | ScratchLoad | ScratchStore | Reserve | Release | Context
    | CallFunction | Runtime | Invoke | Emit | AtEnd
    | Service | Reject | If | Scope | Loop | Leave | Try | Keep | Return | Gas
)  # fmt: skip
Block = tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """params are the first registers; results the kinds a Return gives."""

    name: str
    params: tuple[Reg, ...]
    results: tuple[Kind, ...]
    registers: tuple[Kind, ...]
    body: Block
    line: int = 0


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry point: `function` takes the scratch address of its packed arguments, and writes results there."""

    selector: int
    function: str
    order: int  # 0 cancel, 1 post_only, 2 trade
    view: bool
    hook: bool  # reachable by the kernel only


@dataclass(frozen=True, slots=True)
class Module:
    """heap: first byte after the fields, a multiple of 1,024."""

    name: str
    functions: tuple[Function, ...]
    entries: tuple[Entry, ...]
    heap: int


CONTEXT: dict[str, tuple[Kind, ...]] = {
    "time": ("w",),
    "height": ("w",),
    "gap": ("w",),
    "world": ("w",),
    "sender": ("w", "w", "w"),
    "signer": ("w", "w", "w"),
    "me": ("w", "w", "w"),
}

# name → (argument kinds, result kinds)
SERVICES: dict[str, tuple[tuple[Kind, ...], tuple[Kind, ...]]] = {
    "quote": (("w",), ("w", "d", "d", "w", "w")),  # feed → the five fields of Quote
    "publish": (("w", "d", "d", "w", "w"), ()),  # feed, price, confidence, time, max_age_ms
    "subscribe": (("w", "w"), ()),  # feed, selector
    "unsubscribe": (("w", "w"), ()),
    "schedule": (("w", "w"), ()),  # time_ms, selector
    "derive": (("w", "w", "w", "w"), ("w", "w", "w")),  # account, number → the account derived from them
    "invariants": ((), ()),  # at the start of an entry: the program's invariants hold when the outermost call ends
    "subscribe_cross": (("w", "d", "w", "w"), ("w",)),  # feed, level, 0 above or 1 below, selector → number
    "unsubscribe_cross": (("w",), ("w",)),  # number → whether it had not run yet
    "subscribe_fills": (("w", "w", "w", "w"), ()),  # venue, selector
    "unsubscribe_fills": (("w", "w", "w"), ()),
    "hears_fills": (("w", "w", "w"), ("w",)),  # owner → whether it listens to the calling venue
    "report_fill": (("w", "w", "w", "w", "w", "w", "d", "d", "d"), ()),  # owner; of the Fill market … fee
    "resume": (("w", "w", "w"), ()),  # program whose purse was filled
}

# name → (argument kinds, result kinds). "checked" operations reject with the built-in reason named in the comment.
OPS: dict[str, tuple[tuple[Kind, ...], tuple[Kind, ...]]] = {
    "copy.w": (("w",), ("w",)),
    "copy.d": (("d",), ("d",)),
    "add.w": (("w", "w"), ("w",)),  # overflow
    "sub.w": (("w", "w"), ("w",)),
    "mul.w": (("w", "w"), ("w",)),
    "floordiv.w": (("w", "w"), ("w",)),  # division by zero, overflow
    "mod.w": (("w", "w"), ("w",)),
    "neg.w": (("w",), ("w",)),
    "abs.w": (("w",), ("w",)),
    "min.w": (("w", "w"), ("w",)),
    "max.w": (("w", "w"), ("w",)),
    "address.w": (("w", "w"), ("w",)),  # unchecked sum of a state address and a small offset
    "add.d": (("d", "d"), ("d",)),  # overflow
    "sub.d": (("d", "d"), ("d",)),
    "mul.d": (("d", "d"), ("d",)),  # half even
    "mul_up.d": (("d", "d"), ("d",)),
    "mul_down.d": (("d", "d"), ("d",)),
    "div.d": (("d", "d"), ("d",)),  # half even; division by zero, overflow
    "div_up.d": (("d", "d"), ("d",)),
    "div_down.d": (("d", "d"), ("d",)),
    "mul_div.d": (("d", "d", "d"), ("d",)),  # a·b/c half even
    "mul_div_up.d": (("d", "d", "d"), ("d",)),
    "mul_div_down.d": (("d", "d", "d"), ("d",)),
    "floordiv.d": (("d", "d"), ("d",)),  # floor(a/b) as an integer decimal
    "mod.d": (("d", "d"), ("d",)),  # sign of the divisor, as in Python
    "neg.d": (("d",), ("d",)),
    "abs.d": (("d",), ("d",)),
    "min.d": (("d", "d"), ("d",)),
    "max.d": (("d", "d"), ("d",)),
    "sqrt.d": (("d",), ("d",)),  # floor at the last place; negative: "invalid number"
    "exp.d": (("d",), ("d",)),  # overflow; this and those below: execution.mathematics
    "ln.d": (("d",), ("d",)),  # invalid number
    "log2.d": (("d",), ("d",)),
    "pow.d": (("d", "d"), ("d",)),  # overflow, division by zero, invalid number
    "norm_pdf.d": (("d",), ("d",)),
    "norm_cdf.d": (("d",), ("d",)),
    "norm_inv.d": (("d",), ("d",)),  # invalid number
    "erf.d": (("d",), ("d",)),
    "div_int.w": (("w", "w"), ("d",)),  # int / int, half even; division by zero
    "to_d.w": (("w",), ("d",)),  # exact
    "floor.d": (("d",), ("w",)),  # overflow
    "ceil.d": (("d",), ("w",)),
    "round.d": (("d",), ("w",)),  # half even
    "low.d": (("d",), ("w",)),  # low 64 bits, as a signed word
    "high.d": (("d",), ("w",)),
    "join.d": (("w", "w"), ("d",)),  # low, high
    "eq.w": (("w", "w"), ("w",)),
    "ne.w": (("w", "w"), ("w",)),
    "lt.w": (("w", "w"), ("w",)),
    "le.w": (("w", "w"), ("w",)),
    "gt.w": (("w", "w"), ("w",)),
    "ge.w": (("w", "w"), ("w",)),
    "eq.d": (("d", "d"), ("w",)),
    "ne.d": (("d", "d"), ("w",)),
    "lt.d": (("d", "d"), ("w",)),
    "le.d": (("d", "d"), ("w",)),
    "gt.d": (("d", "d"), ("w",)),
    "ge.d": (("d", "d"), ("w",)),
    "not.w": (("w",), ("w",)),  # 1 when zero, else 0
    "and.w": (("w", "w"), ("w",)),  # of two truth values, both evaluated
    "or.w": (("w", "w"), ("w",)),
}
