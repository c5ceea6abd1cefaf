"""Other Message-IDs of what we sent: relays such as Amazon SES replace ours, and answers name only theirs.

A relay gives its id in the 250 reply (``relay_message_id``), or later in a webhook. Kept for as
long as the inbox lives: an answer may come years later, and a rebuild has to find the same threads.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from gateway.records.ids import InboxId, MessageId, OrganizationId, now_us
from gateway.store.queries.outbox import SentMessage
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_SES = re.compile(r"\b([0-9a-f]{16}-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9]{6})\b")
_SES_HOST = re.compile(r"email-smtp(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?")
_SES_ID = re.compile(r"<?([0-9a-f-]{60,70})(?:@[a-z0-9.-]+\.amazonses\.com)?>?")
_ANGLE = re.compile(r"<([^<>@\s]{1,200}@[^<>@\s]{1,200})>")


def relay_message_id(text: str, remote: str = "") -> str | None:
    """The Message-ID that a relay gave a message, from its 250 reply; None when it gave none.

    Amazon SES gives the part before the @ (what follows is the region's, known from the name of the host that was
    spoken to); others tell it whole, in angle brackets.
    """
    if found := _SES.search(text):
        region = _SES_HOST.search(remote.lower())
        if region is None:
            return found[1]
        return ses_message_id(found[1], region[1])
    if found := _ANGLE.search(text):
        return f"<{found[1]}>"
    return None


def ses_message_id(id: str, region: str) -> str:
    """The Message-ID that Amazon SES puts into a message."""
    return f"<{id}@{'email' if region == 'us-east-1' else region}.amazonses.com>"


def note(tx: Tx, message: SentMessage, alias: str | None) -> None:
    """Remember ``alias`` of a message of the outbox; once is enough."""
    if not alias or alias == message.message_id or not message.own:
        return
    row = {
        "outbox_id": message.id,
        "inbox_id": message.inbox_id,
        "message_id": message.message_id,
        "ref": _ref(alias),
        "other_id": alias[:500],
        "created_at": now_us(),
    }
    sql(tx).insert("sent_alias", row, ignore=True)


def ours(tx: Tx, inbox_id: InboxId, message_ids: Iterable[str]) -> dict[str, str]:
    """Which of ``message_ids`` are other names of what this inbox sent, and the Message-ID we gave it."""
    refs = {_ref(one): one for one in message_ids}
    if not refs:
        return {}
    marks = ", ".join("?" * len(refs))
    rows = sql(tx).rows(
        f"SELECT ref, message_id FROM sent_alias WHERE inbox_id = ? AND ref IN ({marks})",  # noqa: S608
        inbox_id,
        *refs,
    )
    return {refs[row["ref"]]: row["message_id"] for row in rows}


def sent_as(tx: Tx, organization: OrganizationId, message_id: str) -> SentMessage | None:
    """What the organization sent and a relay named ``message_id``."""
    return sql(tx).one(
        SentMessage,
        "JOIN sent_alias ON sent_alias.outbox_id = outbox.id "
        "WHERE sent_alias.ref = ? AND outbox.organization_id = ? LIMIT 1",
        _ref(message_id),
        organization,
    )


def unscoped_sent_by_relay(tx: Tx, message_id: str) -> SentMessage | None:
    """The same for news that the relay itself brings, of whichever organization the message is."""
    return sql(tx).one(
        SentMessage,
        "JOIN sent_alias ON sent_alias.outbox_id = outbox.id WHERE sent_alias.ref = ? LIMIT 1",
        _ref(message_id),
    )


def known_outside(tx: Tx, outbox_id: MessageId) -> str | None:
    """The Message-ID under which recipients know what we sent, when it is not ours and known whole."""
    rows = sql(tx).rows("SELECT other_id FROM sent_alias WHERE outbox_id = ? ORDER BY id", outbox_id)
    return next((row["other_id"] for row in rows if _ANGLE.fullmatch(row["other_id"])), None)


def _ref(message_id: str) -> str:
    text = message_id.strip()
    if found := _SES_ID.fullmatch(text):
        text = f"ses:{found[1]}"  # with or without its region: the 250 does not tell it
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
