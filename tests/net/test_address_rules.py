from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.net.address_rules import AddressRules

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "192.0.1.1"]
PUBLIC += [
    "198.17.0.1",
    "198.20.0.1",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00:1450::1",
    "2001:200::1",
]

REFUSED = ["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1"]
REFUSED += [
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
]
REFUSED += ["192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"]
REFUSED += ["203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1"]
REFUSED += ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::169.254.169.254", "::8.8.8.8"]
REFUSED += ["::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "64:ff9b:1:fffe::1"]
REFUSED += ["100::1", "2001:0:a9fe:a9fe::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:a9fe:a9fe::"]
REFUSED += ["2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00::1", "fd00:ec2::254", "fd20:ce::254"]
REFUSED += ["fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "ff02::1", "4000::1", "e000::1", "1::1"]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_pass(address: str) -> None:
    assert AddressRules().refusal(address) is None


@pytest.mark.parametrize("address", REFUSED)
def test_special_addresses_are_refused_with_a_reason(address: str) -> None:
    assert AddressRules().refusal(address)


@pytest.mark.parametrize("text", ["", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "1.1.1.1 "])
def test_what_is_not_an_address_is_refused(text: str) -> None:
    assert not AddressRules().permits(text)


@given(st.ip_addresses())
def test_nothing_passes_that_the_standard_library_calls_local(
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if AddressRules().permits(ip):
        assert ip.is_global
        assert not any((ip.is_multicast, ip.is_private, ip.is_loopback, ip.is_link_local, ip.is_reserved))


@given(st.ip_addresses(v=4))
def test_no_wrapped_form_passes(ip: ipaddress.IPv4Address) -> None:
    n = int(ip)
    for wrapped in (n, 0xFFFF << 32 | n, 0x64FF9B << 96 | n, 0x2002 << 112 | n << 80, 0x20010000 << 96 | n):
        assert not AddressRules().permits(ipaddress.IPv6Address(wrapped))


def test_allowed_networks_open_exactly_themselves() -> None:
    rules = AddressRules.from_settings(["10.1.0.0/16", " fd00:1::/32 ", "192.168.7.9"])
    assert rules.permits("10.1.2.3")
    assert rules.permits("fd00:1::5")
    assert rules.permits("192.168.7.9")
    for closed in ("10.2.0.1", "fd00:2::5", "192.168.7.10", "127.0.0.1", "::ffff:10.1.2.3"):
        assert not rules.permits(closed)


def test_an_opened_transition_block_does_not_open_what_it_wraps() -> None:
    rules = AddressRules.from_settings(["64:ff9b::/96", "::ffff:0:0/96", "10.0.0.0/8"])
    assert rules.permits("64:ff9b::808:808")
    assert rules.permits("::ffff:8.8.8.8")
    assert rules.permits("::ffff:10.0.0.1")
    assert not rules.permits("64:ff9b::a9fe:a9fe")
    assert not rules.permits("::ffff:127.0.0.1")


def test_deny_is_stronger_than_allow() -> None:
    rules = AddressRules.from_settings(["10.0.0.0/8"], deny=["10.0.0.5", "8.8.8.0/24"], allow_loopback=True)
    assert rules.permits("10.0.0.4")
    assert not rules.permits("10.0.0.5")
    assert not rules.permits("8.8.8.8")
    assert rules.permits("127.0.0.1")


def test_development_opens_loopback_only() -> None:
    rules = AddressRules(allow_loopback=True)
    assert rules.permits("127.9.9.9")
    assert rules.permits("::1")
    for closed in ("10.0.0.1", "169.254.169.254", "0.0.0.0", "::", "::ffff:127.0.0.1", "fe80::1"):
        assert not rules.permits(closed)


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "intranet", "", "10.0.0"])
def test_a_bad_setting_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a network") as caught:
        AddressRules.from_settings(["10.0.0.0/8", entry])
    assert repr(entry) in str(caught.value)
