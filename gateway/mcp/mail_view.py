"""Mail as a model reads it and as programs read it.

What senders wrote is fenced in the text (``fence``), and in the data stands under ``untrusted`` alone, bodies fenced
there too: some clients show a model the data instead of the text. What stands outside is ours: ids, times, labels,
the verdict on the sender.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gateway.api.times import to_seconds
from gateway.mcp.toolbox import Answer
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.mime.attachment_names import unique_names
from gateway.mime.types import Address, AuthVerdict
from gateway.records.ids import public_id
from gateway.records.mail import ListedMessage, Mail, Message, MessageItem, MessageText
from gateway.store.listing import Listing, Window

READ_CHARACTERS = 20_000
"""Characters of a body that one answer shows."""

THREAD_CHARACTERS = 40_000
"""Characters of all bodies of a thread that one answer shows."""

_FAILS = frozenset({"fail", "softfail", "permerror"})


class Cut(NamedTuple):
    """A part of a text: where it starts, where the next one does (None: that was the end), how long the whole is."""

    text: str
    start: int
    next: int | None
    total: int


def cut(text: str, offset: int, most: int) -> Cut:
    """``most`` characters of ``text`` from ``offset``."""
    start = max(0, min(offset, len(text)))
    end = min(start + most, len(text))
    return Cut(text[start:end], start, end if end < len(text) else None, len(text))


def entry(listed: ListedMessage) -> dict[str, Any]:
    """A message, in a list or whole."""
    message = listed.message
    seen: dict[str, Any] = {
        "id": message.public_id,
        "inbox_id": public_id("inb", message.inbox_id),
        "thread_id": public_id("thr", message.thread_id),
        "direction": "sent" if message.direction == "outbound" else "received",
        "date": to_seconds(message.timestamp),
        "status": message.status,
        "labels": list(listed.labels),
        "test": message.test,
        "untrusted": {
            **_people(message),
            "subject": one_line(message.subject),
            "preview": one_line(message.preview),
            "attachments": _files(message),
        },
    }
    if message.direction != "outbound" and isinstance(message, Message):
        seen["authentication"] = authentication(message.auth)
    return seen


def listing_answer(
    head: str, found: Listing[ListedMessage], window: Window, again: str, left_out: int = 0
) -> Answer:
    """A list of messages.

    Args:
        again: how the next page is asked for, with ``{page}``.
        left_out: how many messages the list leaves out because their senders are not authenticated.
    """
    fence, rows = Fence(), found.rows
    page = window.offset // window.limit + 1
    data = {
        "messages": [entry(listed) for listed in rows],
        "page": page,
        "total": found.total,
        "next_page": page + 1 if window.offset + len(rows) < found.total else None,
    }
    more = []
    if left_out:
        data["unauthenticated"] = left_out
        more.append(
            f"{left_out} messages that failed sender authentication are left out; "
            "check_inbox with label=unauthenticated shows them."
        )
    if not rows:
        none = f"{head}: none." if page == 1 else f"{head}: no more on page {page}."
        return Answer("\n".join([none, *more]), data)
    lines = [f"{head}: {len(rows)} of {found.total}, newest first.", *more]
    if data["next_page"]:
        lines.append(again.format(page=data["next_page"]))
    listed = "\n".join(_listed(number, one) for number, one in enumerate(rows, window.offset + 1))
    return Answer("\n".join([*lines, fence.notice, fence.around(listed)]), {**data, "notice": fence.notice})


def _listed(number: int, listed: ListedMessage) -> str:
    """A message of a list, on two lines and a preview."""
    one = entry(listed)
    theirs = one["untrusted"]
    who = (
        f"to {', '.join(theirs['to']) or 'nobody'}"
        if one["direction"] == "sent"
        else f"from {theirs['from']}"
    )
    marks = [one["date"], *(["unread"] if "unread" in one["labels"] else [])]
    if one["direction"] == "sent":
        marks.append(one["status"])
    if theirs["attachments"]:
        marks.append(f"{len(theirs['attachments'])} attachment(s)")
    return (
        f"{number}. {one['id']} ({'; '.join(marks)}) {who}\n"
        f"   Subject: {theirs['subject'] or '(none)'}\n   {theirs['preview']}"
    )


def whole(
    mail: Mail, fence: Fence, *, full: bool, offset: int = 0, most: int = READ_CHARACTERS
) -> tuple[str, dict[str, Any]]:
    """(text, data) of a message with its body. ``full``: with the quoted history."""
    part = cut(body_of(mail.texts, full=full), offset, most)
    one = entry(mail)
    theirs = one["untrusted"]
    code, link = mail.texts.one_time_code, mail.texts.one_time_link
    if code or link:
        theirs["extracted"] = {"code": code, "link": link}
    theirs["text"] = fence.around(part.text)
    one |= {"text_start": part.start, "text_next": part.next, "text_total": part.total}
    one["hidden_text"] = mail.message.hidden_text
    head = [f"{one['id']} ({one['direction']} {one['date']}, thread {one['thread_id']}"]
    head[0] += f", {one['status']})" if one["direction"] == "sent" else ")"
    if one["labels"]:
        head[0] += f" labels: {', '.join(one_line(label, 64) for label in one['labels'])}"
    if "authentication" in one:
        head.append(one["authentication"]["words"])
    if one["hidden_text"]:
        head.append("Warning: this mail holds text that people cannot see, as tricks on software do.")
    inner = [f"From: {theirs['from']}", f"To: {', '.join(theirs['to'])}"]
    inner += [f"{name.capitalize()}: {', '.join(theirs[name])}" for name in ("cc", "bcc") if theirs.get(name)]
    if theirs["reply_to"]:
        inner.append(f"Reply-To: {', '.join(theirs['reply_to'])}")
    inner.append(f"Subject: {theirs['subject']}")
    inner += [
        f"Attachment: {file['filename']} ({file['content_type']}, {file['size']} octets)"
        for file in theirs["attachments"]
    ]
    if code:
        inner.append(f"One-time code: {one_line(code)}")
    if link:
        inner.append(f"One-time link: {one_line(link, 2000)}")
    inner += ["", part.text]
    tail = []
    if part.next is not None or part.start:
        tail.append(f"Shown: characters {part.start} to {part.start + len(part.text)} of {part.total}.")
    return "\n".join([*head, fence.around("\n".join(inner)), *tail]), one


def authentication(found: AuthVerdict) -> dict[str, str]:
    """What our mail server found out about the sender: ``spf``, ``dkim``, ``dmarc``, ``verdict`` and in ``words``."""
    seen = {"spf": found.spf, "dkim": found.dkim, "dmarc": found.dmarc}
    if seen["dmarc"] == "pass":
        verdict, words = "verified", "the domain in From is confirmed"
    elif seen["dmarc"] in _FAILS or _FAILS & {seen["spf"], seen["dkim"]}:
        verdict, words = "failed", "the sender is NOT confirmed, the address in From may be forged"
    else:
        verdict, words = "unverified", "nothing confirms the address in From"
    results = ", ".join(f"{name.upper()} {seen[name]}" for name in ("spf", "dkim", "dmarc"))
    return {**seen, "verdict": verdict, "words": f"Authentication: {results}; {words}."}


def body_of(texts: MessageText, *, full: bool) -> str:
    """The text of a message: what is new in it, or with the quoted history (of HTML, what people see)."""
    new, text = texts.extracted_text or "", texts.text or ""
    return text if full or not new.strip() else new


def _people(message: MessageItem) -> dict[str, Any]:
    seen: dict[str, Any] = {"from": _shown(message.sender) if message.sender else ""}
    seen |= {"to": [_shown(one) for one in message.to], "cc": [_shown(one) for one in message.cc]}
    if message.bcc:
        seen["bcc"] = [_shown(one) for one in message.bcc]
    seen["reply_to"] = [_shown(one) for one in message.reply_to]
    return seen


def _shown(person: Address) -> str:
    name, email = person.name, person.email
    return f"{one_line(name, 100)} <{one_line(email, 320)}>" if name.strip() else one_line(email, 320)


def _files(message: MessageItem) -> list[dict[str, Any]]:
    attachments = message.attachments
    return [
        {
            "filename": one_line(name, 200),
            "content_type": one_line(one.content_type, 100),
            "size": one.size,
        }
        for one, name in zip(attachments, unique_names(attachments), strict=True)
    ]
