"""GET /events: the log that webhooks and WebSockets are fed from, to read again or to poll."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.events_view import render
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, Table
from gateway.core.event_log import list_events

table = Table("events")

Doc = msgspec.Meta


class EventsQuery(PageQuery):
    after: Annotated[str | None, Doc(description="only events after this event_id")] = None
    event_types: Annotated[list[str] | None, Doc(description="only these types")] = None


@table.get("/events", rows=("events", dict[str, Any]))
async def list_the_events(call: Call[NoBody, EventsQuery]) -> dict[str, Any]:
    """Events in the order they happened, as webhooks get them."""
    paging = read_paging(call.query, call.core.secret, ascending=True)
    window = paging.window
    found = await list_events(
        call.core,
        call.scope,
        after=call.query.after,
        limit=window.limit,
        ascending=window.ascending,
        types=call.query.event_types or (),
        position=window.position[0] if window.position else None,
        offset=window.offset,
    )
    return answer(found, paging, "events", call.core.secret, render)
