"""
What to write instead of a name that nobody knows: the nearest one that is known, or the language's own word for what
Python, or another chain, has under that name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

LIKENESS_MIN = 0.7
SHOWN_MAX = 8  # names that one message lists

LOOP = "write a for loop"
INDEXES = "write `for i in range(len(items)):` and take items[i]"
TIME = "write block.time; times are Timestamp and Duration of execution.lang"
INTEGERS = "write int"
NO_RANDOMNESS = "a chain has no randomness; publish a feed, or take what the signer commits to"
WORDS: Mapping[str, str] = {
    "float": "write Decimal for numbers with fractions",
    "complex": "write Decimal",
    "str": "write Symbol for a short text; longer ones are only reasons",
    "string": "write Symbol for a short text; longer ones are only reasons",
    "bytes": "write Bytes32",
    "list": "write List[T] for a field, BoundedList[T, N] for a local",
    "dict": "write Map[K, V], a field of the program",
    "set": "write Map[K, bool], a field of the program",
    "Any": "name the type",
    "object": "name the type",
    "round": "write x.round(), x.floor() or x.ceil() of a Decimal",
    "float64": "write Decimal",
    "sum": LOOP,
    "any": LOOP,
    "all": LOOP,
    "map": LOOP,
    "filter": LOOP,
    "enumerate": INDEXES,
    "zip": INDEXES,
    "reversed": INDEXES,
    "sorted": "keep what is to be in order in an OrderedMap",
    "divmod": "write `//` and `%`",
    "print": "emit an Event, or stop there in pdb",
    "isinstance": "leave it out; every type is known when the program is compiled",
    "type": "leave it out; every type is known when the program is compiled",
    "super": "write self.method(…)",
    "property": "write @view",
    "staticmethod": "write a function outside the class",
    "classmethod": "write a function outside the class",
    "public": "write @external",
    "pure": "write @view",
    "constant": "write @view",
    "msg": "write tx.sender",
    "now": TIME,
    "datetime": TIME,
    "time": TIME,
    "math": "write `from execution.lang import exp, ln, sqrt`",
    "random": NO_RANDOMNESS,
    "address": "write Account",
    "mapping": "write Map[K, V], a field of the program",
    "uint": INTEGERS,
    "uint256": INTEGERS,
    "int256": INTEGERS,
    "Exception": "write Rejected",
}
MODULES: Mapping[str, str] = {
    "decimal": "write `from execution.lang import Decimal`",
    "math": "write `from execution.lang import exp, ln, sqrt`",
    "cmath": "write `from execution.lang import exp, ln, sqrt`",
    "datetime": "write `from execution.lang import Duration, Timestamp, block`",
    "time": "write `from execution.lang import Duration, Timestamp, block`",
    "random": NO_RANDOMNESS,
    "secrets": NO_RANDOMNESS,
    "dataclasses": "write `class Name(Struct):`, with Struct of execution.lang",
    "enum": "write `from execution.lang import Enum`",
    "collections": "write `from execution.lang import List, Map, OrderedMap, Queue`",
    "hashlib": "write `from execution.lang import sha256`",
    "statistics": "write `from execution.library.statistics import …`",
    "numpy": "write loops over Array; exp, ln and sqrt are in execution.lang",
    "scipy": "write loops over Array; norm_cdf and norm_inv are in execution.lang",
}


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like this one, None when none is like it."""
    found = get_close_matches(name, sorted(set(known)), 1, LIKENESS_MIN)
    return found[0] if found else None


def instead_of(name: str, known: Iterable[str], otherwise: str) -> str:
    """What to write instead of a name that means nothing where it stands."""
    if name in WORDS:
        return WORDS[name]
    like = nearest(name, known)
    return otherwise if like is None else f"perhaps `{like}`"


def listed(names: Iterable[str]) -> str:
    """ "it has a, b, c", at most SHOWN_MAX of them."""
    known = list(names)
    shown = ", ".join(known[:SHOWN_MAX]) + (", …" if len(known) > SHOWN_MAX else "")
    return f"it has {shown or 'none'}"
