"""The dialect-free snapshots that event rows hold, made from message rows.

``message_snapshot``: every public fact of a message at the moment of the event (ids bare, times in µs,
people as [name, email] pairs). ``message_ref``: just what the delivery events need.
"""

from __future__ import annotations

from typing import Any

from gateway.store.attachment_text import add_attachments
from gateway.store.engine import Row, Tx
from gateway.store.jsontext import load

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
        "message_body.extracted_html FROM message LEFT JOIN message_body ON message_body.message_id = message.id "
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
    if len(facts["text"] or "") + len(facts["html"] or "") > MAX_BODY:
        facts["text"] = facts["html"] = None
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
    """``{inbox_id, thread_id, message_id, rfc_message_id, subject, to, timestamp}`` of a message."""
    row = tx.row(
        "SELECT inbox_id, thread_id, id, rfc_message_id, subject, timestamp FROM message WHERE id = ?",
        message_id,
    )
    if row is None:
        return None
    return {**{k: v for k, v in row.items() if k != "id"}, "message_id": row["id"]}
