"""
JSON-RPC error numbers: the protocol's own, and Tenor's range.

Every error of Tenor's also carries `data.code`, the word from `genesis.errors.Invalid`: machines compare that word, the
number groups it. A word that stands in no table gets INVALID; so a new refusal never lacks a number.
"""

from __future__ import annotations

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

INVALID = -32000
"""Refused for a reason that has no number of its own."""
TOO_LARGE = -32005
"""The request, not a transaction in it, is over a limit (EIP-1474 "limit exceeded")."""
UNAVAILABLE = -32050
"""Not now: the node is starting, full or cut off. The same request may succeed later."""
OVER_LIMIT = -32051
"""Not now: more is asked for than is given in a second. `data.limit` and `data.retry_ms` say how much and when."""
CORRUPT = -32060
"""The node found itself damaged and stops."""

INVALID_CODES = {
    # the bytes of a transaction
    "malformed": -32010,
    "non_canonical": -32011,
    "too_large": -32012,
    "too_deep": -32013,
    "unknown_kind": -32014,
    "bad_signature": -32015,
    "bad_lane": -32016,
    # whether it may enter the pool
    "wrong_chain": -32020,
    "expired": -32021,
    "gas_limit": -32022,
    "fee_too_low": -32023,
    "sequence_used": -32024,
    "sequence_gap": -32025,
    "known_transaction": -32026,
    "fee_unpayable": -32027,
    "not_authorised": -32028,
    "too_many_lanes": -32029,
    # programs
    "does_not_compile": -32030,
    "rejected": -32031,
    # asked for what does not exist
    "not_found": -32040,
    "pruned": -32041,
}


def number(word: str) -> int:
    """Return the JSON-RPC number of an Invalid's code."""
    return INVALID_CODES.get(word, INVALID)
