"""Aliases and catch-alls: who else's mail a mailbox gets. Part of :class:`mailserver.provisioning.Provisioning`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from mailserver.addresses import fold, fold_domain
from mailserver.base import REFUSED, MailServerError
from mailserver.directory import Directory


class Aliasing:
    """What both mail servers do about addresses that are no mailbox of their own."""

    directory: Directory

    async def set_alias(self, address: str, mailboxes: Sequence[str]) -> None:
        await asyncio.to_thread(self.directory.set_aliases, _folded({address: mailboxes}))

    async def _reconcile_aliases(self, wanted: Mapping[str, Sequence[str]]) -> None:
        """Make the tables hold exactly these."""
        gone: dict[str, Sequence[str]] = dict.fromkeys(self.directory.aliases(), ())
        await asyncio.to_thread(self.directory.set_aliases, gone | _folded(wanted))

    def is_local(self, address: str) -> bool:
        return bool(self.targets(address))

    def targets(self, address: str) -> tuple[str, ...]:
        """The mailboxes that mail to an envelope recipient reaches."""
        return self.directory.targets(self.directory.named(address))


def fold_alias(address: str) -> str:
    """An alias, or ``@domain``, as the tables hold it. Raises MailServerError for one no table may hold."""
    local, at, domain = address.strip().rpartition("@")
    return fold(address) if local or not at else f"@{fold_domain(domain)}"


def _folded(wanted: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    found: dict[str, Sequence[str]] = {}
    for address, to in wanted.items():
        alias = fold_alias(address)
        found[alias] = [one if one == REFUSED else fold(one) for one in to]
        if alias in found[alias]:
            raise MailServerError(f"an alias cannot lead to itself: {alias}")
    return found
