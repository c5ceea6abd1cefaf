"""Mail that people submit with a mail client (RFC 6409): checked, completed, signed and queued.

What may be sent is decided as for sends by the API (``core.sending.decide``), by the policy too, but without the
server's limits and prices, which are for programs; what the API would hold for approval is refused. The client files
its own copy in Sent, so there is no recipient of role ``sent``; the return path stays the person's own, so that bounces
come as mail.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial

from gateway.core.context import Core
from gateway.core.errors import Rejected, TooMany
from gateway.core.sending import admission
from gateway.core.sending.decide import Held, Message, Terms
from gateway.mime.dkim_sign import Signing, SigningError, sign
from gateway.mime.headers import split_head
from gateway.outbox.queue import enqueue, token_of
from gateway.records.ids import OUTBOX_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.settings import Limits, Wallet
from gateway.smarthost.profiles import profile_of, relay_headers
from gateway.store.dkim_keys import active_key
from gateway.store.engine import StoreDown
from gateway.store.queries.aliases import sender_name
from gateway.store.queries.inboxes import touch_inbox, unscoped_inbox_at
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.address_field import addresses
from mailserver.addresses import names_of
from mailserver.base import MailServerDown, MailServerError, Submission

_PLAIN_ID = re.compile(r"<[!-;=?-~]{1,200}>")
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"content-length"})
_TERMS = Terms(Limits(), Wallet())


@dataclass(frozen=True, slots=True)
class _Ready:
    """A submission that may be queued."""

    outbox_id: MessageId
    message_id: str
    mime: bytes


async def accept(core: Core, submission: Submission) -> str:
    """Make a submission durable; returns its queue id.

    Raises MailServerError, with a text for the person, to refuse it; MailServerDown to have the client try again.
    """
    profile = profile_of(core.settings)
    try:
        inbox, sender, signing = await core.store.read(partial(_check, submission=submission))
        ready = await asyncio.to_thread(
            _prepare,
            submission,
            inbox,
            sender,
            profile.signing(signing),
            partial(relay_headers, core.settings),
        )
        await core.store.write(partial(_queue, core.secret, submission, inbox, ready))
    except StoreDown as error:
        raise MailServerDown(f"the queue cannot be written now: {error}") from error
    except SigningError as error:
        raise MailServerError(f"{error}") from error
    core.outbox_wake.set()
    return ready.outbox_id


def _check(tx: Tx, submission: Submission) -> tuple[Inbox, str, Signing | None]:
    """The sender's inbox, its address or the alias that it writes as, and the key that signs its mail. Raises
    MailServerError."""
    inbox = unscoped_inbox_at(tx, submission.login)
    if inbox is None or inbox.status == "deleting":
        raise MailServerError("this mailbox does not exist any more")
    if inbox.status != "active":
        raise MailServerError("sending is suspended for this mailbox")
    if not submission.recipients:
        raise MailServerError("no recipients")
    sender = sender_name(tx, inbox, submission.mail_from)
    if sender is None:
        raise MailServerError(f"the sender must be {inbox.address} or an alias of it")
    message = Message([("rcpt", address) for address in submission.recipients])
    try:
        decision = admission.check(tx, Scope(inbox.organization_id), inbox, message, _TERMS, reply=False)
    except (Rejected, TooMany) as refused:
        raise MailServerError(refused.message) from refused
    if isinstance(decision, Held):  # only what the API composed has a row of a message, which a review names
        raise MailServerError(
            "mail of this mailbox is sent when a person approves it: send it with the API, not with a mail client"
        )
    return inbox, sender, active_key(tx, sender.rpartition("@")[2])


def _prepare(
    submission: Submission,
    inbox: Inbox,
    sender: str,
    signing: Signing | None,
    headers_of: Callable[[str], dict[str, str]],
) -> _Ready:
    """Complete and sign the message. CPU only; run it in a thread. ``sender``: the inbox's address or alias, without
    a tag; ``headers_of``: the headers that the relay wants in a message, by its Message-ID.

    Raises MailServerError when From is not the envelope's sender, whatever the tag (RFC 6409 §6.1).
    """
    head = split_head(submission.data)
    outbox_id = OUTBOX_ID.new()
    senders = addresses(b"From:" + value for value in head.raw("from"))
    if len(senders) != 1 or sender not in names_of(senders[0]):
        raise MailServerError(f"From must be {sender}, as the envelope says, and nothing else")
    data = _without(submission.data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    added = b""
    message_id = head.text("message-id")
    if not message_id:
        message_id = f"<{outbox_id}@{inbox.domain}>"
        added += f"Message-ID: {message_id}\r\n".encode()
    if not head.raw("date"):
        added += f"Date: {format_datetime(datetime.now(UTC))}\r\n".encode()
    headers = headers_of(message_id if _PLAIN_ID.fullmatch(message_id) else "")
    added += "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode("ascii")
    data = added + data
    if signing is not None:
        data = sign(
            data,
            domain=signing.domain,
            selector=signing.selector,
            private_key=signing.private_key,
            changed=signing.changed,
        )
    return _Ready(outbox_id, message_id[:998], data)


def _queue(secret: bytes, submission: Submission, inbox: Inbox, ready: _Ready, tx: Tx) -> None:
    enqueue(
        tx,
        outbox_id=ready.outbox_id,
        organization_id=inbox.organization_id,
        inbox_id=inbox.id,
        mail_from=submission.mail_from,
        message_id=ready.message_id,
        token=token_of(secret, ready.outbox_id),
        mime=ready.mime,
        recipients=[(one, "to") for one in submission.recipients],
    )
    touch_inbox(tx, inbox.id, now_us())


def _without(data: bytes) -> bytes:
    """The message without the fields that must not go out (as Postfix's ``message_drop_headers``)."""
    head, blank, body = data.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = line.partition(b":")[0].strip().lower() in _DROPPED
        if not dropping:
            kept.append(line)
    return b"\r\n".join(kept) + blank + body
