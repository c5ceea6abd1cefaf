"""Inboxes, also under a pod. Every path accepts an inbox's id and its address."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.agentmail.manage_views import (
    CredentialsView,
    EndpointView,
    InboxView,
    QuotaView,
    inbox_view,
)
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, ORGANIZATION_OR_POD, changes, reads
from gateway.core.errors import NotFound
from gateway.core.inboxes import inboxes, quotas
from gateway.core.lookup import find_pod
from gateway.core.sending.pauses import paused_among
from gateway.records.ids import POD_ID
from gateway.records.inboxes import Inbox
from mailserver.base import Endpoint

table = Table("inboxes")

Doc = msgspec.Meta


class CreateInbox(msgspec.Struct):
    """A new inbox."""

    username: Annotated[
        str | None, Doc(description="letters, digits and . _ % + -; default: a random name")
    ] = None
    domain: Annotated[str | None, Doc(description="default: the platform's domain")] = None
    display_name: str | None = None
    client_id: Annotated[
        str | None, Doc(description="a repeat with the same one returns the existing inbox")
    ] = None
    pod_id: str | None = None
    metadata: dict[str, Any] | None = None


class UpdateInbox(msgspec.Struct):
    """Changes to an inbox; fields left out stay as they are."""

    display_name: str | UnsetType | None = UNSET
    status: Annotated[str | UnsetType, Doc(description="active or paused")] = UNSET
    metadata: Annotated[dict[str, Any] | UnsetType | None, Doc(description="merged; null removes a key")] = (
        UNSET
    )


class SetQuota(msgspec.Struct):
    """How much mail an inbox may hold."""

    quota_bytes: Annotated[
        int | None, Doc(description="octets (1048576 at least); 0: no limit; null: the server's default")
    ]


class InboxSearch(PageQuery):
    q: Annotated[str | None, Doc(description="part of the address or display name")] = None


@table.post(
    "/inboxes",
    status=201,
    also=["/pods/{pod_id}/inboxes"],
    access=changes("inbox_create", kinds=ORGANIZATION_OR_POD),
)
async def create_inbox(call: Call[CreateInbox, NoQuery]) -> InboxView:
    """Create an inbox: a real mailbox on the mail server.

    A repeat with the same client_id and the same (or no) username returns the existing inbox with status 200.
    """
    body = call.body
    saved = await inboxes.create(
        call.core,
        call.scope,
        inboxes.NewInbox(
            username=(body.username or "").strip() or None,
            domain=body.domain,
            display_name=body.display_name,
            client_id=body.client_id or None,
            pod=call.ids.get("pod_id") or body.pod_id,
            metadata=body.metadata or {},
        ),
    )
    if not saved.new:
        call.status = 200
    return await _shown(call, saved.inbox)


@table.get(
    "/inboxes", rows=("inboxes", InboxView), also=["/pods/{pod_id}/inboxes"], access=reads("inbox_read")
)
async def list_inboxes(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List inboxes, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await inboxes.list_inboxes(call.core, call.scope, paging.window, pod=call.ids.get("pod_id"))
    paused = await paused_among(call.core, found.rows)
    return answer(call, found, paging, "inboxes", lambda row: inbox_view(row, paused.get(row.id, ())))


@table.get(
    "/inboxes/search",
    rows=("inboxes", InboxView),
    also=["/pods/{pod_id}/inboxes/search"],
    access=reads("inbox_read"),
)
async def search_inboxes(call: Call[NoBody, InboxSearch]) -> dict[str, Any]:
    """Search inboxes by a part of their address or display name."""
    paging = read_paging(call.query, call.core.secret)
    found = await inboxes.list_inboxes(
        call.core, call.scope, paging.window, pod=call.ids.get("pod_id"), text=call.query.q
    )
    paused = await paused_among(call.core, found.rows)
    return answer(call, found, paging, "inboxes", lambda row: inbox_view(row, paused.get(row.id, ())))


@table.get("/inboxes/{inbox_id}", also=["/pods/{pod_id}/inboxes/{inbox_id}"], access=reads("inbox_read"))
async def get_inbox(call: Call[NoBody, NoQuery]) -> InboxView:
    """Get an inbox by id or address."""
    inbox = await inboxes.get(call.core, call.scope, call.ids["inbox_id"])
    await _in_pod(call, inbox)
    return await _shown(call, inbox)


@table.patch(
    "/inboxes/{inbox_id}", also=["/pods/{pod_id}/inboxes/{inbox_id}"], access=changes("inbox_update")
)
async def update_inbox(call: Call[UpdateInbox, NoQuery]) -> InboxView:
    """Update display name, status or metadata."""
    if "pod_id" in call.ids:
        await _in_pod(call, await inboxes.get(call.core, call.scope, call.ids["inbox_id"]))
    changes = {
        name: value
        for name in ("display_name", "status", "metadata")
        if (value := getattr(call.body, name)) is not UNSET
    }
    saved = await inboxes.update(call.core, call.scope, call.ids["inbox_id"], changes)
    return await _shown(call, saved.inbox)


@table.delete(
    "/inboxes/{inbox_id}", also=["/pods/{pod_id}/inboxes/{inbox_id}"], access=changes("inbox_delete")
)
async def delete_inbox(call: Call[NoBody, NoQuery]) -> None:
    """Delete an inbox, its mailbox and everything that belongs to it."""
    if "pod_id" in call.ids:
        await _in_pod(call, await inboxes.get(call.core, call.scope, call.ids["inbox_id"]))
    await inboxes.delete(call.core, call.scope, call.ids["inbox_id"])


@table.post("/inboxes/{inbox_id}/credentials", access=changes("inbox_credentials"))
async def set_credentials(call: Call[NoBody, NoQuery]) -> CredentialsView:
    """Make or replace the password with which a person opens this inbox in a mail client; it is shown once."""
    inbox, password, access = await inboxes.set_credentials(call.core, call.scope, call.ids["inbox_id"])
    return CredentialsView(
        inbox.address, inbox.address, password, _endpoint(access.imap), _endpoint(access.submission)
    )


@table.delete("/inboxes/{inbox_id}/credentials", access=changes("inbox_credentials"))
async def remove_credentials(call: Call[NoBody, NoQuery]) -> None:
    """Remove the person's password; mail clients are logged out."""
    await inboxes.remove_credentials(call.core, call.scope, call.ids["inbox_id"])


