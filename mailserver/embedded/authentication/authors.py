"""Whose domains a message says that it is from."""

from __future__ import annotations

from collections.abc import Sequence

from mailserver.address_field import addresses
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError
from mailserver.embedded import wire

_AUTHORS = 5  # domains of a mail's authors that are looked up


def author_domains(fields: Sequence[bytes]) -> tuple[list[str], bool]:
    """The domains that a mail names as its author's, the shown one first, and whether it names exactly one.

    Without an address in From the Sender is shown.
    """
    named = [field for field in fields if wire.name_of(field) == b"from"]
    shown = addresses(named[:1]) or addresses(one for one in fields if wire.name_of(one) == b"sender")
    domains = [_domain(one) for one in (*shown, *addresses(named[1:]))]
    known = list(dict.fromkeys(one for one in domains if one))
    return known[:_AUTHORS], len(named) == len(known) == 1 and "" not in domains


def _domain(address: str) -> str:
    try:
        return fold_domain(address.rpartition("@")[2])
    except MailServerError:
        return ""
