"""Mailbox addresses as the lookup tables hold them: lower case, A-label domain. A mailbox may have the delimiter of
subaddresses (RFC 5233) in its name: an address is first looked up as it is written, then without its tags.

A local part of letters, digits, dots and other signs that need no quotes is stored without them everywhere, also where
RFC 5321 §4.1.2 asks for quotes because of its dots (``a..b@``, as some carriers gave out). ``wire_form`` adds them.
"""

from __future__ import annotations

import re

import idna

from mailserver.base import MailServerError

DELIMITER = "+"

# A subset of RFC 5321's dot-string: Postfix gives other characters meanings of their own (bang paths), and a mailbox
# that it or Dovecot refuses is worse than none.
_LOCAL = re.compile(r"[a-z0-9_%+-]+(\.[a-z0-9_%+-]+)*")
_LOCAL_OCTETS = 64  # RFC 5321 §4.5.3.1.1
SENT_MARK = "+sent-"
MARKS = (SENT_MARK, "+b-", "+verp-")
"""What the gateway and its mail servers add to a mailbox's name: for the copy in Sent, for return paths."""

_DOMAIN = re.compile(
    r"(?=.{1,253}$)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f<>]")
_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-"
_DOT_ATOM = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*")
_DOTS_ANYWHERE = re.compile(rf"\.*[{_ATEXT}][{_ATEXT}.]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)


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
    if not at or not _LOCAL.fullmatch(local) or len(local) > _LOCAL_OCTETS:
        raise MailServerError(f"not a mailbox address: {address!r}")
    if any(one in local for one in MARKS):
        raise MailServerError(f"a mailbox address cannot contain {' or '.join(MARKS)}: {address!r}")
    return f"{local}@{fold_domain(domain)}"


def names_of(recipient: str) -> tuple[str, ...]:
    """The addresses that an envelope recipient may mean, the longest first: ``a+b+c@d``, ``a+b@d``, ``a@d``. Empty when
    it is no address. After the recipient itself, only names that a mailbox can have."""
    local, at, domain = stored_form(recipient).rpartition("@")
    quoted = local[:1] == '"'
    if not at or not local or _CONTROL.search(recipient) or (" " in local and not quoted):
        return ()
    try:
        domain = fold_domain(domain)
    except MailServerError:
        return ()
    local = local.lower()
    if quoted:
        return (f"{local}@{domain}",)
    names = []
    while local:
        names.append(f"{local}@{domain}")
        # a stranger chooses the length: without this bound, the names of one address would fill the memory
        local = local[: _LOCAL_OCTETS + 1].rpartition(DELIMITER)[0]
    return tuple(names)


def is_sent_copy(recipient: str) -> bool:
    """Whether an address names the folder Sent of a mailbox, genuine or not."""
    return SENT_MARK in stored_form(recipient).rpartition("@")[0].lower()


def unescaped(text: str) -> str:
    """What is inside a quoted string (RFC 5322 §3.2.4) without its backslashes."""
    return re.sub(r"\\(.)", r"\1", text, flags=re.S)


def stored_local(text: str) -> str:
    """A local part as it is stored: in quotes where other signs than dots need them."""
    if _DOTS_ANYWHERE.fullmatch(text):
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def stored_form(address: str) -> str:
    """An address as it is stored: without quotes that only its dots need, or nothing."""
    local, at, domain = address.rpartition("@")
    quoted = _QUOTED.fullmatch(local)
    return f"{stored_local(unescaped(quoted[1]))}{at}{domain}" if quoted else address


def wire_form(address: str) -> str:
    """An address as SMTP and header fields have it: in quotes what is no dot-atom only because of its dots."""
    local, at, domain = address.rpartition("@")
    bare = _DOTS_ANYWHERE.fullmatch(local) and not _DOT_ATOM.fullmatch(local)
    return f'"{local}"{at}{domain}' if bare else address
