"""The dialect-free snapshots that event rows hold, made from message rows.

``message_snapshot``: every public fact of a message at the moment of the event (ids bare, times in µs,
people as [name, email] pairs). ``message_ref``: what the delivery events need, of which each recipient has one;
``message_texts``: what ``message.sent`` has beside it, once a message.
"""

from __future__ import annotations

from typing import Any

from gateway.store.attachment_text import add_attachments
from gateway.store.engine import Row, Tx
from gateway.store.json_columns import load

MAX_BODY = 1_000_000
"""Above this many characters text and html are left out of the snapshot (AgentMail caps payloads at 1 MB)."""

_JSON = ("reply_to", "to", "cc", "bcc", "references", "headers", "attachments", "auth", "defects", "from")


def message_facts(row: Row) -> dict[str, Any]:
    """A message row with its JSON columns opened (``to_json`` becomes ``to``)."""
    facts = {name: value for name, value in row.items() if not name.endswith("_json")}
    for name in _JSON:
        if f"{name}_json" in row:
            facts[name] = load(row[f"{name}_json"])
    return facts


def message_snapshot(tx: Tx, message_id: str) -> dict[str, Any]:
    """``{"message": …, "thread": …, "inbox": …}`` of a message that was just indexed in this transaction."""
    row = tx.row(
        "SELECT message.*, message_body.text, message_body.html, message_body.extracted_text, "
        "message_body.extracted_html, message_body.one_time_code, message_body.one_time_link FROM message "
        "LEFT JOIN message_body ON message_body.message_id = message.id "
        "WHERE message.id = ?",
        message_id,
    )
    if row is None:
        raise LookupError(message_id)
    facts = message_facts(row)
    add_attachments(tx, [row])
    facts["attachments"] = row["attachments"]
    facts["labels"] = [
        one["label"]
        for one in tx.rows("SELECT label FROM label WHERE message_id = ? ORDER BY label", message_id)
    ]
    _cap(facts)
    thread = tx.row("SELECT * FROM thread WHERE id = ?", row["thread_id"])
    inbox = tx.row("SELECT id, pod_id, address, external_id FROM inbox WHERE id = ?", row["inbox_id"])
    return {"message": facts, "thread": thread and thread_facts(tx, thread), "inbox": inbox}


def thread_facts(tx: Tx, row: Row) -> dict[str, Any]:
    """A thread row with its JSON columns opened and the labels of its messages."""
    facts = {name: value for name, value in row.items() if not name.endswith("_json")}
    facts["senders"] = load(row["senders_json"])
    facts["recipients"] = load(row["recipients_json"])
    facts["labels"] = [
        one["label"]
        for one in tx.rows(
            "SELECT DISTINCT label FROM label JOIN message ON message.id = label.message_id "
            "WHERE message.thread_id = ? ORDER BY label",
            row["id"],
        )
    ]
    return facts


def message_ref(tx: Tx, message_id: str) -> dict[str, Any] | None:
    """A message without its texts: ``message_id``, ``inbox_id``, ``thread_id``, ``rfc_message_id``, ``direction``,
    ``from``, ``to``, ``cc``, ``bcc``, ``subject``, ``attachments``, ``status``, ``test``, ``timestamp``."""
    row = tx.row(
        "SELECT id AS message_id, inbox_id, thread_id, rfc_message_id, direction, from_json, to_json, cc_json, "
        "bcc_json, subject, attachments_json, status, test, timestamp FROM message WHERE id = ?",
        message_id,
    )
    return None if row is None else message_facts(row)


def message_texts(tx: Tx, message_id: str) -> dict[str, Any]:
    """``text``, ``html`` and ``extracted_text`` of a message; the first two None when they are too long."""
    texts = tx.row("SELECT text, html, extracted_text FROM message_body WHERE message_id = ?", message_id)
    return _cap(texts or {"text": None, "html": None, "extracted_text": None})


def _cap(facts: dict[str, Any]) -> dict[str, Any]:
    if len(facts["text"] or "") + len(facts["html"] or "") > MAX_BODY:
        facts["text"] = facts["html"] = None
    return facts
