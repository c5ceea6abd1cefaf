"""Attachments by name, and their text (OpenMail §6). What was not read on arrival is read when it is asked for."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import msgspec

from gateway.core.context import Core
from gateway.core.errors import Invalid, NotFound, Unavailable
from gateway.core.lookup import find_inbox, find_message, require
from gateway.core.mail.messages import add_labels, see
from gateway.core.mail.server_copy import whole_message
from gateway.extract.limits import FILE_OCTETS
from gateway.mime.attachment_names import unique_names
from gateway.mime.types import Attachment
from gateway.records.inboxes import Inbox
from gateway.store.attachment_text import add_attachments, save_texts
from gateway.store.engine import Row, Tx
from gateway.store.scope import Scope

_PARSED = frozenset({"pdf", "ocr", "office", "csv", "text"})
_REASONS = {
    "unsupported": "nothing here reads files of its kind",
    "skipped_too_large": f"it is larger than {FILE_OCTETS} octets, or takes more time or memory to read than it may",
}


class Named(NamedTuple):
    """An attachment by its unique name: its message, and its facts with what was read."""

    inbox: Inbox
    message: Row
    name: str
    facts: dict[str, Any]


async def fill_texts(core: Core, rows: Sequence[Row]) -> None:
    """Give message rows their ``attachments`` with what was read in them (``store.attachment_text``)."""
    if any(row["attachments_json"] != "[]" for row in rows):
        await core.store.read(partial(add_attachments, rows=rows))
    else:
        for row in rows:
            row["attachments"] = []


async def find_named(core: Core, scope: Scope, message_ref: str, name: str) -> Named:
    """The attachment of a message that ``unique_names`` calls so. Raises NotFound, Forbidden."""
    require(scope, "message_read")
    return await core.store.read(partial(_find, scope=scope, message_ref=message_ref, name=name))


async def text_of(core: Core, scope: Scope, message_ref: str, name: str) -> Named:
    """The same with ``extraction_method`` and ``parsed_text`` in its facts.

    Raises NotFound, Forbidden; Invalid (``no_attachment_text``) with the reason when there is no text; Unavailable
    when it has to be read now and cannot be.
    """
    found = await find_named(core, scope, message_ref, name)
    if "extraction_method" not in found.facts:
        await _read_now(core, found)
        found = await find_named(core, scope, message_ref, name)
    method = found.facts.get("extraction_method")
    if method is None:
        raise Unavailable("the attachment cannot be read now: too many others are", retry_after=30)
    if method not in _PARSED:
        raise Invalid(
            f"there is no text of {name!r}: {_REASONS.get(method, 'it is damaged, encrypted or not what it says')}",
            code="no_attachment_text",
            fix="download the file itself: the same URL without /text",
            facts={"extractionMethod": method},
        )
    return found


def _find(tx: Tx, scope: Scope, message_ref: str, name: str) -> Named:
    row = find_message(tx, scope, message_ref)
    inbox = find_inbox(tx, scope, row["inbox_id"])
    add_labels(tx, [row])
    see(scope, row)
    add_attachments(tx, [row])
    wanted = unicodedata.normalize("NFC", name)  # macOS decomposes names; those in the index are composed
    for one, facts in zip(unique_names(row["attachments"]), row["attachments"], strict=True):
        if one in (name, wanted):
            return Named(inbox, row, one, facts)
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
    raw = await whole_message(core, found.inbox, found.message["id"])
    attachments = msgspec.convert(found.message["attachments"], list[Attachment])
    texts = await core.extractor.extract(raw, attachments)

    def keep(tx: Tx) -> None:
        if tx.value("SELECT 1 FROM message WHERE id = ?", found.message["id"]):
            save_texts(tx, found.inbox.id, found.message["id"], attachments, texts)

    await core.store.write(keep)
