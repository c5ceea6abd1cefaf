"""What people hand in with their mail clients, made fit to send (RFC 6409 §8): checked, completed, signed.

Their client files its own Sent copy, so there is no ``sent`` recipient; their return path stays theirs, so
bounces reach them as the mail they know.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

from gateway.mime.addresses import normalise, parse_address_list
from gateway.mime.dkim_sign import Signing, sign
from gateway.mime.headers import split_head, unfold
from gateway.outbox.queue import enqueue, token_of
from gateway.records.ids import OUTBOX_ID, MessageId, now_us
from gateway.records.inboxes import Inbox
from gateway.store.allow_block_lists import verdict
from gateway.store.dkim_keys import active_key
from gateway.store.queries.aliases import sender_name
from gateway.store.queries.inboxes import touch_inbox, unscoped_inbox_at
from gateway.store.queries.reputation import suspension_of
from gateway.store.suppressions import suppressed
from gateway.store.transaction import Tx
from mailserver.addresses import names_of
from mailserver.base import MailServerError, Submission

_PLAIN_ID = re.compile(r"<[!-;=?-~]{1,200}>")
_DROPPED = frozenset({b"bcc", b"resent-bcc", b"return-path", b"content-length"})


@dataclass(frozen=True, slots=True)
class Ready:
    """A submission that may be queued."""

    outbox_id: MessageId
    message_id: str
    mime: bytes


def check(tx: Tx, submission: Submission) -> tuple[Inbox, str, Signing | None]:
    """The sender's inbox, the address of it or alias that it writes as, and what its mail is signed with. Raises
    MailServerError with what the person should know."""
    inbox = unscoped_inbox_at(tx, submission.login)
    if inbox is None or inbox.status == "deleting":
        raise MailServerError("this mailbox does not exist any more")
    if inbox.status != "active":
        raise MailServerError("sending is suspended for this mailbox")
    held = suspension_of(tx, inbox.id, inbox.pod_id)
    if held is not None:
        raise MailServerError(held.words)
    if not submission.recipients:
        raise MailServerError("no recipients")
    sender = sender_name(tx, inbox, submission.mail_from)
    if sender is None:
        raise MailServerError(f"the sender must be {inbox.address} or an alias of it")
    for recipient in submission.recipients:
        if verdict(tx, inbox, ("send",), recipient) == "block":
            raise MailServerError(f"sending to {recipient} is blocked by a rule of this inbox")
    gone = suppressed(tx, inbox.organization_id, [normalise(one) for one in submission.recipients])
    for address, kind in gone.items():
        raise MailServerError(f"{address} is suppressed ({kind}): it gets no more mail from this account")
    return inbox, sender, active_key(tx, sender.rpartition("@")[2])


def prepare(
    submission: Submission,
    inbox: Inbox,
    sender: str,
    signing: Signing | None,
    relay_headers: Callable[[str], dict[str, str]],
) -> Ready:
    """Complete and sign the message. CPU only; run it in a thread. ``sender``: as ``check`` found it.
    ``relay_headers``: what the relay wants added to a message, by its Message-ID.

    Raises MailServerError when From is not the envelope's sender, whatever the tag (RFC 6409 §6.1).
    """
    head = split_head(submission.data)
    outbox_id = OUTBOX_ID.new()
    senders = [one.email for value in head.raw("from") for one in parse_address_list(unfold(value))]
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
    wanted = relay_headers(message_id if _PLAIN_ID.fullmatch(message_id) else "")
    added += "".join(f"{name}: {value}\r\n" for name, value in wanted.items()).encode("ascii")
    data = added + data
    if signing is not None:
        data = sign(
            data,
            domain=signing.domain,
            selector=signing.selector,
            private_key=signing.private_key,
            changed=signing.changed,
        )
    return Ready(outbox_id, message_id[:998], data)


def queue(tx: Tx, submission: Submission, inbox: Inbox, ready: Ready, secret: bytes) -> str:
    """Write the rows; answers the queue id."""
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
    return ready.outbox_id


def _without(data: bytes) -> bytes:
    """The message without the fields that must not leave (as Postfix's ``message_drop_headers``)."""
    head, blank, body = data.partition(b"\r\n\r\n")
    kept: list[bytes] = []
    dropping = False
    for line in head.split(b"\r\n"):
        if not line.startswith((b" ", b"\t")):
            dropping = line.partition(b":")[0].strip().lower() in _DROPPED
        if not dropping:
            kept.append(line)
    return b"\r\n".join(kept) + blank + body
