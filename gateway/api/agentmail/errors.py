"""Errors in AgentMail's shape: ``{name, code, message, fix?, errors[] on 400}``."""

from __future__ import annotations

from typing import Any

from gateway.api.errors import Internal, Kinds, Unauthorized, WrongMethod, field_path, kind_of
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

# C7: a taken name is 403, since the Python SDK retries after 409
_NAMES: Kinds = [
    (Invalid, 400, "ValidationError"),
    (Unauthorized, 401, "UnauthorizedError"),
    (NotFound, 404, "NotFoundError"),
    (Taken, 403, "IsTakenError"),
    (Rejected, 403, "MessageRejectedError"),
    (LimitReached, 403, "LimitExceededError"),
    (Forbidden, 403, "ForbiddenError"),
    (WrongMethod, 405, "MethodNotAllowedError"),
    (Conflict, 409, "ConflictError"),
    (TooLarge, 413, "PayloadTooLargeError"),
    (TooMany, 429, "RateLimitError"),
    (Unavailable, 503, "ServiceUnavailableError"),
    (Internal, 500, "InternalServerError"),
]

_CODES = {
    # other dialects have codes of their own for these
    "pod_not_empty": "pod_in_use",
    "pod_has_domains": "pod_in_use",
    "inbox_limit_reached": "limit_exceeded",
    "insufficient_balance": "limit_exceeded",
    "api_key_limit_reached": "limit_exceeded",
    "webhook_limit_reached": "limit_exceeded",
    "domain_taken": "resource_taken",
    "invalid_domain": "validation_error",
    "invalid_pod": "not_found",
    "domain_of_another_pod": "missing_permission",
}

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What was wrong, where, and how to put it right.",
    "required": ["name", "message"],
    "properties": {
        "name": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "fix": {"type": "string"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}


def render_error(error: CoreError) -> tuple[int, dict[str, Any]]:
    """Status code and body of an error."""
    status, name = kind_of(error, _NAMES, (400, "ValidationError"))
    body: dict[str, Any] = {
        "name": name,
        "code": _CODES.get(error.code, error.code),
        "message": error.message,
    }
    if error.fix:
        body["fix"] = error.fix
    if status == 400:
        field = error.field or ""
        body["errors"] = [{"path": field_path(field), "field": field, "message": error.message}]
    return status, body
