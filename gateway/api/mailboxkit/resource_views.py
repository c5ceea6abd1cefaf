"""Inboxes, API keys, organizations and domains as MailboxKit shows them (contract, "Endpoints")."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.api.mailboxkit.ids import shown_ulid
from gateway.api.mailboxkit.listing import shown_time
from gateway.api.times import to_seconds
from gateway.core.accounts.organizations import Account
from gateway.core.domains import records as domains_records
from gateway.records.accounts import ApiKey
from gateway.records.domains import Domain
from gateway.records.event_types import InboxSnapshot
from gateway.records.inboxes import Inbox
from gateway.settings import Settings
from gateway.store.ids import number_of

_MASK = "********"


class InboxView(msgspec.Struct):
    """An inbox. ``name`` is its address's local part where it was given none."""

    id: int
    ulid: str
    name: str
    email: str
    organization_id: int
    created_at: str


class ApiKeyView(msgspec.Struct):
    """An API key. ``key`` is whole only when it was just made; ``test``: what it sends is never delivered."""

    id: int
    name: str
    key: str
    test: bool
    created_at: str
    last_used_at: str | UnsetType | None = UNSET


class NewApiKeyView(msgspec.Struct):
    """A key that was just made, the one time it is shown whole."""

    data: ApiKeyView
    message: str


class OrganizationView(msgspec.Struct):
    """The organization of the key, with what it holds now."""

    id: int
    name: str
    inboxes_count: int
    messages_count: int
    domains_count: int
    created_at: str


class DomainView(msgspec.Struct):
    """A domain and what DNS said of it last. ``is_verified``: MX, SPF and DKIM are there; DMARC is advice."""

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


def inbox_view(row: Inbox | InboxSnapshot) -> InboxView:
    return InboxView(
        id=row.number,
        ulid=shown_ulid(row.id),
        name=row.display_name or row.username,
        email=row.address,
        organization_id=number_of(row.organization_id),
        created_at=to_seconds(row.created_at),
    )


def api_key_view(row: ApiKey, key: str | None = None) -> ApiKeyView:
    """``key``: the key itself, when it was just made."""
    return ApiKeyView(
        id=row.number,
        name=row.name or "",
        key=f"{row.prefix}{_MASK}{row.last4}" if key is None else key,
        test=row.test,
        created_at=to_seconds(row.created_at),
        last_used_at=shown_time(row.used_at) if key is None else UNSET,
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


def domain_view(row: Domain, settings: Settings) -> DomainView:
    seen = {name: one.status == "VALID" for name, one in domains_records.named_records(settings, row).items()}
    return DomainView(
        id=row.number,
        name=row.name,
        is_verified=row.ready_at is not None,
        mx_verified=seen["mx"],
        spf_verified=seen["spf"],
        dkim_verified=seen["dkim"],
        dmarc_verified=seen["dmarc"],
        verified_at=shown_time(row.ready_at),
        created_at=to_seconds(row.created_at),
    )


def dns_view(row: Domain, settings: Settings) -> DnsView:
    shown = {
        name: RecordView(
            one.type,
            one.name.removesuffix(row.name).removesuffix(".") or "@",
            one.value,
            UNSET if one.priority is None else one.priority,
        )
        for name, one in domains_records.named_records(settings, row).items()
    }
    return DnsView(**shown)
