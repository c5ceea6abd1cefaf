from __future__ import annotations

import pytest

from gateway.mime.auth_results import verdict
from gateway.mime.types import AuthVerdict

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
    assert verdict(mail(f"Authentication-Results: {field}"), ME) == AuthVerdict(
        spf=spf, dkim=dkim, dmarc=dmarc
    )


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
