from __future__ import annotations

import pytest

from gateway.mime.addresses import (
    InvalidAddress,
    check_domain,
    is_own,
    normalise,
    parse_address_list,
    parse_user_address,
)
from gateway.mime.types import Address


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("a@b.c", [("", "a@b.c")]),
        ("Joe Doe <j@x.y>, k@x.y", [("Joe Doe", "j@x.y"), ("", "k@x.y")]),
        ('"Doe, Joe" <j@x.y>', [("Doe, Joe", "j@x.y")]),
        ('"a \\"b\\" c" <j@x.y>', [('a "b" c', "j@x.y")]),
        ("=?utf-8?q?J=C3=B6rg=2C_x?= <j@x.y>", [("Jörg, x", "j@x.y")]),
        ("j@x.y (Joe)", [("Joe", "j@x.y")]),
        ("group: a@b.c, d@e.f;, g@h.i", [("", "a@b.c"), ("", "d@e.f"), ("", "g@h.i")]),
        ("undisclosed-recipients:;", []),
        ('"boss@bank.com" <evil@x.y>', [("boss@bank.com", "evil@x.y")]),
        ("boss@bank.com <evil@x.y>", [("boss@bank.com", "evil@x.y")]),
        ("Jane Doe jane@x.y", [("Jane Doe", "jane@x.y")]),
        ("<@relay.x:a@b.c>", [("", "a@b.c")]),
        ("MAILER-DAEMON", [("", "MAILER-DAEMON")]),
        ("a @ b.c", [("", "a@b.c")]),
        ("", []),
        ("<>", []),
    ],
)
def test_lists(field: str, expected: list[tuple[str, str]]) -> None:
    assert [(x.name, x.email) for x in parse_address_list(field)] == expected


@pytest.mark.timeout(30)
def test_bombs_are_linear() -> None:
    parse_address_list("(" * 200_000 + "a@b.c")
    parse_address_list("<" * 200_000)
    parse_address_list('"' + "\\" * 200_000)
    parse_address_list("a@b.c (" + "(x)" * 60_000)
    assert len(parse_address_list(",".join(f"u{i}@x.y" for i in range(20_000)))) == 2000


@pytest.mark.parametrize(
    ("text", "name", "email"),
    [
        ("a@b.test", "", "a@b.test"),
        (" Joe <Joe.Doe+x@B.Test> ", "Joe", "Joe.Doe+x@b.test"),
        ('"Doe, J" <j@b.test>', "Doe, J", "j@b.test"),
        ("a@bücher.de", "", "a@xn--bcher-kva.de"),
        ("日本 <a@b.test>", "日本", "a@b.test"),
        ("a@localhost", "", "a@localhost"),
    ],
)
def test_given_addresses(text: str, name: str, email: str) -> None:
    assert parse_user_address(text) == Address(name, email)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("a", "no @"),
        ("a@b@c", "more than one @"),
        ("@b.test", "nothing before"),
        ("a@", "domain is empty"),
        ("a@b..c", "not a valid domain"),
        ("a@-b.c", "not a valid domain"),
        ("a@b_c.d", "not a valid domain"),
        ("a@127.0.0.1", "IP address"),
        ("a@[127.0.0.1]", "not a valid domain"),
        ("a b@c.d", "before the @"),
        (".a@c.d", "before the @"),
        ("a..b@c.d", "before the @"),
        ("ü@c.d", "before the @"),
        ("a@b.c\r\nBcc: x@y.z", "U+000D"),
        ("a\n@b.c", "U+000A"),
        ("Joe\x00 <a@b.c>", "U+0000"),
        ("Joe\u2028 <a@b.c>", "U+2028"),
        ("a@b\u202e.c", "invisible"),
        ("x" * 65 + "@b.c", "longer than 64"),
        ("a@" + "b" * 64 + ".c", "not a valid domain"),
        ("a@" + ".".join(["b" * 60] * 5), "longer than"),
        ("Joe <a@b.c", "without a '>'"),
        ("a@b.c>", "without a '<'"),
        ("a <x@y.z> <a@b.c>", "more than one pair"),
        ("a@b.c, d@e.f", "more than one @"),
        ('"a b"@c.d', "before the @"),
    ],
)
def test_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(InvalidAddress, match=says.replace("+", r"\+")):
        parse_user_address(text)


def test_forms() -> None:
    assert str(Address("Doe, J", "j@x.y")) == '"Doe, J" <j@x.y>'
    assert str(Address("Jörg", "j@x.y")) == "Jörg <j@x.y>"
    assert str(Address("", "j@x.y")) == "j@x.y"
    assert normalise(" Me+Tag@X.Y ") == "me+tag@x.y"
    assert is_own("Me+Tag@X.Y", "me@x.y")
    assert is_own("me+a+b@x.y", "Me+A@x.y")
    assert not is_own("me@x.y", "me+a@x.y")
    assert not is_own("mean@x.y", "me@x.y")
    assert not is_own("me@other.y", "me@x.y")
    assert not is_own("@x.y", "")
    assert not is_own("", "")
    assert check_domain("Example.COM.") == "example.com"
