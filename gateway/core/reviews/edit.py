"""Editing a held message before it is decided about: it is composed anew under the same Message-ID.

The new message takes the old one's place in the outbox and in the index, and its digest that of the old one, in one
transaction; the review keeps what was changed. It is still held: approval sends the edited message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.core.context import Core
from gateway.core.errors import Conflict, Invalid, NotFound
from gateway.core.lookup import require
from gateway.core.mail.server_copy import parse_whole
from gateway.core.reviews.decisions import Decider, Open, decider_of, digest_error, undecided
from gateway.core.reviews.reading import ReviewDetail, find, with_message
from gateway.core.sending import admission
from gateway.core.sending.decide import Message, Terms
from gateway.core.sending.open_tracking import PATH as PIXEL
from gateway.core.sending.open_tracking import with_pixel
from gateway.core.sending.recipient_domains import check_domains
from gateway.core.sending.send import Checked, SendRequest, check_request, composed
from gateway.mime.attachment_content import attachment_content
from gateway.mime.attachment_names import names_of
from gateway.mime.attachments import outgoing
from gateway.mime.header_rules import InvalidHeader, check_header
from gateway.mime.types import Address, OutgoingAttachment, ParsedMessage
from gateway.outbox.digest import digest_of
from gateway.outbox.queue import recipient_tokens
from gateway.records.ids import message_id_header, now_us
from gateway.records.reviews import ReviewEdit
from gateway.smarthost.profiles import profile_of, relay_headers
from gateway.store import reread
from gateway.store.dkim_keys import active_key
from gateway.store.people import people_json
from gateway.store.queries import outbox, reviews
from gateway.store.queries.outbox import NewRecipient
from gateway.store.queries.reviews import ReviewedMessage
from gateway.store.queries.sent_messages import set_blind_people
from gateway.store.scope import Scope
from gateway.store.transaction import Tx

MOST_EDITS = 20
_MOST_KEPT = 100_000
_COPIES = 6  # of the message, while it is taken apart and composed
_FIELDS = ("to", "cc", "bcc", "subject", "text", "html")


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What is changed; None: it stays. ``text`` and ``html`` are the body together: who gives one replaces both.
    ``digest``: of what the editor read; None: whatever is held."""

    to: Sequence[str] | None = None
    cc: Sequence[str] | None = None
    bcc: Sequence[str] | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held: its octets, whom it goes to blindly, and the digest of both."""

    mime: bytes
    bcc: list[Address]
    digest: str


@dataclass(frozen=True, slots=True)
class _New:
    """What takes its place."""

    mime: bytes
    parsed: ParsedMessage
    checked: Checked
    change: ReviewEdit


async def edit(core: Core, scope: Scope, ref: str, wanted: Edit) -> ReviewDetail:
    """Change a held message; answers its review. Raises NotFound, Forbidden, Invalid, TooLarge, Rejected, Unavailable,
    and Conflict: it is decided or expired, was changed meanwhile, or cannot be edited."""
    require(scope, "review_decide")
    decider = decider_of(scope)
    found = await core.store.read(lambda tx: find(tx, scope, ref))
    review = found.review
    async with core.memory.hold(review.organization_id, _COPIES * (found.size or 0)):
        opened, held = await core.store.write(
            partial(_open, found=found, decider=decider, digest=wanted.digest)
        )
        old = await parse_whole(core, held.mime)
        request = await _request(core, opened, held, old, wanted)
        checked = check_request(core.settings, request)
        if wanted.to is not None or wanted.cc is not None or wanted.bcc is not None:
            people = Message(checked.fields(), len(request.attachments))
            terms = Terms(core.settings.limits, core.settings.wallet)
            await core.store.read(
                partial(
                    admission.check,
                    scope=Scope(review.organization_id),
                    inbox=opened.inbox,
                    message=people,
                    terms=terms,
                    reply=request.in_reply_to is not None,
                )
            )
            await check_domains(core, checked.fields())
        signing = await core.store.read(
            lambda tx: profile_of(core.settings).signing(active_key(tx, opened.inbox.domain))
        )
        at = old.date or review.created_at
        mime, parsed = await composed(core, opened.inbox, signing, request, checked, review.message_id, at)
        if len(mime) > core.settings.mail.max_message:
            raise Invalid(
                "the edited message is larger than a message may be", field="text", fix="shorten it"
            )
        change = _change(decider, old, held, request, checked)
        new = _New(mime, parsed, checked, change)
        await core.store.write(partial(_replace, core=core, found=found, decider=decider, held=held, new=new))
        return await with_message(core, await core.store.read(lambda tx: find(tx, scope, ref)))


def _open(tx: Tx, found: ReviewedMessage, decider: Decider, digest: str | None) -> tuple[Open, _Held]:
    opened = undecided(tx, found.review.id, decider)
    if digest is not None and digest != opened.review.digest:
        raise digest_error(opened.review)
    mime = outbox.mime_of(tx, opened.review.message_id)
    if mime is None:
        raise NotFound("the message is gone", fix="GET /reviews lists the reviews")
    if len(opened.review.edits) >= MOST_EDITS:
        raise Conflict(
            f"the message was edited {MOST_EDITS} times, and may not be again",
            code="review_edits",
            fix="approve or reject it",
        )
    return opened, _Held(mime, outbox.blind_people(tx, opened.review.message_id), opened.review.digest)


async def _request(core: Core, opened: Open, held: _Held, old: ParsedMessage, wanted: Edit) -> SendRequest:
    """The message as a request to send it, with what is changed."""
    if any(one.content_type == "text/calendar" for one in old.attachments) or old.traits.calendar:
        raise Conflict(
            "a message with an invitation cannot be edited", code="review_edits", fix="approve or reject it"
        )
    same_body = wanted.text is None and wanted.html is None
    if old.unread or (same_body and old.truncated):
        raise Conflict(
            "the text of the message is too large to be kept",
            code="review_edits",
            fix="give text or html, or reject it",
        )
    headers = _own_headers(core, opened, old)
    moved = wanted.to is not None or wanted.cc is not None or wanted.bcc is not None
    if moved and any(name.lower() == "list-unsubscribe" for name in headers):
        raise Conflict(
            "the message has an unsubscribe link for its recipient, so it cannot go to somebody else",
            code="review_edits",
            fix="reject it",
        )
    html = old.html if same_body else wanted.html
    if html is not None:
        tracked = f"{PIXEL}/" in (old.html or "")
        html = with_pixel(core, html, opened.review.message_id, tracked=tracked)
    return SendRequest(
        to=[str(one) for one in old.to] if wanted.to is None else wanted.to,
        cc=[str(one) for one in old.cc] if wanted.cc is None else wanted.cc,
        bcc=[str(one) for one in held.bcc] if wanted.bcc is None else wanted.bcc,
        reply_to=[str(one) for one in old.reply_to],
        subject=old.subject if wanted.subject is None else wanted.subject,
        text=old.text if same_body else wanted.text,
        html=html,
        attachments=await asyncio.to_thread(_attachments, held.mime, old),
        attachment_bytes=core.settings.mail.max_message,
        headers=headers,
        in_reply_to=old.in_reply_to[0] if old.in_reply_to else None,
        references=old.references,
    )


def _own_headers(core: Core, opened: Open, old: ParsedMessage) -> dict[str, str]:
    """The fields that its sender gave it, and not the gateway."""
    written = relay_headers(core.settings, message_id_header(opened.review.message_id, opened.inbox.domain))
    ours = {name.lower() for name in written}
    kept = {}
    for name, value in old.headers.items():
        try:
            check_header(name, value)
        except InvalidHeader:
            continue
        if name.lower() not in ours:
            kept[name] = value
    return kept


def _attachments(mime: bytes, old: ParsedMessage) -> list[OutgoingAttachment]:
    attached = [one for one in old.attachments if ":" not in one.part]  # the others are inside of these
    kept = []
    for one, name in zip(attached, names_of(attached), strict=True):
        content = attachment_content(mime, one.id)
        if content is not None:
            kept.append(outgoing(content.attachment, name, content.data))
    return kept


def _change(
    decider: Decider, old: ParsedMessage, held: _Held, request: SendRequest, checked: Checked
) -> ReviewEdit:
    """What the review keeps of an edit: the fields that changed, before and after. Raises Invalid when none did."""
    before: Mapping[str, Any] = {
        "to": [one.email for one in old.to],
        "cc": [one.email for one in old.cc],
        "bcc": [one.email for one in held.bcc],
        "subject": old.subject,
        "text": old.text,
        "html": old.html,
    }
    after: Mapping[str, Any] = {
        "to": [one.email for one in checked.to],
        "cc": [one.email for one in checked.cc],
        "bcc": [one.email for one in checked.bcc],
        "subject": checked.subject,
        "text": request.text,
        "html": request.html,
    }
    changed = [name for name in _FIELDS if before[name] != after[name]]
    if not changed:
        raise Invalid(
            "nothing is changed", fix="give what the message shall have: to, cc, bcc, subject, text, html"
        )
    return ReviewEdit(
        at=now_us(),
        by=decider.name,
        before={name: _cut(before[name]) for name in changed},
        after={name: _cut(after[name]) for name in changed},
    )


def _cut(value: Any) -> Any:
    return value[:_MOST_KEPT] if isinstance(value, str) else value


def _replace(tx: Tx, core: Core, found: ReviewedMessage, decider: Decider, held: _Held, new: _New) -> None:
    """Put the new message in the place of the one that was read. Raises Conflict when that is another one by now."""
    opened = undecided(tx, found.review.id, decider)
    message_id = opened.review.message_id
    if opened.review.digest != held.digest:
        raise digest_error(opened.review)
    people = [(address, name.partition("[")[0]) for name, address in new.checked.fields()]
    tokens = recipient_tokens(core.secret, message_id, [address for address, _ in people])
    outbox.replace_held(
        tx,
        message_id,
        new.mime,
        [NewRecipient(address, role, tokens.get(address.lower())) for address, role in people],
    )
    reread.replace(tx, message_id, new.parsed)
    set_blind_people(tx, message_id, people_json(new.checked.bcc), len(new.mime))
    digest = digest_of(opened.entry.mail_from, people, new.mime)
    reviews.note_edit(tx, opened.review, digest, new.change)
