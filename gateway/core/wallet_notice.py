"""Telling the owner of an organization that its wallet is empty: one mail, from the platform's own domain."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.core import wallet
from gateway.core.context import Core
from gateway.core.errors import Unpaid
from gateway.mime.jobs import ComposeFailed
from gateway.mime.types import Address, OutgoingMessage
from gateway.outbox.queue import enqueue
from gateway.smarthost.profiles import profile_of
from gateway.store.dkim_keys import active_key
from gateway.store.engine import Row, StoreDown, Tx
from gateway.store.ids import new_ulid, now_us
from mailserver.addresses import fold_domain

log = logging.getLogger("postern.wallet")

_TEXT = """Your organization {organization} could not send an email: its wallet holds too little.

    balance    {balance}
    cost       {cost}

Its inboxes still receive, and everything can be read. To send again, top up the wallet:

    {where}

You are told once; the next time after the wallet was topped up and is empty again.
"""


def dollars(mills: int) -> str:
    """``$0.002``."""
    sign = "-" if mills < 0 else ""
    return f"{sign}${abs(mills) // 1000}.{abs(mills) % 1000:03}"


@asynccontextmanager
async def owner_told(core: Core, inbox: Row) -> AsyncIterator[None]:
    """Tell the owner when what is done inside is refused for want of credit. ``inbox``: which could not send."""
    try:
        yield
    except Unpaid as refused:
        try:
            await tell_owner(core, inbox, refused)
        except (ComposeFailed, StoreDown, ValueError) as error:
            log.warning(
                "the owner of %s is not told of the empty wallet: %s", inbox["organization_id"], error
            )
        raise


async def tell_owner(core: Core, inbox: Row, refused: Unpaid) -> None:
    """Queue the mail when the owner is known and was not told yet."""
    prices, organization_id = core.settings.wallet, inbox["organization_id"]
    told = "SELECT told_at FROM wallet WHERE organization_id = ?"
    if await core.store.read(lambda tx: tx.value(told, organization_id)):
        return
    domain = fold_domain(core.settings.mail.domain)
    row, signing = await core.store.read(
        lambda tx: (
            tx.row("SELECT * FROM organization WHERE id = ?", organization_id),
            profile_of(core.settings).signing(active_key(tx, domain)),
        )
    )
    if row is None or not row["owner_email"]:
        return
    notice_id, at = new_ulid(), now_us()
    message = OutgoingMessage(
        message_id=f"<wallet_{notice_id}@{domain}>",
        sender=Address("Postern", f"postmaster@{domain}"),
        to=[Address("", row["owner_email"])],
        cc=[],
        reply_to=[],
        subject="Your wallet is empty: sending is paused",
        text=_TEXT.format(
            organization=row["name"],
            balance=dollars(refused.balance),
            cost=dollars(refused.cost),
            where=billing_url(core) or "ask the operator of the server",
        ),
        html=None,
        attachments=[],
        headers={"Auto-Submitted": "auto-generated"},
        in_reply_to=None,
        references=[],
        date=at,
    )
    raw, _ = await core.parser.compose(message, signing)

    def write(tx: Tx) -> None:
        wallet.open_wallet(tx, prices, organization_id)
        if not wallet.claim_notice(tx, organization_id):
            return
        enqueue(
            tx,
            outbox_id=notice_id,
            organization_id=organization_id,
            inbox_id=inbox["id"],
            mail_from="",
            message_id=message.message_id,
            token=notice_id,
            mime=raw,
            recipients=[(row["owner_email"], "to")],
        )
        tx.after_commit.append(core.outbox_bell.ring)

    await core.store.write(write)


def billing_url(core: Core, public_url: str = "") -> str:
    """Where credit is bought; empty when nobody said where this server is."""
    base = public_url or core.settings.http.public_url.rstrip("/")
    return core.settings.wallet.billing_url or (f"{base}/billing" if base else "")
