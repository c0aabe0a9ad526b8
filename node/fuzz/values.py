"""
Values of every flat type: as constants in source text, and as packed words in calls.

SCALARS is the table; a new type of the language is one entry. Keys are drawn from a small domain, so that maps are
asked for what they hold.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from execution.compiler import types as t
from node.fuzz.dice import ONE, Dice

ACCOUNTS_AT = 0x0A0B0C0D0E0F00A1
PROGRAMS_AT = 0x0102030405062000
"""Numbers below 2⁶³, so that sources may name them; three words of an address are filled by none of them."""
ACCOUNTS = (*((ACCOUNTS_AT + number).to_bytes(20, "big") for number in range(3)), bytes(range(0x41, 0x55)))
"""Who signs; the last one has no number."""
START_MS = 1_700_000_000_000
FEEDS = 3
SYMBOLS = ("", "USD", "EURUSD", "A", "ABCDEFGHIJKLMNOP")
REASONS = ("no", "too much", "missing key", "overflow", "out of gas")
WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class Scalar:
    """
    weight: how often it is a member, parameter or local. constant, key: source text; a key is one of few.
    words: signed words of a value, which need not be valid.
    """

    weight: float
    constant: Callable[[Dice], str]
    key: Callable[[Dice], str]
    words: Callable[[Dice], tuple[int, ...]]


def decimal_text(raw: int) -> str:
    """Digits with at most 18 places."""
    whole, places = divmod(abs(raw), ONE)
    return f"{'-' if raw < 0 else ''}{whole}" + (f".{places:018d}".rstrip("0") if places else "")


def _decimal(dice: Dice) -> str:
    if dice.odd(0.3):
        return f"Decimal({int(dice.random() * 12) - 3})"
    return f'Decimal("{decimal_text(dice.raw(0.01))}")'


def account_words(data: bytes) -> tuple[int, ...]:
    padded = data.ljust(24, b"\x00")
    return tuple(int.from_bytes(padded[at : at + 8], "little", signed=True) for at in (0, 8, 16))


def program_address(number: int) -> bytes:
    """Of a case's programs: every other one has no number that a source could name."""
    front = b"\x13\x57\x9b\xdf" if number % 2 else bytes(4)
    return front + (PROGRAMS_AT + number).to_bytes(16, "big")


def _account(dice: Dice) -> tuple[int, ...]:
    if dice.odd(0.02):
        return (dice.word(), dice.word(), dice.word())
    if dice.odd(0.25):
        return account_words(program_address(int(dice.random() * 3)))
    return account_words(dice.pick((*ACCOUNTS, *ACCOUNTS, bytes(20), bytes(19) + b"\x01")))


def decimal_words(raw: int) -> tuple[int, ...]:
    low = raw & (1 << 64) - 1
    return (low - (1 << 64) if low >> 63 else low, raw >> 64)


def _symbol_words(dice: Dice) -> tuple[int, ...]:
    if dice.odd(0.02):
        return (dice.word(), dice.word())
    image = dice.pick(SYMBOLS).encode().ljust(16, b"\x00")
    return tuple(int.from_bytes(image[at : at + 8], "little", signed=True) for at in (0, 8))


def _digest(number: int) -> str:
    return f'Bytes32("0x{number * 0x0123456789ABCDEF:064x}")'


def _digest_words(dice: Dice) -> tuple[int, ...]:
    return (0, 0, 0, dice.word()) if dice.odd(0.8) else (dice.word(), dice.word(), dice.word(), dice.word())


def _small(dice: Dice, name: str, count: int) -> str:
    return f"{name}({int(dice.random() * count)})"


