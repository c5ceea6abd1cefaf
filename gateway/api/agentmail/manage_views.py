"""The management resources as both contracts show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec

from gateway.api.agentmail.views import inbox_name
from gateway.api.inbox_pause import ShownPause, inbox_pause
from gateway.api.times import iso, iso_of
from gateway.core.accounts.organizations import Account
from gateway.core.domains.records import records_of
from gateway.core.webhooks.attempts import Tried
from gateway.records.accounts import ApiKey, Pod
from gateway.records.domains import Domain
from gateway.records.ids import EVENT_ID, ORGANIZATION_ID, POD_ID, InboxId
from gateway.records.inboxes import Inbox
from gateway.records.lists import ListEntry
from gateway.records.pauses import Pause
from gateway.records.webhooks import Webhook
from gateway.settings import Settings


class OrganizationView(msgspec.Struct):
    """The organization of the key."""

    org_id: str
    organization_id: str
    name: str
    inbox_count: int
    inbox_limit: int | None
    domain_count: int
    domain_limit: int | None
    created_at: str
    updated_at: str


class PauseView(msgspec.Struct):
    """A pause that holds: nothing of what it covers leaves."""

    level: Annotated[str, msgspec.Meta(description="inbox, pod, organization or server: what is paused")]
    name: Annotated[str, msgspec.Meta(description="the inbox's address, pod_…, org_… or server")]
    reason: Annotated[str | None, msgspec.Meta(description="what was said when it was paused")]
    paused_by: Annotated[str, msgspec.Meta(description="the key (key_…), or operator")]
    authority: Annotated[
        str,
        msgspec.Meta(
            description="inbox, pod, organization or operator: a key of a lesser kind may not resume"
        ),
    ]
    since: Annotated[str, msgspec.Meta(description="since when, ISO 8601 in UTC")]


class InboxView(msgspec.Struct, omit_defaults=True):
    """An inbox: a real mailbox. ``inbox_id`` is its address, as is ``email``; ``postern_id`` is its ``inb_…`` id, which
    every path accepts too. ``quota_bytes`` is present when the inbox has a quota of its own (0: no limit): see
    ``/inboxes/{inbox_id}/quota``. ``pause`` is present while nothing of it leaves: ``/inboxes/{inbox_id}/pause``."""

    inbox_id: str
    postern_id: str
    pod_id: str
    email: str
    email_address: str
    username: str
    domain: str
    display_name: str | None
    client_id: str | None
    status: str
    metadata: dict[str, Any]
    created_at: str
    updated_at: str
    quota_bytes: int | msgspec.UnsetType = msgspec.UNSET
    pause: ShownPause = msgspec.UNSET


class QuotaView(msgspec.Struct):
    """How much mail an inbox may hold, in octets."""

    inbox_id: str
    email: str
    quota_bytes: Annotated[
        int | None, msgspec.Meta(description="its own quota; 0: no limit; null: the server's default applies")
    ]
    default_bytes: Annotated[int, msgspec.Meta(description="the server's default; 0: no limit")]
    limit_bytes: Annotated[int, msgspec.Meta(description="the limit that applies; 0: no limit")]
    used_bytes: Annotated[int, msgspec.Meta(description="how much the mailbox holds now")]


class EndpointView(msgspec.Struct):
    """The host and port that a mail client connects to."""

    host: str
    port: int
    tls: str


class CredentialsView(msgspec.Struct):
    """What a person types into a mail client; the password is shown only now."""

    inbox_id: str
    username: str
    password: str
    imap: EndpointView
    smtp: EndpointView


class RecordView(msgspec.Struct):
    """A DNS record to publish; ``status``: VALID, INVALID or MISSING at the last DNS query."""

    type: str
    name: str
    value: str
    status: str
    priority: int | None


class DomainView(msgspec.Struct, omit_defaults=True):
    """A mail domain with its DNS records. ``platform``: true for the platform's own, and left out of all others."""

    domain_id: str
    domain: str
    pod_id: str | None
    client_id: str | None
    status: str
    feedback_enabled: bool
    subdomains_enabled: bool
    tracking_enabled: bool
    records: list[RecordView]
    created_at: str
    updated_at: str
    platform: bool | msgspec.UnsetType = msgspec.UNSET


