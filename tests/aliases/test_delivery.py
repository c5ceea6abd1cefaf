"""Aliases and catch-alls from the outside: made over HTTP or on the command line, written to over SMTP."""

from __future__ import annotations

import json
import secrets
import smtplib
import time
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from tests.api_openmail.calls import call
from tests.support.gateway_process import GatewayProcess, Organization, Server, running_gateway

DOMAIN = "shop.test"


@pytest.fixture(scope="module", params=["embedded", pytest.param("postfix_dovecot", marks=pytest.mark.root)])
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GatewayProcess]:
    """A gateway whose first organization owns shop.test."""
    server: Server = request.param
    with running_gateway(tmp_path_factory.mktemp("shop"), server) as running:
        postern(running, "domain", "add", DOMAIN)
        postern(running, "domain", "trust", DOMAIN)
        yield running


@pytest.fixture
def owner(shop: GatewayProcess) -> Iterator[Organization]:
    """The organization that owns shop.test, with no catch-all left behind."""
    yield shop.organization
    with shop.organization.client() as client:
        client.delete(f"domains/{DOMAIN}/catch-all")


def postern(gateway: GatewayProcess, *arguments: str, code: int = 0) -> Any:
    done = gateway.postern(*arguments, "--json")
    assert done.returncode == code, done.stderr + done.stdout
    return json.loads(done.stdout) if done.stdout else done.stderr


def fresh(what: str = "a") -> str:
    return f"{what}-{secrets.token_hex(4)}"


def inbox(owner: Organization, domain: str = DOMAIN) -> dict[str, Any]:
    return owner.new_inbox(fresh(), domain=domain)


def send(
    gateway: GatewayProcess,
    *recipients: str,
    to: str | None = None,
    sender: str = "eve@far.test",
    **fields: str,
) -> str:
    """A mail from the world; answers its subject. ``fields`` name further ones, with _ for -."""
    mail = EmailMessage()
    mail["From"], mail["To"] = sender, to or recipients[0]
    for name, value in fields.items():
        mail[name.replace("_", "-")] = value
    mail["Subject"] = subject = fresh("subject")
    mail.set_content("Hi.")
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=20) as client:
        client.send_message(mail, "eve@far.test", list(recipients))
    return subject


def refused(gateway: GatewayProcess, recipient: str) -> int:
    """The code with which a recipient is refused."""
    with smtplib.SMTP("127.0.0.1", gateway.port("smtp"), timeout=20) as client:
        client.ehlo("far.test")
        client.mail("eve@far.test")
        return client.rcpt(recipient)[0]


