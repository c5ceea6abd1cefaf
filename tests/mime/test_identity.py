"""What makes two received mails the same message, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.parse import parse

HOST = "mx.x.test"
TRACE = (
    b"Return-Path: <a@y.test>\r\nDelivered-To: agent@x.test\r\n"
    b"Authentication-Results: mx.x.test;\r\n\tspf=%s smtp.mailfrom=a@y.test;\r\n\tdkim=none;\r\n"
    b"\tdmarc=%s header.from=y.test\r\n"
    b"Received: from c by mx.x.test with ESMTP id %s;\r\n\tFri, 20 Nov 2026 10:00:0%d +0000\r\n"
)
MAIL = (
    b"Received: from far by near; Fri, 20 Nov 2026 09:59:00 +0000\r\nFrom: Ann <a@y.test>\r\nTo: agent@x.test\r\n"
    b"Subject: s\r\nDate: Fri, 20 Nov 2026 09:59:00 +0000\r\nMessage-ID: <1@y.test>\r\n\r\nhello\r\n"
)


def _print(mail: bytes = MAIL, spf: bytes = b"pass", dmarc: bytes = b"pass", second: int = 1) -> str:
    return parse(TRACE % (spf, dmarc, b"abc%d" % second, second) + mail, authserv_id=HOST).fingerprint


def test_the_same_octets_delivered_again_are_the_same() -> None:
    assert _print() == _print(second=2)
    again = MAIL.replace(b"09:59:00 +0000\r\nFrom", b"09:59:07 +0000\r\nFrom")  # another hop of the sender's
    assert _print(again) == _print()


def test_reports_of_filters_do_not_count() -> None:
    for field in (b"X-Spam-Score: 1.2", b"DKIM-Filter: OpenDKIM v2 mx 4ABC", b"X-Rspamd-Queue-Id: 9"):
        assert _print(field + b"\r\n" + MAIL) == _print()


@pytest.mark.parametrize(("spf", "dmarc"), [(b"pass", b"fail"), (b"fail", b"pass"), (b"none", b"temperror")])
def test_another_verdict_of_our_server_is_another_message(spf: bytes, dmarc: bytes) -> None:
    assert _print(spf=spf, dmarc=dmarc) != _print()


def test_a_field_that_claims_our_verdict_does_not_make_it() -> None:
    claim = b"Authentication-Results: mx.x.test; spf=pass; dmarc=pass\r\n"
    assert _print(claim + MAIL, b"fail", b"fail") != _print()
    assert _print(claim + MAIL, b"fail", b"fail") != _print(MAIL, b"pass", b"pass")


def test_the_name_of_our_server_does_not_count() -> None:
    raw = TRACE % (b"pass", b"pass", b"a", 1) + MAIL
    renamed = raw.replace(b"mx.x.test", b"mail.new.test")
    assert parse(raw, authserv_id=HOST).fingerprint == parse(renamed, authserv_id="mail.new.test").fingerprint


_names = st.sampled_from(
    [
        b"Reply-To",
        b"Sender",
        b"Content-Type",
        b"List-Id",
        b"X-A",
        b"Content-Transfer-Encoding",
        b"Cc",
        b"Comments",
    ]
)
_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20).map(str.encode)


@given(_names, _values, st.integers(0, 3))
def test_any_other_field_is_another_message(name: bytes, value: bytes, at: int) -> None:
    lines = MAIL.split(b"\r\n")
    lines.insert(1 + at, name + b": " + value)
    assert _print(b"\r\n".join(lines)) != _print()


def test_fields_beyond_what_is_shown_count_too() -> None:
    many = b"".join(b"X-Many: %d\r\n" % n for n in range(5000))
    assert _print(many + MAIL) != _print(many + b"X-Last: 1\r\n" + MAIL)
