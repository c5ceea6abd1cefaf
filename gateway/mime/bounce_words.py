"""Bounces in words: what a mail server says without the machine-readable part of RFC 3464 (qmail, Exim, Exchange …).

Anyone can write prose, so what is read here counts only at the return path of one recipient, where nobody but that
recipient's servers can write, and only from the null sender (``gateway.outbox.reports``); there even words that say
nothing known are a report. The text is cut to a bounded number of lines, and each is read once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.mime.bounce_phrases import (
    ADDRESS,
    ALONE,
    AWAY,
    COPY,
    DAEMON,
    DELAYED,
    FAILED,
    FIELD,
    FINAL,
    ID,
    LEADS,
    NAMED,
    NOBODY,
    QUOTED,
    SUBJECT,
    UNSEEN,
)
from gateway.mime.bounce_reasons import status_of
from gateway.mime.charset import decode
from gateway.mime.headers import Head, split_head, unfold
from gateway.mime.html_text import html_to_text
from gateway.mime.structure import Leaf, Tree
from gateway.mime.types import Report, ReportedRecipient

_MAX_TEXT = 48 * 1024
_MAX_LINES = 600
_MAX_LINE = 600
_MAX_RECIPIENTS = 100


class _Seen(NamedTuple):
    """What the header block says of a mail. ``named``: X-Failed-Recipients; ``ours``: from the null sender to a return
    path of ours; ``with_copy``: it carries a mail."""

    subject: str
    daemon: bool
    named: list[str]
    ours: bool
    with_copy: bool


def report_in_words(head: Head, tree: Tree, returned: Leaf | None) -> Report | None:
    """The bounce that a mail describes in prose; None when it describes none.

    Args:
        head: the mail's header block.
        tree: its parts.
        returned: the part that is the mail which came back, where there is one.
    """
    seen = _Seen(
        subject=head.first("subject")[:500],
        daemon=_from_daemon(head),
        named=[one for value in head.raw("x-failed-recipients") for one in ADDRESS.findall(unfold(value))],
        ours=head.first("return-path").strip() == "<>" and "+b-" in head.first("delivered-to"),
        with_copy=returned is not None,
    )
    subject, named = seen.subject, seen.named
    if not (seen.daemon or named or seen.ours or seen.with_copy or SUBJECT.search(subject)):
        return None  # most mail: nothing is read for it
    if any(_is_read(leaf) for leaf in tree.leaves[:10]):
        return None
    text = _text(tree.leaves)
    cut = COPY.search(text)
    notice, copy = (text[: cut.start()], text[cut.start() :]) if cut else (text, "")
    if not _is_bounce(head, seen, notice):
        return None
    came_back = split_head(returned.content()[:_MAX_TEXT].lstrip(b"\r\n")) if returned else None
    everybody = f"{subject}\n{notice}"
    people = (named or _recipients(head, subject, notice) or _returned_to(came_back, copy))[:_MAX_RECIPIENTS]
    delayed = bool(DELAYED.search(everybody)) and not FINAL.search(notice)
    status = status_of(_without(notice, people)) or status_of(subject)
    if delayed:
        status = f"4{status[1:]}" if status else "4.4.7"
    said = " ".join(notice.split())[:2000]
    return Report(
        kind="dsn",
        envelope_id=None,
        original_message_id=_original_id(came_back, copy),
        recipients=[
            ReportedRecipient(
                address=one,
                original=None,
                action="delayed" if delayed else "failed",
                status=_own_status(notice, one, people) or status or "5.0.0",
                diagnostic=said or None,
                remote_mta=None,
            )
            for one in people or [""]
        ],
        words=True,
    )


def _is_read(leaf: Leaf) -> bool:
    """A notice that somebody saw the mail (RFC 8098); one that was thrown away unseen is a refusal."""
    return leaf.content_type == "message/disposition-notification" and not UNSEEN.search(
        leaf.content()[:4096]
    )


def _is_bounce(head: Head, seen: _Seen, notice: str) -> bool:
    fails = bool(FAILED.search(notice) or SUBJECT.search(seen.subject))
    if seen.named:
        return True
    if not seen.daemon and (
        AWAY.search(seen.subject) or head.first("precedence").lower() in ("auto_reply", "list")
    ):
        return False
    if seen.ours:
        replied = head.first("auto-submitted").lower().startswith("auto-replied")
        return fails or not (replied or AWAY.search(f"{seen.subject}\n{notice[:1000]}"))
    if seen.daemon:
        return fails or any(LEADS.match(line) for line in notice.split("\n")[:20])
    if not FAILED.search(notice) or not ADDRESS.search(notice):
        return False
    return bool(SUBJECT.search(seen.subject)) or (seen.with_copy and len(notice) < 1000)


def _from_daemon(head: Head) -> bool:
    sender = unfold(b" ".join(head.raw("from")[:1]))
    return bool(DAEMON.search(sender)) or sender.strip() == "<>"


def _text(leaves: Sequence[Leaf]) -> str:
    """What the mail says to people: its first plain texts, else its HTML; and a status part that names nobody."""
    said: list[str] = []
    for leaf in leaves[:6]:
        if leaf.content_type in ("text/plain", "message/delivery-status") or (
            leaf.content_type == "text/html" and not "".join(said).strip()
        ):
            octets = leaf.content()[:_MAX_TEXT]
            text = decode(octets, leaf.params.get("charset"))
            said.append(html_to_text(text).text if leaf.content_type == "text/html" else text)
    lines = "\n".join(said)[:_MAX_TEXT].replace("\r", "").split("\n")[:_MAX_LINES]
    return "\n".join(line[:_MAX_LINE].rstrip() for line in lines)


def _recipients(head: Head, subject: str, notice: str) -> list[str]:
    ours = {
        one.lower()
        for name in ("to", "delivered-to", "from", "x-original-to", "reply-to")
        for value in head.raw(name)[:3]
        for one in ADDRESS.findall(unfold(value))
    }
    lines = notice.split("\n")
    for pattern in (ALONE, LEADS, NAMED, ADDRESS):
        found: list[str] = []
        for line in [*lines, subject]:
            if QUOTED.match(line):
                continue
            for match in pattern.finditer(line):
                one = match[match.lastindex or 0].strip("'.")
                lowered = one.lower()
                if (
                    lowered not in ours
                    and not NOBODY.match(one)
                    and lowered not in [x.lower() for x in found]
                ):
                    found.append(one)
            if len(found) >= _MAX_RECIPIENTS:
                break
        if found:
            return found if pattern is not ADDRESS else found[:1]
    return []


def _returned_to(returned: Head | None, copy: str) -> list[str]:
    values = [unfold(value) for value in returned.raw("to")[:1]] if returned else []
    values += [value for name, value in FIELD.findall(copy[:16384]) if name == "To"][:1]
    for value in values:
        people = ADDRESS.findall(value)
        if len(people) == 1:
            return [str(people[0])]
    return []


def _original_id(returned: Head | None, copy: str) -> str | None:
    values = [unfold(value) for value in returned.raw("message-id")[:1]] if returned else []
    values += [value for name, value in FIELD.findall(copy[:16384]) if name != "To"][:1]
    for value in values:
        if found := ID.search(value):
            return found[0]
    return None


def _own_status(notice: str, address: str, people: Sequence[str]) -> str:
    """What is said right after one of several addresses."""
    if len(people) < 2:
        return ""
    start = notice.find(address)
    ends = [at for one in people if one != address and (at := notice.find(one, start + len(address))) > start]
    return (
        status_of(_without(notice[start + len(address) : min(ends, default=start + 600)], people))
        if start >= 0
        else ""
    )


def _without(text: str, people: Sequence[str]) -> str:
    for one in people:
        text = text.replace(one, "<>")
    return text
