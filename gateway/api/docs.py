"""``/docs``: the API description as a page, rendered in the browser from ``/openapi.json``.

One file of our own, no CDN, no framework: the policy below allows nothing but this page and that request.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

PAGE = files("gateway.api").joinpath("docs.html").read_text("utf-8")


def _hash_of(tag: str) -> str:
    text = PAGE.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"


_POLICY = (
    f"default-src 'none'; script-src {_hash_of('script')}; style-src {_hash_of('style')}; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


async def docs_page(request: Request) -> Response:
    """The page."""
    return Response(
        PAGE,
        media_type="text/html",
        headers={
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
        },
    )
