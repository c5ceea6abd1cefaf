"""The return path that names a message or a recipient, and putting a message into the outbox."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from gateway.mime.types import Address
from gateway.records.ids import InboxId, KeyId, MessageId, OrganizationId, now_us
from gateway.records.outbox import OutboxEntry
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.outbox import (
    FAR,
    NewRecipient,
    add_entry,
    blind_people,
    mime_of,
    remove_entry,
)
from gateway.store.queries.outbox_claims import Job, is_ours
from gateway.store.queries.pauses import unscoped_is_paused
from gateway.store.transaction import Tx

MAX_LOCAL_PART = 64  # RFC 5321 §4.5.3.1.1
_TOKEN_CHARS = 16
_TAIL = re.compile(
    r"\+b-([a-z2-7]{16})(?:\+verp-([a-z2-7]{16})-.*|\+.*\+verp-([a-z2-7]{16})=.*|\+.*=.*)?\Z", re.S
)


def token_of(secret: bytes, outbox_id: MessageId, recipient: str = "") -> str:
    """The token that names a message, or one recipient of it, in a return path and ENVID: lower-case base 32, 80 bits
    of HMAC."""
    named = outbox_id.encode() + (b"\x00" + recipient.lower().encode() if recipient else b"")
    digest = hmac.digest(secret, b"return-path\x00" + named, hashlib.sha256)
    return base64.b32encode(digest[:10]).decode().lower()[:_TOKEN_CHARS]


def recipient_tokens(secret: bytes, outbox_id: MessageId, recipients: Iterable[str]) -> dict[str, str]:
    """A token for each of several recipients. A message to one alone needs none but its own: nobody else sees it."""
    people = list(dict.fromkeys(one.lower() for one in recipients))
    return {one: token_of(secret, outbox_id, one) for one in people} if len(people) > 1 else {}


def return_path(address: str, token: str) -> str:
    """``local+b-TOKEN@domain``; the plain address where that would be longer than a local part may be."""
    local, _, domain = address.rpartition("@")
    tagged = f"{local}+b-{token}"
    return f"{tagged}@{domain}" if len(tagged.encode()) <= MAX_LOCAL_PART else address


def return_path_of(mail_from: str, token: str) -> str:
    """The return path of one recipient: ``mail_from`` of its message with the recipient's token in it, or unchanged
    where ``mail_from`` has no token."""
    local, mark, rest = mail_from.rpartition("+b-")
    return f"{local}+b-{token}@{rest.rpartition('@')[2]}" if mark and token else mail_from


def token_in(address: str | None) -> str | None:
    """The token inside an address made by ``return_path`` or ``return_path_of``, or by a mail server from it, which
    appends the recipient (VERP): ``+b-TOKEN+verp-RECIPIENT_TOKEN-user=host`` and ``+b-TOKEN+user+verp-…=host`` name
    the recipient."""
    local = (address or "").strip().strip("<>").rpartition("@")[0].lower()
    found = _TAIL.search(local)
    return (found[2] or found[3] or found[1]) if found else None


def enqueue(
    tx: Tx,
    *,
    outbox_id: MessageId,
    organization_id: OrganizationId,
    inbox_id: InboxId,
    mail_from: str,
    message_id: str,
    token: str,
    mime: bytes,
    recipients: Iterable[tuple[str, str]],
    delivered: bool = False,
    held: bool = False,
    due: int | None = None,
    tokens: Mapping[str, str] = MappingProxyType({}),
    key_id: KeyId | None = None,
) -> None:
    """Write a message and its (address, role) recipients; an address named twice is one recipient.

    ``tokens``: as ``recipient_tokens`` gives them.
    ``delivered``: nothing is to be sent (a sandbox send); the rows are only kept. ``held``: nothing is sent until a
    review approves it. ``due``: when it may go (µs); None: now. ``key_id``: the API key that asked.
    """
    now = now_us()
    entry = OutboxEntry(
        id=outbox_id,
        organization_id=organization_id,
        inbox_id=inbox_id,
        mail_from=mail_from,
        message_id=message_id,
        token=token,
        size=len(mime),
        state="done" if delivered else "held" if held else "queued",
        next_at=FAR if delivered or held else now if due is None else due,
        attempts=0,
        claimed_until=None,
        claimed_by=None,
        created_at=now,
        updated_at=now,
        key_id=key_id,
    )
    people: dict[str, NewRecipient] = {}
    for address, role in recipients:
        own = tokens.get(address.lower()) if role != "sent" else None
        people.setdefault(address.lower(), NewRecipient(address, role, own))
    add_entry(tx, entry, mime, people.values())


class Handling(NamedTuple):
    """What handing a message over needs beside its octets: its inbox's address, and whom it goes to blindly."""

    sender: str
    bcc: list[Address]


class PausedMeanwhile(Exception):
    """Its inbox was paused after the message was claimed."""


def load(tx: Tx, job: Job) -> tuple[bytes, Handling] | None:
    """A message's octets and what belongs to them; None when it or its inbox is gone, or the claim. Raises
    PausedMeanwhile."""
    if not is_ours(tx, job):
        return None
    inbox = unscoped_lasting_inbox(tx, job.inbox_id)
    if inbox is not None and unscoped_is_paused(tx, inbox):
        raise PausedMeanwhile
    data = mime_of(tx, job.id) if inbox is not None else None
    if inbox is None or data is None:
        return None
    return data, Handling(str(inbox.address), blind_people(tx, job.id))


def drop(tx: Tx, job: Job) -> None:
    """Its inbox is gone or going, and takes what it had not sent along."""
    if unscoped_lasting_inbox(tx, job.inbox_id) is None:
        remove_entry(tx, job.id)
