"""
The contract's rules on who certifies: registering, getting ready, leaving, new keys, evidence, and replacing who is
lost for good.

Pure functions over the `registry`. A change has effect `Terms.delay_blocks` after the block that takes it in. Who has
registered stands pending until its key has said that its node is ready (`Activate`): else a stake of more than a third
whose node never runs would stop the chain. A key is a member once in the chain's life; a rotated one stays until its
successor is ready, then that enters with the same stake as it leaves.

Stake is bonded while a member is in, and until it can be held to account no more: it is claimed `Terms.exit_blocks`
after leaving, and not before a final commitment has its anchor there, so that only sets without it certify what
follows. Who voted for two blocks in one view loses it: REWARD_PPM to who shows it, rounded down, the rest to the book
account BURNT.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from genesis import crypto
from genesis.errors import Invalid
from genesis.membership import STAKE_UNIT, Evidence, Readiness, possession_digest
from genesis.settling import VALIDATORS_MAX
from settlement.actions import Action, Activate, Announce, Claim, Exit, Register, Replace, RotateKey
from settlement.contract import Terms
from settlement.registry import Member, Registry, edges, stakes_at

PLEDGED, STAKED, BURNT = b"pledged", b"staked", b"burnt"
"""Book accounts: what came with an action and waits with it, what is bonded, what was taken from offenders for good."""
REWARD_PPM = 50_000
MEMBERS_MAX = 4_096
"""Over the chain's life."""
READINESS_COMMITMENTS = 16
"""
Commitments back that a readiness may name, the newest counted. In commitments, not settlement blocks: a chain that
stands still makes none, and who comes to its help has followed it as far as there is anything to follow.
"""


@dataclass(frozen=True, slots=True)
class Move:
    """An amount of the stake's asset, raw, from one account to another."""

    source: bytes
    target: bytes
    amount: int


@dataclass(frozen=True, slots=True)
class Moment:
    """
    When an action is judged. height: of the settlement block that takes it in. committed: height of that which took the
    last commitment in, 0 for none. final_anchor: of the newest final commitment, −1 for none. recent: last height and
    that block's hash of the newest commitments taken in, READINESS_COMMITMENTS at most.
    """

    height: int
    committed: int
    final_anchor: int
    recent: Collection[tuple[int, bytes]] = ()


Outcome = tuple[Registry, tuple[Move, ...]]


def pledge_of(action: object) -> int:
    """What has to come with an action, raw of the stake's asset."""
    return action.stake * STAKE_UNIT if isinstance(action, Register) else 0


def carry_out(registry: Registry, sender: bytes, action: Action, terms: Terms, moment: Moment) -> Outcome:
    """
    What an action makes of the members, and the money it moves.

    Raises:
        Invalid: with the codes that `SettlementAccount.act` names.
    """
    match action:
        case Register():
            return _register(registry, sender, action, terms, moment)
        case Activate():
            return _activate(registry, action, terms, moment), ()
        case Exit(key):
            return _leave(registry, [_staying(registry, sender, key)], terms, moment), ()
        case RotateKey():
            return _rotate(registry, sender, action, terms, moment), ()
        case Evidence():
            return _slash(registry, sender, action, terms, moment)
        case Claim(key):
            return _claim(registry, _own(registry, sender, key), terms, moment)
        case Announce(dropped):
            return _announce(registry, sender, dropped, terms, moment), ()
        case Replace():
            return _replace(registry, terms, moment), ()


def _register(registry: Registry, sender: bytes, action: Register, terms: Terms, moment: Moment) -> Outcome:
    if action.stake < terms.stake_min:
        raise Invalid(f"A stake is at least {terms.stake_min} units, not {action.stake}.", "stake_too_low")
    made = Member(action.key, sender, action.stake, None, None, action.stake)
    after = _admit(registry, made, action.possession, terms)
    _check_room(after, moment.height + terms.delay_blocks, 1)
    return after, (Move(PLEDGED, STAKED, pledge_of(action)),)


def _admit(registry: Registry, made: Member, possession: bytes, terms: Terms) -> Registry:
    """One more member, pending."""
    if any(member.key == made.key for member in registry.members):
        raise Invalid(f"{crypto.checksum_address(made.key)} has been a validator before; use a new key.", "key_used")
    if crypto.recover(possession_digest(terms.chain, made.owner), possession) != made.key:
        raise Invalid("The key itself has to sign that this owner registers it.", "bad_signature")
    if len(registry.members) >= MEMBERS_MAX:
        raise Invalid(f"There have been {MEMBERS_MAX} validators; that is the most over a chain's life.", "set_full")
    return replace(registry, members=(*registry.members, made))


def _check_room(registry: Registry, height: int, more: int = 0) -> None:
    if len(stakes_at(registry, height)) + more > VALIDATORS_MAX:
        raise Invalid(f"A set has at most {VALIDATORS_MAX} validators; wait until one leaves.", "set_full")


def _activate(registry: Registry, action: Activate, terms: Terms, moment: Moment) -> Registry:
    """Let a pending member in, in the place of that whose successor it is."""
    member = registry.member(action.key)
    if member.leaves is not None:
        raise Invalid("The validator has left, or was given up before it was in the set; use a new key.", "left")
    if member.enters is not None:
        raise Invalid(f"The validator is in the set from settlement block {member.enters} on already.", "active")
    if (action.height, action.block_hash) not in moment.recent:
        raise Invalid(
            f"Readiness names none of the last {READINESS_COMMITMENTS} commitments: block {action.height} is older, of "
            "another chain, or not taken in yet. Sign it anew.",
            "stale_commitment",
        )
    said = Readiness(terms.chain, action.key, action.height, action.block_hash)
    if crypto.recover(said.digest(), action.signature) != action.key:
        raise Invalid("The key itself has to sign that its node is ready.", "bad_signature")
    enters = moment.height + terms.delay_blocks
    before = [one for one in registry.members if one.successor == action.key]
    bond = member.bond + sum(one.bond for one in before)
    gone = (replace(one, leaves=enters, bond=0) for one in before)
    after = registry.changed(replace(member, enters=enters, bond=bond), *gone)
    _check_room(after, enters)
    return after


