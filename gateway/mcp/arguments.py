"""Arguments that several tools have: ids and addresses in any form, files, paging."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec

from gateway.core.context import Core
from gateway.core.sending.request_attachments import FileGiven, load_files
from gateway.mcp.schema import UNLISTED
from gateway.mime.types import OutgoingAttachment
from gateway.store.listing import Window

Doc = msgspec.Meta


def at_most(description: str, most: int) -> msgspec.Meta:
    """Describe a number with a maximum. A larger one is not refused but changed to it (``within``)."""
    return msgspec.Meta(description=description, extra_json_schema={"maximum": most})


Id = int | str
InboxId = Annotated[Id | None, Doc(description="Address or id.")]
"""When to leave it out is said once, in ``server.INSTRUCTIONS``."""
UnlistedInboxId = Annotated[Id | None, UNLISTED]
"""Beside the id of a message or thread, of which only an RFC Message-ID needs the inbox."""
MessageId = Annotated[Id, Doc(description="The message.")]
ThreadId = Annotated[Id, Doc(description="The thread.")]
Addresses = list[str] | str | None
Limit = Annotated[int, at_most("Default 10.", 50)]
Page = Annotated[int, Doc(description="From 1.")]
Offset = Annotated[int, Doc(description="First character.")]
IdempotencyKey = Annotated[str | None, Doc(description="A repeat sends nothing.")]


class FileArgument(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A file to attach: its content, or the URL to fetch it from."""

    filename: str | None = None
    content: Annotated[str | None, Doc(description="Base64; or give url.")] = None
    url: str | None = None
    content_type: str | None = None


Files = Annotated[list[FileArgument] | None, Doc(description="Files.")]


def ref_of(given: Id | None) -> str | None:
    """An id as ``core.lookup`` accepts it; None for a blank one."""
    text = str(given).strip() if given is not None else ""
    return text or None


def addresses(given: Addresses) -> list[str]:
    """Addresses as a list. Models also write a text with commas, or a JSON list as text."""
    if isinstance(given, str):
        text = given.strip()
        found: Any = None
        if text.startswith("["):
            with contextlib.suppress(msgspec.DecodeError, msgspec.ValidationError):
                found = msgspec.json.decode(text, type=list[str])
        given = found if found is not None else text.split(",") if '"' not in text else [text]
    return [address.strip() for address in given or [] if address.strip()]


async def files(core: Core, given: Sequence[FileArgument] | None) -> list[OutgoingAttachment]:
    """Decode or fetch the files. Raises Invalid naming ``attachments[n]``, TooLarge."""
    asked = [
        FileGiven(file.filename, file.content_type, content=file.content, url=file.url)
        for file in given or ()
    ]
    return await load_files(core, asked)


def within(value: int, least: int, most: int) -> int:
    """``value``, at least ``least`` and at most ``most``."""
    return max(least, min(value, most))


def window(limit: int, page: int, most: int = 50) -> Window:
    """The window of a page."""
    limit, page = within(limit, 1, most), within(page, 1, 100_000)
    return Window(limit, (page - 1) * limit)
