"""Inboxes: real mailboxes on the mail server, and the rows that name them.

Creation: a row in state ``creating`` (its unique address picks one winner), the mailbox, then ``active``.
Removal: see ``inbox_removal``. A crash between two steps is finished at the next start.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import msgspec

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid, LimitReached, NotFound, Taken
from gateway.core.inboxes.events import append_created
from gateway.core.inboxes.remove import remove
from gateway.core.inboxes.reserved_names import check_reserved
from gateway.core.inboxes.tagged_names import check_tagged
from gateway.core.lookup import find_inbox, find_pod, require
from gateway.core.sending.limits import charge_creation
from gateway.core.text import clean_text
from gateway.core.webhooks import inbox_webhook
from gateway.records.ids import INBOX_ID, InboxId, OrganizationId, PodId, now_us, number_of
from gateway.records.inboxes import Inbox, InboxStatus
from gateway.store.engine import NotUnique
from gateway.store.json_columns import dump
from gateway.store.listing import Listing, Window
from gateway.store.queries import inboxes as queries
from gateway.store.queries.aliases import claim_address, lift_refusal, unscoped_alias
from gateway.store.queries.audit import note_action
from gateway.store.queries.domains import unscoped_domain
from gateway.store.queries.inboxes import (
    activate_inbox,
    add_inbox,
    change_inbox,
    inbox_count,
    inboxes_with_client_id,
    remove_inbox,
    unscoped_inbox_at,
    unscoped_inboxes_being,
)
from gateway.store.queries.keys import remove_inbox_keys
from gateway.store.queries.organizations import own_inbox_limit
from gateway.store.queries.pods import default_pod_id
from gateway.store.queries.webhooks import remove_webhooks_of_inbox
from gateway.store.scope import Scope
from gateway.store.suppressions import unscoped_lift_bounce
from gateway.store.transaction import Tx
from mailserver.addresses import MARKS, fold_domain
from mailserver.base import MailServerError, PersonAccess

log = logging.getLogger("postern.inboxes")

_USERNAME = re.compile(r"[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*")
MAX_USERNAME = 64  # RFC 5321 §4.5.3.1.1
MAX_METADATA = 50
PAUSED: dict[str, InboxStatus] = {"active": "active", "paused": "suspended", "suspended": "suspended"}

Metadata = dict[str, Any]


def draw_username() -> str:
    """A name for an inbox that was given none."""
    return f"agent-{secrets.token_hex(5)}"


@dataclass(frozen=True, slots=True)
class NewInbox:
    """What an inbox is made from. ``username`` None draws one with ``draw``; ``domain`` None is the platform's.

    ``verified_only``: a domain whose DNS records have not been seen does not do. ``webhook_url``: the inbox's own
    (see ``inbox_webhook``).
    """

    username: str | None = None
    draw: Callable[[], str] = draw_username
    domain: str | None = None
    display_name: str | None = None
    client_id: str | None = None
    pod: str | None = None
    metadata: Metadata = field(default_factory=dict)
    password: str | None = None
    external_id: str | None = None
    verified_only: bool = False
    webhook_url: str | None = None


@dataclass(frozen=True, slots=True)
class _Noted:
    """What the owner says of an inbox, checked."""

    display_name: str | None
    client_id: str | None
    external_id: str | None
    metadata_json: str


@dataclass(frozen=True, slots=True)
class Saved:
    """An inbox as it is now. ``new``: it was made just now. ``webhook_secret``: to be shown now or never."""

    inbox: Inbox
    new: bool = False
    webhook_secret: str | None = None


async def create(core: Core, scope: Scope, new: NewInbox) -> Saved:
    """Make an inbox with its mailbox, and with ``webhook_url`` a webhook.

    The same ``client_id`` with the same (or no) username answers the inbox there is. Raises Invalid, Taken,
    LimitReached, Forbidden, or MailServerError (nothing is left then).
    """
    require(scope, "inbox_create")
    if scope.inbox:
        raise Forbidden("a key of one inbox cannot make another", fix="use a key of the organization or pod")
    if new.webhook_url:
        require(scope, "inbox_webhook")
        require(scope, "message_read")  # mail is posted there
    username = None if new.username is None else check_username(new.username)
    domain = _domain_name(new.domain or core.settings.mail.domain)
    await inbox_webhook.checked_url(core, new.webhook_url)
    noted = _Noted(
        clean_text(new.display_name, "display_name"),
        clean_text(new.client_id, "client_id"),
        clean_text(new.external_id, "external_id"),
        dump(check_metadata(new.metadata)),
    )
    for _ in range(5):
        chosen = username or new.draw()
        try:
            made = await core.store.write(
                partial(_insert, core=core, scope=scope, new=new, noted=noted, username=chosen, domain=domain,
                        named=username is not None)
            )  # fmt: skip
            break
        except NotUnique:
            if username is not None:
                raise Taken(
                    f"the address {username.lower()}@{domain} is taken", fix="choose another name"
                ) from None
    else:
        raise Taken("no free name was found", fix="give a name")
    if not made.new:
        return made
    inbox = made.inbox
    try:
        await core.mail.set_alias(inbox.address, [])  # it was refused while there was no inbox
        await core.mail.add_mailbox(inbox.address, new.password)
    except MailServerError:
        await core.store.write(partial(_unmake, inbox_id=inbox.id))
        raise
    await core.store.write(partial(_activate, core=core, inbox=inbox))
    core.inbox_wake.set()
    return replace(made, inbox=msgspec.structs.replace(inbox, status="active"))


def _insert(
    tx: Tx,
    *,
    core: Core,
    scope: Scope,
    new: NewInbox,
    noted: _Noted,
    username: str,
    domain: str,
    named: bool,
) -> Saved:
    tx.lock(f"inboxes/{scope.organization}")  # what is looked up and counted here holds until the commit
    pod = pod_for(tx, scope, new.pod)
    if noted.client_id:
        for inbox in inboxes_with_client_id(tx, scope, noted.client_id):
            same_name = not named or inbox.username.lower() == username.lower()
            if same_name and (new.domain is None or inbox.domain == domain) and inbox.pod_id == pod:
                return Saved(inbox)
    _check_domain(tx, scope, domain, pod, new.verified_only)
    check_reserved(core, scope, username, domain)
    check_tagged(tx, scope, f"{username.lower()}@{domain}", pod)
    most = inbox_limit(tx, core, scope.organization)
    if most and inbox_count(tx, scope.organization) >= most:
        raise LimitReached(
            f"the organization has its {most} inboxes",
            code="inbox_limit_reached",
            fix="delete one, or raise limits.inboxes",
        )
    address = f"{username.lower()}@{domain}"
    claim_address(tx, address)
    if not lift_refusal(tx, address):
        raise NotUnique("an alias")
    charge_creation(tx, scope.organization, core.settings.limits)
    unscoped_lift_bounce(tx, address)
    ulid, now = INBOX_ID.new(), now_us()
    made = Inbox(
        id=ulid,
        number=number_of(ulid),
        organization_id=scope.organization,
        pod_id=pod,
        address=address,
        username=username,
        domain=domain,
        display_name=noted.display_name,
        client_id=noted.client_id,
        external_id=noted.external_id,
        metadata_json=noted.metadata_json,
        status="creating",
        active_at=now,
        created_at=now,
        updated_at=now,
        quota=None,
        fingerprints_since=0,
    )
    add_inbox(tx, made)
    secret = inbox_webhook.set_url(tx, core, made, new.webhook_url, scope.key_id) if new.webhook_url else None
    return Saved(made, new=True, webhook_secret=secret)


def _unmake(tx: Tx, inbox_id: InboxId) -> None:
    remove_webhooks_of_inbox(tx, inbox_id)
    remove_inbox(tx, inbox_id)


def _check_domain(tx: Tx, scope: Scope, domain: str, pod: PodId, verified_only: bool) -> None:
    held = unscoped_domain(tx, domain)
    if held is None or held.organization_id not in (None, scope.organization):
        raise Invalid(
            f"the domain {domain} is not one of this organization's",
            code="invalid_domain",
            field="domain",
            fix=f"add it first (POST /domains, or `postern domain add {domain}`), or leave the domain out",
        )
    if held.pod_id not in (None, pod):
        raise Forbidden(
            f"the domain {domain} belongs to another pod",
            code="domain_of_another_pod",
            fix="make the inbox in that pod",
        )
    if held.proven_at is None:
        raise Invalid(
            f"DNS has not shown yet that the domain {domain} is yours",
            code="invalid_domain",
            field="domain",
            fix="publish its MX and DKIM records, then have them checked (POST /domains/{domain}/verify, or "
            f"`postern domain verify {domain}`)",
        )
    if verified_only and held.organization_id is not None and held.status != "VERIFIED":
        raise Invalid(
            f"the domain {domain} is not verified yet",
            code="invalid_domain",
            field="domain",
            fix="publish its DNS records and have them checked first",
        )


async def get(core: Core, scope: Scope, ref: str) -> Inbox:
    """An inbox by id or address. Raises NotFound, Forbidden."""
    require(scope, "inbox_read")
    return await core.store.quick_read(lambda tx: find_inbox(tx, scope, ref))


async def list_inboxes(
    core: Core, scope: Scope, window: Window, *, pod: str | None = None, text: str | None = None
) -> Listing[Inbox]:
    """The inboxes inside the reach; ``text``: those whose address or display name holds it."""
    require(scope, "inbox_read")

    def read(tx: Tx) -> Listing[Inbox]:
        pod_id = None if pod is None else find_pod(tx, scope, pod).id
        return queries.list_inboxes(tx, scope, window, pod=pod_id, text=text or None)

    return await core.store.read(read)


async def update(core: Core, scope: Scope, ref: str, changes: Mapping[str, Any]) -> Saved:
    """Change ``display_name``, ``status`` (active, paused), ``metadata`` (merged; null takes a key away) or
    ``webhook_url`` (None clears; a new one has a secret).
    """
    require(scope, "inbox_update")
    if "webhook_url" in changes:
        require(scope, "webhook_update")
        if changes["webhook_url"]:
            require(scope, "message_read")
        await inbox_webhook.checked_url(core, changes["webhook_url"])

    def write(tx: Tx) -> Saved:
        inbox = find_inbox(tx, scope, ref)
        columns: queries.InboxChanges = {}
        if "display_name" in changes:
            columns["display_name"] = clean_text(changes["display_name"], "display_name")
        if "status" in changes:
            if changes["status"] not in PAUSED:
                raise Invalid("status takes active or paused", field="status", fix="write active or paused")
            columns["status"] = PAUSED[changes["status"]]
        if "metadata" in changes:
            merged = {**inbox.metadata, **(changes["metadata"] or {})}
            kept = {name: value for name, value in merged.items() if value is not None}
            columns["metadata_json"] = dump(check_metadata(kept))
        columns["updated_at"] = max(now_us(), inbox.updated_at + 1000)
        change_inbox(tx, inbox.id, **columns)
        secret = None
        if "webhook_url" in changes:
            secret = inbox_webhook.set_url(tx, core, inbox, changes["webhook_url"], scope.key_id)
        return Saved(msgspec.structs.replace(inbox, **columns), webhook_secret=secret)

    return await core.store.write(write)


async def delete(core: Core, scope: Scope, ref: str) -> None:
    """Delete an inbox and everything of it, on the mail server and here; all is gone on return."""
    require(scope, "inbox_delete")

    def write(tx: Tx) -> Inbox:
        inbox = find_inbox(tx, scope, ref)
        change_inbox(tx, inbox.id, status="deleting")
        remove_inbox_keys(tx, inbox.id)
        return inbox

    inbox = await core.store.write(write)
    core.keys.forget()
    await remove(core, inbox)


def half_done(tx: Tx) -> list[str]:
    """The ids of inboxes that are being made or removed, or were when a process died."""
    return [
        one.id for one in (*unscoped_inboxes_being(tx, "creating"), *unscoped_inboxes_being(tx, "deleting"))
    ]


async def finish_deletions(core: Core, only: Collection[str] | None = None) -> None:
    """Finish what a crash left half done, creations as well as removals; ``only``: of these inboxes."""

    def left(tx: Tx, status: InboxStatus) -> list[Inbox]:
        return [one for one in unscoped_inboxes_being(tx, status) if only is None or one.id in only]

    for inbox in await core.store.read(partial(left, status="deleting")):
        log.info("finishing the removal of an inbox", extra={"inbox_id": inbox.id})
        await remove(core, inbox)
    for inbox in await core.store.read(partial(left, status="creating")):
        await core.mail.add_mailbox(inbox.address)
        await core.store.write(partial(_activate, core=core, inbox=inbox))
        core.inbox_wake.set()


def _activate(tx: Tx, core: Core, inbox: Inbox) -> None:
    if activate_inbox(tx, inbox.id):
        append_created(tx, core.events, inbox)


async def set_credentials(core: Core, scope: Scope, ref: str) -> tuple[Inbox, str, PersonAccess]:
    """Give the person behind an inbox a new password for mail clients; it can be read only now."""
    require(scope, "inbox_credentials")
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, ref))
    await core.store.write(lambda tx: _note_password(tx, inbox, "password_set"))
    password = secrets.token_urlsafe(18)
    await core.mail.set_password(inbox.address, password)
    return inbox, password, core.mail.access()


async def remove_credentials(core: Core, scope: Scope, ref: str) -> None:
    """Take the person's password away; mail clients are logged out."""
    require(scope, "inbox_credentials")
    inbox = await core.store.read(lambda tx: find_inbox(tx, scope, ref))
    await core.store.write(lambda tx: _note_password(tx, inbox, "password_removed"))
    await core.mail.set_password(inbox.address, None)


