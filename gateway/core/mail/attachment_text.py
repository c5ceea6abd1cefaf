"""Attachments by name, and their text (OpenMail §6). What was not read on arrival is read when it is asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound, Unavailable
from gateway.core.lookup import find_inbox, find_message, require
from gateway.core.mail.messages import require_visible
from gateway.core.mail.server_copy import whole_message
from gateway.extract.limits import FILE_OCTETS
from gateway.mime.attachment_names import place_in, unique_names
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import ListedMessage, Message, ReadAttachment
from gateway.store.attachment_text import read_attachments, save_texts
from gateway.store.queries.labels import labels_of_messages
from gateway.store.queries.messages import is_in_inbox
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_PARSED = frozenset({"pdf", "ocr", "office", "csv", "text"})
_REASONS = {
    "unsupported": "nothing here reads files of its kind",
    "skipped_too_large": f"it is larger than {FILE_OCTETS} octets, or takes more time or memory to read than it may",
}


class Named(NamedTuple):
    """An attachment by its unique name, with what was read in it, of a message."""

    inbox: Inbox
    message: Message
    name: str
    attachment: ReadAttachment


async def read_attachments_of(
    core: Core, mail: Sequence[ListedMessage]
) -> dict[MessageId, list[ReadAttachment]]:
    """The attachments of messages with what was read in them, by message id."""
    messages = [one.message for one in mail]
    if all(one.attachments_json == "[]" for one in messages):
        return {one.id: [] for one in messages}
    return await core.store.read(partial(read_attachments, messages=messages))


class ReadText(NamedTuple):
    """The text of an attachment, and how it was read."""

    inbox: Inbox
    name: str
    attachment: ReadAttachment
    method: str
    text: str


async def find_named(core: Core, scope: Scope, message_ref: str, name: str) -> Named:
    """The attachment of a message that ``unique_names`` calls so. Raises NotFound, Forbidden."""
    require(scope, "message_read")
    return await core.store.read(partial(_find, scope=scope, message_ref=message_ref, name=name))


async def text_of(core: Core, scope: Scope, message_ref: str, name: str) -> ReadText:
    """The text of the attachment.

    Raises NotFound, Forbidden; Invalid (``no_attachment_text``) with the reason when there is no text; Unavailable
    when it has to be read now and cannot be.
    """
    found = await find_named(core, scope, message_ref, name)
    if found.attachment.extraction_method is None:
        await _read_now(core, found)
        found = await find_named(core, scope, message_ref, name)
    method = found.attachment.extraction_method
    if method is None:
        raise Unavailable("the attachment cannot be read now: too many others are", retry_after=30)
    if method not in _PARSED:
        raise Invalid(
            f"there is no text of {name!r}: {_REASONS.get(method, 'it is damaged, encrypted or not what it says')}",
            code="no_attachment_text",
            fix="download the file itself: the same URL without /text",
            facts={"extractionMethod": method},
        )
    return ReadText(found.inbox, found.name, found.attachment, method, found.attachment.parsed_text or "")


def _find(tx: Tx, scope: Scope, message_ref: str, name: str) -> Named:
    message = find_message(tx, scope, message_ref)
    inbox = find_inbox(tx, scope, message.inbox_id)
    require_visible(scope, labels_of_messages(tx, [message.id])[message.id])
    attachments = read_attachments(tx, [message])[message.id]
    wanted = unicodedata.normalize("NFC", name)  # macOS decomposes names; those in the index are composed
    names = unique_names(attachments)
    for one, attachment in zip(names, attachments, strict=True):
        if one in (name, wanted):
            return Named(inbox, message, one, attachment)
    place = place_in(name)
    if place is not None and place < len(names) and attachments[place].filename is None:
        return Named(inbox, message, names[place], attachments[place])  # by a link of another version
    raise NotFound(
        f"the message has no attachment {name[:200]!r}", fix="take the url of the message's attachments[]"
    )


async def _read_now(core: Core, found: Named) -> None:
    if core.extractor is None:
        raise Invalid(
            "attachments are not read on this server",
            code="no_attachment_text",
            fix="the operator can set attachments.extract",
            facts={"extractionMethod": "unsupported"},
        )
    message = found.message
    raw = await whole_message(core, found.inbox, message.id)
    texts = await core.extractor.extract(raw, message.attachments)

    def keep(tx: Tx) -> None:
        if is_in_inbox(tx, found.inbox.id, message.id):
            save_texts(tx, found.inbox.id, message.id, message.attachments, texts)

    await core.store.write(keep)
