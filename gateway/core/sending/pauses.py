"""Pausing what sends: an inbox, a pod, an organization, or the whole server.

While a pause holds, nothing that it covers leaves: what is queued waits, new sends are accepted and queued as ever, and
mail still comes in. A transaction with another server that runs already finishes. Who paused may resume, and so may a
wider key: one of the organization ends what a pod's key began, the operator's ends everything. A key of an inbox may
pause its inbox, and resumes nothing. The time of a pause does not count towards ``outbox.retry_days``.

Not to be taken for an inbox's ``status`` ``paused`` or a suspension (``core.sending.reputation``): those refuse new
sends and let go what is queued.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.core.context import Core
from gateway.core.errors import Forbidden, NotFound
from gateway.core.lookup import find_pod, find_reachable_inbox
from gateway.core.text import clean_text
from gateway.records.ids import (
    INBOX_ID,
    KEY_ID,
    ORGANIZATION_ID,
    POD_ID,
    InboxId,
    OrganizationId,
    PodId,
    new_ulid,
    now_us,
)
from gateway.records.inboxes import Inbox
from gateway.records.pauses import SERVER, Authority, Pause, PauseLevel
from gateway.store.queries import pauses as queries
from gateway.store.queries.inboxes import unscoped_inbox_addresses
from gateway.store.queries.organizations import unscoped_organization
from gateway.store.queries.pods import unscoped_pod
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

log = logging.getLogger("postern.pauses")

MAX_REASON = 500
_MOST_LISTED = 1000
_RANK: Mapping[Authority, int] = {"inbox": 0, "pod": 1, "organization": 2, "operator": 3}


@dataclass(frozen=True, slots=True)
class Target:
    """What is paused or resumed. ``over``: the subjects whose pauses hold for it, its own the last one."""

    level: PauseLevel
    subject: str
    organization_id: OrganizationId | None
    over: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NamedPause:
    """A pause with the name of its subject: an inbox's address, ``pod_…``, ``org_…``, or ``server``."""

    pause: Pause
    name: str


Find = Callable[[Tx, Scope], Target]


def of_inbox(ref: str) -> Find:
    """An inbox by any of its names; the operator's key reaches every one. Raises NotFound, Forbidden."""

    def find(tx: Tx, scope: Scope) -> Target:
        found = find_reachable_inbox(tx, scope, ref)
        over = queries.subjects_of(found.id, found.pod_id, found.organization_id)
        return Target("inbox", found.id, found.organization_id, over)

    return find


def of_pod(ref: str) -> Find:
    """A pod with all its inboxes. Raises NotFound, Forbidden."""

    def find(tx: Tx, scope: Scope) -> Target:
        wanted = POD_ID.parse(ref)
        found = unscoped_pod(tx, wanted) if scope.operator and wanted else None
        found = found or find_pod(tx, scope, ref)
        return Target("pod", found.id, found.organization_id, (SERVER, found.organization_id, found.id))

    return find


def of_organization(ref: str | None = None) -> Find:
    """The key's own organization; for the operator any by its id. Raises NotFound."""

    def find(tx: Tx, scope: Scope) -> Target:
        wanted = scope.organization if ref is None else ORGANIZATION_ID.parse(ref)
        reached = wanted is not None and (scope.operator or wanted == scope.organization)
        found = unscoped_organization(tx, wanted) if wanted is not None and reached else None
        if found is None:
            raise NotFound(f"there is no organization {(ref or '')[:100]!r}", fix="give its id: org_…")
        return Target("organization", found.id, found.id, (SERVER, found.id))

    return find


def of_server() -> Find:
    """Everything; only the operator pauses and resumes it."""
    return lambda tx, scope: Target("server", SERVER, None, (SERVER,))


async def get(core: Core, scope: Scope, find: Find) -> list[NamedPause]:
    """The pauses that hold for it, the widest first; empty when it sends. Raises NotFound, Forbidden."""
    return await core.store.read(lambda tx: _over(tx, find(tx, scope)))


async def list_all(core: Core, scope: Scope) -> list[NamedPause]:
    """The pauses inside the reach, the newest first: a thousand at most."""
    return await core.store.read(lambda tx: _named(tx, queries.list_pauses(tx, scope, _MOST_LISTED)))


