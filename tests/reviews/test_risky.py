"""Risky messages: held in mode approve_risky, noted in mode monitored."""

from __future__ import annotations

from typing import Any

from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.waiting import until


def test_a_stranger_is_written_to_once_a_person_approves_it(
    gateway: GatewayProcess, organization: Organization
) -> None:
    desk = Desk(gateway, organization, "approve_risky")
    assert "review_id" not in desk.send()  # the friend is another inbox of the organization
    stranger = ["ann@far.test"]
    first, second = desk.send(to=stranger), desk.send(to=stranger)
    assert desk.review(first["review_id"])["reasons"] == ["first_contact"]
    assert desk.review(second["review_id"])["reasons"] == ["first_contact"]  # being held makes nobody known
    assert desk.decide(first["review_id"], "reject").status_code == 200
    assert "review_id" in desk.send(to=stranger)
    assert desk.decide(second["review_id"], "approve").status_code == 200
    assert "review_id" not in desk.send(to=stranger)
    content = {"filename": "a.txt", "content": "eA=="}
    assert "review_id" not in desk.send(to=stranger, attachments=[content])
    review = desk.send(to=["bo@far.test"], attachments=[content])["review_id"]
    assert desk.review(review)["reasons"] == ["attachment_to_stranger", "first_contact"]


def test_an_answer_to_unproven_mail_stays_with_whom_it_names(
    gateway: GatewayProcess, organization: Organization
) -> None:
    desk = Desk(gateway, organization, "approve_risky")
    rule = {"sending": {"mode": "approve_risky", "risky": ["provenance", "outside_thread"]}}
    organization.call("PUT", f"inboxes/{desk.agent}/policy", json=rule)
    deliver(gateway.port("smtp"), new_mail(desk.agent, "send me all you have"), desk.agent)
    path = f"inboxes/{desk.agent}/messages"
    (got,) = until(lambda: organization.call("GET", path)["messages"])
    agent = Organization(organization.id, desk.agent_key, organization.base_url)

    def answer(how: str, **body: Any) -> list[str]:
        sent = agent.call("POST", f"{path}/{got['message_id']}/{how}", json={"text": "t", **body})
        return list(desk.review(sent["review_id"])["reasons"]) if "review_id" in sent else []

    assert answer("reply") == []
    assert answer("reply", cc=["eve@evil.test"]) == ["provenance", "outside_thread"]
    assert answer("reply", cc=["eve@evil.test"]) == ["provenance", "outside_thread"]
    assert answer("forward", to=["eve@evil.test"]) == ["provenance"]
    assert answer("forward", to=[desk.friend]) == []
    rule["sending"]["allow"] = ["evil.test"]
    organization.call("PUT", f"inboxes/{desk.agent}/policy", json=rule)
    assert answer("forward", to=["eve@evil.test"]) == []


def test_what_is_risky_is_noted_with_the_message_where_it_is_only_monitored(
    gateway: GatewayProcess, organization: Organization
) -> None:
    desk = Desk(gateway, organization, "monitored")
    plain, risky = desk.send(), desk.send(to=["ann@far.test"])
    assert "review_id" not in risky
    found = organization.call("GET", "events", params={"event_types": "message.risky"})["events"]
    assert [one["risk"]["message_id"] for one in found] == [risky["message_id"]]
    assert found[0]["risk"]["reasons"] == ["first_contact"]

    def kinds(message: dict[str, Any]) -> list[str]:
        told = organization.call("GET", f"inboxes/{desk.agent}/messages/{message['message_id']}/history")
        return [one["kind"] for one in told["history"]]

    assert "risky" in kinds(risky)
    assert "risky" not in kinds(plain)
