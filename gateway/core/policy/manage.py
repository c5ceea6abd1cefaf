"""Reading and changing policies. Every change is a version of its own, with the key that made it."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.core.context import Core
from gateway.core.errors import Conflict
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.policy.check import Wanted, check_locks, checked
from gateway.core.policy.resolve import Policy, Unreadable, policy_of
from gateway.records.policies import PolicyVersion, Rule
from gateway.store.engine import NotUnique
from gateway.store.listing import Listing, Window
from gateway.store.queries.policies import (
    PolicyOwner,
    add_version,
    list_versions,
    owner_of_inbox,
    rules_over,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MOST_VERSIONS = 200
_NOTHING = Rule()


@dataclass(frozen=True, slots=True)
class Held:
    """The policy of ``owner``. ``own``: the newest version of its own rule, None where it never had one;
    ``policy``: what holds for it."""

    owner: PolicyOwner
    own: PolicyVersion | None
    policy: Policy | Unreadable


async def get(core: Core, scope: Scope, *, pod: str | None = None, inbox: str | None = None) -> Held:
    """The policy of an inbox, else of a pod, else of what the key belongs to. Raises NotFound, Forbidden."""
    require(scope, "policy_read")
    return await core.store.read(lambda tx: _read(tx, _owner(tx, scope, pod, inbox)))


async def put(
    core: Core,
    scope: Scope,
    wanted: Wanted,
    *,
    pod: str | None = None,
    inbox: str | None = None,
    replaces: int | None = None,
) -> Held:
    """Replace the own rule of an inbox, else of a pod, else of what the key belongs to; answers as ``get``.

    The same rule again makes no version. ``replaces``: the version that it replaces, 0 for none. Raises Invalid,
    TooLarge, Forbidden (also ``policy_locked``), NotFound, Conflict when the version is another one by now.
    """
    require(scope, "policy_update")
    return await _change(core, scope, checked(wanted), pod, inbox, replaces)


async def remove(
    core: Core, scope: Scope, *, pod: str | None = None, inbox: str | None = None, replaces: int | None = None
) -> None:
    """Say nothing any more: a version with an empty rule. Raises as ``put``."""
    require(scope, "policy_update")
    await _change(core, scope, _NOTHING, pod, inbox, replaces)


async def versions(
    core: Core, scope: Scope, window: Window, *, pod: str | None = None, inbox: str | None = None
) -> Listing[PolicyVersion]:
    """The versions of the own rule, newest first: the last 200."""
    require(scope, "policy_read")
    return await core.store.read(lambda tx: list_versions(tx, _owner(tx, scope, pod, inbox), window))


async def _change(
    core: Core, scope: Scope, rule: Rule, pod: str | None, inbox: str | None, replaces: int | None
) -> Held:
    def write(tx: Tx) -> Held:
        owner = _owner(tx, scope, pod, inbox)
        held = _read(tx, owner)
        current = held.own.version if held.own is not None else 0
        if replaces is not None and replaces != current:
            raise Conflict(
                f"the policy was changed meanwhile: its version is {current}, not {replaces}",
                field="version",
                fix="GET the policy and make the change anew",
            )
        above = policy_of([one for one in rules_over(tx, owner) if one.subject != owner.subject])
        if isinstance(above, Policy):
            check_locks(rule, above)
        if (held.own.rule() if held.own is not None else _NOTHING) == rule:
            return held
        text = msgspec.json.encode(rule).decode()
        add_version(tx, owner, current + 1, text, scope.key_id, MOST_VERSIONS)
        return _read(tx, owner)

    try:
        return await core.store.write(write)
    except NotUnique:  # PostgreSQL: another request made this version between the query and the insert
        return await core.store.write(write)


def _owner(tx: Tx, scope: Scope, pod: str | None, inbox: str | None) -> PolicyOwner:
    if inbox is None and pod is None and scope.inbox:
        inbox = scope.inbox
    if inbox is not None:
        return owner_of_inbox(find_inbox(tx, scope, inbox))
    return PolicyOwner(scope.organization, find_pod(tx, scope, pod).id if pod is not None else scope.pod)


def _read(tx: Tx, owner: PolicyOwner) -> Held:
    rules = rules_over(tx, owner)
    own = next((one for one in rules if one.subject == owner.subject), None)
    return Held(owner, own, policy_of(rules))
