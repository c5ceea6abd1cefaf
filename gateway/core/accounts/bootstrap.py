"""The first start, and bringing the mail server in line with the database at every start."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from gateway.core.accounts.keys import new_key, new_secret
from gateway.core.context import Core
from gateway.core.domains.domains import new_domain
from gateway.records.accounts import Organization, Pod
from gateway.records.ids import ORGANIZATION_ID, POD_ID, OrganizationId, now_us
from gateway.store.queries import organizations
from gateway.store.queries.aliases import unscoped_alias_table
from gateway.store.queries.domains import add_domain_once, unscoped_domain, unscoped_proven_names
from gateway.store.queries.inboxes import unscoped_inboxes, unscoped_quotas
from gateway.store.queries.keys import add_key, unscoped_any_key
from gateway.store.transaction import Tx
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

log = logging.getLogger("postern.bootstrap")

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0)


async def ensure_first_run(core: Core) -> None:
    """Make what every gateway has: an organization with its default pod, the platform domain with its key.

    Safe to repeat; also adds the platform domain when ``mail.domain`` has changed.
    """
    name = fold_domain(core.settings.mail.domain)
    if await core.store.read(lambda tx: unscoped_domain(tx, name)) is None:
        domain = await new_domain(core.settings, name, None)
        await core.store.write(lambda tx: add_domain_once(tx, domain))
        log.info("the platform domain is %s", name)
    await core.store.write(_first_organization)
    await core.mail.add_domain(name)


def _first_organization(tx: Tx) -> OrganizationId:
    """The first organization's ULID, made if there is none."""
    tx.lock("first organization")
    return organizations.unscoped_first_organization_id(tx) or add_organization(tx, "Default").id


def add_organization(tx: Tx, name: str, owner_email: str | None = None) -> Organization:
    """A new organization with its default pod."""
    now = now_us()
    made = Organization(
        id=ORGANIZATION_ID.new(),
        name=name,
        owner_email=owner_email,
        inbox_limit=None,
        domain_limit=None,
        created_at=now,
        updated_at=now,
    )
    pod = Pod(
        id=POD_ID.new(),
        organization_id=made.id,
        name="Default",
        client_id=None,
        is_default=True,
        created_at=now,
        updated_at=now,
    )
    organizations.add_organization(tx, made, pod)
    return made


async def make_key(
    core: Core, name: str, *, organization: OrganizationId | None = None, operator: bool = False
) -> str:
    """An organization key; the first organization's when none is named. Shown once. ``operator``: see ``Scope``."""
    key = new_secret()

    def write(tx: Tx) -> None:
        add_key(tx, new_key(key, organization or _first_organization(tx), name=name, operator=operator))

    await core.store.write(write)
    return key


async def make_first_key(core: Core, name: str) -> str | None:
    """A key of the first organization for a database that holds none; None when it holds one. Shown once."""
    key = new_secret()

    def write(tx: Tx) -> bool:
        organization = _first_organization(tx)
        if unscoped_any_key(tx):
            return False
        add_key(tx, new_key(key, organization, name=name))
        return True

    return key if await core.store.write(write) else None


async def patiently(work: Callable[[], Awaitable[None]]) -> None:
    """Do what needs the mail server while it may be starting anew: again when it fails, for some seconds. ``work`` is
    safe to repeat. Raises MailServerError."""
    for pause in _PAUSES:
        try:
            return await work()
        except MailServerError as error:
            log.warning("the mail server does not answer: %s; it is asked again in %g s", error, pause)
        await asyncio.sleep(pause)
    await work()


async def reconcile_mail_server(core: Core) -> None:
    """Tell the mail server exactly which domains, mailboxes, aliases and quotas there are (start-up repair)."""

    def read(tx: Tx) -> tuple[list[str], list[str], dict[str, list[str]], dict[str, int]]:
        boxes = [one.address for one in unscoped_inboxes(tx)]
        return unscoped_proven_names(tx), boxes, unscoped_alias_table(tx), unscoped_quotas(tx)

    await core.mail.reconcile(*await core.store.read(read))