SCALARS: dict[t.Type, Scalar] = {
    t.INT: Scalar(
        6,
        lambda d: str(d.word(0.01)),
        lambda d: str(int(d.random() * 5)),
        lambda d: (d.word() if d.odd(0.5) else int(d.random() * 6),),
    ),
    t.DECIMAL: Scalar(
        6,
        _decimal,
        lambda d: f'Decimal("{decimal_text(int(d.random() * 5) * ONE // 2)}")',
        lambda d: decimal_words(d.raw() if d.odd(0.6) else int(d.random() * 5) * ONE // 2),
    ),
    t.BOOL: Scalar(
        2,
        lambda d: d.pick(("True", "False")),
        lambda d: d.pick(("True", "False")),
        lambda d: (2 if d.odd(0.01) else int(d.random() * 2),),
    ),
    t.ACCOUNT: Scalar(
        2,
        lambda d: d.pick(
            ("Account.zero()", "Account.kernel()", f"Account.numbered({ACCOUNTS_AT})", "Account.numbered(5)")
        ),
        lambda d: f"Account.numbered({ACCOUNTS_AT + int(d.random() * 3)})",
        _account,
    ),
    t.ASSET: Scalar(
        0.7, lambda d: _small(d, "Asset", 4), lambda d: _small(d, "Asset", 4), lambda d: (int(d.random() * 4),)
    ),
    t.FEED: Scalar(
        0.5,
        lambda d: _small(d, "Feed", FEEDS),
        lambda d: _small(d, "Feed", FEEDS),
        lambda d: (d.word() if d.odd(0.05) else int(d.random() * FEEDS),),
    ),
    t.TIMESTAMP: Scalar(
        1,
        lambda d: f"Timestamp({START_MS + d.word(0)})" if d.odd(0.8) else f"Timestamp({d.word()})",
        lambda d: _small(d, "Timestamp", 5),
        lambda d: (START_MS + d.word(0) if d.odd(0.8) else d.word(),),
    ),
    t.DURATION: Scalar(
        1,
        lambda d: f"{d.pick(('Duration', 'Duration.seconds', 'Duration.milliseconds'))}({d.word(0)})",
        lambda d: f"Duration.seconds({int(d.random() * 5)})",
        lambda d: (d.word(0.03),),
    ),
    t.SYMBOL: Scalar(
        0.7, lambda d: f'Symbol("{d.pick(SYMBOLS)}")', lambda d: f'Symbol("{d.pick(SYMBOLS)}")', _symbol_words
    ),
    t.BYTES32: Scalar(
        0.5, lambda d: _digest(int(d.random() * 9)), lambda d: _digest(int(d.random() * 3)), lambda d: _digest_words(d)
    ),
    t.REASON: Scalar(
        0.4,
        lambda d: f'reason("{d.pick(REASONS)}")',
        lambda d: f'reason("{d.pick(REASONS)}")',
        lambda d: (d.word(),),
    ),
}

ENUM_NAMES = {"QuoteStatus": t.QUOTE_STATUS, "Outcome": t.OUTCOME}


def constant(dice: Dice, of: t.Type, key: bool = False) -> str:
    """A value of a flat type as source text; key: from the small domain of its type."""
    match of:
        case t.EnumType(name, members):
            return f"{name}.{dice.pick(members)}"
        case t.OptionalType(item):
            return "None" if dice.odd(0.3) else constant(dice, item, key)
        case t.ArrayType(item, count, bounded):
            size = int(dice.random() * (count + 1)) if bounded else count
            return f"{'BoundedList' if bounded else 'Array'}({', '.join(constant(dice, item) for _ in range(size))})"
        case t.StructType(name, fields):
            return f"{name}({', '.join(constant(dice, kind, key) for _, kind in fields)})"
        case t.ProgramType(name):
            return f"ProgramRef[{name}](Account.numbered({PROGRAMS_AT + int(dice.random() * 3)}))"
    scalar = SCALARS[of]
    return scalar.key(dice) if key else scalar.constant(dice)


def words(dice: Dice, of: t.Type) -> tuple[int, ...]:
    """Packed words of a value for a call; about one in a hundred is no value of the type."""
    match of:
        case t.EnumType(_, members):
            return (len(members) if dice.odd(0.01) else int(dice.random() * len(members)),)
        case t.OptionalType(item):
            return _optional_words(dice, item)
        case t.ArrayType(item, count, bounded):
            return _row_words(dice, item, count, bounded)
        case t.StructType(_, fields):
            return tuple(word for _, kind in fields for word in words(dice, kind))
        case t.ProgramType():
            return _account(dice)
    return SCALARS[of].words(dice)


def _optional_words(dice: Dice, item: t.Type) -> tuple[int, ...]:
    """None has zeros behind its tag; rarely it has not, or the tag is neither 0 nor 1."""
    inner = words(dice, item)
    if dice.odd(0.01):
        return (dice.pick((0, 2, -1)), *inner)
    return (0, *(0 for _ in inner)) if dice.odd(0.35) else (1, *inner)


def _row_words(dice: Dice, item: t.Type, count: int, bounded: bool) -> tuple[int, ...]:
    """Behind the values of a bounded list come zeros; rarely its length is too large."""
    size = int(dice.random() * (count + 1)) if bounded else count
    values = [word for _ in range(size) for word in words(dice, item)]
    values += [0] * (t.words(item) * (count - size))
    length = [count + 1 if dice.odd(0.01) else size] if bounded else []
    return (*length, *values)


def packed(dice: Dice, types: tuple[t.Type, ...]) -> bytes:
    """The arguments of a call."""
    found = (word for of in types for word in words(dice, of))
    return b"".join((word & (1 << 64) - 1).to_bytes(WORD_BYTES, "little") for word in found)
