"""An inbox's own webhook: its secret, a test, what was tried. Its URL is a field of the inbox (contract §2, §8)."""

from __future__ import annotations

from gateway.api.openmail.events_view import render_test
from gateway.api.openmail.offset_paging import OffsetQuery, Page, page, window_of
from gateway.api.openmail.webhook_views import (
    AttemptView,
    SecretView,
    TestedView,
    attempt_view,
    tested_view,
)
from gateway.api.openmail.wire import openmail_wire
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.webhooks import inbox_webhook
from gateway.core.webhooks.test_post import post_test

table = Table("webhooks")


@table.post("/inboxes/{inbox_id}/webhook/rotate-secret", access=changes("webhook_update", kinds=ORGANIZATION))
async def rotate_secret(call: Call[NoBody, NoQuery]) -> SecretView:
    """A new signing secret, shown only here; the old one is dead at once."""
    return SecretView(await inbox_webhook.rotate_secret(call.core, call.scope, call.ids["inbox_id"]))


@table.post("/inboxes/{inbox_id}/webhook/test", access=changes("webhook_update", kinds=ORGANIZATION))
async def test_webhook(call: Call[NoBody, NoQuery]) -> TestedView:
    """Post a signed ``setup.test`` event to the inbox's URL now, once.

    502 ``webhook_failed`` says what the endpoint answered, or why it could not be reached.
    """
    inbox, hook = await inbox_webhook.to_test(call.core, call.scope, call.ids["inbox_id"])
    wire = openmail_wire(call.core.settings)
    return tested_view(await post_test(call.core, hook, wire, lambda id, at: render_test(id, at, inbox)))


@table.get("/inboxes/{inbox_id}/webhook/attempts", access=reads("webhook_read", kinds=ORGANIZATION))
async def list_attempts(call: Call[NoBody, OffsetQuery]) -> Page[AttemptView]:
    """Every try to post an event to the inbox's own URL, newest first."""
    found = await inbox_webhook.attempts(call.core, call.scope, call.ids["inbox_id"], window_of(call.query))
    return page(found, attempt_view)
