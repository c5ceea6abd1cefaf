"""Errors as MailboxKit says them: ``message`` always, beside it ``error`` (a code) or ``errors`` by field.

``{"message": "The to field is required.", "errors": {"to": ["The to field is required."]}}`` for a value that does
not do (422); ``{"message": …, "error": "not_found"}`` for the rest; what a code documents (402) as further keys.
"""

from __future__ import annotations

from typing import Any

from gateway.api.errors import Internal, Unauthorized, WrongMethod
from gateway.core.errors import (
    Conflict,
    CoreError,
    Forbidden,
    Invalid,
    LimitReached,
    NotFound,
    Rejected,
    Taken,
    TooLarge,
    TooMany,
    Unavailable,
)

_KINDS: list[tuple[type[CoreError], int, str]] = [
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
    "description": "What was wrong and what to do now; errors by field with 422, a code in error otherwise.",
    "required": ["message"],
    "properties": {
        "message": {"type": "string"},
        "error": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "fix": {"type": "string"},
    },
}


def render_error(error: CoreError) -> tuple[int, dict[str, Any]]:
    """Status code and body of an error."""
    status, code = next(
        ((status, code) for kind, status, code in _KINDS if isinstance(error, kind)), (422, "")
    )
    if error.code in _CODES:
        status, code = _CODES[error.code], error.code
    message = _WORDS.get(status, error.message)
    body: dict[str, Any] = {"message": message, **error.facts}
    if code:
        body = {"error": code, **body}
    if status == 422:
        body["errors"] = {error.field or "request": [error.message]}
    if error.fix:
        body["fix"] = error.fix
    return status, body
