"""Whom an account does not write to any more: how an address gets there, and where every send looks (contract §11)."""

from __future__ import annotations

import email
import json
import smtplib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.api_openmail.mailing import send, stranger
from tests.e2e.reports import delivery_report, feedback_report
from tests.support.foreign_server import Mail
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway, start_gateway
from tests.support.waiting import until


@pytest.fixture(scope="module")
def own_gateway() -> Iterator[OwnGateway]:
    with start_gateway() as running:
        yield running


@pytest.fixture
def account(own_gateway: OwnGateway) -> Organization:
    return own_gateway.new_organization()


def suppress(account: Organization, address: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = call(account, "POST", "suppressions", {"address": address, **fields})
    return made


def listed(account: Organization, query: str = "") -> dict[str, str]:
    """The types of the suppressed addresses."""
    rows = call(account, "GET", f"suppressions{query}")["data"]
    return {row["address"]: row["type"] for row in rows}


def sent_abroad(own_gateway: OwnGateway, account: Organization, to: str) -> tuple[str, Mail]:
    """(message id, the mail as a foreign server got it) of a fresh send."""
    answer = send(account, account.new_inbox()["inbox_id"], to)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["messageId"]), own_gateway.foreign.wait(to)[0]


def report(
    own_gateway: OwnGateway, mail: Mail, to: str, old: str = "", new: str = "", *, kind: str = "failed"
) -> None:
    """Deliver a report about ``mail``, one word of it replaced."""
    original = email.message_from_bytes(mail.data)
    made = feedback_report(original, to) if kind == "abuse" else delivery_report(original, to, kind)
    assert old.encode() in made
    deliver(own_gateway.smtp_port, made.replace(old.encode(), new.encode()), mail.mail_from, sender="")


def wait_for(account: Organization, address: str) -> dict[str, Any]:
    """The suppression of an address, once it is there."""

    def there() -> dict[str, Any] | None:
        rows = call(account, "GET", "suppressions")["data"]
        return next((row for row in rows if row["address"] == address), None)

    return until(there, why=f"{address} is suppressed")


def test_a_hard_bounce_that_comes_back_suppresses(own_gateway: OwnGateway, account: Organization) -> None:
    to = stranger()
    message_id, mail = sent_abroad(own_gateway, account, to)
    report(own_gateway, mail, to, "5.2.1", "5.1.1")
    row = wait_for(account, to)
    assert row | {"createdAt": ""} == {
        "address": to,
        "type": "bounce",
        "reason": "permanent failure 5.1.1",
        "messageId": message_id,
        "createdAt": "",
    }
    answer = send(account, account.new_inbox()["inbox_id"], to.upper())
    assert answer.status_code == 422
    body = answer.json()
    assert (body["error"], body["type"], body["field"]) == ("recipient_suppressed", "bounce", "to")
    # another account writes to it all the same
    other = own_gateway.new_organization()
    assert send(other, other.new_inbox()["inbox_id"], to).status_code == 200


def test_what_says_nothing_about_the_mailbox_does_not_suppress(
    own_gateway: OwnGateway, account: Organization
) -> None:
    mails = {}
    for code in ("5.7.1", "5.2.2", "5.6.0", "5.1.2", "4.4.7", "5.0.0"):
        to = stranger()
        mails[code] = to, sent_abroad(own_gateway, account, to)[1]
    for code, (to, mail) in mails.items():
        report(own_gateway, mail, to, "5.2.1", code)
    delayed = stranger()
    report(own_gateway, sent_abroad(own_gateway, account, delayed)[1], delayed, kind="delayed")
    last = stranger()
    report(own_gateway, sent_abroad(own_gateway, account, last)[1], last)
    wait_for(account, last)

    def bounced() -> list[Any]:
        found: list[Any] = account.call("GET", "events?event_types=message.bounced&limit=50")["data"]
        return found

    until(lambda: len(bounced()) >= len(mails) + 1, why="every report was read")
    assert set(listed(account)) == {last}