class WebhookView(msgspec.Struct, omit_defaults=True):
    """A webhook. ``secret`` is shown in the answer that creates it."""

    webhook_id: str
    url: str
    event_types: list[str]
    inbox_ids: list[str]
    pod_ids: list[str]
    enabled: bool
    client_id: str | None
    created_at: str
    updated_at: str
    pod_id: str | msgspec.UnsetType = msgspec.UNSET
    inbox_id: str | msgspec.UnsetType = msgspec.UNSET
    disabled_reason: str | msgspec.UnsetType = msgspec.UNSET
    secret: str | msgspec.UnsetType = msgspec.UNSET


class PollingWebhookView(msgspec.Struct, omit_defaults=True):
    """A polling webhook. ``token`` reads its events; it is shown in the answer that creates it."""

    webhook_id: str
    client_id: str
    event_types: list[str]
    inbox_ids: list[str]
    pod_ids: list[str]
    created_at: str
    updated_at: str
    pod_id: str | msgspec.UnsetType = msgspec.UNSET
    inbox_id: str | msgspec.UnsetType = msgspec.UNSET
    token: str | msgspec.UnsetType = msgspec.UNSET


class AttemptView(msgspec.Struct):
    """One attempt to post an event."""

    attempt: int
    event_id: str | None
    event_type: str | None
    url: str
    status: int | None
    response: str | None
    error: str | None
    duration_ms: int | None
    delivery_state: str | None
    created_at: str


class KeyView(msgspec.Struct):
    """An API key without the key. ``key_id`` is ``api_key_id``, as the SDKs call it."""

    key_id: str
    api_key_id: str
    type: str
    name: str | None
    prefix: str
    pod_id: str | None
    inbox_id: str | None
    permissions: dict[str, bool] | None
    used_at: str | None
    expires_at: str | None
    created_at: str
    updated_at: str


class NewKeyView(KeyView):
    """A new key. It is shown only here."""

    key: str
    api_key: str


class PodView(msgspec.Struct):
    """A group of inboxes."""

    pod_id: str
    name: str
    client_id: str | None
    created_at: str
    updated_at: str


class ListEntryView(msgspec.Struct):
    """An allow or block rule."""

    entry: str
    organization_id: str
    pod_id: str | None
    inbox_id: str | None
    direction: str
    list_type: str
    entry_type: str
    reason: str | None
    read_only: bool
    created_at: str


def organization_view(account: Account) -> OrganizationView:
    organization = account.organization
    return OrganizationView(
        org_id=organization.public_id,
        organization_id=organization.public_id,
        name=organization.name,
        inbox_count=account.inbox_count,
        inbox_limit=account.inbox_limit,
        domain_count=account.domain_count,
        domain_limit=account.domain_limit,
        created_at=iso_of(organization.created_at),
        updated_at=iso_of(organization.updated_at),
    )


def pause_view(pause: Pause, name: str) -> PauseView:
    """``name``: of what is paused."""
    return PauseView(pause.level, name, pause.reason, pause.paused_by, pause.authority, iso_of(pause.since))


def inbox_view(inbox: Inbox, pauses: Sequence[Pause] = ()) -> InboxView:
    """``pauses``: those that hold for it, the widest first."""
    return InboxView(
        inbox_id=inbox.address,
        postern_id=inbox.public_id,
        pod_id=POD_ID.public(inbox.pod_id),
        email=inbox.address,
        email_address=inbox.address,
        username=inbox.username,
        domain=inbox.domain,
        display_name=inbox.display_name,
        client_id=inbox.client_id,
        status="paused" if inbox.status == "suspended" else "active",
        metadata=inbox.metadata,
        created_at=iso_of(inbox.created_at),
        updated_at=iso_of(inbox.updated_at),
        quota_bytes=msgspec.UNSET if inbox.quota is None else inbox.quota,
        pause=inbox_pause(pauses),
    )


def domain_view(domain: Domain, settings: Settings) -> DomainView:
    return DomainView(
        domain_id=domain.name,
        domain=domain.name,
        pod_id=POD_ID.public(domain.pod_id),
        client_id=domain.client_id,
        status=domain.status,
        feedback_enabled=domain.feedback_enabled,
        subdomains_enabled=domain.subdomains_enabled,
        tracking_enabled=False,
        records=[
            RecordView(one.type, one.name, one.value, one.status, one.priority)
            for one in records_of(settings, domain)
        ],
        created_at=iso_of(domain.created_at),
        updated_at=iso_of(domain.updated_at),
        platform=True if domain.organization_id is None else msgspec.UNSET,
    )


