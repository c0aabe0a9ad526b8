"""What each hostile program is created with and called with, and how it must come out, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Values = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Attack:
    """
    One call of a program by its owner in a transaction of its own.

    reason: of the transaction, "" when it is done. values: "@name" stands for the address of a program of that name,
    "#name" for the address of an account.
    """

    program: str
    method: str = "attack"
    values: Values = ()
    reason: str = ""


def done(program: str, *values: Any, method: str = "attack") -> Attack:
    return Attack(program, method, values)


def fails(reason: str, program: str, *values: Any, method: str = "attack") -> Attack:
    return Attack(program, method, values, reason)


CREATED: dict[str, Values] = {
    "undone_withdrawal": ("@bank",),
    "hook_caller": ("@bank",),
    "purse_thief": ("@bank",),
    "dust_sower": ("@bank",),
    "sub_account_mill": ("@bank",),
    "consent_drain": ("@bank",),
    "purse_emptier": ("@bank",),
    "frame_forger": ("@bank",),
    "create_writer": (40,),
    "value_writes": ("@face",),
}
"""Arguments of `create`, where there are any."""

GAS_GONE = "out of gas"
FAR = 1 << 40
WIDE = [7] * 127
ATTACKS: tuple[Attack, ...] = (
    # gas
    fails(GAS_GONE, "burn_all"),
    fails(GAS_GONE, "spin_free", FAR),
    done("spin_free", 500),
    fails(GAS_GONE, "sha_loop", 10_000),
    fails(GAS_GONE, "math_worst", 10_000),
    done("math_worst", 7),
    fails(GAS_GONE, "wide_division", 10_000),
    done("wide_division", 20),
    fails("overflow", "overflow_edge", 0),
    fails("overflow", "overflow_edge", 1),
    fails("division by zero", "overflow_edge", 2),
    fails("overflow", "overflow_edge", 3),
    fails("overflow", "overflow_edge", 4),
    fails("division by zero", "overflow_edge", 5),
    fails("overflow", "overflow_edge", 6),
    fails("index out of range", "array_bounds", 0, 4),
    fails("index out of range", "array_bounds", 0, -1),
    fails("index out of range", "array_bounds", 1, 0),
    fails("list is full", "array_bounds", 2, 5),
    fails("index out of range", "array_bounds", 3, 1 << 62),
    fails("index out of range", "array_bounds", 3, -(1 << 63)),
    done("huge_frames", "@face", 3, method="relay"),
    done("fat_results"),
    done("fat_arguments", WIDE, 0),
    fails("no, after all that", "fat_arguments", WIDE, 1),
    # caps
    fails(GAS_GONE, "catch_for_ever", "@face"),
    fails(GAS_GONE, "catch_exhaustion", "@face"),
    done("callee_burns", "@face", 100_000),
    fails(GAS_GONE, "callee_burns", "@face", 1 << 62),
    done("odd_caps", "@face", 0),
    done("odd_caps", "@face", 1),
    fails(GAS_GONE, "odd_caps", "@face", (1 << 63) - 1),
    done("nested_caps", "@face", "@echo"),
    done("savepoint_tower", "@face", 3),
    fails(GAS_GONE, "savepoint_tower", "@face", 500),
    fails(GAS_GONE, "out_of_gas_in_try", "@face"),
    # state
    done("map_bloat", 10),
    fails(GAS_GONE, "map_bloat", FAR),
    done("list_bloat", 10),
    fails(GAS_GONE, "list_bloat", FAR),
    done("queue_breathing", 20, 2),
    done("queue_breathing", 200, 1),
    done("descending_keys", 40),
    done("descending_keys", 40),
    done("zigzag_keys", 60),
    done("nested_bloat", 6),
    done("nested_bloat", 3, method="clear"),
    done("undone_growth", "@undone_growth_2", 5, method="relay"),
    done("undone_growth", "@undone_growth_2", 5_000, method="relay"),
    done("churn", 30),
    fails("changed while iterating", "iterate_and_change", True),
    fails("changed while iterating", "iterate_and_change", False),
    # events
    done("event_flood", 100),
    fails("too many events", "event_flood", 101),
    done("fat_events", 100),
    done("vanishing_events", "@vanishing_events_2", 50, method="relay"),
    done("forged_withdrawal", "#mallory"),
    # re-entrancy
    fails("on the stack", "reenter", "@echo", False),
    fails("on the stack", "reenter", "@echo", True),
    fails("on the stack", "reenter_itself", "@reenter_itself"),
    done("reenter_tolerated", "@echo"),
    done("at_end_flood", 100),
    fails(GAS_GONE, "at_end_flood", 4_097),
    fails(GAS_GONE, "at_end_endless"),
    fails("changed my mind", "at_end_refusal", "@at_end_refusal_2", 1, method="relay"),
    # lies
    fails("bad argument", "credulous", "@lying_callee", 0),
    fails("bad argument", "credulous", "@lying_callee", 1),
    fails("bad argument", "credulous", "@lying_callee", 2),
    fails("bad argument", "credulous", "@lying_callee", 3),
    fails("bad argument", "credulous", "@lying_callee", 4),
    done("credulous", "@lying_callee", 5),
    done("frame_forger", "@wide_liar", "#mallory"),
    done("credulous", "@wide_liar", 5),
    done("unknown_targets", "#nobody", 20),
    done("unknown_targets", "@bank", 20),
    fails("unknown entry", "writing_view", "@face"),
    fails("not authorised", "hook_caller", 0, "#alice", "@hook_failer"),
    fails("not authorised", "hook_caller", 1, "#alice", "@hook_failer"),
    fails("not authorised", "hook_caller", 2, "#alice", "@hook_failer"),
    fails("no consent", "hook_caller", 3, "#alice", "@hook_failer"),
    fails("insufficient balance", "hook_caller", 4, "#alice", "@hook_failer"),
    fails("unknown entry", "hook_caller", 5, "#alice", "@hook_failer"),
    fails("not authorised", "false_oracle", 0),
    fails("amount must be positive", "purse_thief", "@hook_failer", 0),
    fails("no consent", "purse_thief", "@hook_failer", 1),
    fails("number must not be negative", "purse_thief", "@hook_failer", 2),
    fails("amount must be positive", "purse_thief", "@hook_failer", 3),
    done("dust_sower", 5),
    done("sub_account_mill", 5),
    done("consent_drain", "#alice"),
    fails("bad argument", "odd_times", -1),
    fails("bad argument", "world_dependent", "@face", 0),
    fails("bad argument", "world_dependent", "@face", -5),
    fails("unknown entry", "value_writes", 0, method="value"),
    done("bank_lookalike", 0, "#mallory", "1000000", method="transfer"),
)
