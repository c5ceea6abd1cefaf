"""Turns exceptions into HTTP errors; an answer never contains a traceback.

Each dialect has a ``Renderer`` for status and body. The headers of an error are the same in every dialect.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.core.disk_room import disk_full
from gateway.core.errors import (
    CoreError,
    Invalid,
    Missing,
    NotFound,
    TooLarge,
    TooMany,
    Unavailable,
)
from gateway.core.sent import Allowance
from gateway.store.engine import NotUnique, StoreDown
from mailserver.base import MailServerDown, MailServerError

log = logging.getLogger("postern.api")

Renderer = Callable[[CoreError], tuple[int, dict[str, Any]]]
"""Returns the status code and the JSON body of an error."""


class Unauthorized(CoreError):
    """No API key, or an unknown one: 401."""

    code = "unauthorized"


class NoRoute(NotFound):
    """There is no such path: 404."""


class WrongMethod(CoreError):
    """The path exists, the method does not: 405. ``allow`` lists the methods."""

    code = "method_not_allowed"

    def __init__(self, allow: list[str]):
        super().__init__(f"this path accepts only {', '.join(allow)}", fix=f"use {' or '.join(allow)}")
        self.allow = allow


class Internal(CoreError):
    """A defect of ours: 500."""

    code = "internal_error"


Kinds = Sequence[tuple[type[CoreError], int, str]]
"""The status and name of each kind of core error in a dialect; the first match counts."""


def kind_of(error: CoreError, kinds: Kinds, otherwise: tuple[int, str]) -> tuple[int, str]:
    """Status and name of an error; ``otherwise`` when no kind matches."""
    return next(((status, name) for kind, status, name in kinds if isinstance(error, kind)), otherwise)


def core_error(error: Exception) -> CoreError:
    """The core error for an exception; Internal for an unexpected one."""
    if isinstance(error, CoreError):
        return error
    if isinstance(error, MailServerDown):
        log.warning("answered a request with 503 because the mail server cannot be reached: %s", error)
        return Unavailable("the mail server cannot be reached now", fix="try again in a few seconds")
    if isinstance(error, StoreDown) and error.disk_full:
        return disk_full()
    if isinstance(error, StoreDown):
        return Unavailable("the database cannot be reached now", fix="try again in a few seconds")
    if isinstance(error, MailServerError):
        return Unavailable(f"the mail server refused: {error}", fix="try again; /ready shows its state")
    if isinstance(error, NotUnique):
        return Unavailable("another request made the same thing at the same time", 1, fix="try again")
    return Internal(
        "an unexpected error; it is in the log", fix="report it with the X-Request-Id of this answer"
    )


def error_headers(error: CoreError) -> dict[str, str]:
    """The headers of an error, the same in every dialect."""
    if isinstance(error, TooMany | Unavailable):
        headers = {"Retry-After": str(error.retry_after)}
        if isinstance(error, TooMany) and error.limit is not None and error.reset is not None:
            headers |= limit_headers(error.limit, error.remaining, error.reset)
        return headers
    if isinstance(error, WrongMethod):
        return {"Allow": ", ".join(error.allow)}
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooLarge):
        return {"Connection": "close"}
    return {}


def limit_headers(limit: int, remaining: int, reset: int) -> dict[str, str]:
    """X-RateLimit-* headers. ``remaining``: what is left of ``limit``; ``reset``: epoch seconds."""
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(remaining),
        "X-RateLimit-Reset": str(reset),
    }


def allowance_headers(allowance: Allowance | None) -> dict[str, str]:
    """X-RateLimit-* headers for the tightest limit of a send; none without a limit."""
    if allowance is None:
        return {}
    return limit_headers(allowance.limit, allowance.remaining, allowance.reset)


_AT = re.compile(r"^(?P<words>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `([^`]{1,200})`")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")


def from_msgspec(error: msgspec.ValidationError, within: str = "") -> Invalid:
    """The error for a value of the wrong type, naming its field: ``$.to[0]`` becomes ``to[0]``.

    ``within``: the path of the decoded value in the request body, when only that part of the body was decoded: with
    ``within="to"``, ``$[0]`` becomes ``to[0]``.
    """
    match = _AT.match(str(error))
    words, path = (match["words"], match["path"] or "$") if match else (str(error), "$")
    field = (within + path.removeprefix("$")).removeprefix(".").replace("[...]", "[]")
    missing = _MISSING.search(words)
    if missing:
        field = f"{field}.{missing[1]}" if field else missing[1]
        return Missing(field)
    unknown = _UNKNOWN.search(words)
    if unknown:
        field = f"{field}.{unknown[1]}" if field else unknown[1]
        return Invalid(f"there is no field {field}", field=field, fix="take it out; /docs shows the fields")
    words = words.replace("`", "").replace("Expected", "expected")
    if not field:
        return Invalid(f"the request body is not valid: {words}", field="body", fix="send a JSON object")
    return Invalid(f"{field}: {words}", field=field, fix=f"correct {field}")


def field_path(field: str) -> list[str | int]:
    """Split a field's path: ``to[0].email`` becomes ``["to", 0, "email"]``."""
    parts: list[str | int] = []
    for name, index in re.findall(r"([^.\[\]]+)|\[(\d*)\]", field):
        parts.append(name if name else int(index or 0))
    return parts