def test_a_bounce_at_our_own_door_suppresses_until_the_mailbox_is_made(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox = organization.new_inbox()
    username = stranger().partition("@")[0]
    to = f"{username}@{inbox['email_address'].partition('@')[2]}"
    assert send(organization, inbox["inbox_id"], to).status_code == 200
    assert wait_for(organization, to)["reason"] == "permanent failure 5.1.1"
    assert send(organization, inbox["inbox_id"], to).status_code == 422
    organization.new_inbox(username)
    assert listed(organization) == {}
    assert send(organization, inbox["inbox_id"], to).status_code == 200


def test_a_complaint_suppresses_and_stands_over_a_bounce(
    own_gateway: OwnGateway, account: Organization
) -> None:
    angry, pleased = stranger(), stranger()
    first, second = sent_abroad(own_gateway, account, angry), sent_abroad(own_gateway, account, pleased)
    report(own_gateway, first[1], angry)
    assert wait_for(account, angry)["type"] == "bounce"
    report(own_gateway, second[1], pleased, "Feedback-Type: abuse", "Feedback-Type: not-spam", kind="abuse")
    report(own_gateway, first[1], angry, kind="abuse")
    until(lambda: listed(account) == {angry: "complaint"}, why="the complaint, and it alone")
    row = call(account, "GET", f"suppressions/{angry}")
    assert (row["reason"], row["messageId"]) == ("feedback report: abuse", first[0])
    answer = send(account, account.new_inbox()["inbox_id"], angry)
    assert (answer.status_code, answer.json()["type"]) == (422, "complaint")


def test_every_kind_of_recipient_and_send_is_held_back(
    gateway: GatewayProcess, organization: Organization
) -> None:
    inbox, gone = organization.new_inbox()["inbox_id"], stranger()
    suppress(organization, gone)
    copied = send(organization, inbox, stranger(), cc=[stranger(), gone])
    assert (copied.status_code, copied.json()["field"]) == (422, "cc[1]")
    with organization.client() as http:
        for field in ("to", "cc", "bcc"):
            people: dict[str, Any] = {"to": [stranger()]}
            people[field] = [*people.get(field, []), f"Gone <{gone.title()}>"]
            answer = http.post(f"inboxes/{inbox}/messages/send", json={**people, "text": "t"})
            body = answer.json()
            assert (answer.status_code, body["name"], body["code"]) == (
                403, "MessageRejectedError", "recipient_suppressed",
            )  # fmt: skip
        draft = organization.call("POST", f"inboxes/{inbox}/drafts", json={"to": [gone], "text": "t"})
        answer = http.post(f"inboxes/{inbox}/drafts/{draft['draft_id']}/send", json={})
        assert (answer.status_code, answer.json()["code"]) == (403, "recipient_suppressed")
    scheduled = organization.call(
        "POST",
        f"inboxes/{inbox}/drafts",
        json={
            "to": [gone],
            "text": "t",
            "send_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2)),
        },
    )
    until(
        lambda: (
            organization.call("GET", f"inboxes/{inbox}/drafts/{scheduled['draft_id']}")["send_status"]
            == "failed"
        ),
        why="the scheduled draft is refused",
    )
    rows = organization.call("GET", f"inboxes/{inbox}/messages")["data"]
    assert rows == []


def test_the_list_is_kept_by_hand(organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    names = [f"p{number}@abroad.test" for number in range(5)]
    for number, name in enumerate(names):
        suppress(organization, name, type=("bounce", "complaint")[number % 2], reason=f"note {number}")
    page = call(organization, "GET", "suppressions?limit=2&offset=1")
    assert (page["total"], [row["address"] for row in page["data"]]) == (5, [names[3], names[2]])
    assert call(organization, "GET", "suppressions?type=complaint")["total"] == 2
    again = call(
        organization, "POST", "suppressions", {"address": names[0].upper(), "type": "unsub"}, status=200
    )
    assert (again["address"], again["type"]) == (names[0], "unsub")
    weaker = call(organization, "POST", "suppressions", {"address": names[1], "type": "bounce"}, status=200)
    assert (weaker["type"], weaker["reason"]) == ("complaint", "note 1")
    assert call(organization, "GET", f"suppressions/{names[1].title()}") == weaker
    call(organization, "DELETE", f"suppressions/{names[1]}", status=204)
    assert call(organization, "DELETE", f"suppressions/{names[1]}", status=404)["error"] == "not_found"
    assert send(organization, inbox, names[1]).status_code == 200
    umlaut = suppress(organization, "info@bücher.test")
    assert umlaut["address"] == "info@xn--bcher-kva.test"
    call(organization, "DELETE", "suppressions/info@bücher.test", status=204)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "address"),
        ({"address": 7}, "address"),
        ({"address": "nobody"}, "address"),
        ({"address": "a@b@c"}, "address"),
        ({"address": "a\u0000@x.test"}, "address"),
        ({"address": "x" * 100_000 + "@x.test"}, "address"),
        ({"address": "a@x.test", "type": "spam"}, "type"),
        ({"address": "a@x.test", "reason": "x" * 1001}, "reason"),
    ],
)
def test_bad_values_name_their_field(organization: Organization, body: Any, field: str) -> None:
    answer = call(organization, "POST", "suppressions", body, status=400)
    assert (answer["error"], answer["field"]) == ("bad_request", field)
    assert listed(organization) == {}


