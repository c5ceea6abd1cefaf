"""Sending a draft: once, because the row is marked ``sent`` in the transaction that accepts the mail."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from gateway.core.context import Core
from gateway.core.drafts.drafts import SCHEDULED, _draft_labels, _found, as_texts, put_away, take_away
from gateway.core.drafts.files import files_of
from gateway.core.drafts.folder import require_copy
from gateway.core.errors import CoreError, NotFound
from gateway.core.idempotency import Completion
from gateway.core.lookup import require, require_own_test
from gateway.core.mail import messages
from gateway.core.mail.relabel import check_total
from gateway.core.mail.server_copy import on_server
from gateway.core.sending import reply as replies
from gateway.core.sending import send as sending
from gateway.core.sending.reply import ReplyRequest
from gateway.core.sending.send import SendRequest
from gateway.core.sending.sent_before import Once
from gateway.core.sent import Sent
from gateway.records.inboxes import Inbox
from gateway.store.drafts import SHOWN
from gateway.store.engine import Row, Tx
from gateway.store.ids import derived_ulid, now_us
from gateway.store.json_columns import load
from gateway.store.scope import Scope


async def send_draft(
    core: Core,
    scope: Scope,
    inbox_ref: str | None,
    draft_ref: str,
    *,
    add_labels: Sequence[str] = (),
    remove_labels: Sequence[str] = (),
    completion: Completion | None = None,
) -> Sent:
    """Send a draft and remove it.

    Raises NotFound (sent or deleted already), NotWhereFiled (a person deleted or changed it just now) and what
    ``sending.send`` raises.
    """
    require(scope, "draft_send")
    inbox, row = await core.store.read(lambda tx: _found(tx, scope, inbox_ref, draft_ref))
    require_own_test(scope, [row], "draft")
    if row["forward_of"]:  # the mail that is sent on goes to whoever the draft names
        require(scope, "message_read")
    await require_copy(core, inbox, row)
    labels = set(load(row["labels_json"])) | set(_draft_labels(add_labels, "add_labels"))
    labels -= {*_draft_labels(remove_labels, "remove_labels"), SCHEDULED}
    check_total(labels, load(row["labels_json"]), "add_labels")
    inner = Scope(scope.organization, test=scope.test, key_id=scope.key_id)
    sent = await _send(core, inner, inbox, row, sorted(labels), completion)
    await sweep(core, inbox, row["id"])
    return sent


async def _send(
    core: Core, scope: Scope, inbox: Inbox, row: Row, labels: list[str], completion: Completion | None
) -> Sent:
    content: dict[str, Any] = load(row["content_json"])
    files = await files_of(core, inbox, row)
    people: dict[str, Any] = {name: as_texts(content, name) for name in ("to", "cc", "bcc", "reply_to")}

    def also(tx: Tx) -> None:
        done = tx.run(
            "UPDATE draft SET send_status = 'sent', updated_at = ? WHERE id = ? AND updated_at = ? "  # noqa: S608
            f"AND {SHOWN}",
            now_us(),
            row["id"],
            row["updated_at"],
        )
        if not done:
            raise NotFound("the draft was sent, changed or deleted just now")
        tx.run("DELETE FROM draft_file WHERE draft_id = ?", row["id"])

    # a draft is sent once, also when the database that says so was lost
    once = Once(derived_ulid(0, "draft", row["id"]), row["updated_at"])
    if row["forward_of"]:
        found = await messages.get_messages(
            core, scope, inbox.id, [row["forward_of"]], bodies=True, strict=True
        )
        request = ReplyRequest(
            **people,
            subject=content["subject"] or None,
            text=content["text"],
            html=content["html"],
            labels=labels,
            attachments=files,
        )
        return await replies.forward(
            core, scope, inbox, found[0], request, idempotency=completion, also=also, once=once
        )
    thread_id = content.get("thread_id")
    if thread_id and not await core.store.read(
        lambda tx: tx.value("SELECT 1 FROM thread WHERE id = ?", thread_id)
    ):
        thread_id = None
    wanted = SendRequest(
        **people,
        subject=content["subject"],
        text=content["text"],
        html=content["html"],
        labels=labels,
        attachments=files,
        in_reply_to=content.get("in_reply_to"),
        references=content.get("references") or (),
        thread_id=thread_id,
    )
    return await sending.send(core, scope, inbox, wanted, completion, also, once)


async def sweep(core: Core, inbox: Inbox, draft_id: str) -> None:
    """Take a sent draft out of the Drafts folder, then put it away. Left for the scheduler when that fails."""
    row = await core.store.read(
        lambda tx: tx.row("SELECT * FROM draft WHERE id = ? AND send_status = 'sent'", draft_id)
    )
    if row is None:
        return
    if row["uid"] is not None:
        try:
            await on_server(core, inbox.address, partial(take_away, inbox=inbox, row=row))
        except CoreError:
            return
    await core.store.write(lambda tx: put_away(tx, draft_id))
