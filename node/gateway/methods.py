"""
The methods of the JSON-RPC interface and the shapes of their parameters.

Parameters come by position or by name; they are checked here for type, length and range, hexadecimal becomes bytes, and
they go to the core as a map. What a value means (does this program exist?) is the core's to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from genesis.errors import Invalid
from genesis.transaction import ARGUMENT_BYTES_MAX, CALLS_MAX, NAME_BYTES_MAX, RAW_BYTES_MAX
from node.rpc_codes import INVALID_PARAMS

Check = Callable[[object, str], Any]
REQUIRED = object()
WORD_MAX = (1 << 63) - 1
HEX_DIGITS_MAX = 2 * RAW_BYTES_MAX + 2
STEP_BYTES_MAX = 256
STEPS_MAX = 8
"""Of a path into a program's state, from a field down."""
TOPICS = ("blocks", "stages", "receipts", "events")


class BadParams(Invalid):
    """Parameters of the wrong shape; JSON-RPC's own number."""

    number = INVALID_PARAMS

    def __init__(self, message: str) -> None:
        super().__init__(message, "invalid_params")


def hexadecimal(length: int | None = None, length_max: int = RAW_BYTES_MAX) -> Check:
    """0x and two digits a byte: exactly `length` bytes, or at most length_max."""

    def check(value: object, name: str) -> bytes:
        wanted = f"at most {length_max} bytes" if length is None else f"{length} bytes"
        if type(value) is str and value[:2] == "0x":
            size = (len(value) - 2) // 2
            if len(value) % 2 == 0 and (size == length or (length is None and size <= length_max)):
                try:
                    data = bytes.fromhex(value[2:])
                except ValueError:
                    data = b""
                if len(data) == size:  # fromhex skips blanks
                    return data
        raise BadParams(f"{name} is {wanted}, written 0x and two hexadecimal digits a byte.")

    return check


def whole(low: int, high: int) -> Check:
    def check(value: object, name: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise BadParams(f"{name} is a whole number from {low} to {high}.")
        return value

    return check


def text(length_max: int) -> Check:
    def check(value: object, name: str) -> str:
        if type(value) is not str or not 1 <= len(value) <= length_max:
            raise BadParams(f"{name} is text of 1 to {length_max} characters.")
        return value

    return check


def optional(item: Check) -> Check:
    """null, or what `item` takes."""
    return lambda value, name: None if value is None else item(value, name)


def boolean(value: object, name: str) -> bool:
    if type(value) is not bool:
        raise BadParams(f"{name} is true or false.")
    return value


def one_of(*words: str) -> Check:
    def check(value: object, name: str) -> str:
        if type(value) is not str or value not in words:
            raise BadParams(f"{name} is one of {', '.join(words)}.")
        return value

    return check


def height_or_latest(value: object, name: str) -> int | None:
    """None is the newest."""
    if value == "latest":
        return None
    if type(value) is not int or not 0 <= value <= WORD_MAX:
        raise BadParams(f'{name} is a height from 0, or "latest".')
    return value


def array_of(item: Check, length_max: int, length_min: int = 1) -> Check:
    def check(value: object, name: str) -> list[Any]:
        if type(value) is not list or not length_min <= len(value) <= length_max:
            raise BadParams(f"{name} is an array of {length_min} to {length_max}.")
        return [item(member, f"{name}[{index}]") for index, member in enumerate(value)]

    return check


@dataclass(frozen=True, slots=True)
class Parameter:
    """default: REQUIRED, or the value, already checked, that stands for an absent one."""

    name: str
    check: Check
    default: Any = REQUIRED


def fields(parameters: tuple[Parameter, ...], given: object, what: str) -> dict[str, Any]:
    """Return the checked map of parameters given by position (array) or by name (object). Raises BadParams."""
    named: dict[str, object]
    names = [parameter.name for parameter in parameters]
    if isinstance(given, list):
        if len(given) > len(names):
            raise BadParams(f"{what} takes at most {len(names)} parameters ({', '.join(names)}), not {len(given)}.")
        named = dict(zip(names, given, strict=False))
    elif isinstance(given, dict):
        named = given
        for name in named:
            if name not in names:
                raise BadParams(f"{what} has no parameter {name[:64]!r}; it takes {', '.join(names) or 'none'}.")
    else:
        raise BadParams(f"The parameters of {what} are an array or an object.")
    checked = {}
    for parameter in parameters:
        if parameter.name in named:
            checked[parameter.name] = parameter.check(named[parameter.name], parameter.name)
        elif parameter.default is REQUIRED:
            raise BadParams(f"{what} lacks {parameter.name}; it takes {', '.join(names)}.")
        else:
            checked[parameter.name] = parameter.default
    return checked


ADDRESS, HASH, SELECTOR = hexadecimal(20), hexadecimal(32), hexadecimal(4)
ARGUMENTS = hexadecimal(length_max=ARGUMENT_BYTES_MAX)
GAS = whole(0, (1 << 32) - 1)
CALL = (
    Parameter("program", ADDRESS),
    Parameter("selector", SELECTOR),
    Parameter("arguments", ARGUMENTS, b""),
    Parameter("gas", GAS, 0),
)


def call(value: object, name: str) -> dict[str, Any]:
    return fields(CALL, value, name)


WAIT = Parameter("wait", one_of("executed", "received"), "executed")

READS: dict[str, tuple[Parameter, ...]] = {
    "tenor_chainInfo": (),
    "tenor_getConsensus": (),
    "tenor_getEvidence": (),
    "tenor_getReceipt": (Parameter("transaction", HASH), Parameter("proof", boolean, False)),
    "tenor_getBlock": (Parameter("height", height_or_latest, None),),
    "tenor_getAccount": (Parameter("account", ADDRESS),),
    "tenor_getPositions": (Parameter("account", ADDRESS),),
    "tenor_getBook": (Parameter("market", whole(0, WORD_MAX)), Parameter("depth", whole(1, 100), 20)),
    "tenor_getSequence": (Parameter("signer", ADDRESS), Parameter("lane", whole(0, (1 << 32) - 1), 0)),
    "tenor_getWithdrawals": (Parameter("account", ADDRESS), Parameter("first_height", whole(0, WORD_MAX), 0)),
    "tenor_getPrograms": (),
    "tenor_getProof": (
        Parameter("program", ADDRESS),
        Parameter("page", optional(whole(0, (1 << 20) - 1)), None),
        Parameter("field", optional(text(NAME_BYTES_MAX)), None),
        Parameter("path", array_of(text(STEP_BYTES_MAX), STEPS_MAX, 0), []),
    ),
    "tenor_call": CALL,
    "tenor_simulate": (
        Parameter("account", ADDRESS),
        Parameter("calls", array_of(call, CALLS_MAX)),
        Parameter("signer", ADDRESS, None),
        Parameter("atomic", boolean, True),
        Parameter("gas", GAS, 0),
    ),
}
"""
Forwarded to the core as they are. tenor_simulate: an absent signer is the account itself, gas 0 the most a transaction
may use.
"""

OTHERS = ("tenor_sendTransaction", "tenor_sendTransactions", "tenor_subscribe", "tenor_unsubscribe")
"""Handled by `transactions` and `subscriptions`."""
