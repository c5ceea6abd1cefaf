"""Answering mail with something odd in it: what comes from the mail is cleaned or left out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.mails import deliver
from tests.support.waiting import until

FAR = "Vera <vera@far.test>"


class Answering:
    """An inbox and the mail that it gets."""

    def __init__(self, gateway: GatewayProcess, organization: Organization) -> None:
        self.gateway = gateway
        self.organization = organization
        self.inbox = organization.new_inbox()
        self.path = f"inboxes/{self.inbox['inbox_id']}"

    def got(self, head: bytes) -> Any:
        """Deliver a mail with these header fields, and wait until it is listed."""
        raw = head + b"\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nHow are you?\r\n"
        if not head.lower().startswith(b"to:") and b"\r\nto:" not in head.lower():
            raw = b"To: " + self.inbox["email"].encode() + b"\r\n" + raw
        before = len(self.rows())
        deliver(self.gateway.port("smtp"), raw, self.inbox["email"])
        return until(lambda: rows[0] if len(rows := self.rows()) > before else None, why="the mail is listed")

    def rows(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.organization.call("GET", f"{self.path}/messages")["messages"]
        return [row for row in found if "received" in row["labels"]]

    def answer(self, mail: dict[str, Any], what: str, **body: Any) -> tuple[list[str], list[str]]:
        """To and Cc of an answer."""
        sent = self.organization.call(
            "POST", f"{self.path}/messages/{mail['message_id']}/{what}", json={"text": "Fine.", **body}
        )
        shown = self.organization.call("GET", f"{self.path}/messages/{sent['message_id']}")
        return shown["to"], shown["cc"] or []


@pytest.fixture
def answering(gateway: GatewayProcess, organization: Organization) -> Answering:
    return Answering(gateway, organization)


@pytest.mark.parametrize(
    "head",
    [
        b"From: " + FAR.encode() + b"\r\nReply-To: nobody",
        b"From: " + FAR.encode() + b"\r\nReply-To: <>",
        b"From: " + FAR.encode() + b"\r\nReply-To: =?utf-8?q?=C3=BC?= <\xc3\xbc@far.test>",
        b"From: " + FAR.encode() + b"\r\nReply-To: vera@far_away.test, x@[127.0.0.1]",
        b"From: " + FAR.encode() + b"\r\nReply-To: a@b@c.test",
        b"From: Vera\x01 <vera@far.test>",
        b"From: \xe2\x80\xaeVera <vera@far.test>",
        b"From: " + FAR.encode() + b"\r\nMessage-ID: no id at all \xff\r\nReferences: <a b@c> <> x",
        b"From: " + FAR.encode() + b"\r\nSubject: =?utf-8?q?a=00b=0D=0ABcc:_x@far.test?=",
        b"From: " + FAR.encode() + b"\r\nSubject: " + b"word " * 1000,
        b"From: " + FAR.encode() + b"\r\nDate: never",
    ],
)
def test_one_odd_field_does_not_stop_an_answer(answering: Answering, head: bytes) -> None:
    mail = answering.got(head)
    for what in ("reply", "reply-all"):
        assert answering.answer(mail, what) == ([FAR], [])
    assert answering.answer(mail, "forward", to=["ann@far.test"]) == (["ann@far.test"], [])
    drafts = f"{answering.path}/drafts"
    draft = answering.organization.call("POST", drafts, json={"in_reply_to": mail["message_id"]})
    assert draft["to"] == [FAR]
    answering.organization.call("POST", f"{drafts}/{draft['draft_id']}/send", json={})


def test_who_cannot_be_written_to_is_left_out_of_an_answer_to_all(answering: Answering) -> None:
    odd = "broken@, ü@far.test, user@sub_domain.test, 用户@例え.test, ta..ro.@far.test, d@bücher.test"
    mail = answering.got(f"From: {FAR}\r\nCc: {odd}, Carol <carol@far.test>".encode())
    to, cc = answering.answer(mail, "reply-all")
    assert (to, cc) == ([FAR], ["ta..ro.@far.test", "d@xn--bcher-kva.test", "Carol <carol@far.test>"])


def test_who_wants_no_mail_is_left_out_of_an_answer_to_all(answering: Answering) -> None:
    call = answering.organization.call
    call("POST", f"{answering.path}/lists/send/block", json={"entry": "carol@far.test"})
    mail = answering.got(f"From: {FAR}\r\nCc: carol@far.test, dan@far.test".encode())
    assert answering.answer(mail, "reply-all") == ([FAR], ["dan@far.test"])
    # whoever is answered, or was named by the caller, is no extra
    mail = answering.got(b"From: carol@far.test\r\nCc: dan@far.test")
    for what, body in (("reply-all", {}), ("reply", {}), ("reply", {"to": ["carol@far.test"]})):
        with answering.organization.client() as client:
            path = f"{answering.path}/messages/{mail['message_id']}/{what}"
            assert client.post(path, json={"text": "Fine.", **body}).status_code == 403


def test_what_the_caller_wrote_is_still_checked(answering: Answering) -> None:
    mail = answering.got(f"From: {FAR}".encode())
    path = f"{answering.path}/messages/{mail['message_id']}"
    with answering.organization.client() as client:
        for what, body in (
            ("reply", {"to": ["broken@"]}),
            ("reply", {"cc": ["ü@far.test"]}),
            ("reply", {"reply_to": ["a b"]}),
            ("reply-all", {"reply_to": ["a b"]}),
            ("forward", {"to": ["broken@"]}),
        ):
            assert client.post(f"{path}/{what}", json={"text": "Fine.", **body}).status_code == 400


def test_a_contact_form_without_a_visitor_names_nobody(answering: Answering) -> None:
    own = answering.inbox["email"]
    mail = answering.got(f"From: Form <{own}>\r\nReply-To: not given".encode())
    with answering.organization.client() as client:
        answer = client.post(f"{answering.path}/messages/{mail['message_id']}/reply", json={"text": "Fine."})
    assert answer.status_code == 400
    assert "nobody to answer" in answer.text
    assert answering.answer(mail, "reply", to=["vera@far.test"]) == (["vera@far.test"], [])
