"""Addresses of the platform's own domain that only its operator may have."""

from __future__ import annotations

from gateway.core.context import Core
from gateway.core.errors import Taken
from gateway.store.scope import Scope
from mailserver.addresses import DELIMITER, fold_domain

RESERVED = frozenset(
    (
        "abuse",
        "admin",
        "administrator",
        "hostmaster",
        "mailer-daemon",
        "noc",
        "postmaster",
        "root",
        "security",
        "webmaster",
    )
)
"""By these names a domain's operator is reached (RFC 2142, RFC 5321 §4.5.1), and by some of them certificate
authorities ask whether a certificate for the domain may be given out. Nobody else's domain is meant: there its owner
is the operator."""


def check_reserved(core: Core, scope: Scope, username: str, domain: str) -> None:
    """Raise Taken where the name, whatever its tag, is kept for the operator and this is not his key."""
    ours = domain == fold_domain(core.settings.mail.domain)
    if ours and username.lower().partition(DELIMITER)[0] in RESERVED and not scope.operator:
        raise Taken(
            f"the address {username.lower()}@{domain} is kept for the operator", fix="choose another name"
        )
