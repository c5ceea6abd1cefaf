"""Logs one line for each request: request id, key id, status, milliseconds. Keys are never logged: headers are
left out, and ``?api_key=`` is masked."""

from __future__ import annotations

import logging
import re

from starlette.requests import Request

from gateway.records.ids import KEY_ID, KeyId

_SECRET = re.compile(r"(?i)\b(api_key|token|signature|sig)=[^&]*")


def log_request(
    log: logging.Logger, request: Request, request_id: str, key_id: KeyId | None, status: int, seconds: float
) -> None:
    """Log an answered request. The JSON formatter reads the fields from the record's attributes."""
    if not log.isEnabledFor(logging.INFO):
        return
    path = printable(request.scope.get("raw_path") or request.url.path.encode())
    query = redacted(request.scope.get("query_string", b""))
    log.info(
        "%s %s%s %d",
        request.method,
        path,
        f"?{query}" if query else "",
        status,
        extra={
            "request_id": request_id,
            "key_id": KEY_ID.public(key_id),
            "method": request.method,
            "path": path,
            "status": status,
            "ms": round(seconds * 1000, 2),
            "client": request.client.host if request.client else None,
        },
    )


def redacted(query: bytes) -> str:
    """A query string with keys, tokens and signatures masked."""
    return _SECRET.sub(r"\1=…", printable(query))


def printable(raw: bytes) -> str:
    """Octets of a request line as one line of ASCII, at most 2000 octets; other octets are percent-encoded."""
    return "".join(chr(b) if 32 < b < 127 else f"%{b:02X}" for b in raw[:2000])
