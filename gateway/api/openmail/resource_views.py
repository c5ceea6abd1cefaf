"""Pods, inboxes and API keys as OpenMail shows them (contract §3)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.inbox_pause import ShownPause, inbox_pause
from gateway.api.times import iso, iso_of
from gateway.records.accounts import ApiKey, Pod
from gateway.records.ids import INBOX_ID, POD_ID
from gateway.records.inboxes import Inbox
from gateway.records.pauses import Pause


class PodView(msgspec.Struct, rename="camel"):
    """A group of inboxes. ``clientId`` is the caller's own name for it."""

    id: str
    client_id: str | None
    name: str | None
    is_default: bool
    created_at: str


class InboxView(msgspec.Struct, rename="camel"):
    """An inbox. ``webhookSecret`` is there only when it was just made, ``externalId`` only when it was given,
    ``pause`` only while nothing of it leaves."""

    id: str
    pod_id: str
    address: str
    display_name: str | None
    webhook_url: str | None
    created_at: str
    external_id: str | UnsetType = UNSET
    webhook_secret: str | UnsetType = UNSET
    pause: ShownPause = UNSET


class ApiKeyView(msgspec.Struct, rename="camel"):
    """A key of a pod or an inbox (``inboxId`` null: of the pod), without the token."""

    id: str
    name: str | None
    pod_id: str | None
    inbox_id: str | None
    token_prefix: str
    last4: str
    created_at: str
    last_used_at: str | None
    token: str | UnsetType = UNSET
    """There only when the key was just made: the only time it is shown."""


class ApiKeysView(msgspec.Struct):
    """Keys, newest first, all of them."""

    data: list[ApiKeyView]


class AccountKeyView(msgspec.Struct, rename="camel"):
    """An account-wide key; ``key`` is there only when it was just made."""

    id: str
    name: str | None
    key_preview: str
    created_at: str
    last_used_at: str | None
    key: str | UnsetType = UNSET


class AccountKeysView(msgspec.Struct):
    """Account-wide keys, newest first, all of them."""

    data: list[AccountKeyView]


def pod_view(row: Pod) -> PodView:
    return PodView(
        id=row.public_id,
        client_id=row.client_id,
        name=row.name,
        is_default=row.is_default,
        created_at=iso_of(row.created_at),
    )


def inbox_view(
    row: Inbox, webhook_url: str | None, webhook_secret: str | None = None, pauses: Sequence[Pause] = ()
) -> InboxView:
    """``webhook_secret``: of a webhook that was just made; it is shown now or never. ``pauses``: those that hold."""
    return InboxView(
        id=row.public_id,
        pod_id=POD_ID.public(row.pod_id),
        address=row.address,
        display_name=row.display_name or None,
        webhook_url=webhook_url,
        created_at=iso_of(row.created_at),
        external_id=row.external_id or UNSET,
        webhook_secret=webhook_secret or UNSET,
        pause=inbox_pause(pauses),
    )


def api_key_view(row: ApiKey, token: str | UnsetType = UNSET) -> ApiKeyView:
    return ApiKeyView(
        id=row.public_id,
        name=row.name,
        pod_id=POD_ID.public(row.pod_id),
        inbox_id=INBOX_ID.public(row.inbox_id),
        token_prefix=row.prefix,
        last4=row.last4,
        created_at=iso_of(row.created_at),
        last_used_at=iso(row.used_at),
        token=token,
    )


def account_key_view(row: ApiKey, key: str | UnsetType = UNSET) -> AccountKeyView:
    return AccountKeyView(
        id=row.public_id,
        name=row.name,
        key_preview=f"{row.prefix}...{row.last4}",
        created_at=iso_of(row.created_at),
        last_used_at=iso(row.used_at),
        key=key,
    )
