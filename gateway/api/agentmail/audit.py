"""The audit log: who changed what. Postern's own; ``postern audit`` reads it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import iso_of, parse_time
from gateway.core.access import ORGANIZATION, reads
from gateway.core.accounts.audit import list_entries
from gateway.records.audit import ActorKind, AuditEntry
from gateway.records.ids import AUDIT_ID, KEY_ID, ORGANIZATION_ID

table = Table("Audit")
Doc = msgspec.Meta


class AuditQuery(PageQuery, kw_only=True):
    object: Annotated[
        str | None, Doc(description="only of this type (inbox, webhook, …), object_id or object_name")
    ] = None
    action: Annotated[
        str | None, Doc(description="only this action (created, changed, deleted, …) or operation")
    ] = None
    since: Annotated[str | None, Doc(description="not older than this time")] = None


class AuditView(msgspec.Struct):
    """A management action on one object. Secrets and mail are never in it: of a secret it says `(changed)`."""

    audit_id: Annotated[str, Doc(description="id of the entry")]
    organization_id: Annotated[
        str | None, Doc(description="whose object it is; null: the server's own, or erased")
    ]
    created_at: str
    actor: Annotated[
        ActorKind,
        Doc(
            description="key, operator (a command on the server), registration (no key), reviewer (a review's link)"
        ),
    ]
    api_key_id: Annotated[str | None, Doc(description="the API key that was used")]
    via: Annotated[str, Doc(description="agentmail, openmail, mailboxkit, mcp, operator or review_link")]
    operation: Annotated[str, Doc(description="name of the endpoint or tool")]
    ip_address: Annotated[str | None, Doc(description="address of the client")]
    request_id: Annotated[str | None, Doc(description="X-Request-Id of the answer")]
    action: Annotated[str, Doc(description="created, changed, deleted, or what else was done")]
    object_type: Annotated[str, Doc(description="what kind of object")]
    object_id: Annotated[str, Doc(description="its id, name or address")]
    object_name: Annotated[str | None, Doc(description="its name or address at that time")]
    before: Annotated[
        dict[str, Any] | None, Doc(description="its fields before; of a change only those that changed")
    ]
    after: Annotated[dict[str, Any] | None, Doc(description="its fields after; null when it was deleted")]


@table.get("/audit", rows=("audit", AuditView), access=reads("api_key_read", kinds=ORGANIZATION))
async def list_the_audit(call: Call[NoBody, AuditQuery]) -> dict[str, Any]:
    """List who changed what: inboxes, pods, domains, aliases, keys, webhooks, lists and suppressions; newest first.

    This needs a key of the whole organization with api_key_read. Entries are kept for `audit.keep_days`.
    """
    query = call.query
    paging = read_paging(query, call.core.secret)
    found = await list_entries(
        call.core,
        call.scope,
        paging.window,
        about=query.object,
        action=query.action,
        since=parse_time(query.since, "since"),
    )
    return answer(call, found, paging, "audit", audit_view)


def audit_view(entry: AuditEntry) -> AuditView:
    """The view of an entry."""
    return AuditView(
        audit_id=AUDIT_ID.public(entry.id),
        organization_id=ORGANIZATION_ID.public(entry.organization_id) if entry.organization_id else None,
        created_at=iso_of(entry.created_at),
        actor=entry.actor,
        api_key_id=KEY_ID.public(entry.key_id) if entry.key_id else None,
        via=entry.via,
        operation=entry.operation,
        ip_address=entry.ip,
        request_id=entry.request_id,
        action=entry.action,
        object_type=entry.object_type,
        object_id=entry.object_id,
        object_name=entry.object_name,
        before=entry.before,
        after=entry.after,
    )
