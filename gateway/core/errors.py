"""What can go wrong, dialect-free. Each dialect maps these to its status codes and bodies.

``message`` says what was wrong; ``fix`` what to do now; ``field`` where it was (a JSON path such as
``to[0]`` or a query parameter's name); ``facts`` what a dialect documents beside a code (OpenMail: the
``type`` of a suppression, the ``scope`` of a limit).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class CoreError(Exception):
    """Base of everything an operation refuses. ``code`` is stable snake_case."""

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        fix: str | None = None,
        code: str | None = None,
        facts: Mapping[str, object] | None = None,
    ):
        super().__init__(message)
        self.message = message
        self.field = field
        self.fix = fix
        self.facts = dict(facts or {})
        if code:
            self.code = code


class Invalid(CoreError):
    """A value does not do: 400 or 422. ``also``: what else of the request does not do, other fields of it."""

    code = "validation_error"
    also: Sequence[Invalid] = ()


class Missing(Invalid):
    """A required value is not there; ``field`` is its name."""

    def __init__(self, field: str):
        super().__init__(f"{field} is required", field=field, fix=f"give {field}")


class NotFound(CoreError):
    """There is no such thing in the caller's organization: 404."""

    code = "not_found"


class Forbidden(CoreError):
    """It exists in the caller's organization but outside this key's reach or permissions: 403."""

    code = "missing_permission"


class Taken(CoreError):
    """The name or address is in use."""

    code = "resource_taken"


class LimitReached(CoreError):
    """A count limit of the organization: 403 or 422."""

    code = "limit_exceeded"


class Unpaid(LimitReached):
    """The organization's wallet holds less than the send costs: 402. Mills; ``remaining``: mails it still pays."""

    code = "insufficient_balance"

    def __init__(self, message: str, *, balance: int, cost: int, remaining: int, **more: Any):
        super().__init__(message, **more)
        self.balance = balance
        self.cost = cost
        self.remaining = remaining


class TooMany(CoreError):
    """A rate limit: 429. ``retry_after`` in seconds; ``limit`` of what has ``remaining`` until ``reset`` (epoch
    seconds), where that can be said."""

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        retry_after: int,
        *,
        limit: int | None = None,
        remaining: int = 0,
        reset: int | None = None,
        **more: Any,
    ):
        super().__init__(message, **more)
        self.retry_after = retry_after
        self.limit = limit
        self.remaining = remaining
        self.reset = reset


class Rejected(CoreError):
    """A send refused by a rule (lists, suppressions): 403."""

    code = "message_rejected"


class Conflict(CoreError):
    """The request contradicts an earlier one (an Idempotency-Key used for something else): 409."""

    code = "conflict"


class TooLarge(CoreError):
    """A body, message or attachment over its limit: 413."""

    code = "too_large"


class WebhookFailed(CoreError):
    """The endpoint of a webhook did not take what was posted while the caller waited: 502."""

    code = "webhook_failed"


class Unavailable(CoreError):
    """The mail server or the database is down: 503 with Retry-After."""

    code = "unavailable"

    def __init__(self, message: str, retry_after: int = 5, **more: Any):
        super().__init__(message, **more)
        self.retry_after = retry_after
