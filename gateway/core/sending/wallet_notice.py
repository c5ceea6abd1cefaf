"""Telling the owner of an organization that its wallet is empty: one mail, from the platform's own domain."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core.context import Core
from gateway.core.errors import Unpaid
from gateway.core.sending import platform_mail, wallet
from gateway.mime.workers.jobs import ComposeFailed
from gateway.records.inboxes import Inbox
from gateway.store.engine import StoreDown
from gateway.store.queries.organizations import unscoped_organization
from gateway.store.queries.wallets import claim_notice, wallet_of
from gateway.store.transaction import Tx

log = logging.getLogger("postern.wallet")

_TEXT = """Your organization {organization} could not send an email: its wallet holds too little.

    balance    {balance}
    cost       {cost}

Its inboxes still receive, and everything can be read. To send again, top up the wallet:

    {where}

You get this mail once; the next time after the wallet was topped up and is empty again.
"""


def dollars(mills: int) -> str:
    """``$0.002``."""
    sign = "-" if mills < 0 else ""
    return f"{sign}${abs(mills) // 1000}.{abs(mills) % 1000:03}"


@asynccontextmanager
async def notifying_owner(core: Core, inbox: Inbox) -> AsyncIterator[None]:
    """Tell the owner when what is done inside is refused for want of credit. ``inbox``: which could not send."""
    try:
        yield
    except Unpaid as refused:
        try:
            await tell_owner(core, inbox, refused)
        except (ComposeFailed, StoreDown, ValueError) as error:
            log.warning(
                "the owner of %s is not notified of the empty wallet: %s", inbox.organization_id, error
            )
        raise


async def tell_owner(core: Core, inbox: Inbox, refused: Unpaid) -> None:
    """Queue the mail when the owner is known and was not notified yet."""
    prices, organization_id = core.settings.wallet, inbox.organization_id
    held = await core.store.read(lambda tx: wallet_of(tx, organization_id))
    if held is not None and held.told_at is not None:
        return
    row = await core.store.read(lambda tx: unscoped_organization(tx, organization_id))
    if row is None or not row.owner_email:
        return
    text = _TEXT.format(
        organization=row.name,
        balance=dollars(refused.balance),
        cost=dollars(refused.cost),
        where=billing_url(core) or "ask the operator of the server",
    )
    subject = "Your wallet is empty: sending is paused"
    notice = await platform_mail.compose(core, "wallet", row.owner_email, subject, text)

    def write(tx: Tx) -> None:
        wallet.open_wallet(tx, prices, organization_id)
        if claim_notice(tx, organization_id):
            platform_mail.queue(tx, core, notice, organization_id, inbox)

    await core.store.write(write)


def billing_url(core: Core, public_url: str = "") -> str:
    """Where credit is bought; empty when nobody said where this server is."""
    base = public_url or core.settings.http.public_url.rstrip("/")
    return core.settings.wallet.billing_url or (f"{base}/billing" if base else "")
