"""Ids as MailboxKit's clients write them: a number, a number as text, a ULID, or one of our prefixed ids.

In a path every id is text, and core's look-ups (``core.lookup``) take all four. In a body::

    class Search(msgspec.Struct):
        inbox_id: Id | None = None

    inbox = find_inbox(tx, call.scope, ref_of(call.body.inbox_id))

What is no id at all names nothing: the look-up raises NotFound (404), never Invalid. Answers show ``number_of(ulid)``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Id = Annotated[int | str, msgspec.Meta(description="a number, as number or text, or a ULID")]


def ref_of(value: int | str) -> str:
    """The id as core's look-ups take it."""
    return str(value).strip()


def shown_ulid(ulid: str) -> str:
    """A ULID as MailboxKit writes them, in capitals; it is taken in any case."""
    return ulid.upper()
