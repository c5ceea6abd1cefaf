"""Who wrote a received message, as far as it could be proven, as dialects with snake_case names show it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from gateway.mime.types import Alignment
from gateway.records.event_types import MessageFacts
from gateway.records.mail import MessageItem
from gateway.records.trust import Method, SignalName, Trust, Verdict, trust_of

Doc = msgspec.Meta

# the fields' types with what they mean, for every dialect's structs
Aligned = Annotated[
    Alignment | None,
    Doc(
        description="whether the domain is that of From: strict (the same), relaxed (of its organization) or no"
    ),
]
DmarcResult = Annotated[str, Doc(description="pass, fail, none, temperror or permerror")]
Policy = Annotated[str | None, Doc(description="none, quarantine or reject; null: none is published")]
PolicyDomain = Annotated[str | None, Doc(description="the domain that publishes the policy")]
AlignedBy = Annotated[list[Method], Doc(description="what passed for the domain of From: dkim, spf")]
ArcResult = Annotated[str | None, Doc(description="pass, fail, none or temperror; null: not checked")]
Chain = Annotated[list[str], Doc(description="the domains that sealed the message, the first one first")]
RescuedBy = Annotated[
    str | None, Doc(description="the trusted one of them, whose word proves the domain of From")
]
TrustVerdict = Annotated[Verdict, Doc(description="authenticated, unauthenticated, failed or unknown")]
Identity = Annotated[str | None, Doc(description="the domain of From, where it is proven")]


class SpfView(msgspec.Struct):
    """The result of SPF (RFC 7208)."""

    result: Annotated[str, Doc(description="pass, fail, softfail, neutral, none, temperror or permerror")]
    domain: Annotated[str | None, Doc(description="the envelope sender's domain; null: not noted")]
    aligned: Aligned


class DkimView(msgspec.Struct):
    """A DKIM signature (RFC 6376)."""

    result: Annotated[str, Doc(description="pass, fail, policy, neutral, temperror or permerror")]
    domain: Annotated[str | None, Doc(description="the domain that signed")]
    selector: Annotated[str | None, Doc(description="which key of that domain")]
    aligned: Aligned


class DmarcView(msgspec.Struct):
    """The result of DMARC (RFC 9989)."""

    result: DmarcResult
    policy: Policy
    domain: PolicyDomain
    aligned_by: AlignedBy


class ArcView(msgspec.Struct):
    """The result of ARC (RFC 8617)."""

    result: ArcResult
    chain: Chain
    rescued_by: RescuedBy


class FirstContactView(msgspec.Struct):
    """Whether the organization had exchanged mail with the sender before."""

    address: Annotated[bool, Doc(description="true: never with the address")]
    domain: Annotated[bool, Doc(description="true: never with anyone of the domain")]


Contact = Annotated[
    FirstContactView | None,
    Doc(description="whether the organization never exchanged mail with the sender before; null: not known"),
]


class SignalView(msgspec.Struct):
    """Something about a message that may matter to whoever trusts it."""

    name: Annotated[SignalName, Doc(description="what it is")]
    detail: Annotated[str | None, Doc(description="a few words about it, perhaps the sender's")]


Signals = Annotated[list[SignalView], Doc(description="what may matter to whoever trusts the message")]
SpfResults = Annotated[SpfView, Doc(description="the result of SPF (RFC 7208)")]
Signatures = Annotated[list[DkimView], Doc(description="each DKIM signature that was checked (RFC 6376)")]


class TrustView(msgspec.Struct):
    """What is known about the author of a received message."""

    verdict: TrustVerdict
    identity: Identity
    spf: SpfResults
    dkim: Signatures
    dmarc: Annotated[DmarcView, Doc(description="the result of DMARC (RFC 9989)")]
    arc: Annotated[ArcView, Doc(description="the result of ARC (RFC 8617)")]
    first_contact: Contact
    signals: Signals


def trust_view(message: MessageItem | MessageFacts) -> TrustView | None:
    """The trust of a message in the index or of an event's; None for what the inbox sent."""
    trust = trust_of(message)
    return None if trust is None else _view(trust)


def _view(trust: Trust) -> TrustView:
    proof, auth, first = trust.proof, trust.auth, trust.first_contact
    return TrustView(
        verdict=proof.verdict,
        identity=proof.identity,
        spf=SpfView(auth.spf, auth.spf_domain, auth.spf_aligned),
        dkim=[DkimView(one.result, one.domain, one.selector, one.aligned) for one in auth.signatures],
        dmarc=DmarcView(auth.dmarc, auth.policy, auth.policy_domain, list(proof.aligned_by)),
        arc=ArcView(auth.arc, auth.arc_chain, proof.rescued_by),
        first_contact=FirstContactView(first.address, first.domain) if first else None,
        signals=[SignalView(one.name, one.detail) for one in trust.signals],
    )
