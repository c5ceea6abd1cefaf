"""Reads a JSON request body: its size is limited, Content-Type is ignored, and errors name the wrong field."""

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
from gateway.api.unknown_fields import check_json, refuses
from gateway.core.context import Core
from gateway.core.disk_room import disk_full
from gateway.core.errors import Invalid, Missing, TooLarge, Unavailable
from gateway.settings import Settings
from gateway.store.scope import Scope
from mailserver.content import Content, Spool
from mailserver.inflight import NoRoom
from mailserver.memory import NoMemory, Tab

T = TypeVar("T")

_EXPLAINED = 1_000_000
"""Octets: an invalid body of at most this size is decoded a second time, to name every wrong field."""

INTAKE = "postern.intake"
"""The key of the request's ``Intake`` in the ASGI scope."""

TIMES = 4
"""Memory that reading, decoding and using a large body takes, as a multiple of the body's size."""

_PATIENCE = 300.0  # seconds to wait for memory
_GATHERED = 64 * 1024  # octets written to disk at a time


@dataclass(slots=True)
class Intake:
    """How to read the body of one request. ``client``: whose limit it counts towards; ``tab``: reserves its memory."""

    core: Core
    client: str
    tab: Tab

    def known(self, scope: Scope) -> None:
        """Count the request towards the organization of its key."""
        self.client = self.tab.client = scope.organization


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. It is kept on disk until complete, then read into memory once there is room for it.

    Raises TooLarge before reading more than ``limit`` octets, Unavailable when too many requests arrive at once.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    intake: Intake | None = request.scope.get(INTAKE)
    if intake is None:  # routes without keys have a small limit of their own
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
                "too many large requests arrive at once",
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
    """The error for a body that could not be written to disk."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return disk_full()
    return Unavailable(
        f"the request body cannot be written to disk: {error.strerror}", 60, fix="try again later"
    )


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        f"the request body is larger than {limit} octets", fix="send fewer or smaller attachments"
    )


def decode(data: bytes, type: type[T]) -> T:
    """Decode JSON text as ``type``; an empty body counts as ``{}``. Raises Invalid."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        data = b"{}"
    try:
        str(data, "utf-8")  # msgspec checks the UTF-8 of the fields of ``type`` only
        return msgspec.json.decode(data, type=type)
    except msgspec.ValidationError as error:
        wrong = from_msgspec(error)
        if len(data) <= _EXPLAINED:
            wrong.also = [other for other in _wrong_fields(data, type) if other.field != wrong.field]
        raise wrong from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error) if isinstance(error, msgspec.DecodeError) else "it is not UTF-8"
        raise Invalid(
            f"the request body is not JSON: {reason}", field="body", fix="send a JSON object"
        ) from error
    except RecursionError:
        raise Invalid(
            "the request body is nested too deeply", field="body", fix="send a flat object"
        ) from None


def decode_body(data: bytes, type: type[T], settings: Settings) -> T:
    """Decode a request body as ``type``; an unknown field that matters is refused (``gateway.api.unknown_fields``).

    Raises Invalid.
    """
    value = decode(data, type)
    check_json(data, type, refuses(settings))
    return value


def _wrong_fields(data: bytes, type: Any) -> Iterator[Invalid]:
    """An error for each wrong field of a struct; msgspec itself stops at the first."""
    try:
        given = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):  # what follows the first wrong field is not JSON
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
    """Encode as compact UTF-8 JSON; non-ASCII characters are not escaped."""
    return msgspec.json.encode(value)
