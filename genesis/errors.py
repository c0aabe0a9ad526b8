"""
The error tree: who is at fault decides what the caller does.

`Invalid` is the sender's fault: do not retry. `Unavailable` is the world's: retry later. `Corrupt` is ours: stop the
node. A broken invariant is an `assert`. Every message says what is wrong, where, and what would have been right.
"""

from __future__ import annotations


class TenorError(Exception):
    """Root of the errors Tenor raises on purpose; never raised itself."""


class Invalid(TenorError):
    """
    The sender's fault; the same input fails again.

    Args:
        message: one sentence for a person.
        code: one lower-case word for machines ("wrong_chain", "bad_signature", "non_canonical", …); RPC maps it to a
        number.
    """

    def __init__(self, message: str, code: str = "invalid") -> None:
        super().__init__(message)
        self.code = code


class Unavailable(TenorError):
    """The world's fault (network, settlement chain, busy disk); the same call may succeed later."""


class Corrupt(TenorError):
    """Our own fault (bad disk, engine bug, broken promise of a dependency); the node stops rather than guesses."""
