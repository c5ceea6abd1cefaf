"""Mailbox addresses: reading them from header fields, and strict validation of those we are given."""

from __future__ import annotations

import re
from collections.abc import Callable

import idna

from gateway.mime.headers import decode_words
from gateway.mime.types import Address
from mailserver.address_field import mailboxes
from mailserver.addresses import stored_local, unescaped, wire_form

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.S)
_QUOTABLE = re.compile(r"[ !-;=?-~]+")  # printable ASCII but < and >, by which many programs find an address
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
_NAME = 998
_ONE_EACH = "give each address as an item of its own"
MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3: a path is 256 with its brackets
MAX_LOCAL = 64


class InvalidAddress(ValueError):
    """An address we were given cannot be used; the message says what is wrong, in words for the caller."""


def parse_address_list(value: str, limit: int = 2000, decoded: Callable[[str], str] = str) -> list[Address]:
    """Mailboxes of an unfolded address field (not yet RFC 2047 decoded), groups flattened, at most ``limit``.

    Words that belong to no mailbox come as an address without an @ (``MAILER-DAEMON``). ``decoded`` turns a name as
    written in ``value`` into one that can be shown.
    """
    found: list[Address] = []
    for one in mailboxes(value):
        name, email = _display(decoded(one.name)), one.address
        if "@" not in email:
            email = _display(decoded(email))
        if name or email:
            found.append(Address(name, email))
            if len(found) >= limit:
                break
    return found


def _display(text: str) -> str:
    text = " ".join(text.split())
    if '"' in text:
        text = re.sub(r'"((?:[^"\\]|\\.)*)"?', lambda m: re.sub(r"\\(.)", r"\1", m[1]), text)
    text = decode_words(text).strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return _INVISIBLE.sub("", _FORBIDDEN.sub(" ", text)).strip()[:_NAME]


def parse_user_address(text: str) -> Address:
    """One address a caller gave: ``a@b`` or ``Name <a@b>``. The domain is returned as A-labels, lower case.

    Raises:
        InvalidAddress: says what is wrong with it; also when it is more than one address.
    """
    if not isinstance(text, str) or not text.strip():
        raise InvalidAddress("an address is empty")
    if found := _FORBIDDEN.search(text):
        raise InvalidAddress(f"an address holds the control character U+{ord(found[0]):04X}")
    if _INVISIBLE.search(text.rpartition("<")[2]):
        raise InvalidAddress("an address holds an invisible character")
    if len(text) > 1000:
        raise InvalidAddress("an address is longer than 1000 characters")
    text = text.strip()
    name, spec = "", text
    if text.endswith(">"):
        # The last "<" outside quotes starts the address.
        head, bracket, tail = text[:-1].rpartition("<")
        if not bracket:
            raise InvalidAddress(f"{text!r} has a '>' without a '<'")
        name, spec = head.strip(), tail.strip()
    elif "<" in text:
        problem = f"words behind its '>'; {_ONE_EACH}" if ">" in text else "a '<' without a '>'"
        raise InvalidAddress(f"{text!r} has {problem}")
    return Address(_given_name(name, spec), check_address(spec))


def _given_name(text: str, spec: str) -> str:
    """A display name as a caller wrote it. Raises InvalidAddress where it holds another address without quotes."""
    outside = _QUOTED.sub(" ", text)
    if "<" in outside or ">" in outside:
        raise InvalidAddress(f"an address holds more than one pair of angle brackets; {_ONE_EACH}")
    for word in re.split(r"[\s,;]+", outside):
        local, _, domain = word.rpartition("@")
        if local and domain and word.lower() != spec.lower():
            raise InvalidAddress(f"{word[:100]!r} is another address before {spec[:100]!r}; {_ONE_EACH}")
    if quoted := _QUOTED.fullmatch(text):
        return unescaped(quoted[1])
    return " ".join(_QUOTED.sub(lambda part: f" {unescaped(part[1])} ", text).split())


def check_address(spec: str) -> str:
    """The addr-spec ``spec`` made canonical: local part as it is stored, domain in lower-case A-labels (RFC 5891).

    Raises:
        InvalidAddress: missing or doubled @, bad local part (RFC 5321 §4.1.2; dots may be anywhere in it), bad domain,
            too long.
    """
    if found := _FORBIDDEN.search(spec):
        raise InvalidAddress(f"an address holds the control character U+{ord(found[0]):04X}")
    quoted = _QUOTED.match(spec)
    if quoted and spec[quoted.end() : quoted.end() + 1] == "@":
        local, domain = unescaped(quoted[1]), spec[quoted.end() + 1 :]
        if not _QUOTABLE.fullmatch(local):
            raise InvalidAddress(
                f"{quoted[0]!r} is not a valid part before the @ (printable ASCII without < and >)"
            )
        local = stored_local(local)
    else:
        if spec.count("@") != 1:
            many = f"more than one @; {_ONE_EACH}" if "@" in spec else "no @"
            raise InvalidAddress(f"{spec[:100]!r} has {many}")
        local, _, domain = spec.partition("@")
        if not local:
            raise InvalidAddress(f"{spec[:100]!r} has nothing before the @")
        if len(local) <= MAX_LOCAL and stored_local(local) != local:
            raise InvalidAddress(
                f"{local!r} is not a valid part before the @ (letters, digits and !#$%&'*+/=?^_`{{|}}~-.; other"
                ' signs in "quotes")'
            )
    if len(local) > MAX_LOCAL:
        raise InvalidAddress(f"the part before the @ is longer than {MAX_LOCAL} characters")
    if "=?" in local and "?=" in local:
        # mail programs decode it (RFC 2047 §2) although it is an address, to whatever its author liked
        raise InvalidAddress(f"{local!r} has the form of an encoded word; it cannot be the part before the @")
    result = f"{local}@{check_domain(domain)}"
    if len(wire_form(result)) > MAX_ADDRESS:
        raise InvalidAddress(f"an address is longer than {MAX_ADDRESS} characters")
    return result


def check_domain(domain: str) -> str:
    """``domain`` in lower-case A-labels (RFC 5890). Raises InvalidAddress when it is no DNS name."""
    text = domain.strip().rstrip(".") if domain.count(".") and domain.endswith(".") else domain
    if not text:
        raise InvalidAddress("the domain is empty")
    if len(text) > 253:
        raise InvalidAddress("the domain is longer than 253 characters")
    if not text.isascii():
        try:
            text = idna.encode(text, uts46=True, transitional=False).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise InvalidAddress(f"{domain!r} is not a valid international domain: {error}") from None
    labels = text.lower().split(".")
    if len(text) > 253 or not all(_LABEL.match(label) for label in labels):
        raise InvalidAddress(f"{domain!r} is not a valid domain")
    if len(labels) > 1 and labels[-1].isdecimal():
        raise InvalidAddress(f"{domain!r} is an IP address, not a domain")
    return ".".join(labels)


def normalise(email: str) -> str:
    """The form addresses are compared in: lower case; a subaddress (``+tag``) is kept."""
    return email.strip().lower()
