"""MailboxKit's errors: always ``message``, with ``error`` (a code) or ``errors`` by field.

``{"message": "The to field is required.", "errors": {"to": ["The to field is required."]}}`` for an invalid
value (422); ``{"message": …, "error": "not_found"}`` for others, with the further keys that a code documents (402).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway.api.errors import Internal, Kinds, Unauthorized, WrongMethod, kind_of
from gateway.core.errors import (
    Conflict,
    CoreError,
    Forbidden,
    Invalid,
    LimitReached,
    Missing,
    NotFound,
    Rejected,
    Taken,
    TooLarge,
    TooMany,
    Unavailable,
)

_KINDS: Kinds = [
    (Invalid, 422, ""),
    (Taken, 422, ""),
    (Unauthorized, 401, "unauthenticated"),
    (NotFound, 404, "not_found"),
    (Rejected, 403, "forbidden"),
    (LimitReached, 403, "limit_reached"),
    (Forbidden, 403, "forbidden"),
    (WrongMethod, 405, "method_not_allowed"),
    (Conflict, 409, "conflict"),
    (TooLarge, 413, "payload_too_large"),
    (TooMany, 429, "rate_limited"),
    (Unavailable, 503, "unavailable"),
    (Internal, 500, "server_error"),
]

_CODES = {"insufficient_balance": 402, "recipient_suppressed": 422}
_WORDS = {401: "Unauthenticated.", 429: "Too Many Attempts."}


ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What was wrong and what to do now. With 422, errors by field; otherwise a code in error.",
    "required": ["message"],
    "properties": {
        "message": {"type": "string"},
        "error": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "fix": {"type": "string"},
    },
}


@contextmanager
def fields(otherwise: str | None = None, /, **names: str) -> Iterator[None]:
    """Rename the field of a core error (core's name=this API's name). ``otherwise``: the field when core names none."""
    try:
        yield
    except CoreError as error:
        name, bracket, rest = (error.field or "").partition("[")
        if name in names:
            error.field = names[name] + bracket + rest
        elif not name:
            error.field = otherwise
        raise


def render_error(error: CoreError) -> tuple[int, dict[str, Any]]:
    """Status code and body of an error."""
    status, code = kind_of(error, _KINDS, (422, ""))
    if error.code in _CODES:
        status, code = _CODES[error.code], error.code
    message = _WORDS.get(status) or _words(error)
    body: dict[str, Any] = {"message": message, **error.facts}
    if code:
        body = {"error": code, **body}
    if status == 422:
        wrong = [error, *error.also] if isinstance(error, Invalid) else [error]
        body["errors"] = {_dotted(one.field or "request"): [_words(one)] for one in wrong}
        if len(wrong) > 1:
            body["message"] += f" (and {len(wrong) - 1} more error{'s' * (len(wrong) > 2)})"
    if error.fix:
        body["fix"] = error.fix.replace("/api-keys", "/api_keys")  # core names the path of the other dialects
    return status, body


def _words(error: CoreError) -> str:
    """What was wrong; for a missing field, MailboxKit's sentence."""
    if isinstance(error, Missing):
        return f"The {(error.field or '').replace('_', ' ')} field is required."
    return error.message


def _dotted(field: str) -> str:
    """``to[0]`` as ``to.0``."""
    return re.sub(r"\[(\w*)\]", r".\1", field)
