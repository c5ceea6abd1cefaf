"""Patterns of recipients: ``a@x.com``, ``x.com``, ``*.x.com`` (x.com and all below it), ``*`` (everybody).

Of two patterns one holds all addresses of the other, or they have none in common. So what two sets of patterns have in
common is a set of their patterns again.
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.core.address_entries import check_entry
from gateway.core.errors import Invalid
from gateway.store.allow_block_lists import names_of

EVERYBODY = "*"


def check_pattern(text: str, field: str) -> str:
    """A pattern as it is kept. Raises Invalid naming ``field``."""
    if text.strip() == EVERYBODY:
        return EVERYBODY
    try:
        return check_entry(text)[0]
    except Invalid:
        raise Invalid(
            f"{text[:100]!r} is neither an address nor a domain",
            field=field,
            fix="write a@example.com, example.com, *.example.com (it and all below it), or * for everybody",
        ) from None


def means(patterns: Iterable[str], address: str) -> bool:
    """Whether one of the patterns means an address."""
    held = patterns if isinstance(patterns, set | frozenset) else set(patterns)
    return EVERYBODY in held or not held.isdisjoint(names_of(address))


def common(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Patterns of exactly the addresses that both sets mean, sorted."""
    left, right = set(some), set(others)
    both = {one for one in left if right & _over(one)} | {one for one in right if left & _over(one)}
    return tuple(sorted(both))


def within(some: Iterable[str], others: Iterable[str]) -> bool:
    """Whether every address that ``some`` mean is one that ``others`` mean."""
    right = set(others)
    return all(right & _over(one) for one in some)


def _over(pattern: str) -> set[str]:
    """The patterns that hold all addresses of one, itself among them."""
    if pattern == EVERYBODY:
        return {EVERYBODY}
    if "@" in pattern:
        return {EVERYBODY, *names_of(pattern)}
    domain = pattern.removeprefix("*.")
    names = {one for one in names_of(f"@{domain}") if "@" not in one}
    if domain != pattern:
        names.discard(domain)
    return {EVERYBODY, *names}
