"""Whether a domain is easily taken for another: it looks the same, or is one edit away.

An edit is a letter more, a letter less, another letter, or two that changed places.
"""

from __future__ import annotations

from gateway.mime.confusables import shown_domain, skeleton

_SHORTEST = 5  # characters of a name in which one edit means something
_SHARED = (
    4  # characters of a label that two names of one organization have in common: not ``co`` in ``co.uk``
)


def is_lookalike(domain: str, known: str, *, same_look: bool) -> bool:
    """Whether ``domain`` may be taken for ``known``. Both are in lower case, A-labels; ``same_look``: ``looks_of`` them
    is the same."""
    if domain == known or _same_organization(domain, known):
        return False
    name, _, _ = known.rpartition(".")
    return same_look or (len(name) >= _SHORTEST and one_edit(domain, known))


def looks_of(domain: str) -> str:
    """What a domain (A-labels) looks like."""
    return skeleton(shown_domain(domain))


def one_edit(one: str, other: str) -> bool:
    """Whether two texts differ by one character more, less or another, or by two neighbours that changed places."""
    short, long = sorted((one, other), key=len)
    if short == long or len(long) - len(short) > 1:
        return False
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    if short[start + 1 :] == long[start + 1 :]:
        return True
    swapped = short[start : start + 2][::-1]
    return swapped == long[start : start + 2] and short[start + 2 :] == long[start + 2 :]


def _same_organization(one: str, other: str) -> bool:
    """Whether two domains are below the same name: mail1.example.com and mail2.example.com."""
    mine, theirs = one.split(".")[-2:], other.split(".")[-2:]
    return mine == theirs and len(mine) == 2 and len(mine[0]) >= _SHARED
