"""Inboxes with ``+`` and ``%`` in their names: mail is theirs before it is a subaddress's, on both mail servers."""

from __future__ import annotations

import imaplib
import smtplib
from email.message import EmailMessage
from typing import Any

import pytest

from tests.support.mails import deliver, new_mail
from tests.support.own_gateway import OwnGateway
from tests.support.waiting import until


def subjects(own_gateway: OwnGateway, inbox: str, direction: str = "inbound") -> list[str]:
    return [one["subject"] for one in own_gateway.messages(inbox) if one["direction"] == direction]


def arrived(own_gateway: OwnGateway, inbox: str, count: int) -> list[str]:
    until(lambda: len(subjects(own_gateway, inbox)) >= count, why=f"{count} messages in {inbox}")
    return subjects(own_gateway, inbox)


def refused(own_gateway: OwnGateway, address: str) -> int:
    with smtplib.SMTP("127.0.0.1", own_gateway.smtp_port, timeout=20) as smtp:
        smtp.helo("abroad.test")
        smtp.mail("ann@abroad.test")
        return smtp.rcpt(address)[0]


@pytest.fixture(scope="module")
def boxes(own_gateway: OwnGateway) -> dict[str, dict[str, Any]]:
    return {
        name: own_gateway.new_inbox(name) for name in ("plain", "plain+vip", "lone+tag", "50%off", "x%y+z")
    }


def test_an_exact_name_goes_before_a_subaddress(
    own_gateway: OwnGateway, boxes: dict[str, dict[str, Any]]
) -> None:
    wanted = {
        "plain@postern.test": "plain",
        "plain+other@postern.test": "plain",
        "plain+VIP@Postern.test": "plain+vip",
        "plain+vip+more@postern.test": "plain+vip",
        "lone+tag@postern.test": "lone+tag",
        "lone+tag+a+b@postern.test": "lone+tag",
        "50%off@postern.test": "50%off",
        "50%off+now@postern.test": "50%off",
        "x%y+z@postern.test": "x%y+z",
    }
    for address in wanted:
        deliver(own_gateway.smtp_port, new_mail(address, f"to {address}"), address)
    for name, box in boxes.items():
        mine = [f"to {address}" for address, to in wanted.items() if to == name]
        assert sorted(arrived(own_gateway, box["postern_id"], len(mine))) == sorted(mine)
    for stranger in ("lone@postern.test", "lone+other@postern.test", "50@postern.test", "x%y@postern.test"):
        assert refused(own_gateway, stranger) == 550, stranger
    for marked in ("plain+vip+sent-abc@postern.test", "plain+sent-abc@postern.test"):
        assert refused(own_gateway, marked) == 550, marked


@pytest.mark.parametrize("name", ["plain+vip", "50%off"])
def test_its_person_reads_and_sends(
    own_gateway: OwnGateway, boxes: dict[str, dict[str, Any]], name: str
) -> None:
    box = boxes[name]
    access = own_gateway.post(f"inboxes/{box['postern_id']}/credentials")
    with imaplib.IMAP4("127.0.0.1", access["imap"]["port"]) as imap:
        imap.login(box["email"], access["password"])
        assert imap.select("INBOX")[0] == "OK"
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = box["email"], "friend@abroad.test", f"by {name}"
    mail.set_content("x")
    with smtplib.SMTP("127.0.0.1", access["smtp"]["port"], timeout=20) as smtp:
        smtp.login(box["email"], access["password"])
        smtp.send_message(mail)
        # not its own, though its name begins so
        with pytest.raises(smtplib.SMTPException):
            smtp.send_message(mail, from_addr="plain@postern.test")
        if own_gateway.server == "embedded":  # in front of Postfix the milter does this
            del mail["From"]
            mail["From"] = "plain@postern.test"
            with pytest.raises(smtplib.SMTPException):
                smtp.send_message(mail, from_addr=box["email"])
    until(
        lambda: f"by {name}" in str([one.data for one in own_gateway.foreign.to("friend@abroad.test")]),
        why="it abroad",
    )


@pytest.mark.parametrize("name", ["plain+vip", "50%off", "lone+tag"])
def test_what_it_sends_is_filed_and_answered(
    own_gateway: OwnGateway, boxes: dict[str, dict[str, Any]], name: str
) -> None:
    box, far = boxes[name], f"far-{name.partition('+')[0][:3].replace('%', '')}@abroad.test"
    sent = own_gateway.post(f"inboxes/{box['email'].replace('%', '%25')}/messages/send", {
        "to": [far, "plain+note@postern.test"], "subject": f"sent by {name}", "text": "x",
    })  # fmt: skip
    (mail,) = own_gateway.foreign.wait(far)
    assert mail.mail_from.startswith(box["email"].partition("@")[0])
    message = f"inboxes/{box['postern_id']}/messages/{sent['message_id']}"
    until(lambda: own_gateway.get(f"{message}/raw")["size"] > 0, why="the copy in Sent")
    until(
        lambda: f"sent by {name}" in subjects(own_gateway, boxes["plain"]["postern_id"]),
        why="mail to a subaddress",
    )
    # a bounce to its return path is its own
    assert refused(own_gateway, mail.mail_from) == 250


def test_names_that_would_take_the_mail_of_others(own_gateway: OwnGateway) -> None:
    with own_gateway.api as client:
        for name in ("a+sent-x", "a+b-x", "a+verp-x", "postmaster+x"):
            assert client.post("inboxes", json={"username": name}).status_code in (400, 403), name
        pod = client.post("pods", json={"name": "other"}).json()["pod_id"]
        own_gateway.new_inbox("owner")
        taken = client.post(f"pods/{pod}/inboxes", json={"username": "owner+stolen"})
        assert (taken.status_code, taken.json()["code"]) == (403, "resource_taken")
        assert client.post("inboxes", json={"username": "owner+mine"}).status_code == 201
        alias = {"address": "owner+alias@postern.test", "inbox_ids": ["owner+mine@postern.test"]}
        assert client.post("aliases", json=alias).status_code == 201
