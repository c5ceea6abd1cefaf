"""Polling webhooks: subscriptions whose events wait in the log until they are fetched, for programs without a URL.

One is a row of ``webhook`` without a URL and never enabled, so nothing is delivered to it. Its secret is the hash of
the token that reads it. Nothing is stored for it beside: which events it carries is decided when they are fetched, as
it is for a webhook when they happen (``events.reach``).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import LimitReached, Missing
from gateway.core.event_reach import may_hear
from gateway.core.key_ring import hash_of
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.text import clean_text
from gateway.core.webhooks.new_webhook import new_webhook
from gateway.core.webhooks.webhooks import check_readable, check_types, resolve_inboxes, resolve_pods
from gateway.events.log import wants
from gateway.events.reach import may_carry
from gateway.records.base import Secret
from gateway.records.events import Event, LogPosition
from gateway.records.ids import WEBHOOK_ID, now_us
from gateway.records.webhooks import Webhook
from gateway.store.queries.events import (
    event_heads_after_position,
    position_before,
    unscoped_event,
    unscoped_settled_until,
)
from gateway.store.queries.webhooks import (
    WebhookChanges,
    add_webhook,
    change_webhook,
    key_of_webhook,
    unscoped_webhook_of_dialect,
    webhooks_of_owner,
)
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

DIALECT = "polling"
MAX_POLLING = 10
"""Polling webhooks of an organization, of a pod and of an inbox."""

MAX_FETCHED_SIZE = 2 * 1024 * 1024
"""Characters of payload in one answer; its first event may exceed them."""

_BEGINNING = "poll_"
_HEADS = 500
_MAX_HEADS = 10_000


@dataclass(frozen=True, slots=True)
class NewPolling:
    """What a polling webhook is made from. ``pod``/``inbox``: it carries events of that one only."""

    client_id: str
    event_types: Sequence[str]
    inbox_ids: Sequence[str] = ()
    pod_ids: Sequence[str] = ()
    pod: str | None = None
    inbox: str | None = None


@dataclass(frozen=True, slots=True)
class Created:
    """A polling webhook, the token that reads it, which is shown now and never again, and whether it is new."""

    webhook: Webhook
    token: str
    new: bool


@dataclass(frozen=True, slots=True)
class Fetched:
    """Events, oldest first. ``position``: where to go on in the log. ``done``: there are no more now."""

    events: list[Event]
    position: LogPosition
    done: bool


async def create(core: Core, scope: Scope, new: NewPolling) -> Created:
    """Make a polling webhook.

    The same ``client_id`` of the same owner (the organization, a pod or an inbox) answers the one there is, with a new
    token; the old token ends. It then carries what the key that asks may read. Raises LimitReached, Invalid, Forbidden.
    """
    require(scope, "webhook_create")
    types = check_types(new.event_types)
    check_readable(scope, types)
    client_id = clean_text(new.client_id, "client_id")
    if not client_id:
        raise Missing("client_id")
    token = _BEGINNING + secrets.token_urlsafe(32)
    secret = Secret(hash_of(token))

    def write(tx: Tx) -> Created:
        tx.lock(f"webhooks/{scope.organization}")
        now = now_us()
        pod_id = find_pod(tx, scope, new.pod).id if new.pod is not None else scope.pod
        inbox_id = find_inbox(tx, scope, new.inbox).id if new.inbox is not None else scope.inbox
        owned = webhooks_of_owner(tx, scope.organization, DIALECT, pod_id, inbox_id)
        for held in owned:
            if held.client_id == client_id and held.test == scope.test:
                changes: WebhookChanges = {"secret": secret, "key_id": scope.key_id, "updated_at": now}
                change_webhook(tx, held.id, **changes)
                return Created(replace(held, **changes), token, False)
        if len(owned) >= MAX_POLLING:
            owner = "inbox" if inbox_id else "pod" if pod_id else "organization"
            raise LimitReached(
                f"this {owner} has its {MAX_POLLING} polling webhooks",
                code="webhook_limit_reached",
                fix="delete one first",
            )
        made = new_webhook(
            WEBHOOK_ID.new(),
            scope.organization,
            DIALECT,
            types,
            secret,
            pod_id=pod_id,
            inbox_id=inbox_id,
            inbox_ids=resolve_inboxes(tx, scope, new.inbox_ids),
            pod_ids=resolve_pods(tx, scope, new.pod_ids),
            enabled=False,
            client_id=client_id,
            key_id=scope.key_id,
            test=scope.test,
        )
        add_webhook(tx, made)
        return Created(made, token, True)

    return await core.store.write(write)


async def with_token(core: Core, ref: str, token: str) -> Webhook | None:
    """The polling webhook that a token reads; None when it reads none of that id."""
    wanted = WEBHOOK_ID.parse(ref)
    if wanted is None or not token.startswith(_BEGINNING):
        return None
    hook = await core.store.read(lambda tx: unscoped_webhook_of_dialect(tx, wanted, DIALECT))
    if hook is None or not hmac.compare_digest(hook.secret.reveal(), hash_of(token)):
        return None
    return hook


async def fetch(
    core: Core, hook: Webhook, reader: Scope | None, position: LogPosition | None, limit: int
) -> Fetched:
    """Up to ``limit`` events of a polling webhook after a position in the log; None: since it was made.

    ``reader``: the API key that fetches, which is given only what it may read itself; None: the webhook's token does.
    """
    return await core.store.read(partial(_fetch, hook=hook, reader=reader, position=position, limit=limit))


def _fetch(tx: Tx, hook: Webhook, reader: Scope | None, position: LogPosition | None, limit: int) -> Fetched:
    if position is None:
        position = position_before(tx, hook.organization_id, hook.created_at)
    key = key_of_webhook(tx, hook)
    until = unscoped_settled_until(tx)
    found: list[Event] = []
    seen = size = 0
    while seen < _MAX_HEADS:
        heads = event_heads_after_position(tx, hook.organization_id, position, _HEADS)
        for head in heads:
            if until is not None and head.created_at >= until:
                return Fetched(found, position, True)
            carried = wants(hook, head) and may_carry(hook, key, head)
            event = None
            if carried and (reader is None or may_hear(reader, head)):
                event = unscoped_event(tx, head.id)
            if event is not None:
                size += len(event.payload_json)
                if len(found) == limit or (found and size > MAX_FETCHED_SIZE):
                    return Fetched(found, position, False)
                found.append(event)
            position = LogPosition(max(position.seq, head.seq), max(position.at, head.created_at))
        seen += len(heads)
        if len(heads) < _HEADS:
            return Fetched(found, position, True)
    return Fetched(found, position, False)
