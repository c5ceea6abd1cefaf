"""DNS of every domain and of the host, as a name server says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.domains.records import Keys, all_records, keys_of
from gateway.doctor import checks_blocklists, checks_dns
from gateway.doctor.context import Scene
from gateway.records.domains import Domain
from gateway.records.ids import InboxId, OrganizationId, new_ulid, now_us
from gateway.store.queries.aliases import put_alias
from gateway.store.queries.domains import unscoped_domain
from gateway.store.sql import sql
from gateway.store.transaction import Tx
from mailserver.dns.zone import rdata_of
from tests.doctor.contexts import Zones, scene, told

pytestmark = pytest.mark.anyio


async def publish(made: Scene, zones: Zones, domain: str = "shop.test") -> None:
    """Everything that the domain should have."""

    def read(tx: Tx) -> tuple[Domain, Keys]:
        found = unscoped_domain(tx, domain)
        assert found is not None
        return found, keys_of(tx, made.settings, domain)

    found, keys = await made.read(read)
    for one in all_records(made.settings, found, keys, made.site):
        if one.type == "CNAME":
            zones[(one.name, "A")] = ["192.0.2.10"]
        else:
            zones[(one.name, one.type)] = [rdata_of(one)]


async def test_a_domain_with_all_its_records_is_well_and_each_missing_one_is_told(tmp_path: Path) -> None:
    zones: Zones = {}
    async with scene(tmp_path, zones=zones) as made:
        await publish(made, zones)
        assert await told(checks_dns.domains, made) == [("ok", "shop.test")]
        assert await told(checks_dns.hostname, made) == [("ok", "mail.shop.test")]

        zones[("shop.test", "MX")] = ["10 elsewhere.test."]
        (found,) = await checks_dns.domains(made)
        assert (found.level, found.text) == ("fail", "MX shop.test is invalid (it is 10 elsewhere.test)")
        assert "shop.test MX 10 mail.shop.test." in found.fix
        del zones[("shop.test", "MX")], zones[("_dmarc.shop.test", "TXT")]
        assert await told(checks_dns.domains, made) == [("fail", "shop.test")] * 2
        await publish(made, zones)

        del zones[("_smtp._tls.shop.test", "TXT")], zones[("_mta-sts.shop.test", "TXT")]
        (found,) = await checks_dns.domains(made)
        assert found.level == "warn"  # what is only recommended
        assert "TXT _mta-sts.shop.test" in found.text
        assert "TXT _smtp._tls.shop.test" in found.text


async def test_an_enforced_policy_without_its_record_is_wrong(tmp_path: Path) -> None:
    zones: Zones = {}
    async with scene(tmp_path, zones=zones) as made:
        assert made.store is not None
        await made.store.write(lambda tx: sql(tx).run("UPDATE domain SET mta_sts = 'enforce'"))
        await publish(made, zones)
        zones[("_mta-sts.shop.test", "TXT")] = ['"v=STSv1; id=old"']
        assert await told(checks_dns.domains, made) == [("fail", "shop.test")]


async def test_a_domain_that_was_only_named_is_of_note(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        assert made.store is not None
        await made.store.write(lambda tx: sql(tx).run("UPDATE domain SET proven_at = NULL"))
        made_of = await told(checks_dns.domains, made)
    assert made_of == [("warn", "shop.test")]


async def test_an_outlived_key_is_told(tmp_path: Path) -> None:
    zones: Zones = {}
    async with scene(tmp_path, zones=zones) as made:
        row = {"domain": "shop.test", "selector": "old", "private": "", "public": "v=DKIM1; p=AA"}
        assert made.store is not None
        await made.store.write(lambda tx: sql(tx).insert("dkim_key", {**row, "state": "retired", "since": 1}))
        await publish(made, zones)
        (found,) = await checks_dns.domains(made)
    assert (found.level, found.text) == ("warn", "TXT old._domainkey.shop.test is no longer needed")


async def test_name_servers_that_do_not_answer_are_named_as_such(tmp_path: Path) -> None:
    async with scene(tmp_path, dns__port=9, dns__timeout=0.5) as made:
        (found,) = await checks_dns.domains(made)
        assert found.level == "fail"
        assert "do not answer" in found.text
        (found,) = await checks_dns.hostname(made)
        assert found.level == "fail"
        assert "did not answer" in found.text


async def test_the_host_has_addresses_and_they_lead_back(tmp_path: Path) -> None:
    zones: Zones = {}
    async with scene(tmp_path, zones=zones) as made:
        (found,) = await checks_dns.hostname(made)
        assert (found.level, found.text) == ("fail", "has no address")
        assert "192.0.2.10" in found.fix
        await publish(made, zones)
        zones[("10.2.0.192.in-addr.arpa", "PTR")] = ["vps7.hoster.test."]
        (found,) = await checks_dns.hostname(made)
        assert found.level == "fail"
        assert "vps7.hoster.test" in found.text
        assert "whoever gave you the address" in found.fix
        await publish(made, zones)
        zones[("mail.shop.test", "A")] = ["10.1.2.3"]
        assert [level for level, _ in await told(checks_dns.hostname, made)] == ["fail", "fail"]
    async with scene(tmp_path, zones=zones, mail__smarthost="relay.test:587") as made:
        await publish(made, zones)
        del zones[("10.2.0.192.in-addr.arpa", "PTR")]
        assert await told(checks_dns.hostname, made) == [
            ("warn", "mail.shop.test")
        ]  # nobody sees our address


async def test_somebody_reads_postmasters_mail(tmp_path: Path) -> None:
    async with scene(tmp_path) as made:
        assert await told(checks_dns.postmaster, made) == [("warn", "postmaster@shop.test")]
        row = {
            **dict.fromkeys(("id", "organization_id", "pod_id"), new_ulid()),
            "number": 1,
            "address": "postmaster@shop.test",
            "username": "postmaster",
            "domain": "shop.test",
            **dict.fromkeys(("active_at", "created_at", "updated_at"), now_us()),
        }
        assert made.store is not None
        await made.store.write(lambda tx: sql(tx).insert("inbox", row))
        assert await told(checks_dns.postmaster, made) == [("ok", "postmaster@shop.test")]
        await made.store.write(lambda tx: sql(tx).run("UPDATE inbox SET address = 'ops@shop.test'"))
        assert [level for level, _ in await told(checks_dns.postmaster, made)] == ["warn"]
        await made.store.write(
            lambda tx: put_alias(tx, OrganizationId("o"), "postmaster@shop.test", [InboxId(str(row["id"]))])
        )
        assert await told(checks_dns.postmaster, made) == [("ok", "postmaster@shop.test")]


async def test_blocklists(tmp_path: Path) -> None:
    six = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"
    zones: Zones = {("x", "A"): ["127.0.0.1"]}
    async with scene(tmp_path, zones=zones, doctor__blocklists=["bl.test", "other.test"]) as made:
        assert await told(checks_blocklists.blocklists, made) == [("ok", "blocklists")]
        zones[("10.2.0.192.bl.test", "A")] = ["127.0.0.4"]
        zones[("10.2.0.192.bl.test", "TXT")] = ['"seen sending spam"']
        (found,) = await checks_blocklists.blocklists(made)
        assert (found.level, found.text) == ("fail", "has 192.0.2.10: seen sending spam")
        zones[(f"{six}.other.test", "A")] = ["127.255.255.254"]  # refuses the resolver
        assert await told(checks_blocklists.blocklists, made) == [("fail", "bl.test"), ("warn", "other.test")]
