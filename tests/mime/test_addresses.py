from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.addresses import (
    InvalidAddress,
    check_domain,
    normalise,
    parse_address_list,
    parse_user_address,
)
from gateway.mime.types import Address
from mailserver.addresses import wire_form

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Cn"]), max_size=30)


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
        ("MAILER-DAEMON <>", [("MAILER-DAEMON", "")]),
        ("", []),
        ("<>", []),
        # commas and semicolons that belong to a name without quotes
        ("Nordwind, Ltd. <n@x.y>", [("Nordwind, Ltd.", "n@x.y")]),
        ("Nordwind; Ltd. <n@x.y>, k@x.y", [("Nordwind; Ltd.", "n@x.y"), ("", "k@x.y")]),
        ("Süd, Eva <e@x.y>, West, Ole <o@x.y>", [("Süd, Eva", "e@x.y"), ("West, Ole", "o@x.y")]),
        ("=?utf-8?q?Nordwind,_GmbH?= <n@x.y>", [("Nordwind, GmbH", "n@x.y")]),
        ("=?utf-8?q?S=C3=BCd?=, =?utf-8?q?Eva?= <e@x.y>", [("Süd, Eva", "e@x.y")]),
        ("Desk, desk@x.y", [("Desk", "desk@x.y")]),
        ("Nordwind,, Ltd. <n@x.y>", [("Nordwind, Ltd.", "n@x.y")]),
        ("Desk @ Nordwind, Ltd. <n@x.y>", [("Desk @ Nordwind, Ltd.", "n@x.y")]),
        ("a@b.c, Nordwind", [("", "a@b.c"), ("", "Nordwind")]),
        ("group: a@b.c; Nordwind, Ltd. <n@x.y>", [("", "a@b.c"), ("Nordwind, Ltd.", "n@x.y")]),
        # quotes and brackets that are missing
        ('"Eva Süd" e@x.y', [("Eva Süd", "e@x.y")]),
        ('"Eva Süd <e@x.y>', [("Eva Süd", "e@x.y")]),
        ("Eva <e@x.y, Ole <o@x.y>", [("Eva", "e@x.y"), ("Ole", "o@x.y")]),
        ("Eva <e@x.y> Ole <o@x.y>", [("Eva", "e@x.y"), ("", "o@x.y")]),
        ("e@x.y o@x.y", [("", "e@x.y"), ("", "o@x.y")]),
        ("<Eva Süd> e@x.y", [("Eva Süd", "e@x.y")]),
        ("<mailto:e@x.y>", [("", "e@x.y")]),
        ("Eva [e@x.y]", [("Eva", "e@x.y")]),
        ('"e@x.y"', [("e@x.y", "")]),
        # local parts that need quotes, and some that have them for nothing
        ('"eva.s"@x.y', [("", "eva.s@x.y")]),
        ('Eva <"eva..s."@x.y>, "eva s"@x.y', [("Eva", "eva..s.@x.y"), ("", '"eva s"@x.y')]),
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
    for piece in (
        "a,",
        "a;",
        "a:",
        "=?q?q?",
        "=?utf-8?q?a",
        "<a@b",
        "a@b ",
        '"a',
        '"a" ',
        "a@ ",
        "a . ",
        "[",
        "@",
    ):
        parse_address_list(piece * (200_000 // len(piece)))
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
        ("eva..s.@b.test", "", "eva..s.@b.test"),
        ('"eva..s."@b.test', "", "eva..s.@b.test"),
        ('"eva.s"@B.test', "", "eva.s@b.test"),
        ('Eva <"eva s"@b.test>', "Eva", '"eva s"@b.test'),
        ('"a@b"@b.test', "", '"a@b"@b.test'),
        ("Nordwind, Ltd. <n@b.test>", "Nordwind, Ltd.", "n@b.test"),
        ("N@b.test <n@b.test>", "N@b.test", "n@b.test"),
        ('"n@x.y, o@x.y" <n@b.test>', "n@x.y, o@x.y", "n@b.test"),
        ('"Süd, Eva" (office) <e@b.test>', "Süd, Eva (office)", "e@b.test"),
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
        ("..@c.d", "before the @"),
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
        ('"a<b"@c.d', "without a '>'"),
        ('"a\u00fc"@c.d', "before the @"),
        ('""@c.d', "before the @"),
        ('"a"b@c.d', "before the @"),
        ("a@b.c; d@e.f", "item of its own"),
        ("a@b.c d@e.f", "item of its own"),
        ("<a@b.c>, <d@e.f>", "item of its own"),
        ("<a@b.c> <d@e.f>", "item of its own"),
        ('"A" <a@b.c>, "D" <d@e.f>', "item of its own"),
        ('"A" <a@b.c>; "D, E" <d@e.f>', "item of its own"),
        ("A <a@b.c>, D <d@e.f>", "item of its own"),
        ("A <a@b.c>, d@e.f", "item of its own"),
        ("a@b.c, D <d@e.f>", "item of its own"),
        ("a@b.c <d@e.f>", "item of its own"),
    ],
)
def test_refused_with_the_reason(text: str, says: str) -> None:
    with pytest.raises(InvalidAddress, match=says.replace("+", r"\+")):
        parse_user_address(text)


@given(NAMES, st.sampled_from(["eva", "eva..s.", ".eva", '"eva s"', '"a@b"', '"a\\\\b\\"c"']))
def test_what_is_shown_of_an_address_can_be_given_back(name: str, local: str) -> None:
    shown = Address(" ".join(name.split()), f"{local}@x.test")
    assert parse_user_address(str(shown)) == shown
    assert parse_address_list(wire_form(shown.email)) == [Address("", shown.email)]


@given(st.lists(NAMES, min_size=2, max_size=3))
def test_no_text_with_several_addresses_is_taken_for_one(names: list[str]) -> None:
    written = [str(Address(name.strip(), f"a{number}@x.test")) for number, name in enumerate(names)]
    for between in (", ", ",", "; ", " "):
        with pytest.raises(InvalidAddress):
            parse_user_address(between.join(written))


def test_forms() -> None:
    assert str(Address("Doe, J", "j@x.y")) == '"Doe, J" <j@x.y>'
    assert str(Address("Jörg", "j@x.y")) == "Jörg <j@x.y>"
    assert str(Address("", "j@x.y")) == "j@x.y"
    assert normalise(" Me+Tag@X.Y ") == "me+tag@x.y"
    assert check_domain("Example.COM.") == "example.com"
    assert wire_form("eva..s.@x.test") == '"eva..s."@x.test'
    assert wire_form('"eva s"@x.test') == '"eva s"@x.test'
    assert wire_form("eva.s+t@x.test") == "eva.s+t@x.test"
