"""Ids as MailboxKit's clients write them: a number, a number as text, a ULID, or a prefixed id.

In a path every id is text, and ``core.lookup`` accepts all four. In a body::

    class Search(msgspec.Struct):
        inbox_id: Id | None = None

    inbox = find_inbox(tx, call.scope, ref_of(call.body.inbox_id))

For a text that is no id the lookup raises NotFound (404), never Invalid. Answers show ``number_of(ulid)``.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Id = Annotated[int | str, msgspec.Meta(description="a number, as number or text, or a ULID")]


def ref_of(value: int | str) -> str:
    """An id as ``core.lookup`` accepts it."""
    return str(value).strip()


def shown_ulid(ulid: str) -> str:
    """A ULID as MailboxKit shows it, in capitals; requests may use any case."""
    return ulid.upper()
