"""
Why a node's votes do not count, in sentences, and what its operator can do: the same words wherever it is asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

Word = Literal[
    "follows", "not_in_set", "diverged", "recalling", "pruned", "catching_up", "cut_off", "signer_away", "clock",
    "held_up", "unfit",
]  # fmt: skip
WORDS: tuple[Word, ...] = get_args(Word)


@dataclass(frozen=True, slots=True)
class Reason:
    """word: for machines. why: goes on from "this node does not vote: ". remedy: what to do, a whole sentence."""

    word: Word
    why: str
    remedy: str


def follows() -> Reason:
    return Reason("follows", "it only follows", "Nothing, if that is meant; else run it with a validator's key.")


def not_in_set(version: int) -> Reason:
    return Reason(
        "not_in_set",
        f"its address is not in validator set {version}",
        "Register it with `tenor validator register` and keep this node running: it says by itself when it is ready.",
    )


def diverged(height: int, kept: str) -> Reason:
    """kept: the file with what may tell why, "" while it is not written."""
    return Reason(
        "diverged",
        f"block {height}, which a quorum stands behind, came out differently here",
        f"`tenor node diff {kept or '…'}` tells field and likely cause; start it again where that is mended.",
    )


def catching_up(height: int) -> Reason:
    return Reason(
        "catching_up",
        f"it catches up, from block {height} on",
        "Wait; if the height does not grow, see whether peers answer.",
    )


def coming_up() -> Reason:
    return Reason("catching_up", "it comes up from a snapshot of its peers'", "Wait; see that pieces come.")


def recalling(what: str) -> Reason:
    """what: as `recall` says it."""
    return Reason("recalling", what, "Wait; without answers, see that other validators run and can be reached.")


def pruned() -> Reason:
    return Reason(
        "pruned",
        "its peers have pruned the blocks it lacks",
        "Wait: it begins again by itself, from a snapshot of theirs.",
    )


def cut_off(stake: int, needed: int) -> Reason:
    return Reason(
        "cut_off",
        f"validators with {stake} of the stake are connected, itself included, and a quorum needs {needed}",
        "Look at network and firewall between the validators, and ask whether the others run.",
    )


def unfit(reason: str) -> Reason:
    """reason: which check failed, and how, as `checks` says it."""
    return Reason("unfit", reason, "Put it right; the node looks again every few seconds, as `tenor node check` does.")


def signer_away(reason: str) -> Reason:
    return Reason(
        "signer_away",
        f"its signer is away: {reason.rstrip('.')}",
        "Start `tenor signer run` again; the votes that wait are asked for then.",
    )


def clock(ahead_ms: int) -> Reason:
    return Reason(
        "clock",
        f"the block proposed is {ahead_ms} ms later than this machine's clock allows",
        "Set the clock: `timedatectl` says whether it is synchronised.",
    )


def held_up(reason: str) -> Reason:
    return Reason(
        "held_up",
        f"it cannot check the block proposed: {reason.rstrip('.')}",
        "Look at what it names; it votes again by itself.",
    )
