"""Replying (contract, "Send"): whom it goes to, its subject, its thread on the wire and here."""

from __future__ import annotations

import email
import email.policy
from typing import Any

import pytest

from tests.api_mailboxkit.calls import answer
from tests.api_mailboxkit.mailing import (
    file_of,
    form,
    listed,
    message,
    new_box,
    receive,
    reply,
    send,
    stranger,
    word,
)
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import new_mail
from tests.support.own_gateway import OwnGateway


def wire(own_gateway: OwnGateway, to: str) -> Any:
    """The mail that went to an address."""
    return email.message_from_bytes(own_gateway.foreign.wait(to)[0].data, policy=email.policy.default)


def test_a_reply_keeps_the_thread_on_the_wire_and_here(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    box, answers_to, cc, bcc = new_box(organization), stranger(), stranger(), stranger()
    mail = new_mail(
        box["email"], "AW: Offer", Reply_To=f"Desk <{answers_to}>", References="<first@abroad.test>"
    )
    got = receive(own_gateway, organization, box, mail)
    body = {
        "text": "Thanks!",
        "html": "<p>Thanks!</p>",
        "cc": [cc],
        "bcc": bcc,
        "attachments": [file_of(b"receipt", "receipt.pdf", content_type="application/pdf")],
    }
    sent = reply(organization, box, got["id"], body)
    assert (sent["to_emails"], sent["cc_emails"], sent["bcc_emails"]) == ([answers_to], [cc], [bcc])
    assert (sent["subject"], sent["status"], sent["thread_id"]) == ("Re: Offer", "queued", got["thread_id"])
    assert [one["filename"] for one in sent["attachments"]] == ["receipt.pdf"]

    for one in (answers_to, cc, bcc):
        out = wire(own_gateway, one)
        assert out["Message-ID"] == sent["message_id"]
    assert (out["To"].addresses[0].addr_spec, out["Cc"], out["Bcc"]) == (answers_to, cc, None)
    assert out["Subject"] == "Re: Offer"
    assert out["In-Reply-To"] == got["message_id"]
    assert out["References"].split() == ["<first@abroad.test>", got["message_id"]]
    assert out.get_body(("plain",)).get_content().strip() == "Thanks!"  # nothing is quoted
    assert [one["id"] for one in listed(organization, box)] == [sent["id"], got["id"]]


def test_without_reply_to_it_goes_to_the_sender_and_re_stands_once(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box = new_box(organization)
    got = receive(gateway, organization, box, "Re: Re: Offer")
    once = reply(organization, box, got["ulid"], {"text": "a"})
    assert (once["to_emails"], once["subject"]) == (["ann@abroad.test"], "Re: Offer")


def test_a_reply_to_ones_own_goes_to_its_recipients(organization: Organization) -> None:
    box, to = new_box(organization), [stranger(), stranger()]
    first = send(organization, box, to, cc=[stranger()], subject="Order")
    again = reply(organization, box, first["id"], {"html": "<p>One more thing</p>"})
    assert again["to_emails"] == to
    assert again["cc_emails"] == []
    assert (again["subject"], again["thread_id"]) == ("Re: Order", first["thread_id"])


def test_a_reply_to_ones_own_blind_copies_names_nobody(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    box, blind = new_box(organization), [stranger(), stranger()]
    sent = organization.call(
        "POST", f"inboxes/{box['email']}/messages/send", json={"bcc": blind, "text": "t", "subject": "s"}
    )
    again = reply(organization, box, sent["message_id"], {"text": "more"})
    assert (again["to_emails"], again["cc_emails"], again["bcc_emails"]) == ([], [], blind)
    (first, second) = own_gateway.foreign.wait(blind[0], 2)
    assert second.header("To") == "undisclosed-recipients:;"
    assert blind[1].encode() not in first.data + second.data
    assert all(one["from_email"] == box["email"] for one in listed(organization, box))


def test_a_reply_joins_the_thread_at_both_ends(organization: Organization) -> None:
    ours, theirs = new_box(organization), new_box(organization)
    first = send(organization, ours, theirs["email"], subject=word("Order "))
    (there,) = listed(organization, theirs, 1)
    assert there["message_id"] == first["message_id"]
    second = reply(organization, theirs, there["id"], {"text": "got it"})
    assert second["to_emails"] == [ours["email"]]
    here = listed(organization, ours, 2)
    assert {one["thread_id"] for one in here} == {first["thread_id"]}
    third = reply(organization, ours, here[0]["id"], {"text": "fine"})
    assert third["thread_id"] == first["thread_id"]
    assert {one["thread_id"] for one in listed(organization, theirs, 3)} == {there["thread_id"]}


def test_a_reply_as_a_form(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    got = receive(gateway, organization, box, "Question")
    path = f"inboxes/{box['id']}/messages/{got['id']}/reply"
    file = ("attachments[0]", ("a.txt", b"hello", "text/plain"))
    made = form(organization, path, [("text", "yes"), ("cc[0]", "b@abroad.test")], [file])
    assert made.status_code == 201, made.text
    data = made.json()["data"]
    assert (data["cc_emails"], data["attachments"][0]["filename"]) == (["b@abroad.test"], "a.txt")


def test_a_reply_repeated_is_one_reply(gateway: GatewayProcess, organization: Organization) -> None:
    box = new_box(organization)
    got = receive(gateway, organization, box, "Question")
    path = f"inboxes/{box['id']}/messages/{got['id']}/reply"
    headers = {"Idempotency-Key": word()}
    both = [answer(organization, "POST", path, {"text": "yes"}, headers=headers) for _ in range(2)]
    assert [one.status_code for one in both] == [201, 201]
    assert both[0].content == both[1].content
    assert [one.headers.get("x-idempotent-replayed") for one in both] == [None, "true"]
    assert len(listed(organization, box)) == 2


def test_every_spelling_of_a_message_and_no_other(
    gateway: GatewayProcess, organization: Organization
) -> None:
    box, other = new_box(organization), new_box(organization)
    got = receive(gateway, organization, box, "Question")
    for ref in (got["id"], got["ulid"], got["ulid"].lower(), f"msg_{got['ulid']}"):
        assert message(organization, box, ref) == {**got, "attachments": []}
        assert reply(organization, box, ref, {"text": "a"})["thread_id"] == got["thread_id"]
    for ref in ("not-an-id", "%00", "1" * 40, 1, "null", f"msg_{'0' * 26}"):
        for method, path in (("POST", f"messages/{ref}/reply"), ("GET", f"messages/{ref}")):
            refused = answer(organization, method, f"inboxes/{box['id']}/{path}", {"text": "a"})
            assert (refused.status_code, refused.json()["error"]) == (404, "not_found"), (ref, refused.text)
    assert answer(organization, "GET", f"inboxes/{other['id']}/messages/{got['id']}").status_code == 404
    foreign = gateway.new_organization()
    assert answer(foreign, "GET", f"inboxes/{box['id']}/messages/{got['id']}").status_code == 404
    assert (
        answer(foreign, "POST", f"inboxes/{box['id']}/messages/{got['id']}/reply", {"text": "a"}).status_code
        == 404
    )


@pytest.mark.parametrize(
    ("body", "field"), [({}, "text"), ({"text": "a", "cc": ["x"]}, "cc.0"), ({"text": 1}, "text")]
)
def test_a_wrong_reply_is_refused_by_field(
    gateway: GatewayProcess, organization: Organization, body: dict[str, Any], field: str
) -> None:
    box = new_box(organization)
    sent = send(organization, box, stranger())
    got = answer(organization, "POST", f"inboxes/{box['id']}/messages/{sent['id']}/reply", body)
    assert (got.status_code, list(got.json()["errors"])) == (422, [field])
