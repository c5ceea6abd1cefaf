"""Attachments that come with a request: base64 in the body, or a URL fetched through the guarded client only."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Sequence

import msgspec

from gateway.core.context import Core
from gateway.core.errors import Invalid, TooLarge
from gateway.core.mail.server_copy import hold_for
from gateway.mime.content_ids import bare_content_id, is_content_id
from gateway.mime.file_types import named, type_of
from gateway.mime.media_type import OCTETS, is_type, media_type
from gateway.mime.types import OutgoingAttachment
from gateway.net.errors import NetError
from mailserver.content import Content, Spool

_SPACE = re.compile(r"[ \t\r\n]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_FETCH_SECONDS = 30.0


class FileGiven(msgspec.Struct):
    """An attachment as a request names it: ``content`` (base64) or ``url``."""

    filename: str | None = None
    content_type: str | None = None
    content_disposition: str | None = None
    content_id: str | None = None
    content: str | None = None
    url: str | None = None


async def load_files(
    core: Core,
    given: Sequence[FileGiven],
    field: str = "attachments",
    content_name: str = "content",
    most: int | None = None,
) -> list[OutgoingAttachment]:
    """The files themselves; nothing is kept when one does not do. ``content_name``: what the caller calls ``content``.

    ``most``: octets of all together, instead of ``limits.attachment_bytes``. What was decoded is taken out of
    ``given``. Raises Invalid naming ``attachments[n]…`` and TooLarge.
    """
    limits = core.settings.limits
    if len(given) > limits.attachments:
        raise TooLarge(f"{len(given)} attachments are too many: at most {limits.attachments}", field=field)
    for number, one in enumerate(given):
        _check(one, f"{field}[{number}]")
    most = limits.attachment_bytes if most is None else most
    room = most
    files: list[OutgoingAttachment] = []
    deadline = asyncio.get_running_loop().time() + 2 * _FETCH_SECONDS
    for number, one in enumerate(given):
        where = f"{field}[{number}]"
        name, kind = one.filename, one.content_type
        if one.content is not None:
            data = await asyncio.to_thread(_from_base64, one.content, f"{where}.{content_name}")
            one.content = ""  # a large file need not be held twice
        else:
            left = min(_FETCH_SECONDS, deadline - asyncio.get_running_loop().time())
            data, fetched_name, fetched_kind = await _fetch(core, one.url or "", where, room, max(left, 0.1))
            name, kind = name or fetched_name, kind or fetched_kind
        room -= len(data)
        if room < 0:
            raise TooLarge(
                f"the attachments are larger than {most} octets",
                field=where,
                fix="send fewer or smaller attachments, or links to them",
            )
        files.append(
            OutgoingAttachment(
                filename=named(name, kind or OCTETS),
                content_type=kind or type_of(name or ""),
                content=data,
                content_id=bare_content_id(one.content_id) if one.content_id else None,
                inline=one.content_disposition == "inline",
            )
        )
    return files


def uploaded(filename: str, content_type: str, content: bytes, where: str) -> OutgoingAttachment:
    """A file that came as octets. ``where``: its place, for what is wrong with its name. Raises Invalid."""
    given = content_type if is_type(content_type.partition(";")[0].strip().lower()) else None
    one = FileGiven(filename=filename, content_type=given, content="")
    _check(one, where)
    kind = one.content_type or type_of(filename)
    return OutgoingAttachment(filename=named(filename, kind), content_type=kind, content=content)


def _check(one: FileGiven, where: str) -> None:
    if one.content is None and not one.url:
        raise Invalid(f"{where} has neither content nor url", field=where, fix="give content (base64) or url")
    if one.filename is not None and (_CONTROL.search(one.filename) or len(one.filename) > 1000):
        raise Invalid(f"{where}.filename holds a control character or is too long", field=f"{where}.filename")
    if one.content_type:
        name = one.content_type.partition(";")[0].strip().lower()
        if not is_type(name) or _CONTROL.search(one.content_type):
            raise Invalid(f"{where}.content_type is not like text/plain", field=f"{where}.content_type")
        one.content_type = str(media_type(one.content_type))
    if one.content_disposition not in (None, "inline", "attachment"):
        raise Invalid(
            f"{where}.content_disposition is inline or attachment", field=f"{where}.content_disposition"
        )
    if one.content_id and not is_content_id(bare_content_id(one.content_id)):
        raise Invalid(f"{where}.content_id is not an identifier", field=f"{where}.content_id")


def _from_base64(text: str, where: str) -> bytes:
    clean = _SPACE.sub("", text)
    try:
        return base64.b64decode(clean + "=" * (-len(clean) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(
            f"{where} is not base64",
            field=where,
            fix="encode the file's octets as base64",
        ) from None


async def _fetch(core: Core, url: str, where: str, room: int, timeout: float) -> tuple[bytes, str, str]:
    try:
        with Spool(core.spool) as spool:
            got = await core.fetcher.fetch(url, max_bytes=room, timeout=timeout, spool=spool)
            await hold_for(core, len(spool))
            body = await asyncio.to_thread(Content(b"", spool).whole)
    except NetError as error:
        raise Invalid(
            f"{where}.url cannot be fetched: {error}",
            field=f"{where}.url",
            fix="give a public URL that answers 200 at once, or send the file as content",
        ) from error
    return body, got.filename, str(media_type(f"{got.content_type};{got.parameters}"))
