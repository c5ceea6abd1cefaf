"""Telling an inbox that a webhook was switched off: one mail, from the platform's own domain.

It goes to the webhook's own inbox, else to the oldest inbox of its pod, else to the oldest of its organization: there
is nobody else to write to, and who reads the inbox misses the events. What is to be told stands in the webhook's row
(switched off with a reason, nobody written to yet), so that a restart forgets none; of several processes one claims it.
"""

from __future__ import annotations

import asyncio
import logging
from urllib.parse import urlsplit

from gateway.core.context import Core
from gateway.mime.jobs import ComposeFailed
from gateway.mime.types import Address, OutgoingMessage
from gateway.outbox.queue import enqueue
from gateway.smarthost.profiles import profile_of
from gateway.store.dkim_keys import active_key
from gateway.store.engine import Row, StoreDown, Tx
from gateway.store.ids import new_ulid, now_us
from mailserver.addresses import fold_domain

log = logging.getLogger("postern.webhooks")

_EVERY = 5.0

_TEXT = """The webhook wh_{id} of this organization is switched off: {reason}.

    url        {url}

{waits}

When the endpoint is mended, switch the webhook on again with a key of the organization:

    PATCH {base}/api/v0/webhooks/wh_{id}
    {{"enabled": true}}

What the endpoint answered: GET {base}/api/v0/webhooks/wh_{id}/attempts
"""


class WebhookNotices:
    """Looks for webhooks that were switched off and writes the mails."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start; what was switched off while nobody looked is told at once."""
        self._task = asyncio.create_task(self._run(), name="webhook-notices")

    async def stop(self) -> None:
        """Stop at once: what is not told yet is told after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                for hook in await self._core.store.read(_due):
                    await self._tell(hook)
            except StoreDown as error:
                log.warning("mails about webhooks that are switched off wait for the database: %s", error)
            except Exception:
                log.exception("mails about webhooks that are switched off failed; it is tried again")
            await asyncio.sleep(_EVERY)

    async def _tell(self, hook: Row) -> None:
        try:
            await tell_inbox(self._core, hook)
        except (ComposeFailed, ValueError) as error:
            log.warning("nobody is written to that webhook wh_%s is switched off: %s", hook["id"], error)
            await self._core.store.write(lambda tx: _claim(tx, hook["id"]))


async def tell_inbox(core: Core, hook: Row) -> None:
    """Queue the mail about a webhook's row, unless somebody did or it is on again. Raises ComposeFailed, StoreDown."""
    domain = fold_domain(core.settings.mail.domain)
    inbox, signing = await core.store.read(
        lambda tx: (_inbox_of(tx, hook), profile_of(core.settings).signing(active_key(tx, domain)))
    )
    if inbox is None:
        log.warning(
            "webhook wh_%s is switched off, and its organization has no inbox to write to", hook["id"]
        )
        await core.store.write(lambda tx: _claim(tx, hook["id"]))
        return
    notice_id = new_ulid()
    message = OutgoingMessage(
        message_id=f"<webhook_{notice_id}@{domain}>",
        sender=Address("Postern", f"postmaster@{domain}"),
        to=[Address("", inbox["address"])],
        cc=[],
        reply_to=[],
        subject=f"Webhook wh_{hook['id']} is switched off",
        text=text_of(core, hook),
        html=None,
        attachments=[],
        headers={"Auto-Submitted": "auto-generated"},
        in_reply_to=None,
        references=[],
        date=now_us(),
    )
    raw, _ = await core.parser.compose(message, signing)

    def write(tx: Tx) -> None:
        if not _claim(tx, hook["id"]):
            return
        enqueue(
            tx,
            outbox_id=notice_id,
            organization_id=hook["organization_id"],
            inbox_id=inbox["id"],
            mail_from="",
            message_id=message.message_id,
            token=notice_id,
            mime=raw,
            recipients=[(inbox["address"], "to")],
        )
        tx.after_commit.append(core.outbox_bell.ring)

    await core.store.write(write)


def text_of(core: Core, hook: Row) -> str:
    """The mail's text. Of the URL without its query, which may hold a secret."""
    url = urlsplit(hook["url"])
    most, days = core.settings.webhooks.wait_while_off, core.settings.events.keep_days
    return _TEXT.format(
        id=hook["id"],
        reason=" ".join((hook["disabled_reason"] or "").split()),
        url=f"{url.scheme}://{url.hostname or ''}{f':{url.port}' if url.port else ''}{url.path}",
        waits=f"What waits for it and what happens meanwhile is kept, {most} events at the most and for {days} days,\n"
        "and is delivered in order, the oldest of each inbox first, when it is switched on again.",
        base=core.settings.http.public_url.rstrip("/"),
    )


def _due(tx: Tx) -> list[Row]:
    return tx.rows(
        "SELECT id, organization_id, pod_id, inbox_id, url, disabled_reason FROM webhook "
        "WHERE enabled = 0 AND disabled_reason IS NOT NULL AND off_mailed_at IS NULL ORDER BY id LIMIT 100"
    )


def _claim(tx: Tx, webhook_id: str) -> bool:
    return bool(
        tx.run(
            "UPDATE webhook SET off_mailed_at = ? "
            "WHERE id = ? AND enabled = 0 AND disabled_reason IS NOT NULL AND off_mailed_at IS NULL",
            now_us(),
            webhook_id,
        )
    )


def _inbox_of(tx: Tx, hook: Row) -> Row | None:
    for column in ("inbox_id", "pod_id", "organization_id"):
        if hook[column] is None:
            continue
        name = "id" if column == "inbox_id" else column
        row = tx.row(
            f"SELECT id, address FROM inbox WHERE organization_id = ? AND {name} = ? "  # noqa: S608
            "AND status IN ('active', 'suspended') ORDER BY created_at, id LIMIT 1",
            hook["organization_id"],
            hook[column],
        )
        if row is not None:
            return row
    return None
