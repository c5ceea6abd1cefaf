"""Reads a ``multipart/form-data`` body (RFC 7578): limited in size, strict, off the event loop.

A form is accepted whole or not at all: a body that ends before its last boundary, or text that is not UTF-8, is
refused, so no file is lost silently. A name may be repeated, or written ``name[]`` or ``name[0]``.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from gateway.api.body import read_body
from gateway.core.errors import Invalid

# its warnings are answered to the client
logging.getLogger("python_multipart").setLevel(logging.ERROR)

MAX_PARTS = 2000
_FRAME = 4096
"""Octets that the header and boundary lines of a part may take."""

# RFC 7578 §4.2 forbids this spelling, but some clients use it
_EXTENDED = re.compile(rb";\s*filename\*\s*=\s*utf-8''([^;\s]*)", re.I)
_INDEX = re.compile(r"\[\d{0,6}\]\Z")
_BROKEN = "send multipart/form-data as curl -F or a form library makes it, or JSON"


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file of a form. ``content_type`` is empty when the part has none."""

    field: str
    filename: str
    content_type: str
    content: bytes


@dataclass(slots=True)
class Form:
    """The fields of a form, in order. ``texts``: (name, value), names without an index such as ``[0]``."""

    texts: list[tuple[str, str]] = field(default_factory=list)
    files: list[FormFile] = field(default_factory=list)

    @property
    def given(self) -> list[str]:
        """The names of the texts that are not empty."""
        return [name for name, value in self.texts if value.strip()]

    def all(self, name: str) -> list[str]:
        """Every value of a repeated field."""
        return [value for field, value in self.texts if field == name]

    def one(self, name: str) -> str | None:
        """The value of a field that may be given once; None when it is missing. Raises Invalid."""
        values = self.all(name)
        if len(values) > 1:
            raise Invalid(f"{name} is given {len(values)} times", field=name, fix=f"give {name} once")
        return values[0] if values else None


def is_form(request: Request) -> bool:
    """Whether the request has a multipart/form-data body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "multipart/form-data"


async def read_form(request: Request, *, max_text: int, max_files: int) -> Form:
    """Read the form of a request. ``max_text``, ``max_files``: octets of all texts and of all files together.

    Raises TooLarge before reading more than that, Invalid for a malformed form.
    """
    _, options = parse_options_header(request.headers.get("content-type", "").encode("latin-1"))
    boundary = options.get(b"boundary", b"")
    if not boundary or len(boundary) > 200:
        raise Invalid("the Content-Type names no boundary", field="Content-Type", fix=_BROKEN)
    data = await read_body(request, max_text + max_files + MAX_PARTS * _FRAME)
    return await asyncio.to_thread(parse_form, data, boundary)


def parse_form(data: bytes, boundary: bytes) -> Form:
    """Parse the octets of a form. Raises Invalid."""
    reader = _Reader(data)
    parser = MultipartParser(boundary, reader.callbacks(), max_header_count=20, max_header_size=_FRAME)  # type: ignore[arg-type]
    try:
        parser.write(data)
        parser.finalize()
    except FormParserError as error:
        raise Invalid(f"the form cannot be read: {error}", field="body", fix=_BROKEN) from None
    if not reader.ended:
        raise Invalid("the form ends before its last boundary", field="body", fix=_BROKEN)
    return reader.form


class _Reader:
    """Collects the parts that the parser finds."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.form = Form()
        self.ended = False
        self.parts = 0
        self.headers: dict[bytes, bytes] = {}
        self.name = b""
        self.value = b""
        self.content: list[bytes] = []

    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.take_name,
            "on_header_value": self.take_value,
            "on_header_end": self.header,
            "on_part_data": self.take_content,
            "on_part_end": self.part,
            "on_end": self.end,
        }

    def begin(self) -> None:
        self.parts += 1
        if self.parts > MAX_PARTS:
            raise Invalid(f"the form has more than {MAX_PARTS} parts", field="body", fix="send fewer")
        self.headers, self.content, self.name, self.value = {}, [], b"", b""

    def take_name(self, data: bytes, start: int, end: int) -> None:
        self.name += data[start:end]

    def take_value(self, data: bytes, start: int, end: int) -> None:
        self.value += data[start:end]

    def header(self) -> None:
        self.headers[self.name.lower()] = self.value
        self.name = self.value = b""

    def take_content(self, data: bytes, start: int, end: int) -> None:
        self.content.append(data[start:end])

    def end(self) -> None:
        self.ended = True

    def part(self) -> None:
        kind, options = parse_options_header(self.headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise Invalid(
                f"part {self.parts} of the form has no name", field="body", fix="name every part of the form"
            )
        name = _INDEX.sub("", _text(options[b"name"], "a field's name"))
        content = b"".join(self.content)
        self.content = []
        extended = _EXTENDED.search(self.headers[b"content-disposition"])
        if b"filename" in options or extended:
            given = unquote_to_bytes(extended[1]) if extended else options[b"filename"]
            # browsers and curl write a quotation mark as %22 (WHATWG HTML, multipart/form-data encoding)
            filename = _text(given, f"the file name of {name}").replace("%22", '"')
            if not filename and not content:
                return  # a file field that was left empty
            content_type = self.headers.get(b"content-type", b"").decode("latin-1").strip()
            self.form.files.append(FormFile(name, filename, content_type, content))
        else:
            self.form.texts.append((name, _text(content, name)))


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Invalid(
            f"{what[:100]} is not UTF-8", field="body", fix="encode the form's text as UTF-8"
        ) from None
