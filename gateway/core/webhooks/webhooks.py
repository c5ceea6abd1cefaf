"""Webhook subscriptions: where events are posted, signed with which secret, filtered how."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, NotFound
from gateway.core.lookup import find_inbox, find_pod, require, require_own_test
from gateway.core.text import clean_text
from gateway.core.webhooks.attempts import Tried, attempts_of
from gateway.core.webhooks.limit import check_limit
from gateway.core.webhooks.new_webhook import new_webhook
from gateway.events.delivery_queue import hasten
from gateway.events.reach import permissions_of
from gateway.events.webhook_signing import new_secret
from gateway.net.client import check_headers
from gateway.net.errors import NetError
from gateway.net.url_rules import check_url
from gateway.records.base import Secret
from gateway.records.event_types import types_of
from gateway.records.ids import INBOX_ID, WEBHOOK_ID, InboxId, PodId, now_us, number_in
from gateway.records.webhooks import Webhook
from gateway.store.json_columns import dump
from gateway.store.listing import Listing, Window
from gateway.store.queries import webhooks as queries
from gateway.store.queries.deliveries import drop_pending, resume_pending
from gateway.store.queries.webhooks import (
    WebhookChanges,
    add_webhook,
    change_webhook,
    remove_webhook,
    webhook_of_dialect,
    webhook_with_client_id,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

EVENT_TYPES = types_of("agentmail")
"""What a webhook may name unless its dialect says otherwise."""

ROTATION_US = 24 * 3600 * 1_000_000
MAX_HEADERS = 20
MAX_IDS = 1000

_Id = TypeVar("_Id", bound=str)


@dataclass(frozen=True, slots=True)
class Among:
    """Which webhooks are meant: a dialect shows and touches its own, under a pod or inbox those made there."""

    dialect: str
    pod: str | None = None
    inbox: str | None = None


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What a webhook is made from. ``pod``/``inbox``: it gets events of that one only, for good. ``known``: the event
    types its dialect has."""

    url: str
    event_types: Sequence[str] = ()
    inbox_ids: Sequence[str] = ()
    pod_ids: Sequence[str] = ()
    headers: dict[str, str] = field(default_factory=dict)
    client_id: str | None = None
    pod: str | None = None
    inbox: str | None = None
    dialect: str = "agentmail"
    name: str | None = None
    enabled: bool = True
    known: Sequence[str] = EVENT_TYPES


async def create(core: Core, scope: Scope, new: NewWebhook) -> tuple[Webhook, bool]:
    """Make a webhook; answers it and whether it is new.

    The same ``client_id`` with the same URL answers the webhook there is. Raises LimitReached.
    """
    require(scope, "webhook_create")
    url = checked_url(core, new.url)
    types = check_types(new.event_types, new.known)
    check_readable(scope, types)
    headers = checked_headers(new.headers)
    client_id = clean_text(new.client_id, "client_id") or None

    def write(tx: Tx) -> tuple[Webhook, bool]:
        if client_id:
            tx.lock(f"webhooks/{scope.organization}")
            held = webhook_with_client_id(tx, scope, new.dialect, client_id, url)
            if held is not None:
                return held, False
        check_limit(tx, core, scope.organization, "url")
        made = new_webhook(
            WEBHOOK_ID.new(),
            scope.organization,
            new.dialect,
            types,
            Secret(new_secret()),
            pod_id=find_pod(tx, scope, new.pod).id if new.pod is not None else scope.pod,
            inbox_id=find_inbox(tx, scope, new.inbox).id if new.inbox is not None else scope.inbox,
            inbox_ids=resolve_inboxes(tx, scope, new.inbox_ids),
            pod_ids=resolve_pods(tx, scope, new.pod_ids),
            name=new.name,
            url=url,
            headers=headers,
            enabled=new.enabled,
            client_id=client_id,
            key_id=scope.key_id,
            test=scope.test,
        )
        add_webhook(tx, made)
        return made, True

    return await core.store.write(write)


async def get(core: Core, scope: Scope, among: Among, ref: str) -> Webhook:
    """A webhook. Raises NotFound, Forbidden."""
    require(scope, "webhook_read")
    return await core.store.read(lambda tx: find_webhook(tx, scope, among, ref))


async def list_webhooks(core: Core, scope: Scope, among: Among, window: Window) -> Listing[Webhook]:
    """The webhooks inside the reach."""
    require(scope, "webhook_read")

    def read(tx: Tx) -> Listing[Webhook]:
        pod = find_pod(tx, scope, among.pod).id if among.pod is not None else None
        inbox = find_inbox(tx, scope, among.inbox).id if among.inbox is not None else None
        return queries.list_webhooks(tx, scope, among.dialect, window, pod=pod, inbox=inbox)

    return await core.store.read(read)


