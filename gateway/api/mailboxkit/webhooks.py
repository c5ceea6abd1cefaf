"""Webhooks: subscribing, testing, listing and repeating attempts (contract, "Webhooks")."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.mailboxkit.errors import fields
from gateway.api.mailboxkit.events_view import EVENTS
from gateway.api.mailboxkit.idempotency import own_id
from gateway.api.mailboxkit.listing import Data, PageQuery, Rows, listed, window_of
from gateway.api.mailboxkit.webhook_views import (
    AttemptView,
    ResentView,
    WebhookView,
    attempt_view,
    webhook_view,
)
from gateway.api.mailboxkit.wire import mailboxkit_wire
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import changes, reads
from gateway.core.errors import Missing
from gateway.core.text import clean_text
from gateway.core.webhooks import replay as webhook_replay
from gateway.core.webhooks import webhooks
from gateway.core.webhooks.test_post import record_test
from gateway.core.webhooks.webhooks import Among, NewWebhook
from gateway.events.dialect_format import Wire
from gateway.records.ids import number_of

table = Table("webhooks")

Doc = msgspec.Meta
MAX_NAME = 255
OURS = Among("mailboxkit")


class CreateWebhook(msgspec.Struct):
    """A webhook to make."""

    url: Annotated[str, Doc(description="where events are posted")]
    events: Annotated[list[str], Doc(description=f"at least one of {', '.join(EVENTS)}")]
    name: str | None = None


@table.post("/webhooks", status=201, access=changes("webhook_create", test="any"))
async def create_webhook(call: Call[CreateWebhook, NoQuery]) -> Data[WebhookView]:
    """Subscribe a URL to events. Only this answer shows ``secret``, which signs them."""
    body = call.body
    name = clean_text(body.name, "name", MAX_NAME)
    for field, given in (("url", body.url.strip()), ("events", body.events)):
        if not given:
            raise Missing(field)
    with fields(event_types="events"):
        new = NewWebhook(
            url=body.url.strip(),
            event_types=body.events,
            known=EVENTS,
            name=name,
            dialect=OURS.dialect,
            client_id=own_id(call),
        )
        hook, _ = await webhooks.create(call.core, call.scope, new)
    call.headers["Cache-Control"] = "no-store"
    return Data(webhook_view(hook, secret=True))


@table.get("/webhooks", access=reads("webhook_read"))
async def list_webhooks(call: Call[NoBody, PageQuery]) -> Rows[WebhookView]:
    """List webhooks, newest first."""
    window = window_of(call.query)
    return listed(
        call, window, await webhooks.list_webhooks(call.core, call.scope, OURS, window), webhook_view
    )


@table.get("/webhooks/{webhook_id}", access=reads("webhook_read", test="own"))
async def get_webhook(call: Call[NoBody, NoQuery]) -> Data[WebhookView]:
    """Get a webhook."""
    return Data(webhook_view(await webhooks.get(call.core, call.scope, OURS, call.ids["webhook_id"])))


@table.delete("/webhooks/{webhook_id}", access=changes("webhook_delete", test="own"))
async def delete_webhook(call: Call[NoBody, NoQuery]) -> None:
    """Delete a webhook and its pending events."""
    await webhooks.delete(call.core, call.scope, OURS, call.ids["webhook_id"])


@table.post("/webhooks/{webhook_id}/test", access=changes("webhook_update", test="own"))
async def test_webhook(call: Call[NoBody, NoQuery]) -> Data[AttemptView]:
    """Post a signed ``webhook.test`` event to the URL once, and answer the result.

    ``status`` is ``failed`` when the endpoint did not answer 2xx; ``error`` says why. The attempts list it, too.
    """
    wire = _wire(call)
    tried = await record_test(call.core, call.scope, OURS, call.ids["webhook_id"], wire)
    return Data(attempt_view(tried, wire))


@table.get("/webhooks/{webhook_id}/attempts", access=reads("webhook_read", "message_read", test="own"))
async def list_attempts(call: Call[NoBody, PageQuery]) -> Rows[AttemptView]:
    """List the attempts to post events to this webhook, newest first."""
    window, wire = window_of(call.query), _wire(call)
    found = await webhooks.list_attempts(
        call.core, call.scope, OURS, call.ids["webhook_id"], window, payloads=True
    )
    return listed(call, window, found, lambda tried: attempt_view(tried, wire))


@table.post(
    "/webhooks/{webhook_id}/attempts/{attempt_id}/resend",
    status=202,
    access=changes("webhook_update", test="own"),
)
async def resend(call: Call[NoBody, NoQuery]) -> Data[ResentView]:
    """Post the event of an attempt again now, with the same id and body."""
    attempt = await webhook_replay.resend(
        call.core, call.scope, OURS, call.ids["webhook_id"], call.ids["attempt_id"]
    )
    return Data(ResentView(attempt.id, number_of(attempt.webhook_id), "queued"))


def _wire(call: Call[NoBody, NoQuery] | Call[NoBody, PageQuery]) -> Wire:
    return mailboxkit_wire(call.core.settings, call.core.secret)
