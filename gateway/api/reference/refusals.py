"""The error responses of the operations, in each dialect's format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from gateway.api.dialect import Dialect
from gateway.api.errors import Internal, Unauthorized
from gateway.api.routing import Endpoint, NoBody, NoQuery, Pattern
from gateway.core.access import EVERY_KIND
from gateway.core.errors import (
    Conflict,
    CoreError,
    Forbidden,
    Invalid,
    NotFound,
    TooLarge,
    TooMany,
    Unavailable,
)

_Applies = Callable[[Endpoint, bool], bool]


def _takes_body(one: Endpoint) -> bool:
    return one.body is not NoBody or one.raw_body


def _may_forbid(one: Endpoint) -> bool:
    access = one.access
    return not access.open and bool(
        access.permissions or access.operator or access.test != "any" or access.kinds != EVERY_KIND
    )


_REFUSALS: list[tuple[str, CoreError, _Applies]] = [
    (
        "a value is invalid or missing",
        Invalid("limit must be at most 100", field="limit", fix="write limit=100 and read more pages"),
        lambda one, _: _takes_body(one) or one.query is not NoQuery,
    ),
    (
        "no API key, or an unknown one",
        Unauthorized("there is no API key", fix="send the header Authorization: Bearer <API_KEY>"),
        lambda one, _: not one.access.open,
    ),
    (
        "the key lacks a permission or the scope for this",
        Forbidden("the key has no permission for this", fix="use a key with this permission"),
        lambda one, _: _may_forbid(one),
    ),
    (
        "the object does not exist in the key's organization",
        NotFound("there is no inbox 'nobody@example.com'", fix="GET /inboxes lists the inboxes of this key"),
        lambda one, _: bool(Pattern(one.path).names),
    ),
    (
        "the Idempotency-Key was used for another request",
        Conflict(
            "this Idempotency-Key was used for another request",
            code="idempotency_key_reused",
            fix="use a fresh key for each new request",
        ),
        lambda _, repeatable: repeatable,
    ),
    (
        "the request is too large",
        TooLarge("the request body is larger than 41943040 octets", fix="send fewer or smaller attachments"),
        lambda one, _: _takes_body(one),
    ),
    (
        "too many requests; Retry-After says when to continue",
        TooMany("too many requests", retry_after=30, fix="wait 30 seconds"),
        lambda one, _: not one.access.open,
    ),
    (
        "the mail server or the database cannot be reached now",
        Unavailable("the mail server cannot be reached now", fix="try again in a few seconds"),
        lambda _, __: True,
    ),
]
_DEFECT = Internal(
    "an unexpected error; it is in the log", fix="report it with the X-Request-Id of this answer"
)


def refusals(dialect: Dialect) -> dict[str, Any]:
    """The response objects of a dialect's errors, by the name of the component: ``Title.404``."""
    schema = {"$ref": f"#/components/schemas/{dialect.title}.Error"}
    responses: dict[str, Any] = {}
    for about, error, _ in [*_REFUSALS, ("any other error", _DEFECT, None)]:
        status, body = dialect.render_error(error)
        name = f"{dialect.title}.{status if error is not _DEFECT else 'default'}"
        responses[name] = {
            "description": about[0].upper() + about[1:],
            "content": {"application/json": {"schema": schema, "example": body}},
        }
    return responses


def refusals_of(dialect: Dialect, one: Endpoint, repeatable: bool) -> Iterator[tuple[str, dict[str, str]]]:
    """Status and reference of each error response of an operation.

    ``repeatable``: it accepts an Idempotency-Key.
    """
    for _, error, applies in _REFUSALS:
        if applies(one, repeatable):
            status, _ = dialect.render_error(error)
            yield str(status), {"$ref": f"#/components/responses/{dialect.title}.{status}"}
    yield "default", {"$ref": f"#/components/responses/{dialect.title}.default"}
