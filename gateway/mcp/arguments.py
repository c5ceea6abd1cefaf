"""What several tools take, and how it is read: ids and addresses in any spelling, files, paging."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from gateway.core.context import Core
from gateway.core.sending.request_attachments import FileGiven, load_files
from gateway.mime.types import OutgoingAttachment
from gateway.store.listing import Window

Doc = msgspec.Meta


def bounded(description: str, least: int, most: int) -> msgspec.Meta:
    """A number; what is outside the bounds is brought inside when it is read (``within``)."""
    return msgspec.Meta(description=description, extra_json_schema={"minimum": least, "maximum": most})


Id = int | str
InboxId = Annotated[
    Id | None,
    Doc(
        description="The inbox: its address, id or number. May be left out where only one can be meant, "
        "such as with a key of one inbox."
    ),
]
MessageId = Annotated[Id, Doc(description="Id of the message, as check_inbox or search_messages shows it.")]
Addresses = list[str] | str | None
Page = Annotated[int, bounded("Page number, from 1 (default 1).", 1, 100_000)]
Offset = Annotated[
    int, bounded("Go on from this character, as a cut result says (default 0).", 0, 1_000_000_000)
]
IdempotencyKey = Annotated[
    str | None,
    Doc(
        description="Any text, new for each email. Repeat a call that may have failed with the same text, and the "
        "email is sent once."
    ),
]


class FileArgument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file to attach: its content, or where it is to be fetched from."""

    filename: Annotated[str | None, Doc(description="Its name, such as report.pdf.")] = None
    content: Annotated[str | None, Doc(description="The file as base64.")] = None
    url: Annotated[str | None, Doc(description="Or a public URL to fetch it from.")] = None
    content_type: Annotated[str | None, Doc(description="Its type, such as application/pdf.")] = None


Files = Annotated[list[FileArgument] | None, Doc(description="Files to attach.")]


def ref_of(given: Id | None) -> str | None:
    """An id as core's look-ups take it; None for a blank one."""
    text = str(given).strip() if given is not None else ""
    return text or None


def addresses(given: Addresses) -> list[str]:
    """Addresses as a list: models also write one text with commas, or a JSON list as text."""
    if isinstance(given, str):
        text = given.strip()
        found: Any = None
        if text.startswith("["):
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                found = msgspec.json.decode(text, type=list[str])
        given = found if found is not None else text.split(",") if '"' not in text else [text]
    return [one.strip() for one in given or [] if one.strip()]


async def files(core: Core, given: Sequence[FileArgument] | None) -> list[OutgoingAttachment]:
    """The files themselves. Raises Invalid naming ``attachments[n]``, TooLarge."""
    asked = [
        FileGiven(one.filename, one.content_type, content=one.content, url=one.url) for one in given or ()
    ]
    return await load_files(core, asked)


def within(value: int, least: int, most: int) -> int:
    """``value`` brought between the two."""
    return max(least, min(value, most))


def window(limit: int, page: int, most: int = 50) -> Window:
    """The rows of a page."""
    limit, page = within(limit, 1, most), within(page, 1, 100_000)
    return Window(limit, (page - 1) * limit)
