"""Mailbox addresses: reading them from hostile headers, and strict validation of those we are given.

Reading is one pass over RFC 5322 §3.4 tokens (quotes, comments, groups, angle brackets), so nested comments and
3,000 recipients cost what they weigh. Display names and addresses are kept apart: a name that looks like an
address never becomes one (CVE-2023-27043).
"""

from __future__ import annotations

import re

import idna

from gateway.mime.headers import decode_words
from gateway.mime.types import Address

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[()<>,;:]|\\.|[^"()<>,;:\\]+|\\', re.S)
_DOT_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*\Z")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\Z")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029\ud800-\udfff]")
_INVISIBLE = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")
MAX_ADDRESS = 254  # RFC 5321 §4.5.3.1.3: a path is 256 with its brackets
MAX_LOCAL = 64


class InvalidAddress(ValueError):
    """An address we were given cannot be used; the message says what is wrong, in words for the caller."""


def parse_address_list(value: str, limit: int = 2000) -> list[Address]:
    """Mailboxes of an unfolded address field (not yet RFC 2047 decoded), groups flattened, at most ``limit``."""
    found: list[Address] = []
    words: list[str] = []
    angle: list[str] | None = None
    angle_done: str | None = None
    comment: list[str] = []
    depth = 0

    def finish() -> None:
        nonlocal words, angle, angle_done, comment
        if angle is not None and angle_done is None:
            angle_done = "".join(angle)
        address = _mailbox(words, angle_done, comment)
        if address is not None:
            found.append(address)
        words, angle, angle_done, comment = [], None, None, []

    for match in _TOKEN.finditer(value):
        piece = match[0]
        if depth:
            depth += (piece == "(") - (piece == ")")
            if depth and len(comment) < 64:
                comment.append(piece)
        elif piece == "(":
            depth = 1
        elif angle is not None and angle_done is None:
            if piece == ">":
                angle_done = "".join(angle)
            elif len(angle) < 64:
                angle.append(piece)
        elif piece == "<":
            if angle_done is None:
                angle = []
        elif piece == "," or piece == ";":
            finish()
            if len(found) >= limit:
                return found
        elif piece == ":":
            if angle_done is None and "@" not in "".join(words[-1:]):
                words = []  # the group's name (RFC 5322 §3.4)
        elif piece not in ")>" and angle_done is None:
            words.append(piece)
    finish()
    return found[:limit]


def _mailbox(words: list[str], angle: str | None, comment: list[str]) -> Address | None:
    if angle is not None:
        email = _bare(angle)
        name = _display("".join(words))
        # "a@b" <c@d>: the angle address is the address; the rest is only a name.
        return Address(name, email) if email or name else None
    text = "".join(words).strip()
    if not text:
        return None
    if "@" not in text:
        name = _display(text)
        return Address("", name) if name else None
    parts = text.split()
    if len(parts) > 1 and not text.startswith('"') and re.search(r"\s@|@\s", text) is None:
        # "Jane Doe jane@example.org" without brackets: the one word with an @ is the address.
        with_at = [part for part in parts if "@" in part]
        if len(with_at) == 1:
            name = _display(" ".join(part for part in parts if part is not with_at[0]))
            return Address(name, _bare(with_at[0]))
    return Address(_display("".join(comment)), _bare(text))


def _bare(text: str) -> str:
    text = text.strip()
    if text.startswith("@") and ":" in text:
        text = text.split(":", 1)[1]  # obsolete source route (RFC 5322 §4.4)
    if not text.startswith('"'):
        text = "".join(text.split())
    return _INVISIBLE.sub("", _FORBIDDEN.sub("", text))[:998]


def _display(text: str) -> str:
    text = " ".join(text.split())
    if '"' in text:
        text = re.sub(r'"((?:[^"\\]|\\.)*)"?', lambda m: re.sub(r"\\(.)", r"\1", m[1]), text)
    text = decode_words(text).strip()
    if len(text) > 1 and text[0] == text[-1] == "'":
        text = text[1:-1]
    return _INVISIBLE.sub("", _FORBIDDEN.sub(" ", text)).strip()[:998]


def parse_user_address(text: str) -> Address:
    """One address a caller gave: ``a@b`` or ``Name <a@b>``. The domain is returned as A-labels, lower case.

    Raises:
        InvalidAddress: says what is wrong with it.
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
        name, spec = _given_name(head.strip()), tail.strip()
    elif "<" in text:
        raise InvalidAddress(f"{text!r} has a '<' without a '>'")
    return Address(name, check_address(spec))


def _given_name(text: str) -> str:
    if len(text) > 1 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    if "<" in text or ">" in text:
        raise InvalidAddress("an address holds more than one pair of angle brackets")
    return text


def check_address(spec: str) -> str:
    """The addr-spec ``spec`` made canonical: local part as given, domain in lower-case A-labels (RFC 5891).

    Raises:
        InvalidAddress: missing or doubled @, bad local part (RFC 5321 §4.1.2, no quoted strings), bad domain,
            too long.
    """
    if found := _FORBIDDEN.search(spec):
        raise InvalidAddress(f"an address holds the control character U+{ord(found[0]):04X}")
    if spec.count("@") != 1:
        raise InvalidAddress(f"{spec[:100]!r} has {'no' if '@' not in spec else 'more than one'} @")
    local, _, domain = spec.partition("@")
    if not local:
        raise InvalidAddress(f"{spec[:100]!r} has nothing before the @")
    if len(local) > MAX_LOCAL:
        raise InvalidAddress(f"the part before the @ is longer than {MAX_LOCAL} characters")
    if not _DOT_ATOM.match(local):
        raise InvalidAddress(
            f"{local!r} is not a valid part before the @ (letters, digits and !#$%&'*+/=?^_`{{|}}~-.)"
        )
    if "=?" in local and "?=" in local:
        # mail programs decode it (RFC 2047 §2) although it is an address, to whatever its author liked
        raise InvalidAddress(f"{local!r} has the form of an encoded word; it cannot be the part before the @")
    result = f"{local}@{check_domain(domain)}"
    if len(result) > MAX_ADDRESS:
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


def is_own(email: str, own: str) -> bool:
    """Whether an address is ``own`` or one of its subaddresses: ``Me+x@D`` is ``me@d``'s (RFC 5233)."""
    local, at, domain = normalise(email).rpartition("@")
    own_local, _, own_domain = normalise(own).rpartition("@")
    same = local == own_local or local.startswith(own_local + "+")
    return bool(at and own_local) and same and domain == own_domain