def _note_password(tx: Tx, inbox: Inbox, action: str) -> None:
    """Log it before the mail server does it: it is no row of ours, and a change must not go unlogged."""
    note_action(tx, "inbox", inbox.public_id, action, name=inbox.address, organization=inbox.organization_id)


def check_username(username: str) -> str:
    """The local part of an address. Raises Invalid."""
    if "@" in username:
        raise Invalid(
            "username is the part of the address before the @",
            field="username",
            fix="give what follows the @ as domain",
        )
    if len(username) > MAX_USERNAME or not _USERNAME.fullmatch(username):
        raise Invalid(
            "username takes letters, digits and . _ % + - (no dot at an end or doubled), 64 at most",
            field="username",
            fix="choose a username such as agent-1",
        )
    for mark in MARKS:
        if mark in username.lower():
            raise Invalid(
                f"username must not hold {mark}: the mail server uses it itself",
                field="username",
                fix="choose another tag",
            )
    return username


def check_new_name(tx: Tx, core: Core, username: str) -> None:
    """Raise Invalid or Taken where somebody new may not have this name in the platform's domain."""
    check_username(username)
    domain, stranger = fold_domain(core.settings.mail.domain), Scope(OrganizationId(""))
    address = f"{username.lower()}@{domain}"
    check_reserved(core, stranger, username, domain)
    check_tagged(tx, stranger, address, None)
    if unscoped_inbox_at(tx, address) or unscoped_alias(tx, address):
        raise Taken(f"the address {address} is taken", fix="choose another name")


