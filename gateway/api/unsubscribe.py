"""``/unsubscribe/TOKEN``: the link in List-Unsubscribe (RFC 8058), for mail programs and for people.

POST unsubscribes, without a login and with any body, because some mail programs send none. GET shows a page with a
button and changes nothing, because link scanners fetch the links of a message.
"""

from __future__ import annotations

import html
from functools import partial

from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from gateway.api.plain_page import plain_page
from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.core.sending.unsubscribe import PATH, Wish, unsubscribe, wish_of
from gateway.store.engine import StoreDown


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
        return plain_page(404, "This link does not work", "<p>Please use the link of the mail, whole.</p>")
    except StoreDown:
        page = plain_page(503, "Not now", "<p>Please try again in a minute.</p>")
        page.headers["Retry-After"] = "60"
        return page
    return plain_page(
        200, "Unsubscribed", f"<p>{html.escape(wish.address)} gets no more mail from this sender.</p>"
    )


def _ask(wish: Wish) -> HTMLResponse:
    return plain_page(
        200,
        "Unsubscribe",
        f"<p>Shall {html.escape(wish.address)} get no more mail from this sender?</p>"
        '<form method="post"><button name="List-Unsubscribe" value="One-Click">Unsubscribe</button></form>',
    )
