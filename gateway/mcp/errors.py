"""The answer to a refused call: what was wrong, in which argument, and what to do now.

Core's ``fix`` is sometimes written for HTTP clients; it is then replaced by what a tool can do.
"""

from __future__ import annotations

import re
from typing import Any

from gateway.api.errors import Internal
from gateway.core.errors import (
    Conflict,
    CoreError,
    Forbidden,
    Invalid,
    NotFound,
    Rejected,
    Taken,
    TooMany,
    Unavailable,
)

_HTTP = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE)\b|\bAPI[- ]keys?/|\bURL\b|Idempotency-Key|page_token")
_LISTS = {
    "inbox": "list_inboxes shows the inboxes of this key",
    "message": "find the message with check_inbox or search_messages",
    "thread": "find the thread with list_threads",
    "draft": "find the draft with list_drafts",
}
_WIDER = "ask your user for a key that may do this; with this key the call will be refused again"


def refusal(tool: str, error: CoreError, request_id: str) -> tuple[str, dict[str, Any]]:
    """(text, data) of a refused call."""
    wrong = [error, *error.also] if isinstance(error, Invalid) else [error]
    lines = [f"{tool} was not done: {_words(error)}."]
    lines += [f"Also: {_words(one)}." for one in wrong[1:]]
    fix = fix_of(error, request_id)
    if fix:
        lines.append(f"What to do now: {fix}.")
    details: dict[str, Any] = {"code": error.code, "message": error.message, **error.facts}
    if error.field:
        details["argument"] = error.field
    if fix:
        details["fix"] = fix
    if isinstance(error, TooMany | Unavailable):
        details["retry_after_seconds"] = error.retry_after
    return "\n".join(lines), {"error": details}


def fix_of(error: CoreError, request_id: str) -> str | None:
    """What to do now, with tools."""
    if isinstance(error, Internal):
        return f"try again once; if it fails again tell your user, with the request id {request_id}"
    if isinstance(error, TooMany | Unavailable):
        return f"wait {error.retry_after} seconds, then make the same call again"
    if isinstance(error, Forbidden):
        return _WIDER
    if isinstance(error, NotFound):
        words = error.message.split()
        return next((_LISTS[word] for word in words if word in _LISTS), None) or _plain(error.fix)
    plain = _plain(error.fix)
    if plain:
        return plain
    if isinstance(error, Rejected):
        return "do not repeat it unchanged; tell your user why it was refused"
    if isinstance(error, Taken):
        return "choose another"
    if isinstance(error, Invalid) and error.field:
        return f"correct {error.field} and call again"
    if isinstance(error, Conflict):
        return "read the present state, then decide whether to call again"
    return None


def _plain(fix: str | None) -> str | None:
    return None if fix is None or _HTTP.search(fix) else fix.rstrip(".")


def _words(error: CoreError) -> str:
    text = error.message.rstrip(".")
    if isinstance(error, Forbidden):
        return f"it is out of reach of this API key ({text})"
    if error.field and error.field.partition("[")[0].partition(".")[0] not in text:
        return f"{error.field}: {text}"
    return text
