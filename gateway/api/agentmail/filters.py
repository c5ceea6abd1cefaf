"""Query parameters that filter and page lists of messages, threads and drafts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Literal, Protocol, TypeVar

import msgspec

from gateway.api.paging import PageQuery, Paging, answer, read_paging
from gateway.api.routing import Call
from gateway.api.times import parse_time
from gateway.core.errors import Invalid
from gateway.records.ids import InboxId
from gateway.store.listing import Filter, Listing
from gateway.store.search import Order

Doc = msgspec.Meta
_MAX_TERMS = 50


class OfInbox(Protocol):
    """A record that belongs to an inbox."""

    @property
    def inbox_id(self) -> InboxId: ...


Shown = TypeVar("Shown", bound=OfInbox)


class Narrowing(PageQuery, kw_only=True):
    """Filters of every list of mail."""

    labels: Annotated[
        list[str],
        Doc(description="with all of these labels (a JSON array, a repeated parameter or one label)"),
    ] = msgspec.field(default_factory=list)
    before: Annotated[str | None, Doc(description="older than this time")] = None
    after: Annotated[str | None, Doc(description="newer than this time")] = None
    subject: Annotated[list[str], Doc(description="subject holds each of these")] = msgspec.field(
        default_factory=list
    )
    include_spam: Annotated[bool, Doc(description="show spam too")] = False
    include_trash: Annotated[bool, Doc(description="show mail in the trash too")] = False
    include_blocked: Annotated[bool, Doc(description="show mail from blocked senders too")] = False
    include_unauthenticated: Annotated[bool, Doc(description="show mail that failed DMARC too")] = False


class MessageQuery(Narrowing, kw_only=True):
    """Filters of a list of messages."""

    from_: Annotated[list[str], Doc(description="sender's name or address holds each of these")] = (
        msgspec.field(name="from", default_factory=list)
    )
    to: Annotated[list[str], Doc(description="a recipient's name or address holds each of these")] = (
        msgspec.field(default_factory=list)
    )


class ThreadQuery(Narrowing, kw_only=True):
    """Filters of a list of threads."""

    senders: Annotated[list[str], Doc(description="a sender's name or address holds each of these")] = (
        msgspec.field(default_factory=list)
    )
    recipients: Annotated[list[str], Doc(description="a recipient's address holds each of these")] = (
        msgspec.field(default_factory=list)
    )


class SearchQuery(Narrowing, kw_only=True):
    """A search and its filters."""

    q: Annotated[str, Doc(description='words to search for; "a phrase" in double quotes')] = ""
    query: Annotated[str, Doc(description="the same as q")] = ""
    sort: Annotated[Literal["rank", "newest", "oldest"], Doc(description="order of the results")] = "rank"

    @property
    def words(self) -> str:
        """The words to search for."""
        return self.q or self.query

    @property
    def order(self) -> Order:
        """The order of the results."""
        return self.sort


def read_filter(query: Narrowing) -> Filter:
    """The core filter of a list's parameters. Raises Invalid."""
    senders: list[str] = []
    recipients: list[str] = []
    if isinstance(query, MessageQuery):
        senders, recipients = query.from_, query.to
    elif isinstance(query, ThreadQuery):
        senders, recipients = query.senders, query.recipients
    for name, words in (
        ("labels", query.labels),
        ("subject", query.subject),
        ("from", senders),
        ("to", recipients),
    ):
        if len(words) > _MAX_TERMS:
            raise Invalid(f"{name} takes at most {_MAX_TERMS} values", field=name)
    include = {
        label
        for label, wanted in (
            ("spam", query.include_spam),
            ("trash", query.include_trash),
            ("blocked", query.include_blocked),
            ("unauthenticated", query.include_unauthenticated),
        )
        if wanted
    }
    return Filter(
        labels=tuple(query.labels),
        before=parse_time(query.before, "before"),
        after=parse_time(query.after, "after"),
        senders=tuple(senders),
        recipients=tuple(recipients),
        subject=tuple(query.subject),
        include=frozenset(include),
    )


async def addresses_of(call: Call[Any, Any], records: Iterable[OfInbox]) -> Mapping[InboxId, str]:
    """The addresses of the records' inboxes, by ULID."""
    return await call.core.addresses.of(call.core.store, [one.inbox_id for one in records])


async def page_of(
    call: Call[Any, Any],
    listing: Listing[Shown],
    paging: Paging,
    plural: str,
    view: Callable[[Shown, Mapping[InboxId, str]], Any],
) -> dict[str, Any]:
    """The body of one page of a list of mail."""
    addresses = await addresses_of(call, listing.rows)
    body = answer(call, listing, paging, plural, lambda shown: view(shown, addresses))
    body["unauthenticated_count"] = listing.unauthenticated
    return body


__all__ = [
    "MessageQuery",
    "Narrowing",
    "SearchQuery",
    "ThreadQuery",
    "page_of",
    "read_filter",
    "read_paging",
]
