"""How much mail an inbox may hold: a record of its own here, applied by the mail server through its lookup tables.

The record is the truth: a change is committed first and then passed to the mail server, and every start brings the
lookup tables in line with the records. Null in the record is the mail server's default (setting ``mail.quota``), 0 no
limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from gateway.core.context import Core
from gateway.core.errors import Forbidden, Invalid
from gateway.core.lookup import find_reachable_inbox, require
from gateway.core.mail.server_copy import on_server
from gateway.records.ids import now_us
from gateway.records.inboxes import Inbox
from gateway.store.queries.inboxes import change_inbox, stored_octets, unscoped_quotas
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.imap import Client

LEAST = 1 << 20
MOST = 1 << 53  # what a number of JSON still says exactly


@dataclass(frozen=True, slots=True)
class Quota:
    """``own``: octets, 0 for no limit, None for the default. ``limit``: what holds, 0 for none. ``used``: octets the
    mailbox holds now, as the mail server counts them where there is a limit, else the sum of its messages."""

    inbox: Inbox
    own: int | None
    default: int
    used: int

    @property
    def limit(self) -> int:
        return self.default if self.own is None else self.own


async def get(core: Core, scope: Scope, ref: str) -> Quota:
    """The quota of an inbox and what is used of it. Raises NotFound, Forbidden, Unavailable."""
    require(scope, "inbox_read")
    inbox = await core.store.read(lambda tx: find_reachable_inbox(tx, scope, ref))
    return await _quota(core, inbox)


async def set_quota(core: Core, scope: Scope, ref: str, octets: int | None) -> Quota:
    """Change the quota of an inbox; it holds from the next delivery on.

    Args:
        octets: 0 for no limit, None for the mail server's default.

    Raises:
        Forbidden: The key is one of a pod or inbox, lacks inbox_update, or, not being the operator's, asks for more
            than the mail server's default.
        Invalid, NotFound: The size or the inbox is not one.
        MailServerError: The mail server did not take it; the record is kept, and the same call may be repeated.
    """
    require(scope, "inbox_update")
    if scope.kind != "organization":
        raise Forbidden("a key of one pod or inbox cannot change quotas", fix="use a key of the organization")
    if octets is not None and octets and not LEAST <= octets <= MOST:
        raise Invalid(
            f"a quota is 0 (no limit), or from {LEAST} to {MOST} octets",
            field="quota_bytes",
            fix="give at least one mebibyte (1048576), 0, or null for the default",
        )
    default = core.settings.mail.quota
    if octets is not None and default and not scope.operator and not 0 < octets <= default:
        raise Forbidden(
            f"only the operator of this server gives an inbox more than the default of {default} octets",
            fix="ask for less, or have the operator run `postern inbox quota` on the gateway's machine",
        )

    def write(tx: Tx) -> Inbox:
        inbox = find_reachable_inbox(tx, scope, ref)
        changed = max(now_us(), inbox.updated_at + 1000)
        change_inbox(tx, inbox.id, quota=octets, updated_at=changed)
        return msgspec.structs.replace(inbox, quota=octets, updated_at=changed)

    inbox = await core.store.write(write)
    await core.mail.set_quota(inbox.address, octets)
    await core.imap.drop(inbox.address)  # an open session keeps the quota that it began with
    return await _quota(core, inbox)


async def suspend(core: Core) -> None:
    """Let every mailbox hold what it is given, until ``bootstrap.reconcile_mail_server``. Records stay."""
    for address in await core.store.read(unscoped_quotas):
        await core.mail.set_quota(address, 0)


async def _quota(core: Core, inbox: Inbox) -> Quota:
    own, default = inbox.quota, core.settings.mail.quota
    used = (
        await on_server(core, inbox.address, Client.storage_used)
        if (default if own is None else own)
        else None
    )
    if used is None:
        used = await core.store.read(lambda tx: stored_octets(tx, inbox.id))
    return Quota(inbox, own, default, used)
