from __future__ import annotations

import re

import dkim
import pytest

from gateway.mime.dkim_sign import SigningError, _strip_trailing_whitespace, generate_key, sign

MAIL = (
    b"From: A <a@x.test>\r\nTo: b@y.test\r\nSubject: hi\r\nDate: Sat, 21 Nov 2026 04:38:01 +0000\r\n"
    b"Message-ID: <m@x.test>\r\n\r\nhello  world \r\n\r\n\r\n"
)


@pytest.fixture(scope="module")
def key() -> tuple[str, str]:
    return generate_key()


def check(raw: bytes, txt: str) -> bool:
    names: list[bytes] = []

    def dns(name: bytes, timeout: int = 5) -> bytes:
        names.append(name)
        return txt.encode()

    result = bool(dkim.verify(raw, dnsfunc=dns))
    assert names == [b"s1._domainkey.x.test."]
    return result


def test_signature_verifies_and_breaks_with_the_message(key: tuple[str, str]) -> None:
    signed = sign(MAIL, domain="x.test", selector="s1", private_key=key[0])
    assert signed.endswith(MAIL)
    assert check(signed, key[1])
    assert not check(signed.replace(b"hello", b"hallo"), key[1])
    assert not check(signed.replace(b"Subject: hi", b"Subject: ho"), key[1])


def test_a_second_subject_or_from_cannot_be_added(key: tuple[str, str]) -> None:
    signed = sign(MAIL, domain="x.test", selector="s1", private_key=key[0])
    for extra in (b"Subject: other\r\n", b"From: evil@z.test\r\n", b"Reply-To: evil@z.test\r\n"):
        assert not check(extra + signed, key[1]), extra
        assert not check(signed.replace(b"\r\n\r\n", b"\r\n" + extra + b"\r\n", 1), key[1]), extra


def test_bad_key_and_no_from_are_typed_errors(key: tuple[str, str]) -> None:
    with pytest.raises(SigningError):
        sign(MAIL, domain="x.test", selector="s1", private_key="nonsense")
    assert generate_key(2048)[1].startswith("v=DKIM1; k=rsa; p=MIIB")


def test_stripping_equals_dkimpys_own_and_is_linear() -> None:
    for text in (b"", b"a \r\n", b"a \t\r\n b \r\n\r\n  ", b" \r\n \r\n", b"a\r \r\n", b"x  \n \r\n\t"):
        assert _strip_trailing_whitespace(text) == re.sub(b"[\t ]+\r\n", b"\r\n", text)
    _strip_trailing_whitespace(b" " * 2_000_000 + b"x")  # hours, were it quadratic


def test_the_key_is_used_by_openssl(key: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object, **__: object) -> bytes:
        raise AssertionError("dkimpy's own integers take 24 ms")

    monkeypatch.setattr("dkim.crypto.rsa_decrypt", slow)
    assert check(sign(MAIL, domain="x.test", selector="s1", private_key=key[0]), key[1])
