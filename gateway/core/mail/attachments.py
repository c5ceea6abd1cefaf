"""Attachments: metadata from the index, octets streamed from the mail server and decoded on the way."""

from __future__ import annotations

import binascii
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.lookup import find_draft, find_inbox, find_message_id, find_thread, require
from gateway.core.mail.messages import require_visible
from gateway.core.mail.server_copy import open_stream, stream_of, whole_message
from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachment_names import names_of, unique_names
from gateway.mime.transfer import decode_part
from gateway.mime.types import Attachment
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import MessageItem
from gateway.store.queries.inboxes import unscoped_lasting_inbox
from gateway.store.queries.labels import labels_of_messages
from gateway.store.queries.messages import attaching_items_of_thread, unscoped_message_item
from gateway.store.queries.outbox import held_octets
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")
_STREAMED = frozenset({"7bit", "8bit", "binary", "base64", "quoted-printable"})


@dataclass(frozen=True, slots=True)
class Found:
    """An attachment: ``kind`` ``file`` or ``draft``, its owner's ULID, and the ``name`` that it is shown under."""

    kind: str
    owner: str
    attachment: Attachment
    name: str


@dataclass(frozen=True, slots=True)
class Download:
    """What a link opens. ``size`` only where it is exact."""

    filename: str
    content_type: str
    chunks: AsyncIterator[bytes]
    size: int | None = None


async def of_message(
    core: Core, scope: Scope, inbox_ref: str, message_ref: str, attachment_ref: str
) -> Found:
    """An attachment of a message. Raises NotFound, Forbidden."""
    require(scope, "message_read")

    def read(tx: Tx) -> Found:
        inbox = find_inbox(tx, scope, inbox_ref)
        message_id = find_message_id(tx, inbox, message_ref)
        message = unscoped_message_item(tx, message_id)
        if message is None:
            raise NotFound("the message was deleted just now")
        require_visible(scope, labels_of_messages(tx, [message_id])[message_id])
        return _pick([(message.id, message.attachments)], attachment_ref)

    return await core.store.read(read)


async def of_thread(
    core: Core, scope: Scope, inbox_ref: str | None, thread_ref: str, attachment_ref: str
) -> Found:
    """An attachment of any message of a thread. Raises NotFound, Forbidden."""
    require(scope, "message_read")

    def read(tx: Tx) -> Found:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        thread = find_thread(tx, scope, inbox, thread_ref)
        attaching = attaching_items_of_thread(tx, thread.id)
        return _pick([(one.id, one.attachments) for one in attaching], attachment_ref)

    return await core.store.read(read)


async def of_draft(
    core: Core, scope: Scope, inbox_ref: str | None, draft_ref: str, attachment_ref: str
) -> Found:
    """An attachment of a draft. Raises NotFound, Forbidden."""
    require(scope, "draft_read")

    def read(tx: Tx) -> Found:
        inbox = find_inbox(tx, scope, inbox_ref) if inbox_ref is not None else None
        draft = find_draft(tx, scope, inbox, draft_ref)
        found = _pick([(draft.id, draft.attachments)], attachment_ref)
        return replace(found, kind="draft")

    return await core.store.read(read)


def _pick(owners: Iterable[tuple[str, Sequence[Attachment]]], ref: str) -> Found:
    wanted = ref.strip().lower().removeprefix("att_")
    for owner, attached in owners:
        for attachment, name in zip(attached, names_of(attached), strict=True):
            if attachment.id.removeprefix("att_") == wanted:
                return Found("file", owner, attachment, name)
    raise NotFound(f"there is no attachment {ref[:100]!r} here", fix="the message names its attachments")


async def open_raw(core: Core, message_id: MessageId) -> Download:
    """The whole message, as it was received. For holders of a signed link. Raises NotFound, Unavailable."""
    message, inbox = await core.store.read(lambda tx: _owner(tx, message_id))
    return Download(f"{message.id}.eml", "message/rfc822", await open_stream(core, inbox, message_id, ""))


async def open_attachment(core: Core, message_id: MessageId, attachment_id: str) -> Download:
    """One attachment, decoded. For holders of a signed link. Raises NotFound, Unavailable."""
    message, inbox = await core.store.read(lambda tx: _owner(tx, message_id))
    attached = message.attachments
    attachment = _pick([(message.id, attached)], attachment_id).attachment
    name = dict(zip((one.id for one in attached), unique_names(attached), strict=True))[attachment.id]
    kind = attachment.content_type
    queued = await core.store.read(lambda tx: held_octets(tx, inbox.id, message_id))
    if queued is None and attachment.encoding in _STREAMED:
        try:
            coded = await open_stream(core, inbox, message_id, attachment.part)
        except NotFound:
            pass  # the mail server numbers the parts of a broken mail differently: parse it here
        else:
            return Download(name, kind, decoded(coded, attachment.encoding))
    raw = await whole_message(core, inbox, message_id)
    content = attachment_content(raw, attachment.id)
    if content is None:
        raise NotFound("the attachment is gone")
    return Download(name, kind, await stream_of(core, content.data), len(content.data))


def _owner(tx: Tx, message_id: MessageId) -> tuple[MessageItem, Inbox]:
    message = unscoped_message_item(tx, message_id)
    inbox = unscoped_lasting_inbox(tx, message.inbox_id) if message else None
    if not message or not inbox:
        raise NotFound("the message was deleted")
    return message, inbox


async def decoded(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    """Undo a Content-Transfer-Encoding (RFC 2045 §6) chunk by chunk, holding back less than a line."""
    if encoding == "base64":
        async for piece in _from_base64(chunks):
            yield piece
    elif encoding == "quoted-printable":
        async for piece in _from_quoted(chunks):
            yield piece
    else:
        async for piece in chunks:
            yield piece


async def _from_base64(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        rest += _NOT_BASE64.sub(b"", chunk)
        whole = len(rest) // 4 * 4
        data, rest = rest[:whole], rest[whole:]
        if data:
            yield _quanta(data)
    if rest:
        yield decode_part(rest, "base64")


def _quanta(data: bytes) -> bytes:
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        return decode_part(data, "base64")


async def _from_quoted(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    rest = b""
    async for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if not end and len(rest) > 65536:  # no line ends at all: cut where no escape is open
            end = len(rest) - 3
            while end > 0 and b"=" in rest[end - 2 : end]:
                end -= 1
        if end:
            yield decode_part(rest[:end], "quoted-printable")
            rest = rest[end:]
    if rest:
        yield decode_part(rest, "quoted-printable")
