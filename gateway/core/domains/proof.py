"""From when on mail for a domain is ours.

Any organization may add any domain, and mail between inboxes of this server never asks DNS. So that nobody takes the
mail that others here send to a domain he only named, or writes to them in its name, a domain counts only once DNS
has shown that its owner wants it here: the MX record names this host, and the DKIM record holds the key that was
made for this very row. Until then the mail server does not know the domain and it can have no inbox. Once shown it
stays: a DNS failure must not turn mail away. The platform's own domain needs no proof, nor does any in the
development profile, nor one that the operator trusts (``postern domain trust``: MX at a filter in front of us, say).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from gateway.core.context import Core
from gateway.core.errors import NotFound
from gateway.records.domains import Domain
from gateway.records.ids import now_us
from gateway.settings import Settings
from gateway.store.queries.domains import change_domain, unscoped_domain
from gateway.store.transaction import Tx
from mailserver.dns import Record


def proven_at_birth(settings: Settings, organization: str | None) -> bool:
    """Whether a domain of this organization (None: the platform's) needs no proof."""
    return organization is None or settings.profile == "development"


def shows_proof(records: Sequence[Record]) -> bool:
    """Whether these answers of DNS prove it."""
    valid = {one.purpose for one in records if one.status == "VALID"}
    return {"mx", "dkim"} <= valid


async def trust(core: Core, name: str) -> Domain:
    """Take the operator's word for a domain. Raises NotFound."""

    def write(tx: Tx) -> Domain:
        domain = unscoped_domain(tx, name)
        if domain is None:
            raise NotFound(f"there is no domain {name!r}", fix="`postern domain add` adds one")
        return prove(tx, domain)

    domain = await core.store.write(write)
    await core.mail.add_domain(domain.name)
    return domain


def prove(tx: Tx, domain: Domain) -> Domain:
    """Note that the domain is proven; the caller then adds it to the mail server (or the next start does)."""
    if domain.proven_at is not None:
        return domain
    now = now_us()
    change_domain(tx, domain.name, proven_at=now, updated_at=now)
    return replace(domain, proven_at=now, updated_at=now)
