"""What a contact of an organization is found by (column ``value`` of table ``contact``).

=========  ============================================  =============================================
key        of                                            finds
=========  ============================================  =============================================
``a:``     the address                                   the address
``n:``     the display name as it looks                  who has the same name
``d:``     the domain                                    the domain
``s:``     the domain as it looks                        a domain that looks the same
``h9:``    the beginning of a domain of 9 characters     a domain that differs further on
``t9:``    the rest of it                                a domain that differs in the beginning
=========  ============================================  =============================================
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.mime.confusables import skeleton
from gateway.mime.lookalike import looks_of
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

_LONGEST_ADDRESS = 320
_SHORTEST_NAME = 5


class Key(NamedTuple):
    """A key, and the address or domain that it finds."""

    value: str
    about: str


class Folded(NamedTuple):
    """An address in the form in which contacts are compared."""

    address: str
    domain: str


def fold_address(email: str) -> Folded | None:
    """An address as contacts are compared: lower case, A-labels; None for what is none."""
    local, at, domain = email.strip().rpartition("@")
    if not at or not local or len(email) > _LONGEST_ADDRESS:
        return None
    try:
        domain = fold_domain(domain)
    except MailServerError:
        return None
    return Folded(f"{local.lower()}@{domain}", domain)


def keys_of(email: str, name: str) -> list[Key]:
    """All keys of a contact; none for what is no address."""
    folded = fold_address(email)
    if folded is None:
        return []
    address, domain = folded
    keys = [
        Key(address_key(address), address),
        Key(domain_key(domain), domain),
        Key(shape_key(domain), domain),
    ]
    keys += [Key(value, domain) for value in _halves(domain)]
    named = name_key(name)
    return [*keys, Key(named, address)] if named else keys


def address_key(address: str) -> str:
    """The key of a folded address."""
    return f"a:{address}"


def domain_key(domain: str) -> str:
    """The key of a folded domain."""
    return f"d:{domain}"


def shape_key(domain: str) -> str:
    """The key of what a folded domain looks like."""
    return f"s:{looks_of(domain)}"


def name_key(name: str) -> str | None:
    """The key of a display name; None for one that says too little to be a person's or a company's (a word alone, an
    address)."""
    words = skeleton(name.replace(".", " ").replace(",", " ").replace("-", " ")).split()
    text = " ".join(words)
    if "@" in text or len(text) < _SHORTEST_NAME or (len(words) < 2 and text.isascii()):
        return None
    return f"n:{' '.join(sorted(words))}"


def near_keys(domain: str) -> list[str]:
    """The keys of every domain that looks like a folded domain or the one that it is below, or is one edit away."""
    found: dict[str, None] = {}
    for name in with_parents(domain):
        found[domain_key(name)] = None
        found[shape_key(name)] = None
        for length in range(len(name) - 1, len(name) + 2):
            half = _half(length)
            found[f"h{length}:{name[:half]}"] = None
            found[f"t{length}:{name[len(name) - (length - half) :]}"] = None
        half = _half(len(name))  # two characters that changed places across the halves
        found[
            domain_key(name[: half - 1] + name[half : half + 1] + name[half - 1 : half] + name[half + 1 :])
        ] = None
    return list(found)


def with_parents(domain: str) -> list[str]:
    """A domain and the two above it, without top-level domains."""
    labels = domain.split(".")
    return [".".join(labels[at:]) for at in range(max(1, min(3, len(labels) - 1)))]


def _halves(domain: str) -> Iterator[str]:
    length, half = len(domain), _half(len(domain))
    yield f"h{length}:{domain[:half]}"
    yield f"t{length}:{domain[half:]}"


def _half(length: int) -> int:
    """Where a domain of some length is cut: ``.com`` and its like tell nothing apart."""
    return max(1, (length - 4) // 2)
