"""Who wrote a message, as far as our mail server could prove it, dialect-free.

=================  ==================================================================================================
verdict            when
=================  ==================================================================================================
authenticated      the domain of From is proven: DMARC passed; or no policy is published and an aligned DKIM
                   signature or SPF passed; or a sealer (ARC, RFC 8617) that the operator trusts had proven it
failed             DMARC failed; or no policy is published and SPF says of that domain that the mail is not its
unknown            it could not be checked for now (RFC 8601 ``temperror``), or our mail server noted nothing
unauthenticated    the rest: nothing proves the domain, and nothing speaks against it
=================  ==================================================================================================
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

import msgspec

from gateway.mime.types import Alignment, AuthVerdict, FirstContact, HiddenText, Traits
from gateway.records.event_types import MessageFacts
from gateway.records.mail import MessageItem
from mailserver.addresses import fold_domain
from mailserver.base import MailServerError

Verdict = Literal["authenticated", "unauthenticated", "failed", "unknown"]
Method = Literal["dkim", "spf"]
SignalName = Literal[
    "reply_to_differs",
    "display_name_is_an_address",
    "display_name_is_a_known_contact",
    "lookalike_domain",
    "hidden_text",
    "text_html_differ",
    "invisible_characters",
    "auto_submitted",
    "bulk",
    "forged_result_removed",
]
_LONGEST = 320
_ADDRESS_IN_NAME = re.compile(r"[^\s<>@\"'(),;:\[\]]{1,64}@[^\s<>@\"'(),;:\[\]]{1,255}")

_UNKNOWN = frozenset({"temperror", "unknown"})


class Proof(msgspec.Struct, frozen=True):
    """What is proven of an author. ``identity``: the proven domain, as A-labels; None: none is. ``aligned_by``: what
    passed for that domain. ``rescued_by``: the sealer whose word it is."""

    verdict: Verdict
    identity: str | None = None
    aligned_by: tuple[Method, ...] = ()
    rescued_by: str | None = None


class Signal(msgspec.Struct, frozen=True):
    """Something about a message that may matter to whoever trusts it. ``detail``: a few words, perhaps the sender's."""

    name: SignalName
    detail: str | None = None


class Trust(msgspec.Struct, frozen=True):
    """What is known about the author of a received message. ``first_contact``: None where it was indexed by an older
    version, or has no address in From."""

    proof: Proof
    auth: AuthVerdict
    first_contact: FirstContact | None = None
    signals: tuple[Signal, ...] = ()


def trust_of(message: MessageItem | MessageFacts) -> Trust | None:
    """The trust of a message; None for what the inbox sent itself."""
    if message.direction != "inbound":
        return None
    auth = message.auth or AuthVerdict()
    traits = message.traits  # decoded once
    proof = proof_of(auth, message.from_email or "")
    return Trust(proof, auth, traits.first_contact, tuple(_signals(message, traits, auth)))


def proof_of(auth: AuthVerdict, sender: str) -> Proof:
    """What our mail server's results prove about the address in From."""
    shown = _domain(sender.rpartition("@")[2])
    author = _domain(auth.author or "") if auth.author else shown
    known = author if author and author == shown else None  # what was checked is what is shown
    aligned_by = _aligned_by(auth, author)
    if known and auth.dmarc == "pass":
        return Proof("authenticated", known, aligned_by)
    if known and auth.rescued_by:
        return Proof("authenticated", known, (), auth.rescued_by)
    if auth.dmarc == "fail":
        return Proof("failed")
    if auth.dmarc in _UNKNOWN or auth == AuthVerdict():
        return Proof("unknown")
    if auth.dmarc == "none":
        if known and aligned_by:
            return Proof("authenticated", known, aligned_by)
        if _aligned(auth.spf_aligned, auth.spf_domain, author) and auth.spf == "fail":
            return Proof("failed")
        if _unsure(auth, author):
            return Proof("unknown")
    return Proof("unauthenticated")


def _signals(message: MessageItem | MessageFacts, traits: Traits, auth: AuthVerdict) -> Iterator[Signal]:
    sender = message.from_ if isinstance(message, MessageFacts) else message.sender
    if sender is not None:
        own = _domain(sender.email.rpartition("@")[2])
        other = next((one.email for one in message.reply_to if _elsewhere(one.email, own)), None)
        if other is not None:
            yield Signal("reply_to_differs", other[:_LONGEST])
        named = _address_in(sender.name)
        if named is not None and named.lower() != sender.email.lower():
            yield Signal("display_name_is_an_address", named)
    if traits.named_like is not None:
        yield Signal("display_name_is_a_known_contact", traits.named_like or None)
    if traits.lookalike_of is not None:
        yield Signal("lookalike_domain", traits.lookalike_of or None)
    yield from _unseen(traits.hidden, hidden_text=bool(message.hidden_text))
    if message.auto_submitted:
        yield Signal("auto_submitted")
    if traits.bulk:
        yield Signal("bulk", traits.list_id)
    if auth.forged_fields:
        yield Signal("forged_result_removed", str(auth.forged_fields))


def _unseen(hidden: HiddenText | None, *, hidden_text: bool) -> Iterator[Signal]:
    """What people do not see of a message, by how it is hidden."""
    if hidden is None:
        if hidden_text:  # an older version noted no more
            yield Signal("hidden_text")
        return
    forms = [one for one in hidden.forms if one not in ("text_differs", "invisible_characters")]
    if forms:
        yield Signal("hidden_text", ", ".join(forms)[:_LONGEST])
    if "text_differs" in hidden.forms:
        yield Signal("text_html_differ")
    if "invisible_characters" in hidden.forms:
        yield Signal("invisible_characters")


def _elsewhere(email: str, own: str | None) -> bool:
    """Whether an address is of another domain than ``own``, one below it or above it."""
    domain = _domain(email.rpartition("@")[2])
    if domain is None or own is None or domain == own:
        return False
    return not domain.endswith(f".{own}") and not own.endswith(f".{domain}")


def _address_in(name: str) -> str | None:
    """The first address that a display name shows."""
    if "@" not in (plain := unicodedata.normalize("NFKC", name[:_LONGEST])):
        return None
    found = _ADDRESS_IN_NAME.search(plain)
    domain = found[0].rpartition("@")[2].rstrip(".") if found else ""
    return found[0] if found and "." in domain and _domain(domain) else None


def _aligned_by(auth: AuthVerdict, author: str | None) -> tuple[Method, ...]:
    found: list[Method] = []
    if any(one.result == "pass" and _aligned(one.aligned, one.domain, author) for one in auth.signatures):
        found.append("dkim")
    if auth.spf == "pass" and _aligned(auth.spf_aligned, auth.spf_domain, author):
        found.append("spf")
    return tuple(found)


def _unsure(auth: AuthVerdict, author: str | None) -> bool:
    """Whether a check that would have counted could not be made for now."""
    if auth.spf in _UNKNOWN and _aligned(auth.spf_aligned, auth.spf_domain, author):
        return True
    return any(
        one.result in _UNKNOWN and _aligned(one.aligned, one.domain, author) for one in auth.signatures
    )


def _aligned(noted: Alignment | None, domain: str | None, author: str | None) -> bool:
    """Whether a domain is the author's. Where that was not noted, the very same domain is."""
    if noted is not None:
        return noted != "no"
    return author is not None and domain == author


def _domain(text: str) -> str | None:
    try:
        return fold_domain(text)
    except MailServerError:
        return None
