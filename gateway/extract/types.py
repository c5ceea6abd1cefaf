"""What reading an attachment gives, and what it takes."""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["pdf", "ocr", "office", "csv", "text"]
Method = Literal[
    "pdf", "ocr", "office", "csv", "text",
    "unsupported", "skipped_too_large",
    "pdf_error", "ocr_error", "office_error", "csv_error", "text_error",
]  # fmt: skip


class Extracted(msgspec.Struct, frozen=True, array_like=True):
    """``method`` names the kind of reader, with the text it found (perhaps empty); or a reason, without text."""

    method: Method
    text: str | None = None


class Wanted(msgspec.Struct, frozen=True, array_like=True):
    """An attachment to read: its IMAP section in the message (see ``mime.types.Attachment``), type and name."""

    section: str
    content_type: str
    filename: str | None


class WorkerSettings(msgspec.Struct, frozen=True):
    """How a process is started: octets of memory, seconds of processor time for a file, seconds of wall clock for
    a message, languages as tesseract takes them."""

    memory: int
    cpu: int
    deadline: float
    languages: str


IF_DEAD, DONE = b"?", b"!"
UNSUPPORTED = Extracted("unsupported")
TOO_LARGE = Extracted("skipped_too_large")
ERROR: dict[Kind, Extracted] = {
    "pdf": Extracted("pdf_error"),
    "ocr": Extracted("ocr_error"),
    "office": Extracted("office_error"),
    "csv": Extracted("csv_error"),
    "text": Extracted("text_error"),
}