@dataclass(frozen=True, slots=True)
class WebhookChange:
    """What to change; None leaves a thing as it is. Empty ``event_types`` leave them too (C9)."""

    url: str | None = None
    event_types: Sequence[str] | None = None
    inbox_ids: Sequence[str] | None = None
    add_inbox_ids: Sequence[str] = ()
    remove_inbox_ids: Sequence[str] = ()
    pod_ids: Sequence[str] | None = None
    add_pod_ids: Sequence[str] = ()
    remove_pod_ids: Sequence[str] = ()
    enabled: bool | None = None


async def update(core: Core, scope: Scope, among: Among, ref: str, change: WebhookChange) -> Webhook:
    """Change a webhook. Disabling drops what waits for it; enabling forgives its failures, and what waited for one that
    the gateway switched off is posted. A new URL is tried at once."""
    require(scope, "webhook_update")
    url = checked_url(core, change.url) if change.url is not None else None
    types = check_types(change.event_types) if change.event_types else None

    def write(tx: Tx) -> Webhook:
        hook = find_webhook(tx, scope, among, ref)
        check_readable(scope, types or hook.event_types)
        changes: WebhookChanges = {"updated_at": max(now_us(), hook.updated_at + 1000)}
        if url is not None:
            changes["url"] = url
        if types:
            changes["event_types_json"] = dump(types)
        inboxes, pods = hook.inbox_ids, hook.pod_ids
        if change.inbox_ids is not None:
            inboxes = resolve_inboxes(tx, scope, change.inbox_ids)
        inboxes = _changed(
            inboxes,
            resolve_inboxes(tx, scope, change.add_inbox_ids),
            _known(tx, scope, change.remove_inbox_ids),
        )
        if change.pod_ids is not None:
            pods = resolve_pods(tx, scope, change.pod_ids)
        pods = _changed(
            pods, resolve_pods(tx, scope, change.add_pod_ids), resolve_pods(tx, scope, change.remove_pod_ids)
        )
        changes["inbox_ids_json"], changes["pod_ids_json"] = dump(inboxes), dump(pods)
        if change.enabled is not None:
            changes["enabled"] = change.enabled
            if change.enabled and not hook.enabled:
                changes["failing_since"] = changes["disabled_reason"] = changes["off_mailed_at"] = None
                resume_pending(tx, hook.id)
            if not change.enabled:
                changes["disabled_reason"] = None
                drop_pending(tx, hook.id)
        if url is not None or change.enabled:  # whoever sends events somewhere answers for it
            changes["key_id"] = scope.key_id
        if url is not None and url != hook.url:
            hasten(tx, hook.id, 0)
        tx.after_commit.append(core.events.wake)
        return _change(tx, hook, changes)

    return await core.store.write(write)


def _change(tx: Tx, hook: Webhook, changes: WebhookChanges) -> Webhook:
    change_webhook(tx, hook.id, **changes)
    return replace(hook, **changes)


async def delete(core: Core, scope: Scope, among: Among, ref: str) -> None:
    """Delete a webhook and what waits for it."""
    require(scope, "webhook_delete")

    def write(tx: Tx) -> None:
        remove_webhook(tx, find_webhook(tx, scope, among, ref).id)

    await core.store.write(write)


async def rotate_secret(core: Core, scope: Scope, among: Among, ref: str) -> Webhook:
    """A new secret; for 24 hours every request is signed with the old one as well."""
    require(scope, "webhook_update")

    def write(tx: Tx) -> Webhook:
        hook, now = find_webhook(tx, scope, among, ref), now_us()
        changes: WebhookChanges = {
            "secret": Secret(new_secret()),
            "old_secret": hook.secret,
            "old_secret_until": now + ROTATION_US,
            "updated_at": now,
        }
        return _change(tx, hook, changes)

    return await core.store.write(write)


async def update_headers(
    core: Core, scope: Scope, among: Among, ref: str, headers: dict[str, str], remove: Iterable[str] = ()
) -> Webhook:
    """Set and remove the extra headers that go with every post."""
    require(scope, "webhook_update")

    def write(tx: Tx) -> Webhook:
        hook = find_webhook(tx, scope, among, ref)
        check_readable(scope, hook.event_types)
        low = {name.lower() for name in [*remove, *headers]}
        kept = {name: value for name, value in hook.headers.items() if name.lower() not in low}
        merged = Secret(dump(checked_headers({**kept, **headers})))
        return _change(tx, hook, {"headers_json": merged, "updated_at": now_us()})

    return await core.store.write(write)


