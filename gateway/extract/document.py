"""One attachment to its text: the reader of its kind is asked, and whatever goes wrong gets its name."""

from __future__ import annotations

import re

from gateway.extract.limits import FILE_OCTETS, TEXT_CHARS, Absent, TooMuch, Unreadable
from gateway.extract.ocr import read_image
from gateway.extract.office import read_office
from gateway.extract.pdf import read_pdf
from gateway.extract.plain import read_html, read_text
from gateway.extract.types import ERROR, TOO_LARGE, UNSUPPORTED, Extracted, Kind, Wanted
from gateway.mime.charset import scrub
from gateway.mime.invisible import visible

_HTML = ("text/html", "application/xhtml+xml")
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]")


def read_document(
    data: bytes, kind: Kind, wanted: Wanted, charset: str | None = None, languages: str = "eng"
) -> Extracted:
    """Read a file of this kind. Never raises for what is in it. ``languages`` as tesseract takes them."""
    if len(data) > FILE_OCTETS:
        return TOO_LARGE
    try:
        text = _read(kind, data, wanted, charset, languages)
    except (TooMuch, MemoryError):
        return TOO_LARGE
    except Absent:
        return UNSUPPORTED
    except Unreadable:
        return ERROR[kind]
    except (
        ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, OSError, AssertionError,
        NotImplementedError, RuntimeError,
    ):  # fmt: skip
        return ERROR[kind]  # what a library has no name for
    return Extracted(kind, visible(_CONTROL.sub("", scrub(text))[:TEXT_CHARS]))


def _read(kind: Kind, data: bytes, wanted: Wanted, charset: str | None, languages: str) -> str:
    if kind == "pdf":
        return read_pdf(data)
    if kind == "ocr":
        return read_image(data, languages)
    if kind == "office":
        return read_office(data)
    name = (wanted.filename or "").lower()
    if kind == "text" and (wanted.content_type in _HTML or name.endswith((".html", ".htm"))):
        return read_html(data, charset)
    return read_text(data, charset)
