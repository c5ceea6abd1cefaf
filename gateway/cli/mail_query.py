"""Lists of mail on the command line: what narrows them, and reading them page after page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from gateway.cli.client import Client, segment
from gateway.cli.failure import REFUSED, Failure
from gateway.cli.visible import visible

F = TypeVar("F", bound=Callable[..., Any])

_PAGE = 100
_ABOUT = ("complete", "missing")
_HIDDEN = ("spam", "trash", "blocked", "unauthenticated")


_AGO = re.compile(r"(\d{1,6})\s*(min|h|d|w)")
_UNITS = {"min": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """A time as the API takes it. What was typed is meant in the terminal's own zone, as times are shown; ``3d`` is
    three days ago."""
    if text is None:
        return None
    try:
        if ago := _AGO.fullmatch(text.strip().lower()):
            at = datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        else:
            at = datetime.fromisoformat(text.strip()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text[:40]!r} is no time; write 2026-11-29, 2026-11-29T10:00, or 3d for three days ago",
            context,
            option,
        ) from None
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}Z"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list is wanted. ``query``: parameters of the API beside those of paging."""

    inbox: str | None
    search: str | None
    query: dict[str, str]
    limit: int
    page_token: str | None


_OPTIONS: list[Callable[[Any], Any]] = [
    click.option("--inbox", metavar="ADDRESS", help="Only of this inbox (address or id)."),
    click.option(
        "--label", "labels", multiple=True, help="Only with this label (unread, spam, …); may be repeated."
    ),
    click.option(
        "--from", "senders", multiple=True, metavar="TEXT", help="Sender's name or address holds this."
    ),
    click.option("--to", "recipients", multiple=True, metavar="TEXT", help="A recipient holds this."),
    click.option(
        "--search", metavar="WORDS", help='Holds all these words ("a phrase" in quotes), best first.'
    ),
    click.option(
        "--after",
        metavar="TIME",
        callback=moment,
        help="Newer than this: 2026-11-29, 2026-11-29T10:00, or 3d (ago; min, h, d, w).",
    ),
    click.option("--before", metavar="TIME", callback=moment, help="Older than this."),
    click.option("--all", "everything", is_flag=True, help="Spam, trash and blocked mail, too."),
    click.option(
        "--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="How many at the most."
    ),
    click.option("--page-token", metavar="TOKEN", help="Go on where an earlier list ended."),
]


def narrowing(command: F) -> F:
    """Add the options that choose mail; the command gets them as ``options``, for :func:`wanted`."""
    decorated = command
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def wanted(options: dict[str, Any], *, senders: str, recipients: str) -> Wanted:
    """What the options ask for; ``senders`` and ``recipients``: the API's names of these parameters."""
    query: dict[str, str] = {}
    for name, values in (("labels", "labels"), (senders, "senders"), (recipients, "recipients")):
        if options[values]:
            query[name] = json.dumps(options[values])
    query |= {name: options[name] for name in ("after", "before") if options[name]}
    if options["everything"]:
        query |= {f"include_{label}": "true" for label in _HIDDEN}
    if options["search"]:
        query["q"] = options["search"]
    return Wanted(options["inbox"], options["search"], query, options["limit"], options["page_token"])


async def read(client: Client, kind: str, what: Wanted) -> dict[str, Any]:
    """The rows of ``/messages`` or ``/threads`` as one answer of the API: ``count``, ``total``, the rows under
    ``kind`` and ``next_page_token`` when there are more. Raises Failure."""
    path = f"/inboxes/{segment(what.inbox)}/{kind}" if what.inbox else f"/{kind}"
    path += "/search" if what.search else ""
    return await pages(client, path, kind, what.query, what.limit, what.page_token)


async def pages(
    client: Client, path: str, kind: str, query: dict[str, str], limit: int, token: str | None
) -> dict[str, Any]:
    """Up to ``limit`` rows of a list, from page ``token`` on, as one answer, with what a history says of itself
    (``complete``, ``missing``). Raises Failure."""
    rows: list[dict[str, Any]] = []
    total = 0
    about: dict[str, Any] = {}
    while len(rows) < limit:
        more = {"limit": str(min(_PAGE, limit - len(rows)))} | ({"page_token": token} if token else {})
        try:
            page = await client.call("GET", path, query={**query, **more})
        except Failure as failure:
            if failure.code == REFUSED and failure.message.startswith("there is no inbox"):
                raise Failure(failure.message, REFUSED, fix="`postern inbox list` shows them") from None
            raise
        rows += page["data"]
        token, total = page.get("next_page_token"), page["total"]
        about = {name: page[name] for name in _ABOUT if name in page}
        if not token:
            break
    answer = {"count": len(rows), "total": total, kind: rows, **about}
    return answer | ({"next_page_token": token} if token else {})


async def found(client: Client, kind: str, ref: str, inbox: str | None = None) -> dict[str, Any]:
    """One message or thread (``kind`` ``messages`` or ``threads``) by its id, wherever it is. Raises Failure."""
    where = f"/inboxes/{segment(inbox)}" if inbox else ""
    one = kind.removesuffix("s")
    try:
        answer: dict[str, Any] = await client.call("GET", f"{where}/{kind}/{segment(ref)}")
    except Failure as failure:
        if failure.code == REFUSED and failure.message.startswith("there is no " + one):
            fix = f"`postern {one} list` shows the ids; one in the trash shows with --label trash"
            raise Failure(f"there is no {one} {visible(ref)[:80]}", REFUSED, fix=fix) from None
        raise
    return answer


def footer(answer: dict[str, Any], kind: str) -> str | None:
    """The line below a list that is not whole."""
    token = answer.get("next_page_token")
    if not token:
        return None
    return f"{answer['count']} of {answer['total']} {kind}; the next: --page-token {token}"
