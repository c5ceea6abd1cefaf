"""Reviewers get few mails, whose links show a held message and decide about it once."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from gateway.store.sql import sql
from gateway.store.transaction import Tx
from tests.reviews.desk import Desk
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.waiting import until

_LINK = re.compile(r"https?://\S+/review/[\w-]+")


class Office(Desk):
    """A desk with a reviewer, whose mailbox is of another organization."""

    def __init__(self, gateway: GatewayProcess, organization: Organization) -> None:
        super().__init__(gateway, organization)
        self.elsewhere = gateway.new_organization()
        self.reviewer = str(self.elsewhere.new_inbox()["email"])
        self.named([self.reviewer, self.agent, f"{self.agent.replace('@', '+x@')}"])

    def named(self, people: list[str]) -> None:
        """These are the reviewers."""
        rule = {"sending": {"mode": "approve_all", "reviewers": people}}
        self.organization.call("PUT", f"inboxes/{self.agent}/policy", json=rule)

    def mails(self) -> list[dict[str, Any]]:
        """What the reviewer got, the newest first."""
        rows = self.elsewhere.call("GET", f"inboxes/{self.reviewer}/messages")["messages"]
        path = f"inboxes/{self.reviewer}/messages"
        return [self.elsewhere.call("GET", f"{path}/{one['message_id']}") for one in rows]

    def links(self) -> list[str]:
        """The links in the newest mail, once there is one."""
        return _LINK.findall(str(until(self.mails)[0]["text"]))

    def older(self) -> None:
        """The last mail was an hour ago."""
        ulid = self.organization.id.removeprefix("org_")
        query = "UPDATE review SET notified_at = notified_at - 3600000000 WHERE notified_at > 0 AND organization_id = ?"
        self.gateway.database(lambda tx: sql(tx).run(query, ulid))


@pytest.fixture
def office(gateway: GatewayProcess, organization: Organization) -> Office:
    return Office(gateway, organization)


def post(url: str, **form: str) -> httpx.Response:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return httpx.post(url, content=urlencode(form), headers=headers, timeout=30, trust_env=False)


def shown(url: str) -> httpx.Response:
    return httpx.get(url, timeout=30, trust_env=False)


def digest_in(page: httpx.Response) -> str:
    (found,) = re.findall(r'name="digest" value="(\w+)"', page.text)
    return str(found)


def test_a_link_shows_and_only_its_button_decides(office: Office) -> None:
    text = "Pay <b>now</b> & \u202eback"
    sent = office.send("</title><script>", html="<p>Something <i>else</i>.</p>", text=text)
    (link,) = office.links()
    mail = office.mails()[0]
    assert mail["from"] == "Postern <postmaster@postern.test>"
    assert mail["subject"] == "1 message is held for your approval"
    for _ in range(2):  # a scanner, then the person
        page = shown(link)
        assert page.status_code == 200
        assert office.review(sent["review_id"])["state"] == "pending"
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "form-action 'self'" in policy
    assert "script" not in policy
    assert "&lt;/title&gt;&lt;script&gt;" in page.text
    assert "<script" not in page.text
    assert "Pay &lt;b&gt;now&lt;/b&gt; &amp; &lt;U+202E&gt;back" in page.text
    assert "Something else." in page.text
    assert "width=device-width" in page.text
    assert post(link, decision="approve", digest="0" * 64).status_code == 409
    assert post(link).status_code == 400
    assert post(link, decision="approve", reason="x" * 30_000).status_code == 400
    assert shown(link[:-2]).status_code == shown(link + "A").status_code == 404
    assert office.review(sent["review_id"])["state"] == "pending"
    done = post(link, decision="approve", digest=digest_in(page))
    assert (done.status_code, "on its way" in done.text) == (200, True)
    office.arrived("</title><script>")
    review = office.review(sent["review_id"])
    assert (review["state"], review["decided_by"]) == ("approved", office.reviewer)
    (entry,) = office.organization.call("GET", "audit", params={"object": "review"})["audit"]
    assert (entry["actor"], entry["via"], entry["operation"]) == ("reviewer", "review_link", "approve")
    assert entry["after"] == {"state": "approved", "decided_by": office.reviewer}
    for again in (post(link, decision="approve", digest=digest_in(page)), post(link, decision="reject")):
        assert again.status_code == 409
    assert "was approved by" in shown(link).text
    assert "Pay" not in shown(link).text


def test_sixty_held_messages_are_not_sixty_mails(office: Office) -> None:
    office.send("first")
    office.links()
    for number in range(60):
        office.send(f"later {number}")
    office.older()
    until(lambda: len(office.mails()) >= 3)
    later = [one for one in office.mails() if "messages are" in one["subject"]]
    assert sorted(one["subject"].split()[0] for one in later) == ["10", "50"]
    links = {link for one in office.mails() for link in _LINK.findall(one["text"])}
    assert len(links) == 61
    rejected = post(links.pop(), decision="reject", reason=" Not\r\nthis ")
    assert rejected.status_code == 200
    (one,) = office.organization.call("GET", "reviews", params={"state": "rejected"})["reviews"]
    assert (one["reason"], one["decided_by"]) == ("Not this", office.reviewer)
    own = office.organization.call("GET", f"inboxes/{office.agent}/messages")["messages"]
    assert all(row["direction"] == "outbound" for row in own)  # it is named, and gets no link


def test_a_link_ends_with_the_naming_and_with_the_inbox(office: Office) -> None:
    sent = office.send()
    (link,) = office.links()
    page = shown(link)
    office.named([])
    assert shown(link).status_code == 404
    assert post(link, decision="approve", digest=digest_in(page)).status_code == 404
    office.named([office.reviewer])
    assert shown(link).status_code == 200
    office.organization.call("DELETE", f"inboxes/{office.agent}")
    assert post(link, decision="approve", digest=digest_in(page)).status_code == 404

    def left(tx: Tx) -> list[Any]:
        return sql(tx).rows("SELECT 1 FROM review WHERE id = ?", sent["review_id"].removeprefix("rev_"))

    until(lambda: not office.gateway.database(left))