async def list_attempts(
    core: Core, scope: Scope, among: Among, ref: str, window: Window, *, payloads: bool = False
) -> Listing[Tried]:
    """The tries of a webhook's deliveries, newest first; see ``attempts_of``."""
    require(scope, "webhook_read")
    return await core.store.read(
        lambda tx: attempts_of(tx, find_webhook(tx, scope, among, ref).id, window, payloads=payloads)
    )


def find_webhook(tx: Tx, scope: Scope, among: Among, ref: str) -> Webhook:
    """A webhook by ``wh_…``, ULID or number. Raises NotFound, Forbidden."""
    number = number_in(ref)
    wanted = (WEBHOOK_ID.parse(ref)) if number is None else number
    hook = webhook_of_dialect(tx, scope, among.dialect, wanted)
    if hook is not None and among.pod is not None and hook.pod_id != find_pod(tx, scope, among.pod).id:
        hook = None
    inbox = among.inbox
    if hook is not None and inbox is not None and hook.inbox_id != find_inbox(tx, scope, inbox).id:
        hook = None
    if hook is None:
        raise NotFound(f"there is no webhook {ref[:100]!r}", fix="GET /webhooks lists the webhooks")
    if (scope.pod and hook.pod_id != scope.pod) or (scope.inbox and hook.inbox_id != scope.inbox):
        raise Forbidden("this API key does not reach that webhook", fix="use a key of the organization")
    require_own_test(scope, [hook], "webhook")
    return hook


def check_readable(scope: Scope, types: Sequence[str]) -> None:
    """Raise Forbidden unless the key may read what a webhook of these event types (none: the usual ones) carries.

    Of the usual ones it must be able to read mail; of the rest the webhook carries what the key may read.
    """
    for kind in types or ("message.received",):
        for permission in permissions_of(kind):
            if not scope.allows(permission):
                raise Forbidden(
                    f"this API key lacks the permission {permission}, which events of type {kind} take",
                    field="event_types",
                    fix=f"use a key with {permission}, or name event types that this key may read",
                )


def checked_url(core: Core, url: str) -> str:
    """The URL as it will be called. Raises Invalid."""
    policy = core.fetcher.policy
    try:
        return str(check_url(url, policy.addresses, policy.allow_http))
    except NetError as error:
        raise Invalid(f"url: {error}", field="url", fix="give a public https:// URL") from error


def check_types(types: Sequence[str], known: Sequence[str] = EVENT_TYPES) -> list[str]:
    """Event types, each once. Raises Invalid for one that is not ``known``."""
    for at, one in enumerate(types):
        if one not in known:
            raise Invalid(
                f"there is no event type {one[:100]!r}",
                field=f"event_types[{at}]",
                fix=f"choose from {', '.join(known)}",
            )
    return list(dict.fromkeys(types))


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """Extra headers that may go with a post. Raises Invalid."""
    if len(headers) > MAX_HEADERS:
        raise Invalid(f"more than {MAX_HEADERS} headers", field="headers", fix="send fewer headers")
    try:
        check_headers(headers)
    except (NetError, ValueError) as error:
        raise Invalid(f"headers: {error}", field="headers", fix="correct the header") from error
    return headers


def resolve_inboxes(tx: Tx, scope: Scope, refs: Sequence[str]) -> list[InboxId]:
    """ULIDs of the inboxes named by id or address."""
    if len(refs) > MAX_IDS:
        raise Invalid(f"inbox_ids names more than {MAX_IDS}", field="inbox_ids", fix="leave the filter out")
    found: list[InboxId] = []
    for at, ref in enumerate(refs):
        try:
            found.append(find_inbox(tx, scope, ref).id)
        except NotFound as error:
            raise Invalid(error.message, field=f"inbox_ids[{at}]", fix=error.fix) from None
        except Forbidden as error:
            raise Forbidden(error.message, field=f"inbox_ids[{at}]", fix=error.fix) from None
    return list(dict.fromkeys(found))


def _known(tx: Tx, scope: Scope, refs: Sequence[str]) -> list[InboxId]:
    """ULIDs to take away: of inboxes that are gone, too."""
    return [INBOX_ID.parse(ref) or find_inbox(tx, scope, ref).id for ref in refs]


def resolve_pods(tx: Tx, scope: Scope, refs: Sequence[str]) -> list[PodId]:
    """ULIDs of the pods named by id."""
    return list(dict.fromkeys(find_pod(tx, scope, ref).id for ref in refs))


def _changed(held: list[_Id], more: list[_Id], less: list[_Id]) -> list[_Id]:
    return [one for one in dict.fromkeys([*held, *more]) if one not in less]