def arrived(owner: Organization, box: dict[str, Any], subject: str) -> dict[str, Any]:
    """The message with that subject, waited for; with its headers."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        rows = owner.call("GET", f"inboxes/{box['inbox_id']}/messages")["messages"]
        for row in rows:
            if row["subject"] == subject:
                found: dict[str, Any] = owner.call(
                    "GET", f"inboxes/{box['inbox_id']}/messages/{row['message_id']}"
                )
                return found
        time.sleep(0.05)
    raise AssertionError(f"{subject} did not arrive")


def count(owner: Organization, box: dict[str, Any]) -> int:
    return len(owner.call("GET", f"inboxes/{box['inbox_id']}/messages")["messages"])


def test_an_alias_delivers_into_its_inbox(shop: GatewayProcess, owner: Organization) -> None:
    box, alias = inbox(owner), f"{fresh('sales')}@{DOMAIN}"
    assert refused(shop, alias) == 550
    made = owner.call("POST", "aliases", json={"address": alias.upper(), "inbox_ids": [box["inbox_id"]]})
    assert made["address"] == alias
    assert [one["email"] for one in made["inboxes"]] == [box["email"]]
    local, _, domain = alias.partition("@")
    mail = arrived(owner, box, send(shop, f"{local}+spring@{domain}", to=alias))
    assert mail["to"] == [alias]
    headers = {name.lower(): value for name, value in mail["headers"].items()}
    assert headers["delivered-to"] == f"{local}+spring@{domain}"
    owner.call("DELETE", f"aliases/{alias}")
    assert refused(shop, alias) == 550


def test_an_alias_of_several_reaches_all(shop: GatewayProcess, owner: Organization) -> None:
    boxes, alias = [inbox(owner), inbox(owner)], f"{fresh('team')}@{DOMAIN}"
    owner.call("PUT", f"aliases/{alias}", json={"inbox_ids": [one["email"] for one in boxes]})
    subject = send(shop, alias)
    for box in boxes:
        arrived(owner, box, subject)
    owner.call("DELETE", f"inboxes/{boxes[0]['inbox_id']}")
    left = owner.call("GET", f"aliases/{alias}")
    assert [one["email"] for one in left["inboxes"]] == [boxes[1]["email"]]
    arrived(owner, boxes[1], send(shop, alias))
    owner.call("DELETE", f"inboxes/{boxes[1]['inbox_id']}")
    with owner.client() as client:
        assert client.get(f"aliases/{alias}").status_code == 404
    assert refused(shop, alias) == 550


def test_exact_names_go_before_the_catch_all(shop: GatewayProcess, owner: Organization) -> None:
    box, other, rest = inbox(owner), inbox(owner), inbox(owner)
    alias = f"{fresh('named')}@{DOMAIN}"
    owner.call("POST", "aliases", json={"address": alias, "inbox_ids": [other["inbox_id"]]})
    found = owner.call("PUT", f"domains/{DOMAIN}/catch-all", json={"inbox_id": rest["email"]})
    assert (found["catch_all"], found["address"]) == (True, f"@{DOMAIN}")
    stranger = f"{fresh('who')}@{DOMAIN}"
    arrived(owner, box, send(shop, box["email"].replace("@", "+tag@")))
    arrived(owner, other, send(shop, alias))
    mail = arrived(owner, rest, send(shop, stranger, to="undisclosed@far.test"))
    assert {name.lower(): value for name, value in mail["headers"].items()}["delivered-to"] == stranger
    assert count(owner, rest) == 1
    # no one but the gateway names Sent folders, whoever the address would lead to
    for address in (box["email"], alias, stranger, rest["email"]):
        assert refused(shop, address.replace("@", "+sent-abc@")) == 550
    owner.call("DELETE", f"domains/{DOMAIN}/catch-all")
    assert refused(shop, stranger) == 550


def test_a_removed_inbox_is_not_the_catch_alls(shop: GatewayProcess, owner: Organization) -> None:
    gone, rest = inbox(owner), inbox(owner)
    owner.call("PUT", f"domains/{DOMAIN}/catch-all", json={"inbox_id": rest["inbox_id"]})
    owner.call("DELETE", f"inboxes/{gone['inbox_id']}")
    assert refused(shop, gone["email"]) == 550
    assert owner.call("GET", f"aliases/{gone['email']}")["refused"] is True
    # it comes back by leaving it to the catch-all, or by an inbox of that name
    owner.call("DELETE", f"aliases/{gone['email']}")
    arrived(owner, rest, send(shop, gone["email"]))
    owner.call("PUT", f"aliases/{gone['email']}", json={"refused": True})
    assert refused(shop, gone["email"]) == 550
    again = owner.new_inbox(gone["email"].partition("@")[0], domain=DOMAIN)
    arrived(owner, again, send(shop, gone["email"]))
    # an alias of the catch-all's own inbox goes with it
    owner.call("DELETE", f"inboxes/{rest['inbox_id']}")
    with owner.client() as client:
        assert client.get(f"domains/{DOMAIN}/catch-all").status_code == 404


def test_what_the_command_line_says(shop: GatewayProcess, owner: Organization) -> None:
    box, other, alias = inbox(owner), inbox(owner), f"{fresh('cli')}@{DOMAIN}"
    made = postern(shop, "alias", "add", alias, box["email"], other["email"])
    assert [one["email"] for one in made["inboxes"]] == sorted([box["email"], other["email"]])
    text = shop.postern("alias", "list", "--inbox", box["email"])
    assert text.returncode == 0
    assert alias in text.stdout
    assert other["email"] in text.stdout
    assert [one["address"] for one in postern(shop, "aliases", "list", "--inbox", other["email"])] == [alias]
    assert postern(shop, "domain", "catch-all", DOMAIN, box["email"])["catch_all"]
    assert box["email"] in shop.postern("domain", "catch-all", DOMAIN).stdout
    postern(shop, "domain", "catch-all", DOMAIN, "--off")
    assert "has no catch-all" in postern(shop, "domain", "catch-all", DOMAIN, code=3)
    postern(shop, "alias", "remove", alias)
    postern(shop, "alias", "add", alias, code=2)
    assert postern(shop, "alias", "add", "--refuse", alias)["refused"]
    postern(shop, "alias", "remove", alias)


def test_all_of_it_survives_a_restart_without_the_tables(shop: GatewayProcess, owner: Organization) -> None:
    box, rest, alias = inbox(owner), inbox(owner), f"{fresh('kept')}@{DOMAIN}"
    owner.call("POST", "aliases", json={"address": alias, "inbox_ids": [box["inbox_id"]]})
    owner.call("PUT", f"domains/{DOMAIN}/catch-all", json={"inbox_id": rest["inbox_id"]})
    shop.stop()
    (found,) = list(shop.data.rglob("lookup.db"))
    found.unlink()
    shop.start()
    arrived(owner, box, send(shop, alias))
    arrived(owner, rest, send(shop, f"{fresh('who')}@{DOMAIN}"))


def test_nobody_answers_himself_by_another_of_his_addresses(
    shop: GatewayProcess, owner: Organization
) -> None:
    box, other = inbox(owner), inbox(owner)
    alias, local = f"{fresh('ours')}@{DOMAIN}", box["email"].partition("@")[0]
    owner.call("POST", "aliases", json={"address": alias, "inbox_ids": [box["inbox_id"]]})
    owner.call("PUT", f"domains/{DOMAIN}/catch-all", json={"inbox_id": box["inbox_id"]})
    mine = [alias, alias.upper(), f"{local}+tag@{DOMAIN}", f"{fresh('caught')}@{DOMAIN}", box["email"]]
    path = f"inboxes/{box['inbox_id']}/messages"

    def answered(message: str, what: str) -> tuple[list[str], list[str]]:
        sent = owner.call("POST", f"{path}/{message}/{what}", json={"text": "Hi."})
        shown = owner.call("GET", f"{path}/{sent['message_id']}")
        return shown["to"], shown["cc"] or []

    mail = arrived(owner, box, send(shop, alias, to=", ".join([*mine, other["email"], "bob@far.test"])))
    assert answered(mail["message_id"], "reply-all") == (["eve@far.test"], [other["email"], "bob@far.test"])
    for form in mine:  # a web form that writes as the inbox itself
        mail = arrived(owner, box, send(shop, alias, sender=form, reply_to="Zoe <zoe@far.test>"))
        for what in ("reply", "reply-all"):
            assert answered(mail["message_id"], what) == (["Zoe <zoe@far.test>"], [])
        draft = owner.call(
            "POST", f"inboxes/{box['inbox_id']}/drafts", json={"in_reply_to": mail["message_id"]}
        )
        assert draft["to"] == ["Zoe <zoe@far.test>"]
    # deliveryRole of a copy to another of its addresses
    subjects = [
        send(shop, one, to=to, cc=one) for one, to in zip(mine, [*mine[1:], "bob@far.test"], strict=True)
    ]
    seen = [arrived(owner, box, one) for one in subjects]
    rows = call(owner, "GET", f"inboxes/{box['postern_id']}/messages?limit=100")["data"]
    roles = {row["subject"]: row["deliveryRole"] for row in rows}
    assert [roles[one["subject"]] for one in seen] == ["to", "to", "to", "to", "cc"]
    # who copied it last stays in Cc of an answer that it sends somebody else
    (thread,) = (row["threadId"] for row in rows if row["subject"] == seen[-1]["subject"])
    body = {"to": "zoe@far.test", "body": "Hi.", "threadId": thread}
    sent = call(
        owner, "POST", f"inboxes/{box['postern_id']}/send", body, headers={"Idempotency-Key": fresh()}
    )
    shown = owner.call("GET", f"{path}/{sent['messageId']}")
    assert (shown["to"], shown["cc"]) == (["zoe@far.test"], ["eve@far.test"])


def test_a_person_writes_as_an_alias_of_his(shop: GatewayProcess, owner: Organization) -> None:
    box, other, alias = inbox(owner), inbox(owner), f"{fresh('me')}@{DOMAIN}"
    owner.call("POST", "aliases", json={"address": alias, "inbox_ids": [box["inbox_id"]]})
    given = postern(shop, "inbox", "password", box["email"])

    def submit(sender: str) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = sender, other["email"], "from an alias"
        mail.set_content("Hi.")
        with smtplib.SMTP("127.0.0.1", shop.port("submission"), timeout=20) as client:
            client.login(box["email"], given["password"])
            client.send_message(mail, sender, [other["email"]])

    submit(alias)
    assert arrived(owner, other, "from an alias")["from"].endswith(alias)
    for stranger in (other["email"], f"{fresh('no')}@{DOMAIN}"):
        with pytest.raises((smtplib.SMTPSenderRefused, smtplib.SMTPRecipientsRefused)):
            submit(stranger)
