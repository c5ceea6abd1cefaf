"""The facts of events about messages, made of the records of messages (``records.event_types``).

``message_snapshot``: every public fact of a message at the moment of the event. ``message_ref``: what the events about
a sent message need, of which each recipient has one; ``message_texts``: what ``message.sent`` has beside it, once a
message.
"""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from gateway.records.event_types import (
    MessageFacts,
    MessageRef,
    ReceivedFacts,
    ReceivingInbox,
    TextFacts,
    ThreadFacts,
)
from gateway.records.ids import MessageId
from gateway.records.inboxes import Inbox
from gateway.records.mail import NO_TEXT, Mail, Thread
from gateway.store.attachment_text import read_attachments
from gateway.store.queries.inboxes import unscoped_inbox
from gateway.store.queries.labels import labels_of_threads
from gateway.store.queries.messages import texts_of_messages, unscoped_mail, unscoped_message_item
from gateway.store.queries.threads import unscoped_thread
from gateway.store.transaction import Tx

MAX_BODY = 1_000_000
"""Above this many characters text and html are left out of the snapshot (AgentMail caps payloads at 1 MB)."""

T = TypeVar("T", MessageFacts, TextFacts)


def message_snapshot(tx: Tx, message_id: MessageId) -> ReceivedFacts:
    """A message that was just indexed in this transaction, with its thread and inbox."""
    mail = unscoped_mail(tx, message_id)
    if mail is None:
        raise LookupError(message_id)
    message = mail.message
    thread, inbox = unscoped_thread(tx, message.thread_id), unscoped_inbox(tx, message.inbox_id)
    return ReceivedFacts(
        message=_capped(_message_facts(tx, mail)),
        thread=_thread_facts(tx, thread) if thread else None,
        inbox=_inbox_facts(inbox) if inbox else None,
    )


def _message_facts(tx: Tx, mail: Mail) -> MessageFacts:
    message, texts = mail.message, mail.texts
    return MessageFacts(
        id=message.id,
        seq=message.seq,
        number=message.number,
        organization_id=message.organization_id,
        inbox_id=message.inbox_id,
        thread_id=message.thread_id,
        direction=message.direction,
        rfc_message_id=message.rfc_message_id,
        from_=message.sender,
        from_email=message.from_email,
        reply_to=message.reply_to,
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        subject=message.subject,
        preview=message.preview,
        in_reply_to=message.in_reply_to,
        references=message.references,
        attachments=read_attachments(tx, [message])[message.id],
        size=message.size,
        timestamp=message.timestamp,
        status=message.status,
        seen=int(message.seen),
        hidden=int(message.hidden),
        auto_submitted=int(message.auto_submitted),
        hidden_text=int(message.hidden_text),
        traits=message.traits,
        test=int(message.test),
        created_at=message.created_at,
        updated_at=message.updated_at,
        rfc_ref=message.rfc_ref,
        headers=message.headers,
        auth=None if message.auth_json is None else message.auth,
        defects=message.defects,
        attachment_bytes=message.attachment_bytes,
        truncated=int(message.truncated),
        text=texts.text,
        html=texts.html,
        extracted_text=texts.extracted_text,
        extracted_html=texts.extracted_html,
        one_time_code=texts.one_time_code,
        one_time_link=texts.one_time_link,
        labels=mail.labels,
    )


def _thread_facts(tx: Tx, thread: Thread) -> ThreadFacts:
    return ThreadFacts(
        id=thread.id,
        number=thread.number,
        organization_id=thread.organization_id,
        inbox_id=thread.inbox_id,
        root=thread.root,
        subject=thread.subject,
        preview=thread.preview,
        last_message_id=thread.last_message_id,
        message_count=thread.message_count,
        size=thread.size,
        timestamp=thread.timestamp,
        last_seq=thread.last_seq,
        received_at=thread.received_at,
        sent_at=thread.sent_at,
        senders=thread.senders,
        recipients=thread.recipients,
        unread=int(thread.unread),
        hidden=int(thread.hidden),
        hidden_count=thread.hidden_count,
        created_at=thread.created_at,
        updated_at=thread.updated_at,
        labels=labels_of_threads(tx, [thread.id])[thread.id],
    )


def _inbox_facts(inbox: Inbox) -> ReceivingInbox:
    return ReceivingInbox(
        id=inbox.id, pod_id=inbox.pod_id, address=inbox.address, external_id=inbox.external_id
    )


def message_ref(tx: Tx, inbox: Inbox, message_id: MessageId) -> MessageRef | None:
    """A message of an inbox without its texts; None when it is gone."""
    message = unscoped_message_item(tx, message_id)
    if message is None:
        return None
    return MessageRef(
        message_id=message_id,
        inbox_id=inbox.id,
        inbox_address=inbox.address,
        thread_id=message.thread_id,
        rfc_message_id=message.rfc_message_id,
        direction=message.direction,
        from_=message.sender,
        to=message.to,
        cc=message.cc,
        bcc=message.bcc,
        subject=message.subject,
        attachments=message.attachments_to_read,
        status=message.status,
        test=int(message.test),
        timestamp=message.timestamp,
    )


def message_texts(tx: Tx, message_id: MessageId) -> TextFacts:
    """The texts of a message; the first two None when they are too long."""
    texts = texts_of_messages(tx, [message_id]).get(message_id, NO_TEXT)
    return _capped(TextFacts(text=texts.text, html=texts.html, extracted_text=texts.extracted_text))


def _capped(facts: T) -> T:
    if len(facts.text or "") + len(facts.html or "") > MAX_BODY:
        return replace(facts, text=None, html=None)
    return facts