def _own(registry: Registry, sender: bytes, key: bytes) -> Member:
    member = registry.member(key)
    if member.owner != sender:
        raise Invalid(f"Only its owner {crypto.checksum_address(member.owner)} decides on a validator.", "not_owner")
    return member


def _staying(registry: Registry, sender: bytes, key: bytes) -> Member:
    member = _own(registry, sender, key)
    if member.leaves is not None:
        raise Invalid(f"The validator leaves the set at settlement block {member.leaves} already.", "left")
    return member


def _leave(registry: Registry, leaving: Sequence[Member], terms: Terms, moment: Moment) -> Registry:
    """Let members go, those that do not already, and who waits to take their place; somebody has to stay."""
    height = moment.height + terms.delay_blocks
    going = [member for member in leaving if member.leaves is None]
    heirs = [registry.member(member.successor) for member in going if member.successor]
    after = registry.changed(*(replace(member, leaves=height) for member in (*going, *heirs)))
    if not all(stakes_at(after, edge) for edge in {height, *edges(after)} if edge >= height):
        raise Invalid("The set would be empty; register another validator first.", "last_validator")
    return after


def _rotate(registry: Registry, sender: bytes, action: RotateKey, terms: Terms, moment: Moment) -> Registry:
    before = _staying(registry, sender, action.key)
    if before.pending:
        raise Invalid("The validator is not in the set; let it exit, and use the other key from the start.", "pending")
    after = registry
    if before.successor:  # it has not come, and another one is named: it never will
        after = after.changed(replace(after.member(before.successor), leaves=moment.height))
    after = after.changed(replace(before, successor=action.new_key))
    made = Member(action.new_key, before.owner, before.stake, None, None, 0)
    return _admit(after, made, action.possession, terms)


def _slash(registry: Registry, reporter: bytes, evidence: Evidence, terms: Terms, moment: Moment) -> Outcome:
    member = registry.member(evidence.offender(terms.chain))
    while member.successor and (heir := registry.member(member.successor)).enters is not None:
        member = heir
    if member.bond == 0:
        raise Invalid("Nothing of this validator's stake is held any more.", "nothing_held")
    amount = member.bond * STAKE_UNIT
    reward = amount * REWARD_PPM // 1_000_000
    after = registry.changed(replace(member, bond=0))
    with suppress(Invalid):  # the last one stays in without a bond: somebody has to certify
        after = _leave(after, [replace(member, bond=0)], terms, moment)
    return after, (Move(STAKED, reporter, reward), Move(STAKED, BURNT, amount - reward))


def _claim(registry: Registry, member: Member, terms: Terms, moment: Moment) -> Outcome:
    leaves, certified = member.leaves, member.enters is not None
    if (
        leaves is None
        or moment.height < leaves + terms.exit_blocks
        or (certified and moment.final_anchor < leaves)  # who never was in a set has nothing to answer for
    ):
        raise Invalid(
            f"Stake is held for {terms.exit_blocks} blocks after leaving, and until what is anchored there is final.",
            "still_held",
        )
    if member.bond == 0:
        raise Invalid("Nothing of this validator's stake is held any more.", "nothing_held")
    return registry.changed(replace(member, bond=0)), (Move(STAKED, member.owner, member.bond * STAKE_UNIT),)


def _announce(registry: Registry, sender: bytes, dropped: tuple[bytes, ...], terms: Terms, moment: Moment) -> Registry:
    if sender != terms.admin:
        raise Invalid("Only the chain's admin announces that validators are lost for good.", "not_admin")
    if not any(_missed(stakes, dropped) for stakes in _awaited(registry, moment.height + terms.delay_blocks, moment)):
        raise Invalid("At most a third of the stake is named: the others are a quorum without help.", "not_lost")
    _leave(registry, [registry.member(key) for key in dropped], terms, moment)
    return replace(registry, announced=(moment.height, dropped))


def _awaited(registry: Registry, newest: int, moment: Moment) -> Iterator[dict[bytes, int]]:
    """
    The set that comes, and those that the chain may not have got through yet: it passes from each to the next, so one
    that cannot certify keeps it from all later ones, though its members have left since.
    """
    passed = max(moment.final_anchor, 0)
    heights = {passed, newest, *(edge for edge in edges(registry) if passed < edge < newest)}
    return (stakes_at(registry, height) for height in heights)


def _missed(stakes: Mapping[bytes, int], dropped: Collection[bytes]) -> bool:
    """Whether a set has no quorum without them."""
    return 3 * sum(stakes.get(key, 0) for key in dropped) > sum(stakes.values())


def _replace(registry: Registry, terms: Terms, moment: Moment) -> Registry:
    if registry.announced is None:
        raise Invalid("No replacement is announced.", "not_announced")
    since, dropped = registry.announced
    if moment.committed >= since:
        raise Invalid("A commitment was taken in since the announcement: the set is alive.", "not_lost")
    if moment.height < since + terms.replace_blocks:
        raise Invalid(f"A replacement waits {terms.replace_blocks} blocks from its announcement.", "time_lock")
    after = _leave(registry, [registry.member(k) for k in dropped], terms, moment)
    return replace(after, announced=None, replaced=(*after.replaced, moment.height + terms.delay_blocks))
