"""Mailbox addresses as the lookup tables hold them: lower case, A-label domain, no subaddress (RFC 5233)."""

from __future__ import annotations

import re

import idna

from mailserver.base import MailServerError

DELIMITER = "+"

# A subset of RFC 5321's dot-string: Dovecot (auth_username_chars) and Postfix (percent hack, bang paths) give
# other characters meanings of their own, and a mailbox that one of them refuses is worse than none.
_LOCAL = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_CONTROL = re.compile(r"[\x00-\x20\x7f<>]")


def fold_domain(domain: str) -> str:
    """``domain`` in lower-case A-label form. Raises MailServerError when it is none."""
    folded = domain.strip().rstrip(".").lower()
    if not folded.isascii():
        try:
            folded = idna.encode(folded, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise MailServerError(f"not a domain: {domain!r}") from error
    if not _DOMAIN.fullmatch(folded):
        raise MailServerError(f"not a domain: {domain!r}")
    return folded


def fold(address: str) -> str:
    """The address of a mailbox to provision. Raises MailServerError for one no table may hold."""
    local, at, domain = address.strip().rpartition("@")
    local = local.lower()
    if not at or not _LOCAL.fullmatch(local) or len(local.encode()) > 64:
        raise MailServerError(f"not a mailbox address: {address!r}")
    return f"{local}@{fold_domain(domain)}"


def split_recipient(recipient: str) -> tuple[str, str]:
    """(mailbox address, subaddress tag) of an envelope recipient; ("", "") when it is no address."""
    local, at, domain = recipient.rpartition("@")
    if not at or not local or _CONTROL.search(recipient):
        return "", ""
    try:
        domain = fold_domain(domain)
    except MailServerError:
        return "", ""
    local, _, tag = local.lower().partition(DELIMITER)
    return f"{local}@{domain}", tag
