"""The text of attachments beside the messages: written with the message, read with it, gone with it.

An attachment's id is a digest of its whole message (``mime.attachments.attachment_id``), so what was once read
holds for ever: a message that is moved, or indexed anew, is not read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from gateway.extract.types import Extracted
from gateway.mime.types import Attachment
from gateway.records.ids import InboxId, MessageId
from gateway.records.mail import AttachmentText, MessageItem, ReadAttachment
from gateway.store.sql import sql
from gateway.store.transaction import Tx

_MANY = 500


def save_texts(
    tx: Tx,
    inbox_id: InboxId,
    message_id: MessageId,
    attachments: Iterable[Attachment],
    found: Mapping[str, Extracted],
) -> None:
    """Keep what was found in the attachments of a message; what is kept already stays as it is."""
    for one in attachments:
        extracted = found.get(one.id)
        if extracted is not None:
            row = {"inbox_id": inbox_id, "message_id": message_id, "attachment_id": one.id}
            sql(tx).insert(
                "attachment_text", {**row, "method": extracted.method, "text": extracted.text}, ignore=True
            )


def known_texts(tx: Tx, inbox_id: InboxId, attachment_ids: Sequence[str]) -> dict[str, Extracted]:
    """What an inbox has of these attachments, in whichever of its messages."""
    known = {}
    for start in range(0, len(attachment_ids), _MANY):
        some = attachment_ids[start : start + _MANY]
        marks = ", ".join("?" * len(some))
        for row in sql(tx).rows(
            f"SELECT attachment_id, method, text FROM attachment_text "  # noqa: S608
            f"WHERE inbox_id = ? AND attachment_id IN ({marks})",
            inbox_id,
            *some,
        ):
            known[row["attachment_id"]] = Extracted(row["method"], row["text"])
    return known


def read_attachments(tx: Tx, messages: Sequence[MessageItem]) -> dict[MessageId, list[ReadAttachment]]:
    """The attachments of messages with what was read in them, by message id."""
    found = {one.id: one.attachments_to_read for one in messages}
    attaching = [message_id for message_id, files in found.items() if files]
    if not attaching:
        return found
    marks = ", ".join("?" * len(attaching))
    texts = {
        (one.message_id, one.attachment_id): one
        for one in sql(tx).all(AttachmentText, f"WHERE message_id IN ({marks})", *attaching)
    }
    for message_id in attaching:
        found[message_id] = [_read(one, texts.get((message_id, one.id))) for one in found[message_id]]
    return found


def _read(one: ReadAttachment, found: AttachmentText | None) -> ReadAttachment:
    if found is None:
        return one
    return msgspec.structs.replace(one, extraction_method=found.method, parsed_text=found.text)
