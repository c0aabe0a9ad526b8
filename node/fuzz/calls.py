"""
What is done with the programs of a case: deployments, reports of prices, transactions in all lanes, time that passes.

Most calls fit their entry; some have other bytes, another target, a selector nobody has. A starved batch gives its
transactions little gas, or its calls small caps.
"""

from __future__ import annotations

from dataclasses import replace

from execution.compiler import types as t
from execution.compiler.selector import selector
from node.fuzz.building import ORACLE_AT
from node.fuzz.case import Block, Call, Case, Program, Sent
from node.fuzz.dice import Dice
from node.fuzz.generator import path_of, written
from node.fuzz.shape import Method, Shape
from node.fuzz.stepping import address_of
from node.fuzz.values import ACCOUNTS, FEEDS, START_MS, account_words, decimal_words, packed

CALLS_PER_PROGRAM = 22
INLINED_CHANCE = 0.1
BATCH_MAX = 10
BASE_GAS = 21_000
REPORT = (t.FEED, t.DECIMAL, t.DECIMAL, t.TIMESTAMP, t.DURATION)


def made(name: str) -> Case:
    """The case of this name: its sources and its calls."""
    dice = Dice(name)
    sources = written(dice)
    programs = tuple(Program(path_of(shape), _create(dice, shape)) for shape in sources.shapes)
    return Case(name, sources.files, programs, _Calls(dice, sources.shapes).blocks(), dice.odd(INLINED_CHANCE))


def _create(dice: Dice, shape: Shape) -> bytes:
    """References to the programs meant; rarely to others."""
    words: list[int] = []
    for other in shape.refs.values():
        number = int(other.name[1:]) if dice.odd(0.9) else int(dice.random() * 5)
        words += account_words(address_of(number))
    return image(words)


def image(words: list[int]) -> bytes:
    return b"".join((word & (1 << 64) - 1).to_bytes(8, "little") for word in words)


class _Calls:
    def __init__(self, dice: Dice, shapes: tuple[Shape, ...]) -> None:
        self.dice, self.shapes = dice, shapes
        self.time_ms = START_MS
        entries = [(number, m) for number, shape in enumerate(shapes) for m in shape.methods]
        self.entries = [(number, m) for number, m in entries if m.kind in ("external", "external", "view")]
        self.others = [(number, m) for number, m in entries if m.kind in ("hook", "handler")]

    def blocks(self) -> tuple[Block, ...]:
        """All programs in the first block, mostly; then batches until there are calls enough."""
        dice, count = self.dice, len(self.shapes)
        late = count - 1 if count > 1 and dice.odd(0.15) else count
        left = int(CALLS_PER_PROGRAM * count * (0.7 + 0.6 * dice.random()))
        blocks: list[Block] = []
        while left > 0:
            deployed = tuple(range(late)) if not blocks else tuple(range(late, count)) if len(blocks) == 1 else ()
            batches = tuple(self.batch(bool(blocks) or number > 0) for number in range(2 + int(dice.random() * 2)))
            if blocks and dice.odd(0.3):
                batches = (*batches, self.starved())
            left -= sum(len(sent.calls) for batch in batches for sent in batch)
            blocks.append(self._block(deployed, batches))
        return tuple(blocks)

    def _block(self, deployed: tuple[int, ...], batches: tuple[tuple[Sent, ...], ...]) -> Block:
        self.time_ms += self.dice.pick((250, 250, 1000, 1000, 60_000))
        return Block(self.time_ms, self.dice.pick((0, 0, 0, 0, 6000)), deployed, batches)

    def batch(self, busy: bool) -> tuple[Sent, ...]:
        """An empty batch runs what is due, and nothing else."""
        if busy and self.dice.odd(0.1):
            return ()
        sent = [self.sent() for _ in range(2 + int(self.dice.random() * BATCH_MAX))]
        if self.dice.odd(0.4):
            sent.insert(int(self.dice.random() * len(sent)), self.report())
        return tuple(sent)

    def sent(self, gas: int = 0) -> Sent:
        dice = self.dice
        count = dice.weighed(((6, 1), (2, 2), (1, 3)))
        calls = tuple(self.call() for _ in range(count))
        order = dice.weighed(((6, 0), (1, 1), (1, 2)))
        return Sent(dice.pick(ACCOUNTS), order, dice.odd(0.5), calls, gas)

    def starved(self) -> tuple[Sent, ...]:
        dice, found = self.dice, []
        for _ in range(3 + int(dice.random() * BATCH_MAX)):
            amount = int(dice.random() * 10 ** dice.pick((3, 3, 4, 4, 5, 7)))
            sent = self.sent(0 if dice.odd(0.3) else BASE_GAS + amount)
            if not sent.gas:
                sent = replace(sent, calls=tuple(replace(call, gas=1 + amount) for call in sent.calls))
            found.append(sent)
        return tuple(found)

    def call(self) -> Call:
        dice = self.dice
        number, method = dice.pick(self.entries)
        if self.others and dice.odd(0.01):
            number, method = dice.pick(self.others)
        call = Call(address_of(number), selector_of(method), packed(dice, tuple(of for _, of in method.parameters)))
        return self.spoilt(call) if dice.odd(0.02) else call

    def spoilt(self, call: Call) -> Call:
        """Bytes that do not fit: too short, too long, no such entry, no such program."""
        match int(self.dice.random() * 4):
            case 0:
                return Call(call.program, call.selector, call.arguments[:-8])
            case 1:
                return Call(call.program, call.selector, call.arguments + bytes(8))
            case 2:
                return Call(call.program, self.dice.randbytes(4), call.arguments)
            case _:
                return Call(address_of(9), call.selector, call.arguments)

    def report(self) -> Sent:
        """A price of a feed, by anybody; now and then nonsense."""
        dice = self.dice
        raw = dice.raw() if dice.odd(0.1) else (90 + int(dice.random() * 20)) * 10**18
        words = [int(dice.random() * FEEDS), *decimal_words(raw), *decimal_words(10**16), self.time_ms]
        words.append(dice.pick((1000, 60_000, 0)))
        return Sent(dice.pick(ACCOUNTS), 0, True, (Call(ORACLE_AT, selector_bytes("report", REPORT), image(words)),))


def selector_of(method: Method) -> bytes:
    return selector_bytes(method.name, tuple(of for _, of in method.parameters))


def selector_bytes(name: str, types: tuple[t.Type, ...]) -> bytes:
    return selector(name, list(types)).to_bytes(4, "little")