async def pause(core: Core, scope: Scope, find: Find, reason: str | None) -> list[NamedPause]:
    """Pause it; answers the pauses that hold for it. One that holds already is only said anew, by as wide a key at the
    least. Raises NotFound, Forbidden, Invalid."""
    reason = clean_text(reason, "reason", MAX_REASON) or None
    authority, by = _authority(scope), _by(scope)

    def write(tx: Tx) -> list[NamedPause]:
        target = find(tx, scope)
        tx.lock(f"pause/{target.subject}")
        held = _own(tx, target)
        if held is None:
            made = Pause(
                id=new_ulid(),
                level=target.level,
                subject=target.subject,
                organization_id=target.organization_id,
                reason=reason,
                paused_by=by,
                authority=authority,
                since=now_us(),
                ended_at=None,
                ended_by=None,
                unparked_to=None,
            )
            queries.add_pause(tx, made)
            _note(tx, "paused", _named(tx, [made])[0], by)
        elif _RANK[authority] >= _RANK[held.authority]:
            queries.change_pause(tx, held.id, reason=reason or held.reason, paused_by=by, authority=authority)
        return _over(tx, target)

    return await core.store.write(write)


async def resume(core: Core, scope: Scope, find: Find) -> list[NamedPause]:
    """End its own pause; answers those that still hold for it. Nothing happens where it has none.

    Raises NotFound, and Forbidden for a pause that a wider key began.
    """
    authority, by = _authority(scope), _by(scope)

    def write(tx: Tx) -> list[NamedPause]:
        target = find(tx, scope)
        tx.lock(f"pause/{target.subject}")
        held = _own(tx, target)
        if held is None:
            return _over(tx, target)
        if authority == "inbox" or _RANK[authority] < _RANK[held.authority]:
            if authority == "inbox":
                raise Forbidden("a key of one inbox does not resume", fix="use a key of the organization")
            by_operator = held.authority == "operator"
            who = "the operator of this server" if by_operator else f"a key of the {held.authority}"
            raise Forbidden(
                f"it was paused by {who}, and a narrower key does not resume it",
                code="paused_by_wider_key",
                fix="ask the operator" if by_operator else "use such a key",
            )
        queries.end_pause(tx, held.id, by=by, at=now_us())
        _note(tx, "resumed", _named(tx, [held])[0], by)
        tx.after_commit.append(core.outbox_wake.set)
        return _over(tx, target)

    return await core.store.write(write)


async def paused_among(core: Core, inboxes: Sequence[Inbox]) -> Mapping[InboxId, list[Pause]]:
    """The pauses that hold for each of some inboxes that the caller sees; those under none are left out."""
    return await core.store.quick_read(lambda tx: queries.pauses_over(tx, inboxes))


def _authority(scope: Scope) -> Authority:
    if scope.operator:
        return "operator"
    return "inbox" if scope.inbox else "pod" if scope.pod else "organization"


def _by(scope: Scope) -> str:
    return "operator" if scope.operator else KEY_ID.public(scope.key_id) or "unknown"


def _own(tx: Tx, target: Target) -> Pause | None:
    return next(iter(queries.holding(tx, [target.subject])), None)


def _over(tx: Tx, target: Target) -> list[NamedPause]:
    return _named(tx, queries.holding(tx, target.over))


def _named(tx: Tx, pauses: Sequence[Pause]) -> list[NamedPause]:
    addresses = unscoped_inbox_addresses(tx, [InboxId(one.subject) for one in pauses if one.level == "inbox"])

    def name(one: Pause) -> str:
        if one.level == "inbox":
            inbox_id = InboxId(one.subject)
            return addresses.get(inbox_id) or INBOX_ID.public(inbox_id)
        if one.level == "pod":
            return POD_ID.public(PodId(one.subject))
        return SERVER if one.level == "server" else ORGANIZATION_ID.public(OrganizationId(one.subject))

    return [NamedPause(one, name(one)) for one in pauses]


def _note(tx: Tx, what: str, named: NamedPause, by: str) -> None:
    text = f"sending of {named.pause.level} {named.name} is {what} by {by}"
    tx.after_commit.append(partial(log.warning, "%s", text))
