"""``/unsubscribe/TOKEN``: the link in List-Unsubscribe (RFC 8058), for mail programs and for people.

POST unsubscribes, without a login and with any body, because some mail programs send none. GET shows a page with a
button and changes nothing, because link scanners fetch the links of a message.
"""

from __future__ import annotations

import base64
import hashlib
import html
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.sending.unsubscribe import PATH, Wish, unsubscribe, wish_of
from gateway.store.engine import StoreDown

_STYLE = (
    "body{font:18px/1.5 system-ui,sans-serif;max-width:34em;margin:12vh auto;padding:0 1em;color:#222}"
    "button{font:inherit;padding:.5em 1.2em}"
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


def unsubscribe_routes(core: Core) -> list[Route]:
    """The route of the link."""
    return [Route(f"{PATH}/{{token}}", partial(_answer, core), methods=["GET", "POST"])]


async def _answer(core: Core, request: Request) -> HTMLResponse:
    try:
        wish = wish_of(core.secret, request.path_params["token"])
        if request.method != "POST":
            return _ask(wish)
        await unsubscribe(core, wish)
    except NotFound:
        return _page(404, "This link does not work", "<p>Please use the link of the mail, whole.</p>")
    except StoreDown:
        page = _page(503, "Not now", "<p>Please try again in a minute.</p>")
        page.headers["Retry-After"] = "60"
        return page
    return _page(
        200, "Unsubscribed", f"<p>{html.escape(wish.address)} gets no more mail from this sender.</p>"
    )


def _ask(wish: Wish) -> HTMLResponse:
    return _page(
        200,
        "Unsubscribe",
        f"<p>Shall {html.escape(wish.address)} get no more mail from this sender?</p>"
        '<form method="post"><button name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form>',
    )


def _page(status: int, title: str, body: str) -> HTMLResponse:
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>{body}</body></html>",
        status,
        _HEADERS,
    )
