"""Polling webhooks: events wait to be fetched, for programs without a public URL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.events_view import render
from gateway.api.agentmail.manage_views import PollingWebhookView, polling_view
from gateway.api.auth import authenticate, key_of
from gateway.api.paging import PageQuery, answer, read_paging, token
from gateway.api.ratelimit import rate_limit
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import OPEN, changes, check, reads
from gateway.core.errors import Invalid
from gateway.core.webhooks import polling, webhooks
from gateway.records.events import LogPosition
from gateway.records.ids import InboxId
from gateway.records.webhooks import Webhook
from gateway.store.scope import Scope

table = Table("webhooks")

Doc = msgspec.Meta
Names = list[str] | None
MAX_EVENTS = 100
_READS = reads("webhook_read", test="own")


class CreatePolling(msgspec.Struct):
    """A new polling webhook."""

    client_id: Annotated[str, Doc(description="your own id; a repeat with the same one returns a new token")]
    event_types: Annotated[
        Names, Doc(description="the events to keep; required; empty: all but the opt-in ones")
    ] = None
    inbox_ids: Annotated[Names, Doc(description="ids or addresses; empty: every inbox")] = None
    pod_ids: Names = None


class EventsQuery(msgspec.Struct):
    iterator: Annotated[
        str | None,
        Doc(description="iterator of the answer before; left out: from the creation of the webhook on"),
    ] = None
    limit: Annotated[int | None, Doc(description="events an answer, 1 to 100")] = None


class PolledEvents(msgspec.Struct):
    """Events, oldest first. The next request gives ``iterator`` back, which also says that these were handled."""

    data: list[dict[str, Any]]
    iterator: str
    done: Annotated[bool, Doc(description="there are no more events now")]


def _also(path: str) -> list[str]:
    return [f"/pods/{{pod_id}}{path}", f"/inboxes/{{inbox_id}}{path}"]


_ALL = "/webhooks/polling"
_ONE = "/webhooks/polling/{polling_id}"


def _among(call: Call[Any, Any]) -> webhooks.Among:
    return webhooks.Among(polling.DIALECT, call.ids.get("pod_id"), call.ids.get("inbox_id"))


@table.post(_ALL, status=201, also=_also(_ALL), access=changes("webhook_create", test="any"))
async def create_polling_webhook(call: Call[CreatePolling, NoQuery]) -> PollingWebhookView:
    """Create a polling webhook; the token that reads its events is shown only here."""
    body = call.body
    if body.event_types is None:
        raise Invalid("event_types is required", field="event_types", fix='write ["message.received"]')
    made = await polling.create(
        call.core,
        call.scope,
        polling.NewPolling(
            client_id=body.client_id,
            event_types=body.event_types,
            inbox_ids=body.inbox_ids or (),
            pod_ids=body.pod_ids or (),
            pod=call.ids.get("pod_id"),
            inbox=call.ids.get("inbox_id"),
        ),
    )
    if not made.new:
        call.status = 200
    call.headers["Cache-Control"] = "no-store"
    view = polling_view(made.webhook, await _addresses(call, [made.webhook]))
    view.token = made.token
    return view


@table.get(
    _ALL, rows=("polling_webhooks", PollingWebhookView), also=_also(_ALL), access=reads("webhook_read")
)
async def list_polling_webhooks(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List polling webhooks, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await webhooks.list_webhooks(call.core, call.scope, _among(call), paging.window)
    view = partial(polling_view, addresses=await _addresses(call, found.rows))
    return answer(call, found, paging, "polling_webhooks", view)


@table.get(_ONE, also=_also(_ONE), access=_READS)
async def get_polling_webhook(call: Call[NoBody, NoQuery]) -> PollingWebhookView:
    """Get a polling webhook, without its token."""
    hook = await webhooks.get(call.core, call.scope, _among(call), call.ids["polling_id"])
    return polling_view(hook, await _addresses(call, [hook]))


@table.delete(_ONE, also=_also(_ONE), access=changes("webhook_delete", test="own"))
async def delete_polling_webhook(call: Call[NoBody, NoQuery]) -> None:
    """Delete a polling webhook; its token ends."""
    await webhooks.delete(call.core, call.scope, _among(call), call.ids["polling_id"])


@table.get(f"{_ONE}/events", access=OPEN)
async def fetch_events(call: Call[NoBody, EventsQuery]) -> PolledEvents:
    """Fetch the events of a polling webhook.

    `Authorization: Bearer` holds its token, or an API key with webhook_read. Events are kept as long as the event log
    (setting events.keep_days). Without `iterator` they begin with the creation of the webhook.
    """
    core, query = call.core, call.query
    limit = MAX_EVENTS if query.limit is None else query.limit
    if not 1 <= limit <= MAX_EVENTS:
        raise Invalid(f"limit takes 1 to {MAX_EVENTS}", field="limit", fix=f"write limit={MAX_EVENTS}")
    hook, reader = await _readable(call)
    position = None if query.iterator is None else _position(query.iterator, core.secret)
    fetched = await polling.fetch(core, hook, reader, position, limit)
    events = [shown for event in fetched.events if (shown := render(event)) is not None]
    call.headers["Cache-Control"] = "no-store"
    seq, at = fetched.position
    return PolledEvents(events, token((seq, str(at)), True, core.secret), fetched.done)


def _position(iterator: str, secret: bytes) -> LogPosition:
    """What an iterator says. Raises Invalid for one that no answer of this route gave."""
    try:
        position = read_paging(PageQuery(page_token=iterator), secret).window.position
        if position is None:
            raise ValueError
        return LogPosition(position[0], int(position[1]))
    except (Invalid, ValueError):
        raise Invalid(
            "iterator was not made by this route",
            field="iterator",
            fix="take iterator from the previous answer, or leave it out to start again",
        ) from None


async def _readable(call: Call[Any, Any]) -> tuple[Webhook, Scope | None]:
    """The polling webhook, by its token or for an API key, whose scope is answered too. Requests with the token count
    as those of the key that made it. Raises Unauthorized, Forbidden, NotFound, TooMany."""
    core, ref = call.core, call.ids["polling_id"]
    hook = await polling.with_token(core, ref, key_of(call.request) or "")
    if hook is not None:
        rate_limit(core, Scope(hook.organization_id, key_id=hook.key_id), call.headers)
        return hook, None
    scope = await authenticate(core, call.request)
    rate_limit(core, scope, call.headers)
    check(scope, _READS)
    return await webhooks.get(core, scope, webhooks.Among(polling.DIALECT), ref), scope


async def _addresses(call: Call[Any, Any], hooks: Iterable[Webhook]) -> Mapping[InboxId, str]:
    ids = [inbox_id for hook in hooks for inbox_id in (hook.inbox_id, *hook.inbox_ids)]
    return await call.core.addresses.of(call.core.store, ids)
