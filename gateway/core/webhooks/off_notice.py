"""A mail to an inbox about a webhook that was switched off: one, from the platform's own domain.

It goes to the webhook's own inbox, else to the oldest inbox of its pod, else to the oldest of its organization: there
is nobody else to write to, and who reads the inbox misses the events. The webhook's row says that a mail is due (it is
switched off with a reason, and nobody was written to), so a restart forgets none; of several processes one claims it.
"""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import urlsplit

from gateway.core.context import Core
from gateway.core.periodic import Periodic
from gateway.core.sending import platform_mail
from gateway.mime.workers.jobs import ComposeFailed
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.records.webhooks import Webhook
from gateway.store.queries.inboxes import oldest_running_inbox, unscoped_inbox
from gateway.store.queries.webhooks import claim_notice, unscoped_webhooks_to_report
from gateway.store.transaction import Tx

log = logging.getLogger("postern.webhooks")

_MOST = 100

_TEXT = """The webhook {id} of this organization is switched off: {reason}.

    url        {url}

{waits}

When the endpoint is mended, switch the webhook on again with a key of the organization:

    PATCH {base}/api/v0/webhooks/{id}
    {{"enabled": true}}

What the endpoint answered: GET {base}/api/v0/webhooks/{id}/attempts
"""


class WebhookNotices(Periodic):
    """Looks for webhooks that were switched off and writes the mails."""

    name, what, log = "webhook-notices", "mails about webhooks that are switched off", log

    async def work(self) -> None:
        """Write the mails that are due."""
        for hook in await self._core.store.read(partial(unscoped_webhooks_to_report, most=_MOST)):
            await self._notify(hook)

    async def _notify(self, hook: Webhook) -> None:
        try:
            await notify_inbox(self._core, hook)
        except (ComposeFailed, ValueError) as error:
            log.warning("nobody is written to that webhook %s is switched off: %s", hook.public_id, error)
            await self._core.store.write(lambda tx: claim_notice(tx, hook.id, now_us()))


async def notify_inbox(core: Core, hook: Webhook) -> None:
    """Queue the mail about a webhook, unless somebody did or it is on again. Raises ComposeFailed, StoreDown."""
    inbox = await core.store.read(lambda tx: _inbox_of(tx, hook))
    if inbox is None:
        log.warning(
            "webhook %s is switched off, and its organization has no inbox to write to", hook.public_id
        )
        await core.store.write(lambda tx: claim_notice(tx, hook.id, now_us()))
        return
    subject = f"Webhook {hook.public_id} is switched off"
    notice = await platform_mail.compose(core, "webhook", inbox.address, subject, text_of(core, hook))

    def write(tx: Tx) -> None:
        if claim_notice(tx, hook.id, now_us()):
            platform_mail.queue(tx, core, notice, hook.organization_id, inbox)

    await core.store.write(write)


def text_of(core: Core, hook: Webhook) -> str:
    """The mail's text. Of the URL without its query, which may hold a secret."""
    url = urlsplit(hook.url)
    most, days = core.settings.webhooks.wait_while_off, core.settings.events.keep_days
    return _TEXT.format(
        id=hook.public_id,
        reason=" ".join((hook.disabled_reason or "").split()),
        url=f"{url.scheme}://{url.hostname or ''}{f':{url.port}' if url.port else ''}{url.path}",
        waits=f"What waits for it and what happens meanwhile is kept, {most} events at the most and for {days} days,\n"
        "and is delivered in order, the oldest of each inbox first, when it is switched on again.",
        base=core.settings.http.public_url.rstrip("/"),
    )


def _inbox_of(tx: Tx, hook: Webhook) -> Inbox | None:
    organization = hook.organization_id
    if hook.inbox_id:
        inbox = unscoped_inbox(tx, hook.inbox_id)
        if inbox is not None and inbox.status in ("active", "suspended"):
            return inbox
    in_pod = oldest_running_inbox(tx, organization, hook.pod_id) if hook.pod_id else None
    return in_pod or oldest_running_inbox(tx, organization, None)
