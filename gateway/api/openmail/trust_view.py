"""The trust of a message (``api.trust``) with OpenMail's names. Its events have the names of the others."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from gateway.api import trust as names
from gateway.api.trust import ArcView, DmarcView, TrustView

Doc = msgspec.Meta


class CamelDmarcView(msgspec.Struct, rename="camel"):
    """The result of DMARC (RFC 9989)."""

    result: names.DmarcResult
    policy: names.Policy
    domain: names.PolicyDomain
    aligned_by: names.AlignedBy


class CamelArcView(msgspec.Struct, rename="camel"):
    """The result of ARC (RFC 8617)."""

    result: names.ArcResult
    chain: names.Chain
    rescued_by: names.RescuedBy


class CamelTrustView(msgspec.Struct, rename="camel"):
    """What is known about the author of a received message."""

    verdict: names.TrustVerdict
    identity: names.Identity
    spf: names.SpfResults
    dkim: names.Signatures
    dmarc: Annotated[CamelDmarcView, Doc(description="the result of DMARC (RFC 9989)")]
    arc: Annotated[CamelArcView, Doc(description="the result of ARC (RFC 8617)")]
    first_contact: names.Contact
    signals: names.Signals


def camel(traits: dict[str, Any]) -> dict[str, Any]:
    """The fields of ``api.traits`` with a trust whose names are OpenMail's."""
    trust: TrustView | None = traits["trust"]
    return {**traits, "trust": None if trust is None else _trust(trust)}


def _trust(trust: TrustView) -> CamelTrustView:
    return CamelTrustView(
        verdict=trust.verdict,
        identity=trust.identity,
        spf=trust.spf,
        dkim=trust.dkim,
        dmarc=_dmarc(trust.dmarc),
        arc=_arc(trust.arc),
        first_contact=trust.first_contact,
        signals=trust.signals,
    )


def _dmarc(dmarc: DmarcView) -> CamelDmarcView:
    return CamelDmarcView(dmarc.result, dmarc.policy, dmarc.domain, dmarc.aligned_by)


def _arc(arc: ArcView) -> CamelArcView:
    return CamelArcView(arc.result, arc.chain, arc.rescued_by)
