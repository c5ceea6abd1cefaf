"""Messages and threads as lines on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from email.utils import parseaddr
from typing import Any

from gateway.cli.moments import brief, full, long, size
from gateway.cli.screen import Screen
from gateway.cli.table import Column, Line, table
from gateway.cli.visible import cells, visible

_PLAIN_LABELS = frozenset({"unread", "received", "starred"})
_WIDE = 108
_RULE = "─"


def message_table(screen: Screen, messages: Sequence[dict[str, Any]], addresses: dict[str, str]) -> list[str]:
    """A line a message. ``addresses`` by inbox: a column says which it is, when there are several."""
    several = len({one["inbox_id"] for one in messages}) > 1
    columns = [
        Column(""),
        Column("DATE"),
        Column("FROM / TO", least=13, middle=True),
        Column("SUBJECT", least=14),
        Column("INBOX", least=12, middle=True, wide=_WIDE),
        Column("ID"),
    ]
    rows = []
    for one in messages:
        fresh = "unread" in one["labels"]
        inbox = visible(addresses.get(one["inbox_id"], one["inbox_id"]))
        texts = [
            _mark(one),
            _date(screen, one["timestamp"]),
            _other(one),
            _subject(one),
            inbox,
            one["message_id"],
        ]
        styles = {0: _colour(screen), 1: screen.dim, 4: screen.dim, 5: screen.dim}
        rows.append(Line(texts, styles | ({2: screen.bold, 3: screen.bold} if fresh else {})))
    return _shown(screen, columns, rows, without=None if several else 4)


def thread_table(screen: Screen, threads: Sequence[dict[str, Any]]) -> list[str]:
    """A line a thread."""
    columns = [
        Column(""),
        Column("DATE"),
        Column("WITH", least=13, middle=True),
        Column("MSGS", right=True),
        Column("SUBJECT", least=14),
        Column("ID"),
    ]
    rows = []
    for one in threads:
        fresh = "unread" in one["labels"]
        people = ", ".join(visible(_address(each)) for each in one["senders"]) or "-"
        texts = [
            _mark(one),
            _date(screen, one["timestamp"]),
            people,
            str(one["message_count"]),
            _subject(one),
        ]
        styles = {0: _colour(screen), 1: screen.dim, 3: screen.dim, 5: screen.dim}
        styles |= {2: screen.bold, 4: screen.bold} if fresh else {}
        rows.append(Line([*texts, one["thread_id"]], styles))
    return table(screen, columns, rows)


def message_lines(
    screen: Screen, message: dict[str, Any], inbox: str, *, html: bool = False, headers: bool = False
) -> list[str]:
    """A whole message: a summary of its head, its attachments, its text (or HTML)."""
    facts: list[tuple[str, str]] = [("From", visible(message["from"]) or "-")]
    for name, key in (("Reply-To", "reply_to"), ("To", "to"), ("Cc", "cc"), ("Bcc", "bcc")):
        if message.get(key):
            facts.append((name, visible(", ".join(message[key]))))
    facts += [
        ("Date", long(message["timestamp"])),
        ("Subject", screen.bold(visible(message["subject"])) or "-"),
        ("Inbox", visible(inbox)),
        ("Labels", visible(", ".join(message["labels"])) or "-"),
        *_traits(message),
        ("Message", message["message_id"]),
        ("Thread", message["thread_id"]),
    ]
    lines = [f"{screen.dim(f'{name:<9}')} {value}" for name, value in facts]
    lines += attachment_lines(screen, message["attachments"])
    if headers:
        lines += [
            "",
            *(
                f"{screen.dim(visible(name) + ':')} {visible(value)}"
                for name, value in message["headers"].items()
            ),
        ]
    return [*lines, "", *_body(screen, message, html=html)]


def _traits(message: dict[str, Any]) -> list[tuple[str, str]]:
    """What a message is, where that is anything special, and what could not be read of it."""
    kinds = [
        text for key, text in (("bulk", "bulk mail"), ("auto_submitted", "automatic")) if message.get(key)
    ]
    if message.get("list_id"):
        kinds.append(f"list {visible(message['list_id'])}")
    return [
        *([("Trust", visible(_trust(message["trust"])))] if message.get("trust") else []),
        *(("Signal", visible(_signal(one))) for one in (message.get("trust") or {}).get("signals", ())),
        *([("Kind", ", ".join(kinds))] if kinds else []),
        *([("Risk", _risk(message["risk"]))] if message["risk"]["level"] != "none" else []),
        *([("Hidden", _hidden(message["hidden_text"]))] if message.get("hidden_text") else []),
        *(("Event", visible(_event(one))) for one in message.get("calendar", ())),
        *(("Defect", visible(one)) for one in message.get("defects", ())),
    ]


def _trust(trust: dict[str, Any]) -> str:
    """Whether the domain of From is proven, and by what."""
    dmarc, sealer = trust["dmarc"], trust["arc"]["rescued_by"]
    by = f"{sealer} (ARC)" if sealer else " and ".join(method.upper() for method in dmarc["aligned_by"])
    proven = f" {trust['identity']}{f' by {by}' if by else ''}" if trust["identity"] else ""
    first = trust["first_contact"] or {"address": False, "domain": False}
    known = (
        ", first contact with the domain"
        if first["domain"]
        else ", first contact"
        if first["address"]
        else ""
    )
    return f"{trust['verdict']}{proven}{known} (SPF {trust['spf']['result']}, DMARC {dmarc['result']})"


def _risk(risk: dict[str, Any]) -> str:
    """How much reads like an instruction to a machine, and where."""
    reasons = ", ".join(f"{one['name']} in {one['where']}" for one in risk["reasons"])
    return f"{risk['level']} ({reasons})"


def _hidden(found: dict[str, Any]) -> str:
    """How much text is left out, because people do not see it."""
    return f"{found['characters']} characters left out ({', '.join(found['forms'])})"


def _signal(signal: dict[str, Any]) -> str:
    """Something that may matter to whoever trusts the message."""
    name = signal["name"].replace("_", " ")
    return f"{name}: {' '.join(signal['detail'].split())}" if signal["detail"] else name


def _event(event: dict[str, Any]) -> str:
    """An event of a calendar part in one line."""
    when = f"{event['start']} to {event['end']}" if event["start"] else ""
    organizer = event["organizer"]["email"] if event["organizer"] else ""
    parts = [event["method"] or "event", event["summary"], when, event["location"], organizer]
    return ", ".join(" ".join(one.split()) for one in parts if one)


def attachment_lines(screen: Screen, attachments: Sequence[dict[str, Any]]) -> list[str]:
    """A line an attachment, below the head."""
    lines = []
    names = [visible(one["filename"] or "(no name)") for one in attachments]
    widest = min(max(map(cells, names), default=0), 40)
    for number, (name, one) in enumerate(zip(names, attachments, strict=True)):
        head = "Attached" if not number else ""
        space = " " * max(0, widest - cells(name))
        kind = visible(one["content_type"] or "unknown")
        lines.append(f"{screen.dim(f'{head:<9}')} {name}{space}  {size(one['size'])}, {kind}")
    return lines


def thread_lines(screen: Screen, thread: dict[str, Any], inbox: str) -> list[str]:
    """A thread with its messages, oldest first."""
    count = thread["message_count"]
    lines = [
        screen.bold(visible(thread["subject"])) or "(no subject)",
        screen.dim(f"{thread['thread_id']}, {count} message{'' if count == 1 else 's'} in {visible(inbox)}"),
    ]
    if thread["count"] < count:
        lines.append(screen.dim(f"the newest {thread['count']} of them:"))
    for one in thread["messages"]:
        rule = _RULE * (min(screen.width, 78) if screen.width else 40)
        to = ", ".join(one["to"])
        lines += [
            "",
            screen.dim(rule),
            f"{screen.bold(visible(one['from']) or '-')} {screen.dim('to')} {visible(to)}",
        ]
        lines.append(screen.dim(f"{long(one['timestamp'])}  {one['message_id']}"))
        lines += attachment_lines(screen, one["attachments"])
        lines += ["", *_body(screen, one, extracted=True)]
    return lines


def _body(
    screen: Screen, message: dict[str, Any], *, html: bool = False, extracted: bool = False
) -> list[str]:
    """``extracted``: without what is quoted from earlier messages, which are above."""
    if html:
        if message["html"] is None:
            return [screen.dim("(no HTML; without --html the text is shown)")]
        return [visible(message["html"].strip("\r\n"), lines=True)]
    text = (message["extracted_text"] if extracted else None) or message["text"]
    if text and text.strip():
        return [visible(text.strip("\r\n").rstrip(), lines=True)]
    if message["extracted_text"]:
        note = screen.dim("(this message has HTML only; what people see of it:)")
        return [note, "", visible(message["extracted_text"].strip("\r\n").rstrip(), lines=True)]
    return [screen.dim("(no text)" if message["html"] is None else "(no text; --html shows its HTML)")]


def _shown(screen: Screen, columns: list[Column], rows: list[Line], *, without: int | None) -> list[str]:
    if without is None:
        return table(screen, columns, rows)
    kept = [n for n in range(len(columns)) if n != without]
    lines = [
        Line([row.texts[n] for n in kept], {kept.index(n): how for n, how in row.styles.items() if n in kept})
        for row in rows
    ]
    return table(screen, [columns[n] for n in kept], lines)


def _mark(one: dict[str, Any]) -> str:
    labels = one["labels"]
    return "*" if "starred" in labels else "●" if "unread" in labels else " "


def _colour(screen: Screen) -> Any:
    return lambda text: screen.style(text, fg="yellow" if text == "*" else "cyan")


def _date(screen: Screen, text: str) -> str:
    return brief(text) if screen.width else full(text)


def _other(one: dict[str, Any]) -> str:
    """Who is at the other end: addresses, because a name may say anything."""
    if one["direction"] == "inbound":
        return visible(_address(one["from"])) or "-"
    to = [*one["to"], *(one["cc"] or []), *(one["bcc"] or [])]
    more = f" +{len(to) - 1}" if len(to) > 1 else ""
    return f"→ {visible(_address(to[0])) if to else '-'}{more}"


def _address(person: str) -> str:
    return parseaddr(person)[1] or person


def _subject(one: dict[str, Any]) -> str:
    tags = "".join(
        f"[{label.removeprefix('folder:')}] " for label in one["labels"] if label not in _PLAIN_LABELS
    )
    return visible(f"{tags}{' '.join(one['subject'].split())}") or "-"
