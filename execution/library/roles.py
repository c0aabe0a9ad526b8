"""
Roles: which accounts may do what, and who decides.

After OpenZeppelin's AccessControl: a role has members, and an admin role whose members grant and revoke it; ADMIN is
its own and everybody else's until `set_admin` says otherwise. Roles are Symbols. ADMIN always has a member, so that
nobody is locked out by accident.

A program keeps them in a container, `roles: List[Roles]`, and in `create` says `begin_roles(self.roles.add(), admin)`.
"""

from execution.lang import Account, Map, Record, Struct, Symbol, require

ADMIN = Symbol("admin")


class Member(Struct):
    role: Symbol
    account: Account


class Roles(Record):
    """members: who has which role; only keys count. admins: admin roles other than ADMIN. leaders: members of ADMIN."""

    members: Map[Member, bool]
    admins: Map[Symbol, Symbol]
    leaders: int


def begin_roles(roles: Roles, admin: Account) -> None:
    """Make `admin` the first member of ADMIN; once. Rejects "roles begun"."""
    require(roles.leaders == 0, "roles begun")
    roles.members[Member(ADMIN, admin)] = True
    roles.leaders = 1


def has_role(roles: Roles, role: Symbol, account: Account) -> bool:
    return Member(role, account) in roles.members


def require_role(roles: Roles, role: Symbol, account: Account) -> None:
    """Rejects "role missing"."""
    require(has_role(roles, role, account), "role missing")


def admin_of(roles: Roles, role: Symbol) -> Symbol:
    """The role whose members grant and revoke `role`."""
    return roles.admins.get(role, ADMIN)


def grant(roles: Roles, by: Account, role: Symbol, account: Account) -> None:
    """`by`, usually tx.sender, makes `account` a member; one that is stays so. Rejects "role missing"."""
    require_role(roles, admin_of(roles, role), by)
    if not has_role(roles, role, account):
        roles.members[Member(role, account)] = True
        roles.leaders += 1 if role == ADMIN else 0


def revoke(roles: Roles, by: Account, role: Symbol, account: Account) -> None:
    """
    `by` takes the role from `account`; who has it may also give it up. Nothing happens to one that has it not.

    Rejects "role missing", "last admin".
    """
    if by != account:
        require_role(roles, admin_of(roles, role), by)
    if has_role(roles, role, account):
        if role == ADMIN:
            require(roles.leaders > 1, "last admin")
            roles.leaders -= 1
        del roles.members[Member(role, account)]


def set_admin(roles: Roles, by: Account, role: Symbol, admin: Symbol) -> None:
    """
    The members of `admin` grant and revoke `role` from now on; `by` is a member of ADMIN. ADMIN stays its own.

    Rejects "role missing", "admin is its own".
    """
    require_role(roles, ADMIN, by)
    require(role != ADMIN, "admin is its own")
    roles.admins[role] = admin
