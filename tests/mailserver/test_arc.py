"""ARC (RFC 8617): the public suite, chains made here, and whom a forwarded message is believed for."""

from __future__ import annotations

import base64
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from mailserver.embedded import wire
from mailserver.embedded.authentication.arc import Chain, chain
from mailserver.embedded.authentication.dmarc import Evaluation, evaluate
from mailserver.embedded.authentication.field import chained
from mailserver.embedded.authentication.reports import statements
from mailserver.embedded.authentication.rescue import rescuer
from tests.support.zone import Zone

SUITE = Path(__file__).parents[3] / "shared" / "corpora" / "auth_arc_suite"
MAIL = b"From: Eve <eve@far.test>\r\nTo: a@x.test\r\nSubject: s\r\n\r\nbody\r\n"
PASSED = b"spf=pass smtp.mailfrom=eve@far.test; dkim=pass header.d=far.test; dmarc=pass header.from=far.test"


@cache
def key() -> tuple[bytes, str]:
    """A private key, and its record."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    private = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    public = made.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, f"v=DKIM1; p={base64.b64encode(public).decode()}"


def names(*sealers: str) -> Zone:
    """The sealers' keys and far.test's policy."""
    found: dict[tuple[str, str], list[str] | None] = {
        (f"s._domainkey.{one}", "TXT"): [f'"{key()[1]}"'] for one in sealers
    }
    found["_dmarc.far.test", "TXT"] = ['"v=DMARC1; p=reject"']
    return Zone(found)


def sealed(mail: bytes, domain: str, results: bytes = PASSED) -> bytes:
    """The message as a server of ``domain`` hands it on."""
    claimed = b"Authentication-Results: " + domain.encode() + b"; " + results + b"\r\n"
    added = dkim.arc_sign(claimed + mail, b"s", domain.encode(), key()[0], domain.encode())
    return b"".join(added) + mail


def found(mail: bytes, zone: Zone) -> Chain:
    fields, rest = wire.split(mail)
    return chain(zone.lookups(), fields, rest.removeprefix(b"\r\n"))


def suite() -> list[Any]:
    manifest = SUITE / "manifest.jsonl"
    if not manifest.is_file():
        return []
    return [json.loads(one) for one in manifest.read_text(encoding="utf-8").splitlines()]


def test_the_public_suite() -> None:
    cases = suite()
    if not cases:
        pytest.skip("../shared/corpora/auth_arc_suite is not here")
    wrong = []
    for case in cases:
        said = case["expect"]["auth"]
        zone = Zone({(name, "TXT"): [_quoted(text)] for name, text in said["dns"].items()})
        got = found(wire.line_ends((SUITE / case["file"]).read_bytes()), zone).result
        if got != (said["arc_cv"] or "fail").lower():  # empty: the chain was ended by who forwarded it
            wrong.append((case["src"], said["arc_cv"], got))
    assert not wrong, wrong


def _quoted(text: str) -> str:
    return " ".join(f'"{one}"' for one in re.findall(".{1,200}", text)) or '""'


def test_a_chain_names_its_sealers_and_what_they_saw() -> None:
    mail = sealed(sealed(MAIL, "one.test"), "two.test", b"arc=pass; dmarc=fail header.from=far.test")
    got = found(mail, names("one.test", "two.test"))
    assert (got.result, got.sealers, got.author_signed) == ("pass", ("one.test", "two.test"), True)
    assert [one.method for one in statements(got.reports[0])] == ["spf", "dkim", "dmarc"]
    assert got.reports[1].split() == ["two.test;", "arc=pass;", "dmarc=fail", "header.from=far.test"]
    assert chained(got.sealers) == "one.test+two.test"


@pytest.mark.parametrize(
    "changed",
    [
        (b"body", b"hody"),
        (b"eve@far.test>", b"boss@far.test>"),
        (b"i=1;", b"i=3;"),
        (b"i=1;", b"i=51;"),
        (b"i=1;", b"i=one;"),
        (b"dmarc=pass", b"dmarc=fail"),
        (b"cv=none", b"cv=fail"),
        (b"ARC-Seal", b"X-Seal"),
        (b"d=one.test", b"d=one.test" + b" " * 10_000),
    ],
)
def test_a_changed_chain_fails(changed: tuple[bytes, bytes]) -> None:
    assert found(sealed(MAIL, "one.test").replace(*changed), names("one.test")).result == "fail"


def test_a_key_that_cannot_be_had_for_now_is_no_failure() -> None:
    mail = sealed(MAIL, "one.test")
    assert found(mail, Zone({("s._domainkey.one.test", "TXT"): None})).result == "temperror"
    assert found(mail, Zone({})).result == "fail"
    assert found(MAIL, Zone({})) == Chain("none")


def test_a_long_chain_takes_a_lookup_a_sealer_and_one_of_more_than_fifty_none() -> None:
    one, two = names("one.test"), names("one.test")
    mail = MAIL
    for at in range(12):
        mail = sealed(mail, "one.test", b"arc=pass" if at else b"arc=none")
    got = found(mail, one)
    assert (got.result, len(got.sealers), len(one.asked)) == ("pass", 12, 1)
    many = b"".join(
        b"ARC-Seal: i=%d; cv=pass; a=rsa-sha256; d=one.test; s=s; b=AA==\r\n"
        b"ARC-Message-Signature: i=%d; a=rsa-sha256; d=one.test; s=s; h=from; bh=AA==; b=AA==\r\n"
        b"ARC-Authentication-Results: i=%d; one.test; none\r\n" % (at, at, at)
        for at in range(1, 52)
    )
    assert (found(many + MAIL, two).result, two.asked) == ("fail", [])


@pytest.mark.parametrize(
    ("trusted", "reports", "rescued"),
    [
        (["list.test"], [("list.test", PASSED)], "list.test"),
        (["test"], [("list.test", PASSED)], "list.test"),
        (["ist.test"], [("list.test", PASSED)], ""),
        ([], [("list.test", PASSED)], ""),
        (["list.test"], [("list.test", b"dkim=pass header.d=mail.far.test")], "list.test"),
        (["list.test"], [("list.test", b"dkim=pass (good) header.i=@far.test")], "list.test"),
        (["list.test"], [("list.test", b"spf=pass smtp.mailfrom=a@far.test")], "list.test"),
        (["list.test"], [("list.test", b"spf=pass smtp.mailfrom=a@near.test; dkim=pass header.d=near.test")], ""),
        (["list.test"], [("list.test", b"spf=fail smtp.mailfrom=a@far.test; dkim=fail header.d=far.test")], ""),
        (["list.test"], [("list.test", b"dkim=pass header.d=far.test; dmarc=fail header.from=far.test")], ""),
        (["list.test"], [("list.test", b"dmarc=pass header.from=near.test")], ""),
        (["list.test"], [("list.test", b"dmarc=pass")], ""),
        # a stranger's word below a trusted seal is a stranger's word
        (["list.test"], [("evil.test", PASSED), ("list.test", b"arc=pass; dmarc=fail header.from=far.test")], ""),
        (["evil.test"], [("evil.test", PASSED), ("list.test", b"arc=pass")], ""),
        (["list.test"], [("evil.test", b"arc=none"), ("list.test", b"arc=pass; " + PASSED)], "list.test"),
        (["list.test", "one.test"], [("one.test", PASSED), ("list.test", b"arc=pass; dmarc=fail")], "list.test"),
    ],
)  # fmt: skip
def test_whom_a_forwarded_message_is_believed_for(
    trusted: list[str], reports: list[tuple[str, bytes]], rescued: str
) -> None:
    mail, zone = MAIL, names("list.test", "one.test", "evil.test")
    for domain, said in reports:
        mail = sealed(mail, domain, said)
    got = found(mail, zone)
    assert got.result == "pass"
    assert rescuer(zone.lookups(), got, trusted, evaluated(zone)) == rescued


def test_a_seal_that_leaves_the_author_open_proves_nothing() -> None:
    zone = names("list.test")
    got = Chain("pass", ("list.test",), (f"list.test; {PASSED.decode()}",), author_signed=False)
    assert rescuer(zone.lookups(), got, ["list.test"], evaluated(zone)) == ""


def evaluated(zone: Zone) -> Evaluation:
    return evaluate(zone.lookups(), "far.test", [])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("mx; none", []),
        ("mx 1; dmarc = pass (p=NONE; dmarc=fail) header.from=Far.Test", [("dmarc", "pass", "far.test")]),
        ('mx; spf=pass reason="a; dmarc=pass header.from=x" header.from=y', [("spf", "pass", "y")]),
        (r"mx; (\) ; dmarc=pass) dkim/1=fail", [("dkim", "fail", None)]),
        ("mx; dmarc=pass header.from=a header.from=b", [("dmarc", "pass", "a")]),
        ("mx; (never closed ; dmarc=pass", []),
    ],
)
def test_what_a_report_states(value: str, said: list[tuple[str, str, str | None]]) -> None:
    assert [(one.method, one.result, one.properties.get("header.from")) for one in statements(value)] == said


@given(st.text(st.sampled_from('mx;="\\() \t@adkimspf.?é\r\n'), max_size=200))
def test_any_report_can_be_read(value: str) -> None:
    for one in statements(value):
        assert " " not in one.method + one.result


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=300), max_size=60))
def test_a_chain_fits_into_a_line_whatever_it_names(domains: list[str]) -> None:
    assert re.fullmatch(r"[a-z0-9._?+-]{0,800}", chained(domains))