@table.get("/inboxes/{inbox_id}/quota", access=reads("inbox_read"))
async def get_quota(call: Call[NoBody, NoQuery]) -> QuotaView:
    """How much mail an inbox may hold, and how much it holds."""
    return _quota_view(await quotas.get(call.core, call.scope, call.ids["inbox_id"]))


@table.put("/inboxes/{inbox_id}/quota", access=changes("inbox_update", kinds=ORGANIZATION))
async def set_quota(call: Call[SetQuota, NoQuery]) -> QuotaView:
    """Set how much mail an inbox may hold; a full one refuses mail with 552 5.2.2.

    This needs a key of the whole organization with inbox_update. Where the server has a default quota, only its
    operator can set more than that.
    """
    octets = call.body.quota_bytes
    return _quota_view(await quotas.set_quota(call.core, call.scope, call.ids["inbox_id"], octets))


async def _shown(call: Call[Any, Any], inbox: Inbox) -> InboxView:
    paused = await paused_among(call.core, [inbox])
    return inbox_view(inbox, paused.get(inbox.id, ()))


def _quota_view(found: quotas.Quota) -> QuotaView:
    inbox = found.inbox
    return QuotaView(inbox.address, inbox.address, found.own, found.default, found.limit, found.used)


def _endpoint(end: Endpoint) -> EndpointView:
    return EndpointView(end.host, end.port, end.tls)


async def _in_pod(call: Call[Any, Any], inbox: Inbox) -> None:
    """Raise NotFound for an inbox of another pod than the path's."""
    if "pod_id" not in call.ids:
        return
    ref = call.ids["pod_id"]
    pod = await call.core.store.read(lambda tx: find_pod(tx, call.scope, ref))
    if pod.id != inbox.pod_id and POD_ID.parse(ref) != inbox.pod_id:
        raise NotFound(f"there is no inbox {call.ids['inbox_id'][:100]!r} in this pod")
