"""What our own Authentication-Results field says beside the bare results (RFC 8601 §2.2): domains, alignment, policy.

``mailserver`` writes it. Fields of older versions say less, and then the details are None.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from gateway.mime.types import Alignment, AuthVerdict, Signature

_MOST_SIGNATURES = 10
_MOST_SEALS = 50  # RFC 8617 §4.2.1 allows no more
_LONGEST = 255
_RESULT = re.compile(r';([^;"]*(?:"[^"]*"[^;"]*)*)')
_METHOD = re.compile(r"\s*([a-z0-9-]{1,30})\s*=\s*([a-z]{1,30})(?![^\s;])", re.I)
_PROPERTY = re.compile(
    r'(?P<name>(?:smtp|header|policy)\.[a-z-]{1,30})=(?:"(?P<quoted>[^"]*)"|(?P<plain>[^\s;"]*))|"[^"]*"|[^\s"]+|"',
    re.I,
)
_SEALS = re.compile("[+:]")
_ALIGNMENTS: Mapping[str, Alignment] = {"strict": "strict", "relaxed": "relaxed", "no": "no"}


class Result(NamedTuple):
    """The result of a method with its properties (``policy.aligned``), names in lower case."""

    method: str
    result: str
    properties: Mapping[str, str]

    def value(self, name: str) -> str | None:
        """A property; None where it is not there or empty."""
        return self.properties.get(name, "")[:_LONGEST] or None

    def domain(self, name: str) -> str | None:
        """A property that is a domain or an address, as a domain."""
        return ((self.value(name) or "").rpartition("@")[2]).lower() or None


def read_results(text: str) -> list[Result]:
    """The results of a field's unfolded value without comments."""
    found = []
    for piece in _RESULT.findall(text):
        method = _METHOD.match(piece)
        if method is not None:
            properties = {
                one["name"].lower(): one["quoted"] or one["plain"] or ""
                for one in _PROPERTY.finditer(piece, method.end())
                if one["name"]
            }
            found.append(Result(method[1].lower(), method[2].lower(), properties))
    return found


def details_of(results: Sequence[Result]) -> AuthVerdict:
    """The details in results; of what stands there twice, the first. The bare results are left out."""
    first: dict[str, Result] = {}
    for one in results:
        first.setdefault(one.method, one)
    nothing = Result("", "", {})
    spf, dmarc, arc = (first.get(name, nothing) for name in ("spf", "dmarc", "arc"))
    forged = first.get("x-forged", nothing).properties.get("policy.count", "")
    chain = arc.properties.get("policy.chain", "")
    return AuthVerdict(
        spf_domain=spf.domain("smtp.mailfrom") or spf.domain("smtp.helo"),
        spf_aligned=_ALIGNMENTS.get(spf.value("policy.aligned") or ""),
        signatures=[
            Signature(
                result=one.result,
                domain=one.domain("header.d"),
                selector=one.value("header.s"),
                aligned=_ALIGNMENTS.get(one.value("policy.aligned") or ""),
            )
            for one in results
            if one.method == "dkim" and "header.d" in one.properties
        ][:_MOST_SIGNATURES],
        author=dmarc.domain("header.from"),
        policy=dmarc.value("policy.published"),
        policy_domain=dmarc.domain("policy.domain"),
        arc=arc.result or None,
        arc_chain=[seal[:_LONGEST] for seal in _SEALS.split(chain.lower()) if seal][:_MOST_SEALS],
        rescued_by=arc.domain("policy.rescued"),
        forged_fields=int(forged) if forged.isascii() and forged.isdigit() and len(forged) < 6 else 0,
    )
