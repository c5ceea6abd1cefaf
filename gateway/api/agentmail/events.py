"""GET /events: the event log, from which webhooks and WebSockets are sent, to read again or to poll."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.events_view import render
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, Table
from gateway.api.times import iso_of
from gateway.core.access import reads
from gateway.core.mail.label_log import list_label_changes
from gateway.core.webhooks.event_log import list_events
from gateway.core.webhooks.webhooks import EVENT_TYPES
from gateway.records.ids import EVENT_ID, MESSAGE_ID, ORGANIZATION_ID, POD_ID
from gateway.records.inboxes import Inbox
from gateway.records.mail import LabelChange

table = Table("events")

Doc = msgspec.Meta


class EventsQuery(PageQuery):
    after: Annotated[str | None, Doc(description="only events after this event_id")] = None
    event_types: Annotated[list[str] | None, Doc(description="only these types")] = None


@table.get("/events", rows=("events", dict[str, Any]), access=reads("webhook_read"))
async def list_the_events(call: Call[NoBody, EventsQuery]) -> dict[str, Any]:
    """List events in the order they happened, as webhooks get them."""
    paging = read_paging(call.query, call.core.secret, ascending=True)
    window = paging.window
    found = await list_events(
        call.core,
        call.scope,
        after=call.query.after,
        limit=window.limit,
        ascending=window.ascending,
        types=_types(call.query.event_types),
        position=window.position[0] if window.position else None,
        offset=window.offset,
    )
    return answer(call, found, paging, "events", render)


def _types(asked: list[str] | None) -> list[str]:
    """The types to list: the log holds other dialects' events too. An unknown type matches no event."""
    return [one for one in asked or EVENT_TYPES if one in EVENT_TYPES] or [""]


class LabelEvent(msgspec.Struct):
    """A label added to or removed from a message."""

    organization_id: str
    pod_id: str
    inbox_id: str
    event_id: str
    event_type: str
    message_id: str
    label: str
    event_at: str
    created_at: str


def _label_event(inbox: Inbox, change: LabelChange) -> LabelEvent:
    at = iso_of(change.created_at)
    return LabelEvent(
        organization_id=ORGANIZATION_ID.public(inbox.organization_id),
        pod_id=POD_ID.public(inbox.pod_id),
        inbox_id=inbox.address,
        event_id=EVENT_ID.public(change.id),
        event_type="label.added" if change.added else "label.removed",
        message_id=MESSAGE_ID.public(change.message_id),
        label=change.label,
        event_at=at,
        created_at=at,
    )


@table.get("/inboxes/{inbox_id}/events", rows=("events", LabelEvent), access=reads("message_read"))
async def list_inbox_events(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """Labels added and removed in an inbox, newest first; by the API or by a person's mail client."""
    paging = read_paging(call.query, call.core.secret)
    window = paging.window
    inbox, found = await list_label_changes(
        call.core,
        call.scope,
        call.ids["inbox_id"],
        limit=window.limit,
        ascending=window.ascending,
        position=window.position[0] if window.position else None,
        offset=window.offset,
    )
    return answer(call, found, paging, "events", partial(_label_event, inbox))
