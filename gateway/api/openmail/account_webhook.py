"""The account's webhook, for every inbox without a URL of its own (contract §8).

Upstream keeps it in the dashboard; the routes are ours. A secret is shown when it is made, with the first URL or by
rotation, and never again.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

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
from gateway.api.times import iso
from gateway.core.access import ORGANIZATION, changes, reads
from gateway.core.errors import Invalid
from gateway.core.webhooks import account_webhook
from gateway.core.webhooks.test_post import post_test
from gateway.records.webhooks import Webhook

table = Table("webhooks")


class SetWebhook(msgspec.Struct):
    """Where the account's events go."""

    url: Annotated[str, msgspec.Meta(description="where events are posted; https")]


class WebhookView(msgspec.Struct, rename="camel"):
    """The account's webhook. ``url`` null: there is none. ``failingSince``: when the first of the tries failed that
    have failed ever since."""

    url: str | None
    last_success_at: str | None = None
    failing_since: str | None = None
    updated_at: str | None = None
    webhook_secret: str | msgspec.UnsetType = msgspec.UNSET


def webhook_view(hook: Webhook | None, secret: str | None = None) -> WebhookView:
    if hook is None:
        return WebhookView(None)
    return WebhookView(
        url=hook.url,
        last_success_at=iso(hook.succeeded_at),
        failing_since=iso(hook.failing_since),
        updated_at=iso(hook.updated_at),
        webhook_secret=secret or msgspec.UNSET,
    )


@table.get("/webhook", access=reads("webhook_read", kinds=ORGANIZATION))
async def get_webhook(call: Call[NoBody, NoQuery]) -> WebhookView:
    """The account's webhook, without its secret."""
    return webhook_view(await account_webhook.get(call.core, call.scope))


@table.put("/webhook", access=changes("webhook_update", "message_read", kinds=ORGANIZATION))
async def set_webhook(call: Call[SetWebhook, NoQuery]) -> WebhookView:
    """Set the URL. The first one ever answers with the signing secret; later ones keep it."""
    if not call.body.url:
        raise Invalid(
            "url is empty", field="url", code="invalid_webhook_url", fix="DELETE /v1/webhook takes it away"
        )
    held = await account_webhook.set_url(call.core, call.scope, call.body.url)
    return webhook_view(held.hook, held.secret)


@table.delete("/webhook", access=changes("webhook_delete", kinds=ORGANIZATION))
async def clear_webhook(call: Call[NoBody, NoQuery]) -> None:
    """Take the URL away, and what waits for it. The secret is kept for the next URL."""
    await account_webhook.clear(call.core, call.scope)


@table.post("/webhook/rotate-secret", access=changes("webhook_update", kinds=ORGANIZATION))
async def rotate_secret(call: Call[NoBody, NoQuery]) -> SecretView:
    """A new signing secret, shown only here; the old one is dead at once."""
    return SecretView(await account_webhook.rotate_secret(call.core, call.scope))


@table.post("/webhook/test", access=changes("webhook_update", kinds=ORGANIZATION))
async def test_webhook(call: Call[NoBody, NoQuery]) -> TestedView:
    """Post a signed ``setup.test`` event to the account's URL now, once."""
    hook = await account_webhook.to_test(call.core, call.scope)
    wire = openmail_wire(call.core.settings)
    return tested_view(await post_test(call.core, hook, wire, lambda id, at: render_test(id, at, None)))


@table.get("/webhook/attempts", access=reads("webhook_read", kinds=ORGANIZATION))
async def list_attempts(call: Call[NoBody, OffsetQuery]) -> Page[AttemptView]:
    """Every try to post an event to the account's URL, newest first."""
    return page(await account_webhook.attempts(call.core, call.scope, window_of(call.query)), attempt_view)
