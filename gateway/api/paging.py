"""One paging for both contracts: ``page``/``page_size`` and ``limit``/``page_token``/``ascending``.

Answers carry both shapes, the same rows under ``data`` and under the plural name. A token is a keyset position,
signed, so rows that come or go between two calls neither repeat nor hide another; it wins over ``page``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import msgspec

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
    page_size: Annotated[int | None, Doc(description="rows a page, 1 to 100")] = None
    limit: Annotated[int | None, Doc(description="the same as page_size")] = None
    page_token: Annotated[str | None, Doc(description="next_page_token of the answer before")] = None
    ascending: Annotated[bool | None, Doc(description="oldest first")] = None


class Paging(msgspec.Struct, frozen=True):
    """A checked request for a page; ``window`` is what core takes."""

    page: int
    page_size: int
    window: Window


def read_paging(query: PageQuery, secret: bytes, *, ascending: bool = False) -> Paging:
    """Check the parameters; ``ascending`` is the list's natural order. Raises Invalid."""
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
    listing: Listing[Shown],
    paging: Paging,
    plural: str,
    secret: bytes,
    render: Callable[[Shown], Any] | None = None,
) -> dict[str, Any]:
    """The body of a list: both contracts' fields, the rows once rendered and shown under both names."""
    rows = listing.rows if render is None else [render(row) for row in listing.rows]
    body: dict[str, Any] = {
        "data": rows,
        "total": listing.total,
        "page": paging.page,
        "page_size": paging.page_size,
        "count": len(rows),
        "limit": paging.page_size,
        plural: rows,
    }
    if listing.next is not None:
        body["next_page_token"] = token(listing.next, paging.window.ascending, secret)
    return body


def token(position: tuple[int, str], ascending: bool, secret: bytes) -> str:
    """An opaque page token for a position."""
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
            "page_token is not one that this server gave",
            field="page_token",
            fix="take next_page_token from the answer before, or leave it out to start again",
        ) from None
    return value, last, bool(way)


def in_memory(
    rows: Iterable[Shown], window: Window, key: Callable[[Shown], tuple[int, str]]
) -> Listing[Shown]:
    """Page rows that are few enough to hold (a fixed list), as a database would."""
    held = sorted(rows, key=key, reverse=not window.ascending)
    total = len(held)
    if window.position is not None:
        at = window.position
        held = [row for row in held if (key(row) > at if window.ascending else key(row) < at)]
    part = held[window.offset : window.offset + window.limit]
    more = len(held) > window.offset + len(part) and bool(part)
    return Listing(part, total, key(part[-1]) if more else None)
