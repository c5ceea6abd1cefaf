"""The files of a draft: bytes of our own until it is sent, or parts of a person's draft on the mail server."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.context import Core
from gateway.core.drafts.folder import drafts_folder
from gateway.core.errors import NotFound
from gateway.core.mail.attachments import Download
from gateway.core.mail.server_copy import hold_for, on_server, open_folder, read_chunk, stream_of
from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachment_names import names_of
from gateway.mime.attachments import outgoing
from gateway.mime.media_type import media_type
from gateway.mime.types import Attachment, OutgoingAttachment
from gateway.records.drafts import Draft
from gateway.records.ids import ATTACHMENT_ID, DraftId, new_ulid
from gateway.records.inboxes import Inbox
from gateway.store.queries.drafts import (
    add_draft_file,
    draft_file_content,
    draft_file_contents,
    unscoped_draft,
)
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.transaction import Tx
from mailserver.imap import Client


def new_attachments(files: Sequence[OutgoingAttachment]) -> list[Attachment]:
    """What a draft notes of new files, each with an id of its own."""
    noted = []
    for one in files:
        kind = media_type(one.content_type)
        noted.append(
            Attachment(
                id=ATTACHMENT_ID.public(new_ulid()),
                part="",
                filename=one.filename,
                content_type=kind.name,
                content_disposition="inline" if one.inline else "attachment",
                content_id=one.content_id,
                size=len(one.content),
                encoding="",
                parameters=kind.parameters,
            )
        )
    return noted


def file_id(attachment: Attachment) -> str:
    """The ULID of an attachment."""
    return attachment.id.removeprefix("att_")


def store_files(
    tx: Tx, draft_id: DraftId, attachments: Sequence[Attachment], files: Sequence[OutgoingAttachment]
) -> None:
    """Keep the octets of new files."""
    for attachment, file in zip(attachments, files, strict=True):
        add_draft_file(tx, draft_id, file_id(attachment), file.content)


async def files_of(core: Core, inbox: Inbox, draft: Draft) -> list[OutgoingAttachment]:
    """The files of a draft with their octets. Raises NotFound, Unavailable."""
    attachments = draft.attachments
    if not attachments:
        return []
    await hold_for(core, sum(one.size for one in attachments))
    held = await core.store.read(lambda tx: draft_file_contents(tx, draft.id))
    raw = None
    files = []
    for attachment, name in zip(attachments, names_of(attachments), strict=True):
        data = held.get(file_id(attachment))
        if data is None:
            raw = raw if raw is not None else await _person_draft(core, inbox, draft)
            content = attachment_content(raw, attachment.id)
            if content is None:
                raise NotFound("an attachment of the draft is gone from the mail server")
            data, attachment = content.data, content.attachment
        files.append(outgoing(attachment, name, data))
    return files


async def open_file(core: Core, draft_id: DraftId, attachment_id: str) -> Download:
    """One file of a draft, for holders of a signed link. Raises NotFound, Unavailable."""

    def read(tx: Tx) -> tuple[Draft | None, Inbox | None]:
        draft = unscoped_draft(tx, draft_id)
        return draft, unscoped_inbox(tx, draft.inbox_id) if draft else None

    draft, inbox = await core.store.read(read)
    if draft is None or inbox is None:
        raise NotFound("the draft is gone")
    attachment = next((one for one in draft.attachments if one.id == attachment_id), None)
    if attachment is None:
        raise NotFound("the attachment is gone")
    await hold_for(core, attachment.size)
    data = await core.store.read(lambda tx: draft_file_content(tx, draft_id, file_id(attachment)))
    if data is None:
        content = attachment_content(await _person_draft(core, inbox, draft), attachment_id)
        if content is None:
            raise NotFound("the attachment is gone")
        data = content.data
    name = dict(zip((one.id for one in draft.attachments), names_of(draft.attachments), strict=True))[
        attachment.id
    ]
    return Download(name, attachment.content_type, await stream_of(core, data), len(data))


async def _person_draft(core: Core, inbox: Inbox, draft: Draft) -> bytes:
    def work(client: Client) -> bytes | None:
        if draft.copy is None:
            return None
        validity, uid = draft.copy
        if not open_folder(client, drafts_folder(client), validity, readonly=True):
            return None
        return read_chunk(client, uid, "", 0, core.settings.mail.max_message)

    raw = await on_server(core, inbox.address, work)
    if raw is None:
        raise NotFound("the draft is gone from the mail server")
    return raw
