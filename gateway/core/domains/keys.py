"""Rotating the DKIM key of a domain without a moment in which mail cannot be verified.

A new key waits until its record is seen in DNS and only then signs. The record of the old one stays for
``dns.dkim_overlap_days``: mail signed with it is still on its way, in our outbox or in somebody's queue.
"""

from __future__ import annotations

import asyncio
import string
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.core.context import Core
from gateway.core.domains.check import checker_of, verify
from gateway.core.domains.domains import find_domain, own_domain
from gateway.core.domains.records import Keys, keys_of
from gateway.core.errors import Forbidden
from gateway.core.lookup import require
from gateway.mime.dkim_sign import generate_key
from gateway.records.base import Secret
from gateway.records.domains import Domain
from gateway.store.dkim_keys import activate_next, add_next, key_selectors, next_key
from gateway.store.engine import NotUnique
from gateway.store.scope import Scope
from gateway.store.transaction import Tx
from mailserver.dns import Record


@dataclass(frozen=True, slots=True)
class Rotation:
    """``coming``: the new key's record as DNS has it; ``done``: it signs from now on."""

    domain: Domain
    coming: Record
    done: bool
    keys: Keys


async def rotate(core: Core, scope: Scope, ref: str, *, force: bool = False) -> Rotation:
    """Make a new key, or check again for the record of the one made before; it signs once DNS has it, or by ``force``.

    Safe to repeat. Raises NotFound, Forbidden.
    """
    require(scope, "domain_update")
    domain, waiting = await core.store.read(lambda tx: _look(tx, scope, ref))
    name = domain.name
    if not waiting:
        private, public = await asyncio.to_thread(generate_key)
        try:
            await core.store.write(
                lambda tx: add_next(tx, name, _selector(tx, domain), Secret(private), public)
            )
        except NotUnique:
            pass  # another one did the same just now
    keys = await core.store.read(lambda tx: keys_of(tx, core.settings, name))
    if keys.coming is None:  # that other one has finished, too
        return await rotate(core, scope, ref, force=force)
    coming = (await (await checker_of(core.settings)).check([keys.coming]))[0]
    done = force or coming.status == "VALID"
    if done:
        await core.store.write(lambda tx: activate_next(tx, name))
        domain = await verify(core, scope, name)
        keys = await core.store.read(lambda tx: keys_of(tx, core.settings, name))
    return Rotation(domain, coming, done, keys)


def _look(tx: Tx, scope: Scope, ref: str) -> tuple[Domain, bool]:
    domain = find_domain(tx, scope, ref)
    if domain.organization_id is None and not scope.operator:
        raise Forbidden("this is the platform's own domain", fix="the operator rotates its key")
    if domain.organization_id is not None:
        own_domain(scope, domain)
    return domain, next_key(tx, domain.name) is not None


def _selector(tx: Tx, domain: Domain) -> str:
    """Named after the day; a letter more for the second and following ones of a day."""
    taken = {domain.dkim_selector, *key_selectors(tx, domain.name)}
    base = f"p{datetime.now(UTC):%Y%m%d}"
    names = (base, *(f"{base}{a}{b}" for a in ("", *string.ascii_lowercase) for b in string.ascii_lowercase))
    return next(one for one in names if one not in taken)
