"""Mail as a model reads it and as programs read it.

What senders wrote is fenced in the text (``fence``), and in the data stands under ``untrusted`` alone, bodies fenced
there too: some clients show a model the data instead of the text. What stands outside is ours: ids, times, labels,
the verdict on the sender.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from gateway.api.times import to_seconds
from gateway.mcp.toolbox import Answer
from gateway.mcp.untrusted_text import Fence, one_line
from gateway.mime.attachment_names import unique_names
from gateway.store.engine import Row
from gateway.store.json_columns import load
from gateway.store.listing import Listing, Window
from gateway.store.people import people_of, person_of

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


def entry(row: Row) -> dict[str, Any]:
    """A message in a list. ``row``: as core's lists answer it, with ``labels``."""
    seen: dict[str, Any] = {
        "id": f"msg_{row['id']}",
        "inbox_id": f"inb_{row['inbox_id']}",
        "thread_id": f"thr_{row['thread_id']}",
        "direction": "sent" if row["direction"] == "outbound" else "received",
        "date": to_seconds(row["timestamp"]),
        "status": row["status"],
        "labels": list(row.get("labels", [])),
        "test": bool(row["test"]),
        "untrusted": {
            **_people(row),
            "subject": one_line(row["subject"]),
            "preview": one_line(row["preview"]),
            "attachments": _files(row),
        },
    }
    if row["direction"] != "outbound" and "auth_json" in row:
        seen["authentication"] = authentication(row)
    return seen


def listing_answer(
    head: str, rows: Sequence[Row], found: Listing[Row], window: Window, again: str, left_out: int = 0
) -> Answer:
    """A list of messages.

    Args:
        again: how the next page is asked for, with ``{page}``.
        left_out: how many messages the list leaves out because their senders are not authenticated.
    """
    fence = Fence()
    page = window.offset // window.limit + 1
    data = {
        "messages": [entry(row) for row in rows],
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
    listed = "\n".join(_listed(number, row) for number, row in enumerate(rows, window.offset + 1))
    return Answer("\n".join([*lines, fence.notice, fence.around(listed)]), {**data, "notice": fence.notice})


def _listed(number: int, row: Row) -> str:
    """A message of a list, on two lines and a preview."""
    one = entry(row)
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
    row: Row, fence: Fence, *, full: bool, offset: int = 0, most: int = READ_CHARACTERS
) -> tuple[str, dict[str, Any]]:
    """(text, data) of a message with its body. ``full``: with the quoted history."""
    part = cut(body_of(row, full=full), offset, most)
    one = entry(row)
    theirs = one["untrusted"]
    code, link = row.get("one_time_code"), row.get("one_time_link")
    if code or link:
        theirs["extracted"] = {"code": code, "link": link}
    theirs["text"] = fence.around(part.text)
    one |= {"text_start": part.start, "text_next": part.next, "text_total": part.total}
    one["hidden_text"] = bool(row.get("hidden_text"))
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


def authentication(row: Row) -> dict[str, str]:
    """What our mail server found out about the sender: ``spf``, ``dkim``, ``dmarc``, ``verdict`` and in ``words``."""
    found = load(row["auth_json"]) if row["auth_json"] else {}
    seen = {name: str(found.get(name) or "none") for name in ("spf", "dkim", "dmarc")}
    if seen["dmarc"] == "pass":
        verdict, words = "verified", "the domain in From is confirmed"
    elif seen["dmarc"] in _FAILS or _FAILS & {seen["spf"], seen["dkim"]}:
        verdict, words = "failed", "the sender is NOT confirmed, the address in From may be forged"
    else:
        verdict, words = "unverified", "nothing confirms the address in From"
    results = ", ".join(f"{name.upper()} {seen[name]}" for name in ("spf", "dkim", "dmarc"))
    return {**seen, "verdict": verdict, "words": f"Authentication: {results}; {words}."}


def body_of(row: Row, *, full: bool) -> str:
    """The text of a message: what is new in it, or with the quoted history (of HTML, what people see)."""
    new, text = row.get("extracted_text") or "", row.get("text") or ""
    return str(text if full or not new.strip() else new)


def _people(row: Row) -> dict[str, Any]:
    sender = person_of(row["from_json"])
    seen: dict[str, Any] = {"from": _shown(sender.name, sender.email) if sender else ""}
    for name in ("to", "cc", "bcc", "reply_to"):
        found = [_shown(one.name, one.email) for one in people_of(row[f"{name}_json"])]
        if found or name != "bcc":
            seen[name] = found
    return seen


def _shown(name: str, email: str) -> str:
    return f"{one_line(name, 100)} <{one_line(email, 320)}>" if name.strip() else one_line(email, 320)


def _files(row: Row) -> list[dict[str, Any]]:
    entries = load(row["attachments_json"])
    return [
        {
            "filename": one_line(name, 200),
            "content_type": one_line(one["content_type"], 100),
            "size": one["size"],
        }
        for one, name in zip(entries, unique_names(entries), strict=True)
    ]
