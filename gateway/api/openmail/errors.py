"""Errors as OpenMail says them: ``{"error": "<code>", "message": "<text>"}`` and, where we know, ``fix``,
``field`` and what the code documents (``type``, ``feature``, ``scope``).
"""

from __future__ import annotations

from typing import Any

from gateway.api.errors import Internal, Kinds, Unauthorized, WrongMethod, kind_of
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

_KINDS: Kinds = [
    (Invalid, 400, "bad_request"),
    (Unauthorized, 401, "unauthorized"),
    (NotFound, 404, "not_found"),
    (Taken, 409, "address_taken"),
    (Rejected, 403, "forbidden"),
    (LimitReached, 422, "limit_reached"),
    (Forbidden, 403, "forbidden"),
    (WrongMethod, 405, "method_not_allowed"),
    (Conflict, 409, "conflict"),
    (TooLarge, 413, "payload_too_large"),
    (TooMany, 429, "rate_limit_exceeded"),
    (Unavailable, 503, "unavailable"),
    (Internal, 500, "internal_error"),
]

_CODES: dict[str, int] = {
    # contracts: OpenMail §12; a core error with one of these codes keeps it, with this status
    "bad_request": 400,
    "invalid_mailbox_name": 400,
    "missing_idempotency_key": 400,
    "invalid_domain": 400,
    "invalid_pod": 400,
    "no_webhook_url": 400,
    "unauthorized": 401,
    "spend_cap_paused": 402,
    "forbidden": 403,
    "feature_requires_paid_plan": 403,
    "account_banned": 403,
    "reputation_suspended": 403,
    "not_found": 404,
    "address_taken": 409,
    "pod_not_empty": 409,
    "pod_has_domains": 409,
    "default_pod": 409,
    "inbox_has_no_pod": 409,
    "domain_taken": 409,
    "domain_in_use": 409,
    "duplicate_client_id": 409,
    "idempotency_key_reused": 409,
    "recipient_suppressed": 422,
    "api_key_limit_reached": 422,
    "inbox_limit_reached": 422,
    "webhook_limit_reached": 422,
    "invalid_webhook_url": 422,
    "unsafe_content": 422,
    "phishing_detected": 422,
    "no_mx_records": 422,
    "no_attachment_text": 422,
    "storage_limit_exceeded": 422,
    "rate_limit_exceeded": 429,
    "cold_outreach_limit": 429,
    "webhook_failed": 502,
}

_SAME = {
    "domain_of_another_pod": "invalid_domain",
    "inbox_suspended": "reputation_suspended",
    "insufficient_balance": "spend_cap_paused",
}
"""What core tells apart and OpenMail does not."""

_FIELDS = {
    "client_id": "clientId",
    "display_name": "displayName",
    "external_id": "externalId",
    "pod_id": "podId",
}
"""Core's words for fields that are spelt otherwise here."""

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "What was wrong and what to do now; some codes bring more (type, scope, feature).",
    "required": ["error", "message"],
    "properties": {
        "error": {"type": "string"},
        "message": {"type": "string"},
        "field": {"type": "string"},
        "fix": {"type": "string"},
    },
}


def render_error(error: CoreError) -> tuple[int, dict[str, Any]]:
    """Status code and body of an error."""
    status, code = kind_of(error, _KINDS, (400, "bad_request"))
    known = _SAME.get(error.code, error.code)
    if known in _CODES:
        status, code = _CODES[known], known
    message = error.message
    if code == "unauthorized":
        message = "Missing or invalid Authorization header"
    body: dict[str, Any] = {"error": code, "message": message, **error.facts}
    if error.field:
        body["field"] = _FIELDS.get(error.field, error.field)
    if error.fix:
        body["fix"] = error.fix
    return status, body
