"""The dialect-free snapshots that event rows hold, made of the records of messages.

``message_snapshot``: every public fact of a message at the moment of the event (ids bare, times in µs,
people as [name, email] pairs). ``message_ref``: what the delivery events need, of which each recipient has one;
``message_texts``: what ``message.sent`` has beside it, once a message.
"""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.records.mail import NO_TEXT, MessageItem, Thread
from gateway.store.attachment_text import read_attachments
from gateway.store.engine import Tx
from gateway.store.json_columns import load
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.queries.labels import labels_of_threads
from gateway.store.queries.messages import texts_of_messages, unscoped_mail, unscoped_message_item
from gateway.store.queries.threads import unscoped_thread

MAX_BODY = 1_000_000
"""Above this many characters text and html are left out of the snapshot (AgentMail caps payloads at 1 MB)."""

_TEXTS = ("text", "html", "extracted_text", "extracted_html", "one_time_code", "one_time_link")
_REF = (
    "inbox_id", "thread_id", "rfc_message_id", "direction", "from", "to", "cc", "bcc", "subject", "attachments",
    "status", "test", "timestamp",
)  # fmt: skip


def message_snapshot(tx: Tx, message_id: str) -> dict[str, Any]:
    """``{"message": …, "thread": …, "inbox": …}`` of a message that was just indexed in this transaction."""
    mail = unscoped_mail(tx, message_id)
    if mail is None:
        raise LookupError(message_id)
    message = mail.message
    facts = _facts(message) | {name: getattr(mail.texts, name) for name in _TEXTS}
    facts["attachments"] = msgspec.to_builtins(read_attachments(tx, [message])[message_id])
    facts["labels"] = mail.labels
    _cap(facts)
    thread, inbox = unscoped_thread(tx, message.thread_id), unscoped_inbox(tx, message.inbox_id)
    return {
        "message": facts,
        "thread": thread and _thread_facts(tx, thread),
        "inbox": inbox
        and {name: getattr(inbox, name) for name in ("id", "pod_id", "address", "external_id")},
    }


def _thread_facts(tx: Tx, thread: Thread) -> dict[str, Any]:
    return _facts(thread) | {"labels": labels_of_threads(tx, [thread.id])[thread.id]}


def message_ref(tx: Tx, message_id: str) -> dict[str, Any] | None:
    """A message without its texts: ``message_id``, ``inbox_id``, ``thread_id``, ``rfc_message_id``, ``direction``,
    ``from``, ``to``, ``cc``, ``bcc``, ``subject``, ``attachments``, ``status``, ``test``, ``timestamp``."""
    message = unscoped_message_item(tx, message_id)
    if message is None:
        return None
    facts = _facts(message)
    return {"message_id": message_id} | {name: facts[name] for name in _REF}


def message_texts(tx: Tx, message_id: str) -> dict[str, Any]:
    """``text``, ``html`` and ``extracted_text`` of a message; the first two None when they are too long."""
    texts = texts_of_messages(tx, [message_id]).get(message_id, NO_TEXT)
    return _cap({"text": texts.text, "html": texts.html, "extracted_text": texts.extracted_text})


def _facts(record: MessageItem | Thread) -> dict[str, Any]:
    """The columns of a record as JSON has them: flags as 0 and 1, JSON columns opened (``to_json`` becomes ``to``)."""
    facts: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name.endswith("_json"):
            facts[name.removesuffix("_json")] = load(value)
        else:
            facts[name] = int(value) if isinstance(value, bool) else value
    return facts


def _cap(facts: dict[str, Any]) -> dict[str, Any]:
    if len(facts["text"] or "") + len(facts["html"] or "") > MAX_BODY:
        facts["text"] = facts["html"] = None
    return facts
