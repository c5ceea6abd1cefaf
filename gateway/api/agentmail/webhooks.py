"""Webhooks of the organization, a pod or an inbox; their headers, secret, attempts and replay."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.manage_views import AttemptView, WebhookView, attempt_view, webhook_view
from gateway.api.paging import PageQuery, answer, read_paging
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.api.times import parse_time
from gateway.core.access import changes, reads
from gateway.core.errors import Invalid
from gateway.core.webhooks import replay as webhook_replay
from gateway.core.webhooks import webhooks
from gateway.records.ids import InboxId
from gateway.records.webhooks import Webhook

table = Table("webhooks")

Doc = msgspec.Meta
Names = list[str] | None


class CreateWebhook(msgspec.Struct):
    """A new webhook."""

    url: str
    event_types: Annotated[
        Names, Doc(description="the events to post; required; empty: all but the opt-in ones")
    ] = None
    inbox_ids: Annotated[Names, Doc(description="ids or addresses; empty: every inbox")] = None
    pod_ids: Names = None
    client_id: str | None = None
    headers: dict[str, str] | None = None


class UpdateWebhook(msgspec.Struct):
    """Changes to a webhook; fields left out stay as they are."""

    url: str | None = None
    event_types: Names = None
    inbox_ids: Names = None
    add_inbox_ids: Names = None
    remove_inbox_ids: Names = None
    pod_ids: Names = None
    add_pod_ids: Names = None
    remove_pod_ids: Names = None
    enabled: bool | None = None


class Headers(msgspec.Struct):
    """Extra headers to set and to remove."""

    headers: dict[str, str] | None = None
    remove_headers: Names = None


class HeaderNames(msgspec.Struct):
    """The names of the extra headers; their values are secrets and not shown."""

    header_names: list[str]


class Replay(msgspec.Struct):
    """The events to post again; give one of the three."""

    since: Annotated[str | None, Doc(description="every event since this time")] = None
    event_ids: Names = None
    failed: Annotated[bool, Doc(description="the deliveries that failed for good")] = False


class Replayed(msgspec.Struct):
    """How many events are posted again."""

    count: int


def _also(path: str) -> list[str]:
    return [f"/pods/{{pod_id}}{path}", f"/inboxes/{{inbox_id}}{path}"]


def _among(call: Call[Any, Any]) -> webhooks.Among:
    return webhooks.Among("agentmail", call.ids.get("pod_id"), call.ids.get("inbox_id"))


async def _view(call: Call[Any, Any], hook: Webhook, *, secret: bool) -> WebhookView:
    return webhook_view(hook, await _addresses(call, [hook]), secret=secret)


async def _addresses(call: Call[Any, Any], hooks: Iterable[Webhook]) -> Mapping[InboxId, str]:
    ids = [inbox_id for hook in hooks for inbox_id in (hook.inbox_id, *hook.inbox_ids)]
    return await call.core.addresses.of(call.core.store, ids)


def _secret(call: Call[Any, Any]) -> bool:
    return call.core.settings.webhooks.show_secret


@table.post("/webhooks", status=201, also=_also("/webhooks"), access=changes("webhook_create", test="any"))
async def create_webhook(call: Call[CreateWebhook, NoQuery]) -> WebhookView:
    """Create a webhook; its signing secret is shown only here."""
    body = call.body
    if body.event_types is None:
        raise Invalid("event_types is required", field="event_types", fix='write ["message.received"]')
    hook, new = await webhooks.create(
        call.core,
        call.scope,
        webhooks.NewWebhook(
            url=body.url,
            event_types=body.event_types,
            inbox_ids=body.inbox_ids or (),
            pod_ids=body.pod_ids or (),
            headers=body.headers or {},
            client_id=body.client_id,
            pod=call.ids.get("pod_id"),
            inbox=call.ids.get("inbox_id"),
        ),
    )
    if not new:
        call.status = 200
    return await _view(call, hook, secret=new or _secret(call))


@table.get("/webhooks", rows=("webhooks", WebhookView), also=_also("/webhooks"), access=reads("webhook_read"))
async def list_webhooks(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List webhooks, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await webhooks.list_webhooks(call.core, call.scope, _among(call), paging.window)
    view = partial(webhook_view, addresses=await _addresses(call, found.rows))
    return answer(call, found, paging, "webhooks", view)


@table.get(
    "/webhooks/{webhook_id}", also=_also("/webhooks/{webhook_id}"), access=reads("webhook_read", test="own")
)
async def get_webhook(call: Call[NoBody, NoQuery]) -> WebhookView:
    """Get a webhook."""
    hook = await webhooks.get(call.core, call.scope, _among(call), call.ids["webhook_id"])
    return await _view(call, hook, secret=_secret(call))


@table.patch(
    "/webhooks/{webhook_id}",
    also=_also("/webhooks/{webhook_id}"),
    access=changes("webhook_update", test="own"),
)
async def update_webhook(call: Call[UpdateWebhook, NoQuery]) -> WebhookView:
    """Change URL, event types, filters or whether it is enabled."""
    body = call.body
    change = webhooks.WebhookChange(
        url=body.url,
        event_types=body.event_types,
        inbox_ids=body.inbox_ids,
        add_inbox_ids=body.add_inbox_ids or (),
        remove_inbox_ids=body.remove_inbox_ids or (),
        pod_ids=body.pod_ids,
        add_pod_ids=body.add_pod_ids or (),
        remove_pod_ids=body.remove_pod_ids or (),
        enabled=body.enabled,
    )
    hook = await webhooks.update(call.core, call.scope, _among(call), call.ids["webhook_id"], change)
    return await _view(call, hook, secret=_secret(call))


@table.delete(
    "/webhooks/{webhook_id}",
    also=_also("/webhooks/{webhook_id}"),
    access=changes("webhook_delete", test="own"),
)
async def delete_webhook(call: Call[NoBody, NoQuery]) -> None:
    """Delete a webhook and its pending deliveries."""
    await webhooks.delete(call.core, call.scope, _among(call), call.ids["webhook_id"])


@table.get(
    "/webhooks/{webhook_id}/headers",
    also=_also("/webhooks/{webhook_id}/headers"),
    access=reads("webhook_read", test="own"),
)
async def get_headers(call: Call[NoBody, NoQuery]) -> HeaderNames:
    """List the names of the extra headers."""
    hook = await webhooks.get(call.core, call.scope, _among(call), call.ids["webhook_id"])
    return HeaderNames(sorted(hook.headers))


@table.patch(
    "/webhooks/{webhook_id}/headers",
    also=_also("/webhooks/{webhook_id}/headers"),
    access=changes("webhook_update", test="own"),
)
async def update_headers(call: Call[Headers, NoQuery]) -> HeaderNames:
    """Set and remove extra headers."""
    hook = await webhooks.update_headers(
        call.core,
        call.scope,
        _among(call),
        call.ids["webhook_id"],
        call.body.headers or {},
        call.body.remove_headers or (),
    )
    return HeaderNames(sorted(hook.headers))


@table.post("/webhooks/{webhook_id}/rotate-secret", access=changes("webhook_update", test="own"))
async def rotate_secret(call: Call[NoBody, NoQuery]) -> WebhookView:
    """Replace the signing secret; it is shown only here. For 24 hours posts carry signatures of both."""
    hook = await webhooks.rotate_secret(call.core, call.scope, _among(call), call.ids["webhook_id"])
    return await _view(call, hook, secret=True)


@table.get(
    "/webhooks/{webhook_id}/attempts",
    rows=("attempts", AttemptView),
    access=reads("webhook_read", test="own"),
)
async def list_attempts(call: Call[NoBody, PageQuery]) -> dict[str, Any]:
    """List every attempt to post an event to this webhook, newest first."""
    paging = read_paging(call.query, call.core.secret)
    found = await webhooks.list_attempts(
        call.core, call.scope, _among(call), call.ids["webhook_id"], paging.window
    )
    return answer(call, found, paging, "attempts", attempt_view)


@table.post("/webhooks/{webhook_id}/replay", access=changes("webhook_update", test="own"))
async def replay(call: Call[Replay, NoQuery]) -> Replayed:
    """Post events again: since a time, by id, or those whose delivery failed for good."""
    body = call.body
    count = await webhook_replay.replay(
        call.core,
        call.scope,
        _among(call),
        call.ids["webhook_id"],
        since=parse_time(body.since, "since"),
        event_ids=body.event_ids or (),
        failed=body.failed,
    )
    return Replayed(count)
