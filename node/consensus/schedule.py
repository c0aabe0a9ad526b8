"""
Who leads a view: the proposer of the parent goes on, until a view fails or its lease ends.

A pure function of the parent and the view, so a proposal alone says whether its proposer had the right. Two nodes that
build on different parents may both have it; a validator notarises one block a view, so that costs a time-out, no fork.
"""

from __future__ import annotations

from node.consensus.words import Link, Rules


def leader(rules: Rules, parent: Link, view: int) -> bytes:
    """
    The address that may propose a child of `parent` in `view`.

    Every view skipped since the parent moves the lead by one validator; a lease that ended between moves it by one
    when none was skipped. Validators lead in order of address. A set begins with the proposer of the last block before
    it, whose next one is in the making, or if that one has left, and above genesis, with the first.
    """
    order = sorted(rules.stakes)
    before = order.index(parent.proposer) if parent.proposer in rules.stakes else 0
    skipped = view - parent.view - 1
    ended = parent.validators == rules.version and view // rules.lease_views > parent.view // rules.lease_views
    return order[(before + max(skipped, int(ended and parent.view > 0))) % len(order)]


def failed_leaders(rules: Rules, parent: Link, view: int) -> tuple[bytes, ...]:
    """Who led between `parent` and `view` and brought no block that stands; the latest first, each once."""
    first = max(parent.view + 1, view - len(rules.stakes))
    return tuple(dict.fromkeys(leader(rules, parent, one) for one in range(view - 1, first - 1, -1)))
