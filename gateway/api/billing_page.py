"""``/billing`` and ``/api-docs``: the pages that ``billing_url`` and ``docs_url`` of a refused send link to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.core.context import Core
from gateway.core.sending.wallet_notice import dollars

_PAGE = """Sending from this mail server is prepaid: {mail} an email, {attachment} an attachment.
Receiving and reading are free, and so is everything a sandbox key (mbk_test_...) does.

What your organization has left:    GET /api/v1/wallet

The operator of this server tops wallets up:

    postern wallet add ORGANIZATION DOLLARS

ORGANIZATION is your organization's id, or the address of one of its inboxes.
"""


def billing_routes(core: Core) -> list[BaseRoute]:
    """The routes of both pages; none when ``wallet.enabled`` is off."""
    prices = core.settings.wallet
    if not prices.enabled:
        return []
    page = _PAGE.format(mail=dollars(prices.mail_mills), attachment=dollars(prices.attachment_mills))

    async def billing(request: Request) -> Response:
        return PlainTextResponse(page)

    async def documents(request: Request) -> Response:
        return RedirectResponse("docs", 302)

    return [Route("/billing", billing, methods=["GET"]), Route("/api-docs", documents, methods=["GET"])]
