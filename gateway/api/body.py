"""Reading a JSON request body: bounded, tolerant of Content-Type, and naming the field that is wrong."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from inspect import isclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from gateway.api.errors import from_msgspec
from gateway.core.context import Core
from gateway.core.disk_room import disk_full
from gateway.core.errors import Invalid, Missing, TooLarge, Unavailable
from gateway.store.scope import Scope
from mailserver.content import Content, Spool
from mailserver.inflight import NoRoom
from mailserver.memory import NoMemory, Tab

T = TypeVar("T")

_LOOKED_THROUGH = 1_000_000
"""Octets of a wrong body that is read a second time, to name every field that is wrong."""


INTAKE = "postern.intake"
"""Where the ASGI scope holds the request's ``Intake``."""

TIMES = 4
"""What reading, decoding and using a large body takes, in its own size."""

_PATIENCE = 300.0
_GATHERED = 64 * 1024


@dataclass(slots=True)
class Intake:
    """How the body of one request is taken in. ``client``: whom it counts as; ``tab``: what holds memory for it."""

    core: Core
    client: str
    tab: Tab

    def known(self, scope: Scope) -> None:
        """The request came with a key: it counts as its organization's."""
        self.client = self.tab.client = scope.organization


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body: on disk until all of it is there, then in memory as soon as there is room for it.

    Raises TooLarge before reading more than ``limit`` octets, Unavailable when too many come in at once.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    intake: Intake | None = request.scope.get(INTAKE)
    if intake is None:  # what is not for callers with keys has a small limit of its own
        return b"".join([chunk async for chunk in _chunks(request, limit)])
    core = intake.core
    with core.inflight.upload(intake.client) as upload, Spool(core.spool) as spool:
        gathered = bytearray()
        try:
            async for chunk in _chunks(request, limit):
                upload.add(len(chunk))
                gathered += chunk
                if len(gathered) >= _GATHERED:
                    await spool.append(bytes(gathered))
                    gathered.clear()
            if not len(spool):
                return bytes(gathered)
            await spool.append(bytes(gathered))
            await intake.tab.need(TIMES * len(spool), _PATIENCE)
            return await asyncio.to_thread(Content(b"", spool).whole)
        except (NoRoom, NoMemory):
            raise Unavailable(
                "too many large requests come in at once",
                10,
                fix="try again, with fewer large requests at a time; limits.octets_in_flight bounds them",
            ) from None
        except OSError as error:
            raise no_space(error) from error


async def _chunks(request: Request, limit: int) -> AsyncIterator[bytes]:
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            yield chunk
    except ClientDisconnect:
        raise Invalid("the request body ended early") from None


def no_space(error: OSError) -> Unavailable:
    """A body that could not be written to disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    return Unavailable(f"the request cannot be kept now: {error.strerror}", 60, fix="try again later")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the request body is larger than {limit} octets", fix="send fewer or smaller attachments"
    )


def decode(data: bytes, type: type[T]) -> T:
    """JSON text as a value of ``type``; an empty body stands for ``{}``. Raises Invalid."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        data = b"{}"
    try:
        str(data, "utf-8")  # msgspec looks at the fields of ``type`` only
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError as error:
        wrong = from_msgspec(error)
        if len(data) <= _LOOKED_THROUGH:
            wrong.also = [one for one in _wrong_fields(data, type) if one.field != wrong.field]
        raise wrong from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        words = str(error) if isinstance(error, msgspec.DecodeError) else "it is not UTF-8"
        raise Invalid(
            f"the request body is not JSON: {words}", field="body", fix="send a JSON object"
        ) from error
    except RecursionError:
        raise Invalid(
            "the request body is nested too deeply", field="body", fix="send a flat object"
        ) from None


def _wrong_fields(data: bytes, type: Any) -> Iterator[Invalid]:
    """Each field of a struct that does not do; msgspec stops at the first."""
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):  # what comes after the first wrong field is no JSON
        return
    if not (isinstance(given, dict) and isclass(type) and issubclass(type, msgspec.Struct)):
        return
    for field in msgspec.structs.fields(type):
        name = field.encode_name
        if name not in given:
            if field.required:
                yield Missing(name)
            continue
        try:
            msgspec.convert(given[name], field.type)
        except msgspec.ValidationError as error:
            yield from_msgspec(error, name)


def encode(value: Any) -> bytes:
    """Compact UTF-8 JSON with unescaped non-ASCII (DESIGN §4)."""
    return msgspec.json.encode(value)