def test_unknown_and_odd_addresses_are_not_found(organization: Organization) -> None:
    for path in ("a@x.test", "%00", "%ff%fe", "x" * 5000, "%F0%9F%92%8C@x.test", "a%2Fb@x.test"):
        assert call(organization, "GET", f"suppressions/{path}", status=404)["error"] == "not_found"
        call(organization, "DELETE", f"suppressions/{path}", status=404)
    assert call(organization, "GET", "suppressions?type=spam", status=400)["field"] == "type"
    suppress(organization, "a/b@x.test")
    assert call(organization, "GET", "suppressions/a%2Fb@x.test")["address"] == "a/b@x.test"


def test_only_keys_of_the_account_reach_the_list(gateway: GatewayProcess, organization: Organization) -> None:
    inbox = organization.new_inbox()["inbox_id"]
    suppress(organization, "a@x.test")
    narrow = organization.call("POST", f"inboxes/{inbox}/api-keys", json={"name": "inbox"})["key"]
    for method, path in (
        ("GET", "suppressions"),
        ("POST", "suppressions"),
        ("DELETE", "suppressions/a@x.test"),
    ):
        body = {"address": "b@x.test"} if method == "POST" else None
        assert call(organization, method, path, body, key=narrow, status=403)["error"] == "forbidden"
    other = gateway.new_organization()
    assert listed(other) == {}
    call(other, "DELETE", "suppressions/a@x.test", status=404)
    assert listed(organization) == {"a@x.test": "unsub"}


def test_the_command_line_keeps_the_list(own_gateway: OwnGateway) -> None:
    def run(*arguments: str, code: int = 0) -> Any:
        done = own_gateway.postern("suppression", *arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if done.stdout else None

    address = stranger()
    assert run("add", address, "--type", "complaint", "--reason", "asked by phone")["type"] == "complaint"
    assert address in [row["address"] for row in run("list", "--type", "complaint")]
    run("remove", address)
    run("remove", address, code=3)


def test_a_person_with_a_mail_client_is_held_back_too(own_gateway: OwnGateway, account: Organization) -> None:
    inbox, gone = account.new_inbox(), stranger()
    suppress(account, gone)
    address = inbox["email_address"]
    access = account.call("POST", f"inboxes/{address}/credentials")
    with smtplib.SMTP("127.0.0.1", own_gateway.port("submission"), timeout=30) as smtp:
        smtp.login(address, access["password"])
        with pytest.raises(smtplib.SMTPResponseException) as refused:
            smtp.sendmail(address, [gone], new_mail(gone, sender=address).as_bytes())
        assert refused.value.smtp_code // 100 == 5
        assert b"suppressed" in refused.value.smtp_error
        smtp.sendmail(address, [stranger()], new_mail("x@abroad.test", sender=address).as_bytes())
    assert own_gateway.foreign.to(gone) == []


def test_what_the_smarthost_says_of_the_mailbox_counts(
    own_gateway: OwnGateway, account: Organization
) -> None:
    inbox, unknown, unwanted = account.new_inbox()["inbox_id"], stranger(), stranger()
    own_gateway.foreign.refuse |= {unknown: "550 5.1.1 no such user", unwanted: "550 5.7.1 not from you"}
    for to in (unwanted, unknown):
        assert send(account, inbox, to).status_code == 200
    wait_for(account, unknown)
    until(
        lambda: account.call("GET", "events?event_types=message.rejected")["total"] == 2, why="both refusals"
    )
    assert set(listed(account)) == {unknown}
