"""A domain is ours only once DNS shows it, or the operator says so; and some names are the operator's."""

from __future__ import annotations

import pytest

from gateway.core.accounts import bootstrap
from tests.domains.conftest import Place, by_purpose

pytestmark = pytest.mark.anyio


async def test_nobody_takes_the_mail_of_a_domain_he_only_named(place: Place) -> None:
    await place.call("POST", "domains", {"domain": "bank.test"}, status=201)
    assert [hop.kind for hop in place.running.server.plan(["ceo@bank.test"])] == ["mx"]
    refused = await place.call("POST", "inboxes", {"username": "ceo", "domain": "bank.test"}, status=400)
    assert "DNS has not shown" in refused["message"]
    assert "postern domain verify bank.test" in refused["fix"]
    await bootstrap.reconcile_mail_server(place.running.core)
    assert [hop.kind for hop in place.running.server.plan(["ceo@bank.test"])] == ["mx"]


@pytest.mark.parametrize("purpose", ["mx", "dkim"])
async def test_mx_alone_or_key_alone_is_no_proof(place: Place, purpose: str) -> None:
    await place.call("POST", "domains", {"domain": "half.test"}, status=201)
    place.publish(by_purpose(await place.setup("half.test"))[purpose])
    found = await place.setup("half.test", check=True)
    assert by_purpose(found)[purpose]["status"] == "VALID"
    assert found["proven"] is None
    assert [hop.kind for hop in place.running.server.plan(["a@half.test"])] == ["mx"]


async def test_proof_in_dns_lets_mail_in_and_outlives_a_failure_of_dns(place: Place) -> None:
    await place.call("POST", "domains", {"domain": "mine.test"}, status=201)
    records = by_purpose(await place.setup("mine.test"))
    place.publish(records["mx"], records["dkim"])
    await place.call("POST", "domains/mine.test/verify")
    assert (await place.setup("mine.test"))["proven"]
    assert [hop.kind for hop in place.running.server.plan(["a@mine.test"])] == ["lmtp"]
    made = await place.call("POST", "inboxes", {"username": "a", "domain": "mine.test"}, status=201)
    assert made["email_address"] == "a@mine.test"
    place.zones.clear()
    assert (await place.call("POST", "domains/mine.test/verify"))["status"] == "PENDING"
    await bootstrap.reconcile_mail_server(place.running.core)
    assert [hop.kind for hop in place.running.server.plan(["b@mine.test"])] == ["lmtp"]


async def test_the_operator_may_trust_a_domain_and_nobody_else(place: Place) -> None:
    await place.call("POST", "domains", {"domain": "filtered.test"}, status=201)
    await place.call("POST", "domains/filtered.test/trust", {}, status=403)
    answer = await place.operator.post("/api/v0/domains/filtered.test/trust", json={})
    assert answer.status_code == 200, answer.text
    assert answer.json()["proven"]
    assert [hop.kind for hop in place.running.server.plan(["a@filtered.test"])] == ["lmtp"]


async def test_names_of_the_operator_on_the_platform_domain(place: Place) -> None:
    for name in ("postmaster", "Abuse", "hostmaster"):
        refused = await place.call("POST", "inboxes", {"username": name}, status=403)
        assert "operator" in refused["message"]
    made = await place.operator.post("/api/v0/inboxes", json={"username": "postmaster"})
    assert made.status_code == 201, made.text
    await place.call("POST", "inboxes", {"username": "post-master"}, status=201)


async def test_an_alias_is_no_way_around_it(place: Place) -> None:
    """Neither into a domain that is only named, nor to a name of the operator's."""
    await place.call("POST", "domains", {"domain": "bank.test"}, status=201)
    inbox = (await place.call("POST", "inboxes", {"username": "mallory"}, status=201))["inbox_id"]
    for address, status in (("ceo@bank.test", 400), ("postmaster@postern.test", 403)):
        await place.call("POST", "aliases", {"address": address, "inbox_ids": [inbox]}, status=status)
    assert [hop.kind for hop in place.running.server.plan(["ceo@bank.test"])] == ["mx"]
    await place.call("POST", "aliases", {"address": "m@postern.test", "inbox_ids": [inbox]}, status=201)
