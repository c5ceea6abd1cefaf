"""DMARC (RFC 9989): which policy covers an author's domain, and whether SPF or DKIM proves that domain."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mailserver.embedded.authentication.lookups import Lookups, Unanswered
from mailserver.embedded.authentication.tree_walk import Record, organization_of, record_at, walk

Aligned = Literal["strict", "relaxed", "no"]
POLICIES = ("none", "quarantine", "reject")
"""The mildest first."""
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]{0,30}:[^\s,!]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Identifier:
    """A domain that SPF or DKIM checked, and the tag of the policy that says how strictly it must align."""

    result: str
    domain: str
    mode: Literal["aspf", "adkim"]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What DMARC says of one author's domain.

    ``aligned``: of each identifier, in order; None where name servers did not tell. ``published``: the policy as it
    covers this domain, from the record at ``domain``; both empty without one. ``strict``: the modes that are.
    """

    author: str
    result: str
    aligned: tuple[Aligned | None, ...] = ()
    published: str = ""
    domain: str = ""
    strict: frozenset[str] = frozenset()

    def proves(self, identifiers: Sequence[Identifier], aligned: Sequence[Aligned | None]) -> bool:
        """Whether one of ``identifiers`` passed and is ``aligned`` as strictly as the policy asks."""
        pairs = zip(identifiers, aligned, strict=True)
        return any(one.result == "pass" and enough(one, how, self.strict) for one, how in pairs)


def evaluate(lookups: Lookups, author: str, identifiers: Sequence[Identifier]) -> Evaluation:
    """The result of DMARC (RFC 9989 §5.3). Where nothing passed and an aligned check could not be made for now, that is
    no failure: it is ``temperror``."""
    aligned = tuple(alignment(lookups, author, one.domain) for one in identifiers)
    try:
        record = policy_record(lookups, author)
    except Unanswered:
        return Evaluation(author, "temperror", aligned)
    if record is None:
        return Evaluation(author, "none", aligned)
    published = _published(lookups, record, author)
    if published is None:
        return Evaluation(author, "permerror", aligned)
    strict = frozenset(one for one in ("aspf", "adkim") if record.tags.get(one, "r").lower() == "s")
    result = _result(identifiers, aligned, strict)
    return Evaluation(author, result, aligned, published, record.domain, strict)


def policy_record(lookups: Lookups, author: str) -> Record | None:
    """The record of the author's domain, else of its organization, else of the public suffix (RFC 9989 §4.10.1).

    Raises Unanswered.
    """
    record = record_at(lookups, author)
    if record is not None:
        return record
    records = walk(lookups, author)
    organization = organization_of(author, records)
    found = next((one for one in records if one.domain == organization), None)
    return found or next((one for one in records if one.psd == "y"), None)


def alignment(lookups: Lookups, author: str, domain: str) -> Aligned | None:
    """How ``domain`` belongs to the author's: the same, of the same organization, or not; None where name servers do
    not tell."""
    if domain == author:
        return "strict"
    if domain.rpartition(".")[2] != author.rpartition(".")[2]:
        return "no"  # no domain is above both
    try:
        ours = organization_of(author, walk(lookups, author))
        if not f".{domain}".endswith(f".{ours}"):
            return "no"
        return "relaxed" if organization_of(domain, walk(lookups, domain)) == ours else "no"
    except Unanswered:
        return None


def enough(one: Identifier, how: Aligned | None, strict: frozenset[str]) -> bool:
    """Whether an alignment is as close as the policy asks."""
    return how == "strict" or (how == "relaxed" and one.mode not in strict)


def _result(
    identifiers: Sequence[Identifier], aligned: Sequence[Aligned | None], strict: frozenset[str]
) -> str:
    results: set[str] = set()
    for one, how in zip(identifiers, aligned, strict=True):
        if enough(one, how, strict):
            results.add(one.result)
        elif how is None and one.mode not in strict and one.result in ("pass", "temperror"):
            results.add("temperror")
    return "pass" if "pass" in results else "temperror" if "temperror" in results else "fail"


def _published(lookups: Lookups, record: Record, author: str) -> str | None:
    """The policy for this author (RFC 9989 §4.7), None where the record has none that can be read."""
    wanted = {one: record.tags.get(one, "").lower() for one in ("p", "sp", "np") if one in record.tags}
    if any(one not in POLICIES for one in wanted.values()):
        if not any(_ADDRESS.match(one) for one in record.tags.get("rua", "").split(",")):
            return None
        wanted = {}
    policy = wanted.get("p", "none")
    if record.domain != author:
        existing = wanted.get("sp", policy)
        policy = _of_subdomain(lookups, author, existing, wanted.get("np", existing))
    if record.tags.get("t", "n").lower() == "y":  # a test: one step milder
        policy = POLICIES[max(0, POLICIES.index(policy) - 1)]
    return policy


def _of_subdomain(lookups: Lookups, author: str, existing: str, missing: str) -> str:
    if existing == missing:
        return existing
    try:
        return existing if lookups.exists(author) else missing
    except Unanswered:
        return min(existing, missing, key=POLICIES.index)