def webhook_view(hook: Webhook, addresses: Mapping[InboxId, str], *, secret: bool = False) -> WebhookView:
    view = WebhookView(
        webhook_id=hook.public_id,
        url=hook.url,
        event_types=hook.event_types,
        inbox_ids=[inbox_name(one, addresses) for one in hook.inbox_ids],
        pod_ids=[POD_ID.public(one) for one in hook.pod_ids],
        enabled=hook.enabled,
        client_id=hook.client_id,
        created_at=iso_of(hook.created_at),
        updated_at=iso_of(hook.updated_at),
    )
    if hook.pod_id:
        view.pod_id = POD_ID.public(hook.pod_id)
    if hook.inbox_id:
        view.inbox_id = inbox_name(hook.inbox_id, addresses)
    if hook.disabled_reason:
        view.disabled_reason = hook.disabled_reason
    if secret:
        view.secret = hook.secret.reveal()
    return view


def polling_view(hook: Webhook, addresses: Mapping[InboxId, str]) -> PollingWebhookView:
    view = PollingWebhookView(
        webhook_id=hook.public_id,
        client_id=hook.client_id or "",
        event_types=hook.event_types,
        inbox_ids=[inbox_name(one, addresses) for one in hook.inbox_ids],
        pod_ids=[POD_ID.public(one) for one in hook.pod_ids],
        created_at=iso_of(hook.created_at),
        updated_at=iso_of(hook.updated_at),
    )
    if hook.pod_id:
        view.pod_id = POD_ID.public(hook.pod_id)
    if hook.inbox_id:
        view.inbox_id = inbox_name(hook.inbox_id, addresses)
    return view


def attempt_view(tried: Tried) -> AttemptView:
    attempt = tried.attempt
    return AttemptView(
        attempt=attempt.number,
        event_id=EVENT_ID.public(attempt.event_id),
        event_type=tried.event_type,
        url=attempt.url,
        status=attempt.status,
        response=attempt.response,
        error=attempt.error,
        duration_ms=attempt.duration_ms,
        delivery_state=tried.state,
        created_at=iso_of(attempt.created_at),
    )


def _key_fields(api_key: ApiKey, addresses: Mapping[InboxId, str]) -> dict[str, Any]:
    granted = api_key.permissions
    return {
        "key_id": api_key.public_id,
        "api_key_id": api_key.public_id,
        "type": "bearer",
        "name": api_key.name,
        "prefix": api_key.prefix,
        "pod_id": POD_ID.public(api_key.pod_id),
        "inbox_id": inbox_name(api_key.inbox_id, addresses) if api_key.inbox_id else None,
        "permissions": None if granted is None else dict.fromkeys(granted, True),
        "used_at": iso(api_key.used_at),
        "expires_at": iso(api_key.expires_at),
        "created_at": iso_of(api_key.created_at),
        "updated_at": iso_of(api_key.updated_at),
    }


def key_view(api_key: ApiKey, addresses: Mapping[InboxId, str]) -> KeyView:
    return KeyView(**_key_fields(api_key, addresses))


def new_key_view(api_key: ApiKey, key: str, addresses: Mapping[InboxId, str]) -> NewKeyView:
    return NewKeyView(**_key_fields(api_key, addresses), key=key, api_key=key)


def pod_view(pod: Pod) -> PodView:
    return PodView(
        pod_id=pod.public_id,
        name=pod.name or f"pod {pod.id[-6:]}",
        client_id=pod.client_id,
        created_at=iso_of(pod.created_at),
        updated_at=iso_of(pod.updated_at),
    )


def entry_view(entry: ListEntry, addresses: Mapping[InboxId, str]) -> ListEntryView:
    return ListEntryView(
        entry=entry.entry,
        organization_id=ORGANIZATION_ID.public(entry.organization_id),
        pod_id=POD_ID.public(entry.pod_id),
        inbox_id=inbox_name(entry.inbox_id, addresses) if entry.inbox_id else None,
        direction=entry.direction,
        list_type=entry.list_type,
        entry_type=entry.entry_type,
        reason=entry.reason,
        read_only=False,
        created_at=iso_of(entry.created_at),
    )
