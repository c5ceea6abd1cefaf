"""Reading a JSON request body: bounded, tolerant of Content-Type, and naming the field that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import isclass
from typing import Any, TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from gateway.api.errors import from_msgspec
from gateway.core.errors import Invalid, Missing, TooLarge

T = TypeVar("T")

_LOOKED_THROUGH = 1_000_000
"""Octets of a wrong body that is read a second time, to name every field that is wrong."""


async def read_body(request: Request, limit: int) -> bytes:
    """The whole body. Raises TooLarge before reading more than ``limit`` octets."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and (len(announced) > 18 or int(announced) > limit):
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            chunks.append(chunk)
    except ClientDisconnect:
        raise Invalid("the request body ended early") from None
    return b"".join(chunks)


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
