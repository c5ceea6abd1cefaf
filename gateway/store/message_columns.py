"""The columns of a message that come from what was parsed: written when it is indexed, and when it is read again."""

from __future__ import annotations

from gateway.mime.types import ParsedMessage
from gateway.store import search
from gateway.store.json_columns import dump
from gateway.store.people import people_json
from gateway.store.sql import Row
from gateway.store.transaction import Tx

SEARCHED_CHARS = 100_000


def of_message(parsed: ParsedMessage) -> Row:
    """Columns of ``message``."""
    sender = parsed.sender
    return {
        "from_json": dump([sender.name, sender.email]) if sender else None,
        "from_email": sender.email.lower()[:320] if sender else None,
        "reply_to_json": people_json(parsed.reply_to),
        "to_json": people_json(parsed.to),
        "cc_json": people_json(parsed.cc),
        "subject": parsed.subject,
        "preview": parsed.preview,
        "headers_json": dump(parsed.headers),
        "attachments_json": dump(parsed.attachments),
        "auth_json": dump(parsed.auth),
        "defects_json": dump(parsed.defects),
        "attachment_bytes": sum(one.size for one in parsed.attachments),
        "truncated": int(parsed.truncated),
        "auto_submitted": int(parsed.auto_submitted),
        "hidden_text": int(parsed.hidden_text),
        "traits_json": dump(parsed.traits),
    }


def of_body(parsed: ParsedMessage) -> Row:
    """Columns of ``message_body``."""
    return {
        "text": parsed.text,
        "html": parsed.html,
        "extracted_text": parsed.extracted_text,
        "extracted_html": parsed.extracted_html,
        "one_time_code": parsed.one_time_code,
        "one_time_link": parsed.one_time_link,
    }


def make_searchable(tx: Tx, seq: int, parsed: ParsedMessage) -> None:
    """Put what a message is found by into the full-text index, where ``seq`` must not be."""
    people = [*([parsed.sender] if parsed.sender else []), *parsed.to[:50], *parsed.cc[:50]]
    body = (parsed.text or parsed.extracted_text or parsed.preview or "")[:SEARCHED_CHARS]
    search.add(tx, seq, parsed.subject, " ".join(f"{one.name} {one.email}" for one in people), body)
