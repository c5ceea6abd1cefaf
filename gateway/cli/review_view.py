"""Reviews as lines on the screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.cli.message_view import attachment_lines
from gateway.cli.moments import brief, full, long, since, span
from gateway.cli.screen import Screen
from gateway.cli.table import Column, Line, table
from gateway.cli.visible import visible


def review_table(screen: Screen, reviews: Sequence[dict[str, Any]]) -> list[str]:
    """A line a review."""
    if not reviews:
        return ["nothing is held"]
    columns = [
        Column("DATE"),
        Column("STATE"),
        Column("FROM", least=12, middle=True),
        Column("TO", least=12, middle=True),
        Column("SUBJECT", least=14),
        Column("ID"),
    ]
    rows = []
    for one in reviews:
        at = brief(one["created_at"]) if screen.width else full(one["created_at"])
        left = -since(one["expires_at"])
        state = f"{span(left)} left" if one["state"] == "pending" and left > 0 else one["state"]
        people = one["to"] + one["cc"] + one["bcc"]
        subject = visible(" ".join((one["subject"] or "").split())) or "-"
        texts = [
            at,
            state,
            visible(one["inbox_id"]),
            visible(", ".join(people)) or "-",
            subject,
            one["review_id"],
        ]
        rows.append(Line(texts, {0: screen.dim, 4: screen.bold, 5: screen.dim}))
    return table(screen, columns, rows)


def review_lines(screen: Screen, review: dict[str, Any], *, html: bool = False) -> list[str]:
    """A review with its message."""
    facts: list[tuple[str, str]] = [("From", visible(review["inbox_id"]))]
    for name in ("to", "cc", "bcc"):
        if review[name]:
            facts.append((name.capitalize(), visible(", ".join(review[name]))))
    facts += [
        ("Subject", screen.bold(visible(review["subject"] or "")) or "-"),
        ("Asked", long(review["created_at"])),
        ("By", review["asked_by"] or "-"),
        ("Why", visible(", ".join(review["reasons"]))),
        ("State", _state(review)),
        ("Digest", review["digest"]),
        ("Review", review["review_id"]),
        ("Message", review["message_id"]),
    ]
    for one in review["edits"]:
        facts.append(
            ("Edited", f"{visible(', '.join(one['after']))} by {visible(one['by'])}, {long(one['at'])}")
        )
    if review["reason"]:
        facts.append(("Reason", visible(review["reason"])))
    lines = [f"{screen.dim(f'{name:<9}')} {value}" for name, value in facts]
    return [*lines, *attachment_lines(screen, review["attachments"]), *_bodies(screen, review, html=html)]


def _state(review: dict[str, Any]) -> str:
    if review["state"] == "pending":
        return f"pending, until {long(review['expires_at'])}"
    if review["decided_by"]:
        return f"{review['state']} by {visible(review['decided_by'])}, {long(review['decided_at'])}"
    return str(review["state"])


def _bodies(screen: Screen, review: dict[str, Any], *, html: bool) -> list[str]:
    """The text and what a reader of the HTML sees: each recipient reads one of them, and they may differ."""
    text, seen = (review["text"] or "").strip(), (review["html_text"] or "").strip()
    if html and review["html"] is not None:
        return ["", visible(review["html"].strip("\r\n"), lines=True)]
    if review["size"] is None:
        return ["", screen.dim("(it is settled: `postern message show` has what was sent)")]
    if not seen or seen.split() == text.split():
        return ["", visible(text, lines=True) if text else screen.dim("(no text)")]
    parts = [(screen.dim("The text:"), text), (screen.dim("What the HTML shows:"), seen)]
    return [line for name, body in parts if body for line in ("", name, "", visible(body, lines=True))]
