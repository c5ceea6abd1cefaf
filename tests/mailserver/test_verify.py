"""The whole check against a real name server, with messages signed here, and DKIM's keys."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import authres
import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from gateway.mime.auth_results import verdict
from gateway.mime.parse import parse
from gateway.mime.types import AuthVerdict
from gateway.mime.types import Signature as AuthSignature
from mailserver.content import Content
from mailserver.embedded import wire
from mailserver.embedded.authentication.authors import author_domains
from mailserver.embedded.authentication.dkim_check import signatures
from mailserver.embedded.authentication.field import unknown
from mailserver.embedded.authentication.lookups import Lookups
from mailserver.embedded.authentication.signature import without_trailing_blanks
from mailserver.embedded.authentication.verifier import Verifier
from mailserver.embedded.settings import Resolver
from tests.support.servers import NameServer, embedded_server
from tests.support.zone import Zone

pytestmark = pytest.mark.anyio
Records = dict[str, list[str] | None]
KEY = SigningKey(b"k" * 32)
MAIL = b"From: Eve <eve@far.test>\r\nTo: a@x.test\r\nSubject: s\r\n\r\nbody  \r\n"


def zones(changes: Records | None = None) -> dict[tuple[str, str], list[str] | None]:
    public = base64.b64encode(bytes(KEY.verify_key)).decode()
    names: Records = {
        "far.test": ['"v=spf1 ip4:192.0.2.1 -all"'],
        "s1._domainkey.far.test": [f'"v=DKIM1; k=ed25519; p={public}"'],
        "_dmarc.far.test": ['"v=DMARC1; p=reject"'],
    }
    names |= changes or {}
    return {(name, "TXT"): value for name, value in names.items()}


def signed(mail: bytes = MAIL, **options: Any) -> bytes:
    key = base64.b64encode(bytes(KEY))
    signature = dkim.sign(
        mail,
        b"s1",
        b"far.test",
        key,
        canonicalize=(b"relaxed", b"relaxed"),
        signature_algorithm=b"ed25519-sha256",
        **options,
    )
    return bytes(signature) + mail


async def results(
    mail: bytes,
    changes: Records | None = None,
    peer: str = "192.0.2.1",
    sender: str = "eve@far.test",
    sealers: Sequence[str] = (),
) -> str:
    async with NameServer(zones(changes)) as names:
        resolver = Resolver(nameservers=("127.0.0.1",), port=names.port, timeout=1)
        verifier = Verifier(resolver, "mx.x.test", trusted_sealers=sealers)
        try:
            return (await verifier.field(Content(mail), peer, "c.far.test", sender)).decode()
        finally:
            verifier.close()


async def test_good_mail_passes_all_three() -> None:
    found = await results(signed())
    assert found.startswith("Authentication-Results: mx.x.test;\r\n\t")
    assert "spf=pass smtp.mailfrom=eve@far.test" in found
    assert "dkim=pass header.d=far.test header.s=s1" in found
    assert "dmarc=pass header.from=far.test" in found


async def test_the_field_says_what_is_aligned_and_which_policy_covers_it() -> None:
    sub = MAIL.replace(b"eve@far.test", b"eve@mail.far.test")
    found = await results(
        signed(sub), {"_dmarc.far.test": ['"v=DMARC1; p=reject; sp=quarantine"']}, sender="eve@near.test"
    )
    assert found.splitlines() == [
        "Authentication-Results: mx.x.test;",
        "\tspf=none smtp.mailfrom=eve@near.test policy.aligned=no;",
        "\tdkim=pass header.d=far.test header.s=s1 policy.aligned=relaxed;",
        "\tdmarc=pass header.from=mail.far.test policy.published=quarantine policy.domain=far.test;",
        "\tarc=none",
    ]
    results_of = {one.method: one for one in authres.AuthenticationResultsHeader.parse(found).results}
    assert results_of["dkim"].properties[-1].value == "relaxed"
    assert verdict(found.encode() + sub, "mx.x.test") == AuthVerdict(
        spf="none",
        dkim="pass",
        dmarc="pass",
        spf_domain="near.test",
        spf_aligned="no",
        signatures=[AuthSignature(result="pass", domain="far.test", selector="s1", aligned="relaxed")],
        author="mail.far.test",
        policy="quarantine",
        policy_domain="far.test",
        arc="none",
    )


async def test_a_forwarded_message_is_rescued_by_a_trusted_sealer_alone() -> None:
    from tests.mailserver.test_arc import PASSED, key, sealed

    mail = sealed(sealed(MAIL, "one.test", b"arc=none"), "list.test", b"arc=pass; " + PASSED)
    changes: Records = {f"s._domainkey.{one}": [f'"{key()[1]}"'] for one in ("one.test", "list.test")}
    found = await results(mail, changes, peer="198.51.100.7", sealers=["list.test"])
    assert "dmarc=fail header.from=far.test" in found
    assert found.endswith("\tarc=pass policy.chain=one.test+list.test policy.rescued=list.test\r\n")
    read = verdict(found.encode() + MAIL, "mx.x.test")
    assert (read.arc_chain, read.rescued_by) == (["one.test", "list.test"], "list.test")
    found = await results(mail, changes, peer="198.51.100.7")
    assert found.endswith("\tarc=pass policy.chain=one.test+list.test\r\n")
    found = await results(MAIL[:6] + b"boss@far.test, " + mail[6:], changes, sealers=["list.test"])
    assert "rescued" not in found


async def test_forged_results_are_counted_even_when_nothing_was_checked() -> None:
    forged = b"Authentication-Results: mx.x.test; dmarc=pass\r\nARC-Authentication-Results: i=1; mx.x.test; none\r\n"
    assert (await results(forged + MAIL)).endswith(";\r\n\tx-forged=removed policy.count=2\r\n")
    assert unknown("mx.x.test", 1).endswith(b"\tdmarc=temperror;\r\n\tx-forged=removed policy.count=1\r\n")


@pytest.mark.parametrize(
    ("key", "options", "found"),
    [
        ("v=DKIM1; k=ed25519; h=sha256; s=email; t=y; p={p}", {}, "pass"),
        ("k=ed25519; h=sha1:sha256; s=other:*; p={p}", {}, "pass"),
        ("v=DKIM1; k=ed25519; h=sha1; p={p}", {}, "fail"),
        ("v=DKIM1; k=ed25519; s=tlsrpt; p={p}", {}, "fail"),
        ("v=DKIM2; k=ed25519; p={p}", {}, "fail"),
        ("v=DKIM1; k=rsa; p={p}", {}, "fail"),
        ("v=DKIM1; p={p}", {}, "fail"),
        ("v=DKIM1; k=ed25519; p=", {}, "fail"),  # revoked
        ("v=DKIM1; k=ed25519", {}, "fail"),
        ("v=DKIM1; k=ed25519; p={p}", {"identity": b"eve@mail.far.test"}, "pass"),
        ("v=DKIM1; k=ed25519; t=y:s; p={p}", {"identity": b"eve@mail.far.test"}, "fail"),
        ("v=DKIM1; k=ed25519; t=s; p={p}", {"identity": b"eve@far.test"}, "pass"),
        ("v=DKIM1; k=ed25519; t=s; p={p}", {}, "pass"),
        ("v=DKIM1; k=rsa; p=" + "A" * 3000, {}, "fail"),
    ],
)
def test_what_a_key_permits(key: str, options: dict[str, Any], found: str) -> None:
    public = base64.b64encode(bytes(KEY.verify_key)).decode()
    record = " ".join(f'"{one}"' for one in re.findall(".{1,200}", key.format(p=public)))
    lookups = Zone({("s1._domainkey.far.test", "TXT"): [record]}).lookups()
    assert checked(signed(**options), lookups) == [found]


def checked(mail: bytes, lookups: Lookups | None = None) -> list[str]:
    fields, rest = wire.split(mail)
    lookups = lookups or Zone(zones()).lookups()
    body = rest.removeprefix(b"\r\n")
    return [one.result for one in signatures(lookups, fields, body, ["far.test"])]


def test_a_signature_covers_repeated_fields_from_the_bottom_and_other_signatures() -> None:
    many = b"X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n" + signed()
    headers = [b"from", b"x-a", b"x-a", b"dkim-signature", b"missing"]
    signer = dkim.DKIM(many, signature_algorithm=b"ed25519-sha256")
    signer.should_not_sign = set()
    secret = base64.b64encode(bytes(KEY))
    mail = signer.sign(
        b"s1", b"far.test", secret, canonicalize=(b"relaxed", b"simple"), include_headers=headers
    )
    mail += many
    assert checked(mail) == ["pass", "pass"]
    assert checked(mail.replace(b"X-A: 1", b"X-A: 0")) == ["pass", "pass"]
    assert checked(mail.replace(b"X-A: 2", b"X-A: 0")) == ["fail", "pass"]
    assert checked(b"Missing: not any more\r\n" + mail) == ["fail", "pass"]


def test_a_signature_may_name_its_domain_in_any_script() -> None:
    tags = "DKIM-Signature: v=1; a=ed25519-sha256; d={}; s=s1; h=from; bh=AA==; b=AA==\r\n"
    fields = [tags.format(one).encode() for one in ("Bücher.example", "b\u0000ü.example", "FAR.test")]
    found = signatures(Zone(zones()).lookups(), fields, b"", ["far.test"])
    assert [one.domain for one in found] == ["xn--bcher-kva.example", "b\0ü.example", "far.test"]


@pytest.mark.timeout(30)
def test_no_signature_is_slow_to_check() -> None:
    names = b":".join(b"x%d" % at for at in range(1000))
    tags = b"DKIM-Signature: v=1; a=ed25519-sha256; d=far.test; s=s1; h=from:" + names + b"; bh=AA==; b="
    fields = b"".join(b"X%d: y\r\n" % (at % 2000) for at in range(50_000))
    assert checked(tags + b"AA==\r\n" + fields + MAIL) == ["fail"]
    assert checked(tags + b" " * 500_000 + b"!\r\n" + MAIL) == ["policy"]
    assert checked((tags.replace(names, b"to") + b"A" + b" " * 7_000 + b"!\r\n") * 5 + MAIL) == ["fail"] * 5


async def test_one_aligned_method_is_enough_and_none_is_a_failure() -> None:
    found = await results(signed(), peer="198.51.100.7")
    assert ("spf=fail" in found, "dkim=pass" in found, "dmarc=pass" in found) == (True, True, True)
    found = await results(signed().replace(b"body", b"hody"), peer="198.51.100.7")
    assert ("dkim=fail" in found, "dmarc=fail" in found) == (True, True)
    assert "dkim=none" in await results(MAIL)


async def test_signature_of_another_domain_does_not_align() -> None:
    forged = signed(MAIL.replace(b"eve@far.test", b"boss@bank.test"))
    found = await results(forged, {"_dmarc.bank.test": ['"v=DMARC1; p=reject"']})
    assert ("dkim=pass" in found, "dmarc=fail header.from=bank.test" in found) == (True, True)


@pytest.mark.parametrize(
    "field",
    [
        b"From: Bank, Inc. <boss@bank.test>",
        b'From: "Bank <boss@bank.test>',
        b"From: boss@bank.test, eve@far.test",
        b"From: boss@bank.test\r\nFrom: eve@far.test",
        b"From: Bank\r\nSender: boss@bank.test\r\nFrom: eve@far.test",
        b"From: eve@far.test, (" + b"x" * 11_000 + b") boss@bank.test",
        b"Sender: boss@bank.test",
    ],
)
async def test_no_spelling_of_the_author_evades_his_policy(field: bytes) -> None:
    forged = MAIL.replace(b"From: Eve <eve@far.test>", field)
    found = await results(forged, {"_dmarc.bank.test": ['"v=DMARC1; p=reject"']})
    assert "dmarc=fail header.from=bank.test" in found


PIECES = st.sampled_from(
    [
        "boss@bank.test", "<boss@bank.test>", "<eve@far.test>", "eve@far.test", "<", ">", '"', ",", ";", ":", "@",
        "Eve", " ", "(", ")", "\\", "bank.test", "=?utf-8?q?a,?=", "[", "]", "\r\n ", "\t", "é", "\x01", "\u200b",
        "\r\nFrom: ", "\r\nSender: ", "\udc81", "\udc95\\", "\udc83e\udc83X\udc83g",
    ]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map("".join), st.sampled_from(["utf-8", "shift_jis", "gbk"]))
def test_the_author_that_is_shown_is_the_one_that_is_checked(value: str, charset: str) -> None:
    head = f"From: {value}\r\nSubject: s\r\nContent-Type: text/plain; charset={charset}\r\n\r\nbody\r\n"
    raw = head.encode("utf-8", "surrogateescape")
    shown = parse(raw).sender
    if shown is not None and shown.email.endswith(("@bank.test", "@far.test")):
        assert author_domains(wire.split(raw)[0])[0][0] == shown.email.rpartition("@")[2]


async def test_part_signed_doubled_from_and_broken_dns() -> None:
    assert "dkim=policy" in await results(signed(length=True))
    doubled = b"From: Boss <boss@far.test>\r\n" + signed()
    found = await results(doubled)
    assert ("dkim=policy" in found, "dmarc=permerror" in found) == (True, True)
    found = await results(signed(), {"s1._domainkey.far.test": None, "far.test": None})
    assert ("spf=temperror" in found, "dkim=temperror" in found) == (True, True)


@pytest.mark.parametrize(
    "silent",
    [
        ("far.test", "s1._domainkey.far.test"),
        ("s1._domainkey.far.test",),  # SPF fails, and the signature cannot be checked
        ("far.test",),  # the signature fails, and SPF cannot be checked
    ],
)
async def test_dmarc_does_not_fail_where_a_lookup_only_timed_out(silent: tuple[str, ...]) -> None:
    mail = signed() if "s1._domainkey.far.test" in silent else signed().replace(b"body", b"hody")
    found = await results(mail, dict.fromkeys(silent), peer="198.51.100.7")
    assert "dmarc=temperror header.from=far.test" in found
    assert "fail header.from" not in found


async def test_a_lookup_that_timed_out_for_another_domain_is_no_excuse() -> None:
    forged = signed(MAIL.replace(b"eve@far.test", b"boss@bank.test"))
    silent: Records = {"far.test": None, "s1._domainkey.far.test": None}
    found = await results(forged, silent | {"_dmarc.bank.test": ['"v=DMARC1; p=reject"']})
    assert "dmarc=fail header.from=bank.test" in found


async def test_the_signature_of_the_author_counts_among_many() -> None:
    others = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=h%d.test; s=s; h=from; bh=AA==; b=AA==\r\n"
        % at
        for at in range(20)
    )
    assert "dmarc=pass header.from=far.test" in await results(others + signed(), peer="198.51.100.7")


@pytest.mark.timeout(30)
async def test_a_megabyte_of_blanks_is_quick() -> None:
    assert without_trailing_blanks(b"a \t\r\n b\r\n \r\nc ") == b"a\r\n b\r\n\r\nc "
    tags = b"v=1; a=ed25519-sha256; c=relaxed/relaxed; d=far.test; s=s1; h=from; bh=AA==; b=AA=="
    header = b"DKIM-Signature: " + tags + b"\r\n"
    await results(header + MAIL + b" " * 1_000_000 + b"x\r\n")


async def test_field_cannot_be_broken_by_names() -> None:
    found = await results(MAIL, sender="e\r\nX: y;dmarc=pass@far.test")
    assert len(found.splitlines()) == 5


async def test_receiver_stamps_and_drops_forged(tmp_path: Path) -> None:
    from tests.mailserver.test_arc import key, sealed
    from tests.mailserver.test_embedded import HEAD, RCPT, provisioned, stored, talk

    async with NameServer(zones({"s._domainkey.list.test": [f'"{key()[1]}"']})) as names:
        resolver = Resolver(nameservers=("127.0.0.1",), port=names.port, timeout=1)
        async with embedded_server(
            tmp_path, hostname="mx.x.test", verify=True, resolver=resolver, trusted_sealers=("list.test",)
        ) as server:
            await provisioned(server)
            forged = b"Authentication-Results: mx.x.test; dmarc=pass\r\n" + sealed(
                signed().replace(b"body", b"Body"), "list.test"
            )
            await talk(server, *HEAD, RCPT, b"DATA\r\n", forged + b".\r\n")
            (mail,) = await stored(server)
            assert mail.count(b"\r\nAuthentication-Results:") == 1
            assert b"\r\nAuthentication-Results: mx.x.test;\r\n\tspf=" in mail
            assert b"dkim=fail header.d=far.test" in mail
            assert (
                b"arc=pass policy.chain=list.test policy.rescued=list.test;\r\n\tx-forged=removed policy.count=1"
                in mail
            )
            assert mail.index(b"Authentication-Results:") < mail.index(b"Received:")
