"""``mail.trusted_sealers``: whose ARC seals are believed, by both mail servers."""

from __future__ import annotations

from gateway.configuration import BadSettings
from gateway.settings import Settings
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError


def trusted_sealers(settings: Settings) -> tuple[str, ...]:
    """The domains, folded. Raises BadSettings."""
    try:
        return tuple(fold_domain(one) for one in settings.mail.trusted_sealers)
    except MailServerError as error:
        raise BadSettings(f"mail.trusted_sealers takes domains such as lists.example.org: {error}") from error
