"""Logging: one JSON object a line (or text for people) on standard error, or entries of systemd's journal, with no key
and no password in it.

Whatever code passes as ``extra`` becomes a field. ``request_id`` names the request a line belongs to: set
:data:`current_request` while serving one. Third-party loggers that write mail or commands are kept at WARNING.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any, Literal

from gateway.service import journal

Form = Literal["auto", "json", "text", "journal"]

current_request: ContextVar[str | None] = ContextVar("current_request", default=None)

QUIET = (
    "aioimaplib",
    "aiosmtpd",
    "asyncio",
    "dkim",
    "httpx2",
    "imapclient",
    "mail.log",
    "mailparser",
    "mcp",
    "sse_starlette",
    "uvicorn",
    "websockets",
)

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_SECRET = re.compile(
    r"\b(inai_|om_|mbk_(?:live_|test_)?|whsec_)[A-Za-z0-9+/_-]{12,}={0,2}|(?i:(\bbearer\s+))[^\s\"',]+"
    r"|(?i:(\b(?:api_key|password|secret|passwd)\b[\"']?\s*[=:]\s*[\"']?))[^\s\"',&}]+"
)
_SECRET_FIELD = re.compile(r"(?i)(^|_)(password|secret|api_key|authorization)$")


def configure(level: str = "info", form: Form = "json", stream: IO[str] | None = None) -> None:
    """Set up the process's logging; a second call replaces the first.

    ``form`` auto: the journal where standard error is connected to it, else JSON. ``stream``: not standard error.
    """
    if form == "auto":
        form = "journal" if stream is None and journal.is_standard_error() else "json"
    handler: logging.Handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(TextLines() if form == "text" else JsonLines())
    if form == "journal":
        handler = journal.JournalHandler(fields_of, fallback=handler)
        handler.setFormatter(MessageOnly())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def scrub(text: str) -> str:
    """``text`` without API keys, webhook secrets, bearer tokens and ``password=`` values."""
    return _SECRET.sub(lambda match: (match[1] or match[2] or match[3]) + "…", text)


def fields_of(record: logging.LogRecord) -> dict[str, Any]:
    """What was passed as ``extra``, and the current request's id; secrets are cut out."""
    found: dict[str, Any] = {}
    for name, value in vars(record).items():
        if name in _STANDARD or value is None:
            continue
        if _SECRET_FIELD.search(name):
            found[name] = "…"
        else:
            found[name] = value if isinstance(value, int | float) else scrub(str(value))
    request = current_request.get()
    if request and "request_id" not in found:
        found["request_id"] = request
    return found


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC, RFC 3339), ``level``, ``logger``, ``message``, then the fields."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrub(record.getMessage()),
        }
        line.update({name: value for name, value in fields_of(record).items() if name not in line})
        if record.exc_info:
            line["exception"] = scrub(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


class TextLines(logging.Formatter):
    """``12:30:01 warning postern.sync: MESSAGE``, then a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = _time(record)[11:19]
        message = scrub(record.getMessage()).replace("\r", "\\r").replace("\n", "\n    ")
        line = f"{at} {record.levelname.lower():<7} {record.name}: {message}"
        if record.exc_info:
            line += "\n" + scrub(self.formatException(record.exc_info))
        return line


class MessageOnly(logging.Formatter):
    """The message alone, then a traceback where there is one: time, level and fields are beside it."""

    def format(self, record: logging.LogRecord) -> str:
        message = scrub(record.getMessage())
        return message + "\n" + scrub(self.formatException(record.exc_info)) if record.exc_info else message


def _time(record: logging.LogRecord) -> str:
    at = datetime.fromtimestamp(record.created, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