def check_metadata(metadata: Metadata) -> Metadata:
    """At most 50 flat values of text, number or flag. Raises Invalid."""
    if len(metadata) > MAX_METADATA:
        raise Invalid(f"metadata has more than {MAX_METADATA} keys", field="metadata", fix="send fewer keys")
    for name, value in metadata.items():
        if len(name) > 100 or not isinstance(value, str | int | float | bool):
            raise Invalid(
                "metadata holds short names with text, numbers or flags",
                field=f"metadata.{name[:100]}",
                fix="flatten the value",
            )
        if isinstance(value, str) and len(value) > 1000:
            raise Invalid("a metadata value is longer than 1000 characters", field=f"metadata.{name[:100]}")
    return metadata


def _domain_name(domain: str) -> str:
    try:
        return fold_domain(domain)
    except MailServerError:
        raise Invalid(
            "domain is not a domain name", code="invalid_domain", field="domain", fix="write example.com"
        ) from None


def inbox_limit(tx: Tx, core: Core, organization: OrganizationId) -> int | None:
    """The organization's own limit, else the setting's; None for none."""
    own = own_inbox_limit(tx, organization)
    return own if own is not None else core.settings.limits.inboxes or None


def pod_for(tx: Tx, scope: Scope, ref: str | None) -> PodId:
    """The ULID of the pod a new thing goes to: the named one, the key's own, else the default.

    Raises NotFound ``invalid_pod``, Forbidden.
    """
    if ref is not None:
        try:
            return find_pod(tx, scope, ref).id
        except NotFound as error:
            error.code, error.field = "invalid_pod", "pod_id"
            raise
    if scope.pod:
        return scope.pod
    return default_pod_id(tx, scope)
