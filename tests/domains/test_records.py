"""Every record a domain should have, published in a real name server from our own zone file, and judged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mailserver.dns import Checker, Record, ResolverSettings, Service, Site, further_records, records_for
from mailserver.dns.addresses import public_addresses
from mailserver.dns.advice import fix_of
from mailserver.dns.mta_sts import Policy
from mailserver.dns.zone import zone_of
from tests.domains.nsd import nsd
from tests.support.servers import NameServer

pytestmark = pytest.mark.anyio

HOST = "mail.x.test"
POLICY = Policy("testing", HOST)
SITE = Site(
    HOST,
    "api.x.test",
    ("192.0.2.10", "2001:db8::10"),
    (Service("_imaps", 993), Service("_imap", 143, 10), Service("_pop3", 0)),
)
KEY = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A" * 12
API = "api.x.test. 3600 IN A 192.0.2.11\n"


def wanted() -> list[Record]:
    four = records_for("x.test", mail_host=HOST, dkim_selector="s1", dkim_public_key=KEY)
    return four + further_records("x.test", SITE, POLICY)


def reverse_zones(records: list[Record]) -> dict[str, str]:
    found = {}
    for one in records:
        if one.type == "PTR":
            head = f"{one.name}. 60 IN SOA ns.x.test. h.x.test. 1 2 3 4 5\n{one.name}. 60 IN NS ns.x.test.\n"
            found[one.name] = head + f"{one.name}. 60 IN PTR {one.value}.\n"
    return found


async def test_a_name_server_loads_the_zone_and_every_record_is_found_valid() -> None:
    zone = zone_of("x.test", wanted(), serial=7, name_servers=["ns.x.test", "ns2.far.test."])
    zone += API + "ns.x.test. 60 IN A 127.0.0.1\n"
    with nsd({"x.test": zone, **reverse_zones(wanted())}) as port:
        found = await Checker(ResolverSettings(("127.0.0.1",), port, 3)).check(wanted())
    assert {one.key: one.status for one in found if one.status != "VALID"} == {}
    assert {one.purpose for one in found} == {
        *("mx", "spf", "dkim", "dmarc", "mta_sts", "tls_rpt", "web_name", "service"),
        *("address", "helo_spf", "ptr"),
    }
    assert [fix_of(one) for one in found] == [""] * len(found)


async def test_without_name_servers_it_is_a_part_to_include() -> None:
    part = zone_of("x.test", wanted())
    assert "SOA" not in part
    head = "$ORIGIN x.test.\n@ 60 IN SOA ns h 1 2 3 4 5\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n"
    with nsd({"x.test": head + part + API}) as port:
        found = await Checker(ResolverSettings(("127.0.0.1",), port, 3)).check(
            [one for one in wanted() if one.type != "PTR"]
        )
    assert {one.status for one in found} == {"VALID"}


async def test_a_host_of_another_domain_is_not_in_the_zone() -> None:
    foreign = further_records("y.test", SITE, POLICY)
    assert not [one for one in foreign if one.purpose in ("address", "ptr", "helo_spf")]
    zone = zone_of("y.test", foreign, name_servers=["ns.x.test"])
    with nsd({"y.test": zone}):
        pass  # nsd-checkzone refuses what is out of the zone


def of(purpose: str, type: str | None = None) -> Record:
    return next(one for one in wanted() if one.purpose == purpose and type in (None, one.type))


@pytest.mark.parametrize(
    ("record", "held", "status"),
    [
        (of("mta_sts"), [f'"v=STSv1; id={POLICY.id}"'], "VALID"),
        (of("mta_sts"), ['"v=STSv1; id=20200101"'], "INVALID"),
        (of("mta_sts"), [f'"v=STSv1; id={POLICY.id}"', '"v=STSv1; id=2"'], "INVALID"),
        (of("mta_sts"), ['"other"'], "MISSING"),
        (of("tls_rpt"), ['"v=TLSRPTv1; rua=https://far.test/r"'], "VALID"),
        (of("tls_rpt"), ['"v=TLSRPTv1"'], "INVALID"),
        (of("service"), ["20 5 993 mail.x.test."], "VALID"),
        (of("service"), ["0 1 993 other.test."], "INVALID"),
        (of("service"), ["0 1 143 mail.x.test."], "INVALID"),
        (of("address", "A"), ["192.0.2.10", "192.0.2.99"], "VALID"),
        (of("address", "A"), ["192.0.2.99"], "INVALID"),
        (of("ptr"), ["mail.x.test."], "VALID"),
        (of("ptr"), ["vps-17.hoster.test."], "INVALID"),
        (of("helo_spf"), ['"v=spf1 a -all"'], "VALID"),
        (of("helo_spf"), ['"v=spf1 -all"'], "INVALID"),
    ],
)
async def test_what_stands_there_is_judged(record: Record, held: list[str], status: str) -> None:
    async with NameServer({(record.name, record.type): held}) as server:
        checker = Checker(ResolverSettings(("127.0.0.1",), server.port, 2))
        (found,) = await checker.check([record])
    assert found.status == status
    assert (fix_of(found) == "") == (status == "VALID")
    assert len(found.found) == len(held)


async def test_a_web_name_may_be_an_alias_or_addresses_of_the_same_machine() -> None:
    record = of("web_name")
    zones: Any = {("api.x.test", "A"): ["192.0.2.11"], (record.name, "A"): ["192.0.2.11"]}
    async with NameServer(zones) as server:
        checker = Checker(ResolverSettings(("127.0.0.1",), server.port, 2))
        assert (await checker.check([record]))[0].status == "VALID"
        zones[(record.name, "A")] = ["192.0.2.77"]
        (found,) = await checker.check([record])
        assert (found.status, found.found) == ("INVALID", ("192.0.2.77",))
        del zones[(record.name, "A")]
        assert (await checker.check([record]))[0].status == "MISSING"


async def test_silent_name_servers_are_told_apart_from_missing_records() -> None:
    async with NameServer({("x.test", "MX"): None}, silent=(f"_dmarc.{'x.test'}",)) as server:
        checker = Checker(ResolverSettings(("127.0.0.1",), server.port, 0.5))
        found = {one.purpose: one for one in await checker.check(wanted()[:4])}
    assert {one.status for one in found.values()} == {"MISSING"}
    assert not found["mx"].answered
    assert not found["dmarc"].answered
    assert found["dkim"].answered
    assert "did not answer" in fix_of(found["mx"])
    assert fix_of(found["dkim"]).startswith("publish s1._domainkey.x.test TXT")


def test_another_policy_has_another_id() -> None:
    texts = [Policy(mode, HOST) for mode in ("testing", "enforce", "none")]
    texts.append(replace(POLICY, mail_host="other.test"))
    assert len({one.id for one in texts}) == 4
    assert POLICY.text == "version: STSv1\r\nmode: testing\r\nmx: mail.x.test\r\nmax_age: 86400\r\n"
    assert "mx:" not in Policy("none", HOST).text


def test_addresses_are_as_given_and_must_be_addresses() -> None:
    assert public_addresses("192.0.2.1", "2001:DB8::1") == ("192.0.2.1", "2001:db8::1")
    with pytest.raises(ValueError, match="not-one"):
        public_addresses("not-one", "")
    with pytest.raises(ValueError, match="2001"):
        public_addresses("2001:db8::1", "")
