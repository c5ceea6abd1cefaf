"""Inboxes, API keys, organizations and domains as MailboxKit shows them (contract, "Endpoints")."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.inbox_pause import ShownPause, inbox_pause
from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.mailboxkit.listing import shown_time
from gateway.api.times import to_seconds
from gateway.core.accounts.organizations import Account
from gateway.core.domains import records as domains_records
from gateway.records.accounts import ApiKey
from gateway.records.domains import Domain
from gateway.records.event_types import InboxSnapshot
from gateway.records.ids import number_of
from gateway.records.inboxes import Inbox
from gateway.records.pauses import Pause
from gateway.settings import Settings

_MASK = "********"


class InboxView(msgspec.Struct):
    """An inbox. ``name``: the local part of its address where it has no name. ``pause``: only while nothing of it
    leaves."""

    id: int
    ulid: str
    name: str
    email: str
    organization_id: int
    created_at: str
    pause: ShownPause = UNSET


class ApiKeyView(msgspec.Struct):
    """An API key. ``key``: whole only in the answer that made it. ``test``: what it sends is not delivered."""

    id: int
    name: str
    key: str
    test: bool
    created_at: str
    last_used_at: str | UnsetType | None = UNSET


class NewApiKeyView(msgspec.Struct):
    """A new key; only this answer shows it whole."""

    data: ApiKeyView
    message: str


class OrganizationView(msgspec.Struct):
    """The organization of the key, with counts."""

    id: int
    name: str
    inboxes_count: int
    messages_count: int
    domains_count: int
    created_at: str


class DomainView(msgspec.Struct):
    """A domain and its last DNS check. ``is_verified``: MX, SPF and DKIM are valid; DMARC is optional."""

    id: int
    name: str
    is_verified: bool
    mx_verified: bool
    spf_verified: bool
    dkim_verified: bool
    dmarc_verified: bool
    verified_at: str | None
    created_at: str


class RecordView(msgspec.Struct):
    """A DNS record to publish. ``host`` is relative to the domain; ``@`` is the domain itself."""

    type: str
    host: str
    value: str
    priority: int | UnsetType = UNSET


class DnsView(msgspec.Struct):
    """The records of a domain; ``dkim`` holds the key that signs its mail."""

    mx: RecordView
    spf: RecordView
    dkim: RecordView
    dmarc: RecordView


def inbox_view(inbox: Inbox | InboxSnapshot, pauses: Sequence[Pause] = ()) -> InboxView:
    """``pauses``: those that hold for it, the widest first."""
    return InboxView(
        id=inbox.number,
        ulid=shown_ulid(inbox.id),
        name=inbox.display_name or inbox.username,
        email=inbox.address,
        organization_id=number_of(inbox.organization_id),
        created_at=to_seconds(inbox.created_at),
        pause=inbox_pause(pauses),
    )


def api_key_view(record: ApiKey, key: str | None = None) -> ApiKeyView:
    """``key``: the key itself, in the answer that made it."""
    return ApiKeyView(
        id=record.number,
        name=record.name or "",
        key=f"{record.prefix}{_MASK}{record.last4}" if key is None else key,
        test=record.test,
        created_at=to_seconds(record.created_at),
        last_used_at=shown_time(record.used_at) if key is None else UNSET,
    )


def organization_view(account: Account) -> OrganizationView:
    organization = account.organization
    return OrganizationView(
        id=number_of(organization.id),
        name=organization.name,
        inboxes_count=account.inbox_count,
        messages_count=account.message_count,
        domains_count=account.domain_count,
        created_at=to_seconds(organization.created_at),
    )


def domain_view(domain: Domain, settings: Settings) -> DomainView:
    records = domains_records.named_records(settings, domain)
    valid = {name: record.status == "VALID" for name, record in records.items()}
    return DomainView(
        id=domain.number,
        name=domain.name,
        is_verified=domain.ready_at is not None,
        mx_verified=valid["mx"],
        spf_verified=valid["spf"],
        dkim_verified=valid["dkim"],
        dmarc_verified=valid["dmarc"],
        verified_at=shown_time(domain.ready_at),
        created_at=to_seconds(domain.created_at),
    )


def dns_view(domain: Domain, settings: Settings) -> DnsView:
    shown = {
        name: RecordView(
            record.type,
            record.name.removesuffix(domain.name).removesuffix(".") or "@",
            record.value,
            UNSET if record.priority is None else record.priority,
        )
        for name, record in domains_records.named_records(settings, domain).items()
    }
    return DnsView(**shown)
