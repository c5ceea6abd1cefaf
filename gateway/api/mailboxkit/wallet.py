"""The wallet: what an organization may still spend, and topping it up. These routes are not in MailboxKit's API."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.api.mailboxkit.listing import Data
from gateway.api.routing import Call, NoBody, NoQuery, Table
from gateway.core.access import ORGANIZATION, operator_only, reads
from gateway.core.sending import wallet
from gateway.core.sending.wallet import Standing
from gateway.core.sending.wallet_notice import dollars
from gateway.records.ids import number_of

table = Table("wallet")


class WalletView(msgspec.Struct):
    """A wallet. ``emails_remaining``: how many emails without attachments it can pay."""

    organization_id: int
    organization: str
    balance_mills: int
    balance_dollars: str
    spent_mills: int
    emails_remaining: int


class TopUp(msgspec.Struct):
    """How much to add to a wallet."""

    mills: Annotated[
        int, msgspec.Meta(description="amount to add, 1000 a dollar; a negative amount is subtracted")
    ]


_FIX = "run `postern wallet` on the server; GET /wallet shows your own wallet"


@table.get("/wallet", access=reads("metrics_read", kinds=ORGANIZATION))
async def get_wallet(call: Call[NoBody, NoQuery]) -> Data[WalletView]:
    """Get your organization's wallet; 404 on a server without wallets."""
    return Data(_view(await wallet.standing(call.core, call.scope)))


@table.get("/organizations/{organization_id}/wallet", access=operator_only(_FIX))
async def get_wallet_of(call: Call[NoBody, NoQuery]) -> Data[WalletView]:
    """Get the wallet of an organization, by its id or the address of one of its inboxes."""
    return Data(_view(await wallet.standing_of(call.core, call.scope, call.ids["organization_id"])))


@table.post("/organizations/{organization_id}/wallet", access=operator_only(_FIX))
async def top_up(call: Call[TopUp, NoQuery]) -> Data[WalletView]:
    """Add to the wallet of an organization."""
    found = await wallet.add(call.core, call.scope, call.ids["organization_id"], call.body.mills)
    return Data(_view(found))


def _view(found: Standing) -> WalletView:
    return WalletView(
        organization_id=number_of(found.organization.id),
        organization=found.organization.name,
        balance_mills=found.balance,
        balance_dollars=dollars(found.balance),
        spent_mills=found.spent,
        emails_remaining=found.messages,
    )
