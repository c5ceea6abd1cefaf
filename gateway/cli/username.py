"""The name of an inbox as people write it: a username, or a whole address."""

from __future__ import annotations

from gateway.cli.failure import USAGE, Failure
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError


def username_and_domain(name: str | None, domain: str | None) -> tuple[str | None, str | None]:
    """Split ``name`` (``bot`` or ``bot@second.example``) into username and domain.

    Args:
        name: What was given as the inbox's name; None to have one made up.
        domain: What was given as its domain beside it; None for the platform's.

    Returns:
        Username and domain, each as it was written; None for what was not given.

    Raises:
        Failure: The address has no username or no domain, or names another domain than ``domain``.
    """
    if name is None or "@" not in name:
        return name, domain
    username, _, of_address = name.strip().rpartition("@")
    if not username or not of_address or "@" in username:
        raise Failure(
            f"{name!r} is neither a username nor an address",
            USAGE,
            fix="write a username such as bot, or an address such as bot@example.com",
        )
    if domain is not None and _folded(domain) != _folded(of_address):
        raise Failure(
            f"the address is at {of_address}, but --domain says {domain}",
            USAGE,
            fix="leave --domain out, or give the username alone",
        )
    return username, of_address


def _folded(domain: str) -> str:
    try:
        return fold_domain(domain)
    except MailServerError:
        return domain.lower()  # the gateway says what is wrong with it
