"""The files of a draft: bytes of our own until it is sent, or parts of a person's draft on the mail server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.mail.attachments import Download
from gateway.core.mail.server_copy import hold_for, on_server, piece, stream_of
from gateway.mime.attachment_content import attachment_content
from gateway.mime.types import OutgoingAttachment
from gateway.records.inboxes import Inbox
from gateway.store.engine import LARGE, Row, Tx
from gateway.store.ids import new_ulid
from gateway.store.json_columns import load
from gateway.store.queries.inboxes import unscoped_inbox
from mailserver.imap import Client

DRAFTS = "Drafts"


def new_facts(files: Sequence[OutgoingAttachment]) -> list[dict[str, Any]]:
    """Entries of ``attachments_json`` for new files, each with an id of its own."""
    return [
        {
            "id": f"att_{new_ulid()}",
            "part": "",
            "filename": one.filename,
            "content_type": one.content_type,
            "content_disposition": "inline" if one.inline else "attachment",
            "content_id": one.content_id,
            "size": len(one.content),
            "encoding": "",
        }
        for one in files
    ]


def store_files(
    tx: Tx, draft_id: str, facts: Sequence[dict[str, Any]], files: Sequence[OutgoingAttachment]
) -> None:
    """Keep the bytes of new files."""
    for fact, one in zip(facts, files, strict=True):
        file_id = fact["id"].removeprefix("att_")
        large = len(one.content) > LARGE
        content = b"" if large else one.content
        tx.insert("draft_file", {"id": file_id, "draft_id": draft_id, "content": content})
        if large:
            tx.keep_octets("draft_file", "content", file_id, one.content)


async def files_of(core: Core, inbox: Inbox, draft: Row) -> list[OutgoingAttachment]:
    """The files of a draft with their bytes. Raises NotFound, Unavailable."""
    facts = load(draft["attachments_json"])
    if not facts:
        return []
    await hold_for(core, sum(one["size"] for one in facts))
    held: dict[str, bytes] = await core.store.read(
        lambda tx: {
            row["id"]: bytes(row["content"])
            for row in tx.rows("SELECT id, content FROM draft_file WHERE draft_id = ?", draft["id"])
        }
    )
    raw = None
    files = []
    for fact in facts:
        data = held.get(fact["id"].removeprefix("att_"))
        if data is None:
            raw = raw if raw is not None else await _person_draft(core, inbox, draft)
            content = attachment_content(raw, fact["id"])
            if content is None:
                raise NotFound("an attachment of the draft is gone from the mail server")
            data = content.data
        files.append(
            OutgoingAttachment(
                filename=fact["filename"] or "attachment",
                content_type=fact["content_type"],
                content=data,
                content_id=fact["content_id"],
                inline=fact["content_disposition"] == "inline",
            )
        )
    return files


async def open_file(core: Core, draft_id: str, attachment_id: str) -> Download:
    """One file of a draft, for holders of a signed link. Raises NotFound, Unavailable."""

    def read(tx: Tx) -> tuple[Row | None, Inbox | None]:
        draft = tx.row("SELECT * FROM draft WHERE id = ?", draft_id)
        return draft, unscoped_inbox(tx, draft["inbox_id"]) if draft else None

    draft, inbox = await core.store.read(read)
    if draft is None or inbox is None:
        raise NotFound("the draft is gone")
    facts = [one for one in load(draft["attachments_json"]) if one["id"] == attachment_id]
    if not facts:
        raise NotFound("the attachment is gone")
    await hold_for(core, facts[0]["size"])
    held = await core.store.read(
        lambda tx: tx.value(
            "SELECT content FROM draft_file WHERE id = ? AND draft_id = ?",
            attachment_id.removeprefix("att_"),
            draft_id,
        )
    )
    if held is None:
        content = attachment_content(await _person_draft(core, inbox, draft), attachment_id)
        if content is None:
            raise NotFound("the attachment is gone")
        held = content.data
    data = bytes(held)
    return Download(
        facts[0]["filename"] or "attachment", facts[0]["content_type"], await stream_of(core, data), len(data)
    )


async def _person_draft(core: Core, inbox: Inbox, draft: Row) -> bytes:
    from gateway.core.drafts.folder import drafts_folder

    def work(client: Client) -> bytes | None:
        opened = client.open(drafts_folder(client), readonly=True)
        if draft["uid"] is None or int(opened.get(b"UIDVALIDITY") or 0) != draft["uidvalidity"]:
            return None
        return piece(client, draft["uid"], "", 0, core.settings.mail.max_message)

    raw = await on_server(core, inbox.address, work)
    if raw is None:
        raise NotFound("the draft is gone from the mail server")
    return raw
