from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.address_rules import AddressRules
from gateway.net.errors import NetError, TargetRefused, UrlRefused
from gateway.net.url_rules import MAX_URL, check_url

RULES = AddressRules()


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://Example.COM:443/Hook?a=1#frag", "https://example.com/Hook?a=1"),
        ("https://example.com.:8443/x", "https://example.com:8443/x"),
        ("https://bücher.example/ü?q=ä", "https://xn--bcher-kva.example/%C3%BC?q=%C3%A4"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://faß.example/", "https://xn--fa-hia.example/"),
        ("https://ｅｘａｍｐｌｅ。com/", "https://example.com/"),
        ("https://8.8.8.8/x", "https://8.8.8.8/x"),
        ("https://[2606:4700:4700:0::1111]:444/", "https://[2606:4700:4700::1111]:444/"),
        ("https://my_agent.internal/a%2Fb?c=%20", "https://my_agent.internal/a%2Fb?c=%20"),
        ("https://agent/", "https://agent/"),
        ("https://example.com?x=1", "https://example.com/?x=1"),
    ],
)
def test_good_urls_come_back_normalised(text: str, normal: str) -> None:
    assert str(check_url(text, RULES)) == normal
    assert str(check_url(normal, RULES)) == normal


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("https://e.example/" + "a" * MAX_URL, "longer"),
        ("http://example.com/", "https"),
        ("ftp://example.com/", "https://"),
        ("file:///etc/passwd", "https://"),
        ("gopher://127.0.0.1:6379/_INFO", "https://"),
        ("javascript:alert(1)", "https://"),
        ("//example.com/", "https://"),
        ("example.com/hook", "https://"),
        ("https:///x", "no host"),
        ("https://user:pw@example.com/", "user name"),
        ("https://8.8.8.8@127.0.0.1/", "user name"),
        ("https://@example.com/", "user name"),
        ("https://example.com:0/", "port 0"),
        ("https://example.com:25/", "port 25"),
        ("https://example.com:6379/", "port 6379"),
        ("https://example.com:99999/", "port"),
        ("https://example.com:8x/", "port"),
        ("https://exa mple.com/", "space"),
        ("https://example.com/\r\nX: y", "control"),
        ("https://example.com\t/", "control"),
        ("https://example.com\\@127.0.0.1/", "backslash"),
        ("https://[::1/", "cannot be read"),
        ("https://a..example/", "host name"),
        ("https://-a.example/", "host name"),
        ("https://a%00b.example/", "host name"),
        ("https://a%2eexample/", "host name"),
        ("https://" + "a" * 64 + ".example/", "host name"),
        ("https://" + "a." * 130 + "example/", "host name"),
        ("https://2130706433/", "IP address"),
        ("https://0x7f.1/", "IP address"),
        ("https://0x7f000001/", "IP address"),
        ("https://0177.1/", "IP address"),
        ("https://0177.0.0.1/", "IP address"),
        ("https://127.1/", "IP address"),
        ("https://0/", "IP address"),
        ("https://8.8.8.8.8/", "IP address"),
        ("https://[fe80::1%25eth0]/", "zone"),
        ("https://\ud800.example/", "host"),
        ("https://example.com/\ud800", "Unicode"),
    ],
)
def test_bad_urls_are_refused_with_what_to_do(text: str, says: str) -> None:
    with pytest.raises(UrlRefused, match=says):
        check_url(text, RULES)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1.",
        "[::1]",
        "localhost",
        "LOCALHOST.",
        "a.localhost",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[::169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "10.0.0.1",
    ],
)
def test_addresses_and_localhost_are_judged_at_once(host: str) -> None:
    with pytest.raises(TargetRefused):
        check_url(f"https://{host}/", RULES)


def test_settings_open_http_loopback_and_private_networks() -> None:
    local = AddressRules(allow_loopback=True)
    assert str(check_url("http://localhost:8080/h", local, allow_http=True)) == "http://localhost:8080/h"
    assert str(check_url("http://[::1]:80/", local, allow_http=True)) == "http://[::1]/"
    private = AddressRules.from_settings(["10.0.0.0/8"])
    assert str(check_url("https://10.0.0.1/", private)) == "https://10.0.0.1/"
    with pytest.raises(UrlRefused):
        check_url("http://10.0.0.1/", private)


@given(st.text(max_size=60))
def test_any_text_is_refused_or_becomes_plain_ascii(text: str) -> None:
    try:
        made = check_url("https://" + text, RULES)
    except NetError:
        return
    assert str(made).isascii()
    assert not set(str(made)) & set(" \r\n\t\\")
    assert str(check_url(str(made), RULES)) == str(made)
