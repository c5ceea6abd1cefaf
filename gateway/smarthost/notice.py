"""News of one message that a relay posted, in the terms of a report by mail (RFC 3464, RFC 5965)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gateway.mime.types import Report, ReportedRecipient

_STATUS = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Notice:
    """``message_id``: ours, where the relay repeats it; ``alias``: what the relay calls the message."""

    message_id: str | None
    alias: str | None
    report: Report


def delivery(
    action: Literal["failed", "delayed", "delivered"], address: str, status: str, words: str = ""
) -> ReportedRecipient:
    """What became of the message for one recipient."""
    return ReportedRecipient(
        address=address,
        original=None,
        action=action,
        status=status,
        diagnostic=words[:_TEXT] or None,
        remote_mta=None,
    )


def deliveries(people: Sequence[ReportedRecipient]) -> Report:
    """A report as a DSN is one."""
    return Report(kind="dsn", envelope_id=None, original_message_id=None, recipients=list(people))


def complaint(kind: str, people: Sequence[str]) -> Report:
    """A report as a feedback loop's is one. ``kind``: RFC 5965's Feedback-Type."""
    return Report(
        kind="feedback",
        envelope_id=None,
        original_message_id=None,
        recipients=[],
        feedback_type=kind[:60] or "abuse",
        complainants=list(people),
    )


def failed_status(permanent: bool, fallback: str, *texts: str) -> str:
    """The enhanced status code of a failure: the first one in ``texts``, in the class that the relay says it is (it
    may give up on what the other server called temporary), else ``fallback`` (subject and detail)."""
    found = next((match for one in texts if (match := _STATUS.search(one))), None)
    detail = f"{int(found[2])}.{int(found[3])}" if found and found[1] != "2" else fallback
    return f"{5 if permanent else 4}.{detail}"


def text_at(value: Any, *path: str) -> str:
    """The text (or number, as text) at a path in decoded JSON; "" where there is none."""
    for name in path:
        if not isinstance(value, Mapping):
            return ""
        value = value.get(name)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def items_at(value: Any, *path: str) -> list[Any]:
    """The list at a path in decoded JSON; [] where there is none."""
    for name in path:
        if not isinstance(value, Mapping):
            return []
        value = value.get(name)
    return value[:500] if isinstance(value, list) else []


def angled(message_id: str) -> str | None:
    """A Message-ID with its angle brackets; None for nothing."""
    bare = message_id.strip().strip("<>").strip()
    return f"<{bare}>" if bare else None
