from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.auth_details import details_of, read_results
from gateway.mime.auth_results import verdict
from gateway.mime.types import AuthVerdict, Signature

ME = "mx.h.test"


def mail(*fields: str) -> bytes:
    return ("\r\n".join(fields) + "\r\nReceived: from x\r\nFrom: a@b.c\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("field", "spf", "dkim", "dmarc"),
    [
        (f"{ME}; spf=pass smtp.mailfrom=a@b.c; dkim=pass header.d=b.c; dmarc=pass header.from=b.c", "pass", "pass", "pass"),  # noqa: E501
        (f"{ME}; dkim=fail reason=\"bad\" header.d=x.y; dkim=pass header.d=b.c", "none", "pass", "none"),
        (f"{ME};\r\n\tspf=softfail (mx: domain of (a) says) smtp.mailfrom=a@b.c;", "softfail", "none", "none"),
        (f"{ME}; none", "none", "none", "none"),
        (f"{ME} 1; spf=fail smtp.mailfrom=<>", "fail", "none", "none"),
        ("evil.test; spf=pass; dkim=pass; dmarc=pass", "none", "none", "none"),
        (f"{ME}.evil.test; spf=pass smtp.mailfrom=a@b.c", "none", "none", "none"),
    ],
)  # fmt: skip
def test_results(field: str, spf: str, dkim: str, dmarc: str) -> None:
    found = verdict(mail(f"Authentication-Results: {field}"), ME)
    assert (found.spf, found.dkim, found.dmarc) == (spf, dkim, dmarc)


def test_the_details_of_a_whole_field() -> None:
    field = (
        f"{ME};\r\n\tspf=pass smtp.mailfrom=user@mail.far.test policy.aligned=relaxed;"
        "\r\n\tdkim=pass header.d=Far.test header.s=sel policy.aligned=strict;"
        '\r\n\tdkim=fail header.d="other?.test" header.s="s?" policy.aligned=no;'
        "\r\n\tdmarc=fail header.from=far.test policy.published=reject policy.domain=far.test;"
        '\r\n\tarc=pass policy.chain="oldest.test:newest.test" policy.rescued=newest.test;'
        "\r\n\tx-forged=removed policy.count=2"
    )
    assert verdict(mail(f"Authentication-Results: {field}"), ME) == AuthVerdict(
        spf="pass",
        dkim="pass",
        dmarc="fail",
        spf_domain="mail.far.test",
        spf_aligned="relaxed",
        signatures=[
            Signature(result="pass", domain="far.test", selector="sel", aligned="strict"),
            Signature(result="fail", domain="other?.test", selector="s?", aligned="no"),
        ],
        author="far.test",
        policy="reject",
        policy_domain="far.test",
        arc="pass",
        arc_chain=["oldest.test", "newest.test"],
        rescued_by="newest.test",
        forged_fields=2,
    )


def test_a_field_of_an_older_version_says_less() -> None:
    field = f"{ME}; spf=pass smtp.helo=mx.far.test; dkim=none; dmarc=none header.from=far.test"
    assert verdict(mail(f"Authentication-Results: {field}"), ME) == AuthVerdict(
        spf="pass", spf_domain="mx.far.test", author="far.test"
    )


@pytest.mark.parametrize(
    "value",
    [
        'smtp.mailfrom="a policy.aligned=strict"',
        'smtp.mailfrom="a;dkim=pass header.d=far.test policy.aligned=strict"',
        "smtp.mailfrom=(policy.aligned=strict)",
        "xpolicy.aligned=strict",
        "policy.aligned=sure",
    ],
)
def test_a_value_is_no_property_and_no_result(value: str) -> None:
    found = verdict(mail(f"Authentication-Results: {ME}; spf=pass {value}"), ME)
    assert (found.spf_aligned, found.signatures) == (None, [])


def test_what_stands_below_received_was_written_by_a_stranger() -> None:
    raw = b"Received: from x\r\nAuthentication-Results: mx.h.test; dkim=pass header.d=b.c\r\nFrom: a@b.c\r\n\r\n"
    assert verdict(raw, ME) == AuthVerdict()


@pytest.mark.timeout(30)
def test_hostile_fields_are_quick_and_unknown() -> None:
    for text in (
        "(" * 200_000,
        "(x " * 3000,
        "dkim=pass;" * 20_000,
        "; ".join(["spf=pass"] * 1000),
        '"' * 15_000,
    ):
        verdict(mail(f"Authentication-Results: {ME}; {text}"), ME)
    assert verdict(mail(f"Authentication-Results: {ME}; {'(' * 20_000}"), ME).dkim == "unknown"


@given(st.text(max_size=300))
def test_no_field_is_too_odd_to_read(text: str) -> None:
    field = f"Authentication-Results: {ME}; {text}".replace("\r", " ").replace("\n", " ")
    details_of(read_results(field))
    assert len(verdict(mail(field), ME).signatures) <= 10
