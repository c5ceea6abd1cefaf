"""Paging of lists, by page number (``page``, ``page_size``) and by token (``limit``, ``page_token``, ``ascending``).

The AgentMail document has the first form, its official SDKs the second. An answer has the fields of both: the items
under ``data`` and under the plural name. A token is a signed keyset position, so items that are added or removed
between two calls cause neither repeats nor gaps. ``page_token`` takes precedence over ``page``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec

from gateway.api.body import encode
from gateway.api.routing import Call
from gateway.core.errors import Invalid
from gateway.store.listing import Listing, Window

MAX_PAGE_SIZE = 100
DEFAULT_PAGE_SIZE = 20
_SIGNATURE = 8

Doc = msgspec.Meta
Shown = TypeVar("Shown")


class PageQuery(msgspec.Struct, kw_only=True):
    """Query parameters of every list."""

    page: Annotated[int | None, Doc(description="page number, from 1")] = None
    page_size: Annotated[int | None, Doc(description="items on a page, 1 to 100")] = None
    limit: Annotated[int | None, Doc(description="the same as page_size")] = None
    page_token: Annotated[str | None, Doc(description="next_page_token of the previous answer")] = None
    ascending: Annotated[bool | None, Doc(description="oldest first")] = None


class Paging(msgspec.Struct, frozen=True):
    """A checked request for a page; ``window`` is the argument of core's lists."""

    page: int
    page_size: int
    window: Window


def read_paging(query: PageQuery, secret: bytes, *, ascending: bool = False) -> Paging:
    """Check the query parameters. ``ascending``: the list's default order is oldest first. Raises Invalid."""
    size = _bounded("page_size", query.page_size, MAX_PAGE_SIZE)
    if size is None:
        size = _bounded("limit", query.limit, MAX_PAGE_SIZE)
    if size is None:
        size = DEFAULT_PAGE_SIZE
    way = ascending if query.ascending is None else query.ascending
    if query.page_token is not None:
        value, last, way = _open(query.page_token, secret)
        return Paging(query.page or 1, size, Window(size, 0, (value, last), way))
    page = _bounded("page", query.page, None) or 1
    return Paging(page, size, Window(size, (page - 1) * size, None, way))


def _bounded(name: str, value: int | None, most: int | None) -> int | None:
    if value is None:
        return None
    if value < 1:
        raise Invalid(f"{name} must be at least 1", field=name, fix=f"write {name}=1")
    if most is not None and value > most:
        raise Invalid(
            f"{name} must be at most {most}", field=name, fix=f"write {name}={most} and read more pages"
        )
    return value


def answer(
    call: Call[Any, Any],
    listing: Listing[Shown],
    paging: Paging,
    plural: str,
    render: Callable[[Shown], Any],
) -> dict[str, Any]:
    """The body of one page of a list. The items are encoded once, though ``data`` and ``plural`` both hold them.

    Args:
        listing: the items of the page, the total, and the position where the next page begins.
        plural: a second name for ``data``, such as ``messages``. An official SDK gets this one only, without the other
            contract's fields: its users hand whole answers to a model, and the items would be there twice.
        render: makes an item's JSON.
    """
    items = msgspec.Raw(encode([render(item) for item in listing.rows]))
    body: dict[str, Any] = {}
    if not call.from_sdk:
        body = {"data": items, "total": listing.total, "page": paging.page, "page_size": paging.page_size}
    body |= {"count": len(listing.rows), "limit": paging.page_size, plural: items}
    if listing.next is not None:
        body["next_page_token"] = token(listing.next, paging.window.ascending, call.core.secret)
    return body


def token(position: tuple[int, str], ascending: bool, secret: bytes) -> str:
    """The signed page token of a position."""
    data = msgspec.json.encode([*position, int(ascending)])
    return base64.urlsafe_b64encode(_sign(data, secret) + data).decode().rstrip("=")


def _sign(data: bytes, secret: bytes) -> bytes:
    return hmac.new(secret, b"page\x00" + data, hashlib.sha256).digest()[:_SIGNATURE]


def _open(text: str, secret: bytes) -> tuple[int, str, bool]:
    try:
        raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        signature, data = raw[:_SIGNATURE], raw[_SIGNATURE:]
        if not hmac.compare_digest(signature, _sign(data, secret)):
            raise ValueError
        value, last, way = msgspec.json.decode(data, type=tuple[int, str, int])
    except (ValueError, msgspec.MsgspecError):
        raise Invalid(
            "page_token was not made by this server",
            field="page_token",
            fix="take next_page_token from the previous answer, or leave page_token out to start again",
        ) from None
    return value, last, bool(way)


def in_memory(
    items: Iterable[Shown], window: Window, key: Callable[[Shown], tuple[int, str]]
) -> Listing[Shown]:
    """One page of a short list that is in memory. ``key``: the sort position of an item."""
    held = sorted(items, key=key, reverse=not window.ascending)
    total = len(held)
    if window.position is not None:
        at = window.position
        held = [item for item in held if (key(item) > at if window.ascending else key(item) < at)]
    part = held[window.offset : window.offset + window.limit]
    more = len(held) > window.offset + len(part) and bool(part)
    return Listing(part, total, key(part[-1]) if more else None)
