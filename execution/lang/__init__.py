"""
The language under plain CPython: everything a program imports.

A program is an ordinary Python module of a bundle; here its types get their meaning, `execution.compiler` gives them
the same one in WASM, and the two agree on every bit. Python's own integers do not overflow: `instrument` loads a
bundle with checked arithmetic, `sandbox` runs it. Neither is imported here.
"""

from typing import Optional

from execution.lang.ambient import block, tx
from execution.lang.containers import Map, OrderedMap
from execution.lang.decimal import Decimal
from execution.lang.feeds import DONE, RETRY, Crossing, Feed, Fill, Outcome, Quote, QuoteStatus, World, publish
from execution.lang.listing import List
from execution.lang.mathematics import erf, exp, ln, log2, norm_cdf, norm_inv, norm_pdf, pow  # noqa: A004
from execution.lang.packing import sha256
from execution.lang.program import (
    Program,
    ProgramRef,
    at_end,
    create_like,
    emit,
    external,
    hears_fills,
    hook,
    invariant,
    migrate,
    report_fill,
    resume,
    schedule,
    subscribe,
    subscribe_cross,
    subscribe_fills,
    unsubscribe,
    unsubscribe_cross,
    unsubscribe_fills,
    view,
)
from execution.lang.queue import Queue
from execution.lang.rejection import Reason, Rejected, reason, require
from execution.lang.rounding import (
    div_down,
    div_up,
    mul_div,
    mul_div_down,
    mul_div_up,
    mul_down,
    mul_up,
    sqrt,
)
from execution.lang.sequences import Array, BoundedList
from execution.lang.struct import Enum, Event, Record, Struct
from execution.lang.values import Account, Asset, Bytes32, Duration, Symbol, Timestamp

__all__ = [
    "DONE",
    "RETRY",
    "Account",
    "Array",
    "Asset",
    "BoundedList",
    "Bytes32",
    "Crossing",
    "Decimal",
    "Duration",
    "Enum",
    "Event",
    "Feed",
    "Fill",
    "List",
    "Map",
    "Optional",
    "OrderedMap",
    "Outcome",
    "Program",
    "ProgramRef",
    "Queue",
    "Quote",
    "QuoteStatus",
    "Reason",
    "Record",
    "Rejected",
    "Struct",
    "Symbol",
    "Timestamp",
    "World",
    "at_end",
    "block",
    "create_like",
    "div_down",
    "div_up",
    "emit",
    "erf",
    "exp",
    "external",
    "hears_fills",
    "hook",
    "invariant",
    "ln",
    "log2",
    "migrate",
    "mul_div",
    "mul_div_down",
    "mul_div_up",
    "mul_down",
    "mul_up",
    "norm_cdf",
    "norm_inv",
    "norm_pdf",
    "pow",
    "publish",
    "reason",
    "report_fill",
    "require",
    "resume",
    "schedule",
    "sha256",
    "sqrt",
    "subscribe",
    "subscribe_cross",
    "subscribe_fills",
    "tx",
    "unsubscribe",
    "unsubscribe_cross",
    "unsubscribe_fills",
    "view",
]
