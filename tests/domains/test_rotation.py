"""Rotating a DKIM key: nothing is ever signed with a key that DNS does not have."""

from __future__ import annotations

import dkim
import pytest

from gateway.core.domains import watch as domains_watch
from gateway.core.domains.watch import DomainWatch
from gateway.mime.dkim_sign import sign
from gateway.records.ids import now_us
from gateway.store.dkim_keys import active_key
from gateway.store.sql import sql
from tests.domains.conftest import Place, by_purpose

pytestmark = pytest.mark.anyio
DAY = 86_400_000_000
MAIL = b"From: a@turn.test\r\nTo: b@far.test\r\nSubject: s\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n\r\nhello\r\n"


async def prepared(place: Place) -> None:
    await place.call("POST", "domains", {"domain": "turn.test"}, status=201)
    records = by_purpose(await place.setup("turn.test"))
    place.publish(*(records[one] for one in ("mx", "spf", "dkim", "dmarc")))
    assert (await place.call("POST", "domains/turn.test/verify"))["status"] == "VERIFIED"


async def signed_and_verified(place: Place) -> tuple[str, bool]:
    """The selector that signs now, and whether what it signs can be verified by what DNS has."""
    key = await place.running.core.store.read(lambda tx: active_key(tx, "agents.turn.test"))
    assert key is not None
    raw = sign(MAIL, domain=key.domain, selector=key.selector, private_key=key.private_key)

    def lookup(name: bytes, timeout: float = 5) -> bytes:
        texts = place.zones.get((name.decode().rstrip("."), "TXT")) or [""]
        return (texts[0] or "").replace('" "', "").strip('"').encode()

    return key.selector, dkim.verify(raw, dnsfunc=lookup)


async def test_the_new_key_signs_only_when_its_record_shows(place: Place) -> None:
    await prepared(place)
    assert await signed_and_verified(place) == ("dkim", True)
    first = await place.call("POST", "domains/turn.test/rotate", {})
    assert (first["rotated"], first["selector"]) == (False, "dkim")
    waiting = by_purpose(first)["dkim_next"]
    again = await place.call("POST", "domains/turn.test/rotate", {})
    assert by_purpose(again)["dkim_next"]["data"] == waiting["data"]  # no third key
    assert await signed_and_verified(place) == ("dkim", True)

    place.publish(waiting)
    done = await place.call("POST", "domains/turn.test/rotate", {})
    assert done["rotated"]
    assert done["selector"] == first["next_selector"]
    assert done["status"] == "VERIFIED"
    assert await signed_and_verified(place) == (first["next_selector"], True)
    kept = by_purpose(done)["dkim_retired"]
    assert kept["name"] == "dkim._domainkey.turn.test"
    zone = (await place.call("GET", "domains/turn.test/setup/zone"))["zone"]
    assert "dkim._domainkey.turn.test." in zone
    assert f"{first['next_selector']}._domainkey.turn.test." in zone
    shown = await place.call("GET", "domains/turn.test")
    assert [one["name"] for one in shown["records"] if "_domainkey" in one["name"]] == [
        f"{first['next_selector']}._domainkey.turn.test"
    ]
    private = await place.running.core.store.read(lambda tx: sql(tx).value("SELECT private FROM dkim_key"))
    assert private == ""


async def test_the_old_record_may_go_after_the_overlap_and_is_then_forgotten(place: Place) -> None:
    await prepared(place)
    await place.call("POST", "domains/turn.test/rotate", {"force": True})
    assert (await place.setup("turn.test", check=True))["obsolete"] == []
    then = now_us() - int((place.running.core.settings.dns.dkim_overlap_days + 1) * DAY)
    await place.running.core.store.write(lambda tx: sql(tx).run("UPDATE dkim_key SET since = ?", then))
    over = await place.setup("turn.test", check=True)
    assert over["obsolete"] == [{"type": "TXT", "name": "dkim._domainkey.turn.test"}]
    assert "dkim_retired" not in by_purpose(over)
    del place.zones[("dkim._domainkey.turn.test", "TXT")]
    assert (await place.setup("turn.test", check=True))["obsolete"] == []
    assert await place.running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM dkim_key")) == 0


async def test_a_second_rotation_on_one_day_has_another_name(place: Place) -> None:
    await prepared(place)
    first = await place.call("POST", "domains/turn.test/rotate", {"force": True})
    second = await place.call("POST", "domains/turn.test/rotate", {"force": True})
    assert len({"dkim", first["selector"], second["selector"]}) == 3


async def test_the_platform_key_is_the_operators(place: Place) -> None:
    await place.call("POST", "domains/postern.test/rotate", {}, status=403)
    done = await place.operator.post("/api/v0/domains/postern.test/rotate", json={"force": True})
    assert done.json()["rotated"], done.text


async def test_the_watch_turns_over_by_itself_and_notices_what_is_gone(place: Place) -> None:
    await prepared(place)
    waiting = by_purpose(await place.call("POST", "domains/turn.test/rotate", {}))["dkim_next"]
    watch = DomainWatch(place.running.core)
    await place.running.core.store.write(lambda tx: sql(tx).run("UPDATE domain SET checked_at = NULL"))
    await watch.check()
    assert (await signed_and_verified(place))[0] == "dkim"
    place.publish(waiting)
    await place.running.core.store.write(lambda tx: sql(tx).run("UPDATE domain SET checked_at = NULL"))
    await watch.check()
    assert await signed_and_verified(place) == (waiting["name"].partition(".")[0], True)
    assert (await place.setup("turn.test"))["status"] == "VERIFIED"
    place.zones[("turn.test", "MX")] = ["10 other.test."]
    await place.running.core.store.write(lambda tx: sql(tx).run("UPDATE domain SET checked_at = NULL"))
    await watch.check()
    assert (await place.setup("turn.test"))["status"] == "INVALID"


async def test_a_name_server_that_fails_changes_nothing(place: Place) -> None:
    await prepared(place)
    place.zones.update(dict.fromkeys(place.zones))  # SERVFAIL
    await place.running.core.store.write(lambda tx: sql(tx).run("UPDATE domain SET checked_at = NULL"))
    await DomainWatch(place.running.core).check()
    assert (await place.setup("turn.test"))["status"] == "VERIFIED"


async def test_when_a_domain_is_due(place: Place) -> None:
    """Ten minutes after the last look at first, an eighth of the quiet time later on."""
    hour = 3_600_000_000
    now = now_us()
    for name, quiet, looked in (
        ("new.test", 0, 5),
        ("due.test", 0, 11),
        ("old.test", 80, 60),
        ("olddue.test", 80, 601),
        ("ancient.test", 10_000, 23 * 60),
        ("ancientdue.test", 10_000, 25 * 60),
    ):
        row = {
            "name": name,
            "number": 1,
            "dkim_selector": "s",
            "dkim_private": "",
            "dkim_public": "",
            "created_at": now - quiet * hour,
            "updated_at": now,
            "checked_at": now - looked * 60_000_000,
        }
        await place.running.core.store.write(lambda tx, row=row: sql(tx).insert("domain", row))
    found = await place.running.core.store.read(lambda tx: domains_watch.due(tx, now, 24 * hour))
    assert {one for one in found if one != "postern.test"} == {"due.test", "olddue.test", "ancientdue.test"}
