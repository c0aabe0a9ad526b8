"""
When an operator is called: rules for Prometheus, written by `tenor node alerts`, and looked at by the status page too.

Each has a section in `node/RUNBOOK.md`: what one sees, what it means, what to do.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

RUNBOOK = "node/RUNBOOK.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """wait: how long the expression holds before anybody is called. meaning, remedy: a sentence each."""

    name: str
    expression: str
    wait: str
    severity: Literal["page", "ticket"]
    meaning: str
    remedy: str


RULES = (
    Rule(
        "TenorDown", "up == 0", "1m", "page",
        "The node does not answer: it has stopped, or its machine or network has.",
        "Read the end of its log; it says why it stopped, a damaged disk included.",
    ),
    Rule(
        "TenorCoreSilent", "tenor_core_up == 0", "1m", "page",
        "The gateway runs, and the core behind it does not answer.",
        "Wait if the node has just been started; else read its log and start it again.",
    ),
    Rule(
        "TenorDiverged", 'tenor_not_voting{reason="diverged"} == 1', "0s", "page",
        "A block that a quorum stands behind came out differently on this node.",
        "It votes no more. Run `tenor node diff` on the file that it names, mend what that tells, start again.",
    ),
    Rule(
        "TenorNotVoting", 'tenor_not_voting{reason!="follows"} == 1', "1m", "page",
        "This node's votes do not count; the label `reason` says why.",
        "Look at the status page: it says in a sentence what is wrong and what to do.",
    ),
    Rule(
        "TenorCertificateOld", "time() - tenor_certificate_timestamp_seconds > 10", "30s", "page",
        "No block has been certified for ten seconds: the chain stands still, or this node does not hear of it.",
        "Compare heights with other nodes: if they go on, look at this node's network; if not, ask who is down.",
    ),
    Rule(
        "TenorPeersLow", "tenor_peers_spare < 1", "5m", "ticket",
        "One more validator lost, as seen from here, and no quorum is connected.",
        "Find out which validators are not connected (`tenor node status`) and why.",
    ),
    Rule(
        "TenorOracleOld", "time() - tenor_oracle_timestamp_seconds > tenor_oracle_age_max_seconds", "1m", "page",
        "The price of a feed counts no more; what needs it is refused, liquidations wait.",
        "See whether the feed's reporters run and whether their reports are refused.",
    ),
    Rule(
        "TenorHooksWaiting", 'tenor_hooks_waiting{state="due"} > 1000', "1m", "ticket",
        "More hooks are due than blocks have room for; schedules and crossings come late.",
        "Find the program whose hooks wait; if it is a storm it passes, if it lasts a program asks too much.",
    ),
    Rule(
        "TenorPostingLate",
        "time() - tenor_unposted_timestamp_seconds > 30 * tenor_settlement_block_seconds", "1m", "page",
        "Certified blocks have waited for thirty settlement blocks to be posted; withdrawals wait with them.",
        "See whether the settlement chain can be reached and takes commitments; the log says what it answers.",
    ),
    Rule(
        "TenorPostingRunway", "tenor_posting_runway_seconds < 3 * 86400", "10m", "ticket",
        "What pays for posting on the settlement chain lasts less than three days; then this node's commitments wait.",
        "Send the account under `poster` more of that chain's coin; on `local`: `tenor validator fund … --coin`.",
    ),
    Rule(
        "TenorDiskBad", "tenor_disk_slow == 1", "0s", "page",
        "Writes take longer than a second to reach the disk: it is failing, or something else keeps it busy.",
        "Look at `dmesg` and SMART, and at what else writes; move the folder to a good disk before this one fails.",
    ),
    Rule(
        "TenorDiskFull", "tenor_disk_days_left < 7", "10m", "ticket",
        "At the growth of the last day the disk is full within a week; a node whose disk is full stops.",
        "Free space, or move the folder to a larger disk while the node is stopped.",
    ),
    Rule(
        "TenorDamagedStore", "tenor_disk_damaged_bytes > 0", "0s", "ticket",
        "A repair has left the damaged store beside the new one, where it takes as much of the disk.",
        "When the disk has been looked at and the node is level again, remove `store.damaged*` from its folder.",
    ),
)  # fmt: skip


def rules_text(job: str) -> str:
    """
    The rule file, YAML as Prometheus reads it.

    Args:
        job: under which Prometheus scrapes the nodes.
    """
    lines = ["groups:", "  - name: tenor", "    rules:"]
    for rule in RULES:
        expression = rule.expression.replace("up == 0", f"up{{job={json.dumps(job)}}} == 0", rule.name == "TenorDown")
        lines += [
            f"      - alert: {rule.name}",
            f"        expr: {json.dumps(expression)}",
            f"        for: {rule.wait}",
            f"        labels: {{severity: {rule.severity}}}",
            "        annotations:",
            f"          summary: {json.dumps(rule.meaning)}",
            f"          description: {json.dumps(rule.remedy)}",
            f"          runbook: {json.dumps(f'{RUNBOOK}#{rule.name.lower()}')}",
        ]
    return "\n".join(lines) + "\n"
