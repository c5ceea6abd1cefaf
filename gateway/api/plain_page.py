"""A page of plain HTML for people who follow a link of a mail: no script, nothing from elsewhere, fit for a phone."""

from __future__ import annotations

import base64
import hashlib

from starlette.responses import HTMLResponse

_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:12vh auto;padding:0 1em;color:#222}"
    "button,input{font:inherit;padding:.5em 1.2em;margin:.3em .6em .3em 0;max-width:100%;box-sizing:border-box}"
    "input{width:22em}"
    "pre{font:16px/1.45 system-ui,sans-serif;white-space:pre-wrap;overflow-wrap:anywhere;"
    "border-left:4px solid #bbb;padding-left:1em}"
    "dl{display:grid;grid-template-columns:auto 1fr;gap:.2em 1em;overflow-wrap:anywhere}dt{color:#666}dd{margin:0}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}


def plain_page(status: int, title: str, body: str) -> HTMLResponse:
    """A page. ``title`` and ``body`` are HTML: what others wrote is escaped by the caller."""
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>",
        status,
        _HEADERS,
    )
