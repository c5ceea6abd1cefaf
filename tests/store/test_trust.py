"""Who wrote a message, as far as our mail server's results prove it."""

from __future__ import annotations

import pytest

from gateway.mime.auth_results import verdict
from gateway.mime.types import AuthVerdict
from gateway.records.trust import Proof, proof_of

ME = "mx.h.test"
FAR = "Ann@FAR.test"
STRICT = "header.d=far.test header.s=s policy.aligned=strict"
ELSEWHERE = "header.d=esp.test header.s=s policy.aligned=no"


def _proof(results: str, sender: str = FAR) -> Proof:
    raw = f"Authentication-Results: {ME}; {results}\r\nReceived: from x\r\nFrom: {sender}\r\n\r\n".encode()
    return proof_of(verdict(raw, ME), sender)


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (f"spf=fail smtp.mailfrom=a@far.test policy.aligned=strict; dkim=pass {STRICT}; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("dkim",))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@m.far.test policy.aligned=relaxed; dkim=pass {ELSEWHERE}; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("spf",))),  # noqa: E501
        ("spf=pass smtp.mailfrom=a@far.test; dkim=pass header.d=far.test header.s=s; dmarc=pass header.from=far.test", Proof("authenticated", "far.test", ("dkim", "spf"))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@esp.test policy.aligned=no; dkim=pass {ELSEWHERE}; dmarc=fail header.from=far.test", Proof("failed")),  # noqa: E501
        (f"spf=none smtp.mailfrom=a@far.test; dkim=pass {STRICT}; dmarc=none header.from=far.test", Proof("authenticated", "far.test", ("dkim",))),  # noqa: E501
        (f"spf=pass smtp.mailfrom=a@esp.test; dkim=pass {ELSEWHERE}; dmarc=none header.from=far.test", Proof("unauthenticated")),  # noqa: E501
        ("spf=fail smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("failed")),
        ("spf=softfail smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("unauthenticated")),
        ("spf=temperror smtp.mailfrom=a@far.test; dkim=none; dmarc=none header.from=far.test", Proof("unknown")),
        (f"spf=none; dkim=temperror {STRICT}; dmarc=none header.from=far.test", Proof("unknown")),
        (f"spf=temperror smtp.mailfrom=a@esp.test; dkim=temperror {ELSEWHERE}; dmarc=none header.from=far.test", Proof("unauthenticated")),  # noqa: E501
        ("spf=temperror; dkim=temperror; dmarc=temperror", Proof("unknown")),
        (f"spf=none; dkim=pass {STRICT}; dmarc=permerror header.from=far.test", Proof("unauthenticated")),
        ("spf=none; dkim=none; dmarc=permerror", Proof("unauthenticated")),
        ("spf=fail; dkim=none; dmarc=fail header.from=far.test; arc=pass policy.chain=list.test policy.rescued=list.test", Proof("authenticated", "far.test", (), "list.test")),  # noqa: E501
        ("spf=fail; dkim=none; dmarc=fail header.from=far.test; arc=pass policy.chain=list.test", Proof("failed")),
        ("none", Proof("unknown")),
        ('spf=pass "', Proof("unknown")),
    ],
)  # fmt: skip
def test_what_is_proven_of_an_author(results: str, expected: Proof) -> None:
    assert _proof(results) == expected


def test_where_nothing_was_noted_nothing_is_known() -> None:
    assert proof_of(AuthVerdict(), FAR) == Proof("unknown")


@pytest.mark.parametrize("shown", ["eve@evil.test", "no address", ""])
def test_a_pass_for_another_author_than_the_shown_one_proves_nothing(shown: str) -> None:
    found = AuthVerdict(spf="pass", dkim="pass", dmarc="pass", author="far.test", rescued_by="list.test")
    assert proof_of(found, shown) == Proof("unauthenticated")


def test_a_domain_is_compared_in_its_form_on_the_wire() -> None:
    found = AuthVerdict(dmarc="pass", author="xn--bcher-kva.test")
    assert proof_of(found, "ann@Bücher.test") == Proof("authenticated", "xn--bcher-kva.test")
