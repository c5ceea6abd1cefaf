"""Who uses the gateway: organizations, their pods and their API keys, and how programs and strangers come by a key."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from gateway.records.base import Record
from gateway.records.ids import KEY_ID, ORGANIZATION_ID, POD_ID, InboxId, KeyId, OrganizationId, PodId


class Organization(Record, frozen=True):
    """An organization. ``inbox_limit`` and ``domain_limit`` None: the setting's holds."""

    table: ClassVar[str] = "organization"

    id: OrganizationId  # ULID; the public id is org_ULID
    name: str
    owner_email: str | None  # whom mail about the account goes to
    inbox_limit: int | None
    domain_limit: int | None
    created_at: int
    updated_at: int

    @property
    def public_id(self) -> str:
        """``org_ULID``."""
        return ORGANIZATION_ID.public(self.id)


class Registration(Record, frozen=True):
    """An organization that its own user made lately; the limits of ``core.accounts.register`` count these."""

    table: ClassVar[str] = "registration"

    network: str  # an IPv4 address or an IPv6 /64
    owner: str  # the owner's address, case-folded
    organization_id: OrganizationId
    created_at: int


class Pod(Record, frozen=True):
    """A group of inboxes. Each organization has exactly one default pod."""

    table: ClassVar[str] = "pod"

    id: PodId  # ULID; the public id is pod_ULID
    organization_id: OrganizationId
    name: str | None
    client_id: str | None
    is_default: bool
    created_at: int
    updated_at: int

    @property
    def public_id(self) -> str:
        """``pod_ULID``."""
        return POD_ID.public(self.id)


class ApiKey(Record, frozen=True):
    """An API key without the key itself. ``pod_id`` and ``inbox_id`` narrow what it reaches."""

    table: ClassVar[str] = "api_key"

    id: KeyId  # ULID; the public id is key_ULID
    number: int  # the id of the dialects that count
    organization_id: OrganizationId
    pod_id: PodId | None
    inbox_id: InboxId | None
    name: str | None
    prefix: str  # its first characters, to tell it from others
    last4: str
    hash: str  # hex SHA-256 of the whole key
    permissions_json: str | None
    test: bool
    operator: bool  # of the gateway's machine: see ``store.scope``
    expires_at: int | None
    used_at: int | None
    created_at: int
    updated_at: int

    @property
    def permissions(self) -> list[str] | None:
        """The names of what it grants; None for everything inside its reach."""
        return _names(self.permissions_json)

    @property
    def public_id(self) -> str:
        """``key_ULID``."""
        return KEY_ID.public(self.id)


class RevokedKey(Record, frozen=True):
    """An account-wide key that was revoked, so that revoking it again is no error."""

    table: ClassVar[str] = "revoked_key"

    id: KeyId
    organization_id: OrganizationId
    revoked_at: int


class CliLogin(Record, frozen=True):
    """A program that waits for a key. ``organization_id`` None: nobody has approved it."""

    table: ClassVar[str] = "cli_login"

    id: str
    hash: str  # hex SHA-256 of what the program holds
    user_code: str  # what the person types
    origin: str
    organization_id: OrganizationId | None
    permissions_json: str | None  # of the key that approved, as its test flag
    test: bool
    created_at: int
    expires_at: int
    network: str  # the address that asked (IPv6: its /64)

    @property
    def permissions(self) -> list[str] | None:
        """The names of what the key that approved it grants; None for everything."""
        return _names(self.permissions_json)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else msgspec.json.decode(text, type=list[str])
