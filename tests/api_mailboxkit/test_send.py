"""Sending (contract, "Send"): JSON and form, in every documented spelling; what arrives, and what is refused."""

from __future__ import annotations

import email
import email.policy
import os
import re
from typing import Any

import httpx
import pytest

from tests.api_mailboxkit.calls import answer, client, made
from tests.api_mailboxkit.mailing import (
    file_of,
    form,
    listed,
    message,
    new_box,
    send,
    stranger,
    try_send,
)
from tests.support.gateway_process import GatewayProcess, Organization
from tests.support.own_gateway import OwnGateway

MB = 1024 * 1024
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
GOOD: dict[str, Any] = {"to": ["a@abroad.test"], "subject": "s", "text": "t"}


def parsed(data: bytes) -> Any:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_the_documented_body_is_sent_and_answered_as_documented(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    box = new_box(organization)
    to, cc, bcc = stranger(), stranger(), stranger()
    body = {
        "to": [to],
        "cc": [cc],
        "bcc": [bcc],
        "subject": "Hello!",
        "text": "Plain text body",
        "html": "<p>HTML body</p>",
        "attachments": [file_of(b"%PDF-1.4 report", content_type="application/pdf")],
    }
    got = try_send(organization, box, body)
    assert got.status_code == 201, got.text
    assert set(got.json()) == {"data"}
    data = got.json()["data"]
    (file,) = data.pop("attachments")
    assert set(file) == {"id", "filename", "mime_type", "size"}
    assert (file["filename"], file["mime_type"], file["size"]) == ("report.pdf", "application/pdf", 15)
    assert type(data["id"]) is type(data["thread_id"]) is type(file["id"]) is int
    assert TIME.fullmatch(data["created_at"])
    assert {
        name: data[name] for name in ("inbox_id", "from_email", "from_name", "subject", "status", "test")
    } == {
        "inbox_id": box["id"],
        "from_email": box["email"],
        "from_name": "Support Agent",
        "subject": "Hello!",
        "status": "queued",
        "test": False,
    }
    assert (data["to_emails"], data["cc_emails"], data["bcc_emails"]) == ([to], [cc], [bcc])

    (taken,) = own_gateway.foreign.wait(to)
    copies = [
        taken,
        *own_gateway.foreign.wait(cc),
        *own_gateway.foreign.wait(bcc),
    ]  # each recipient has a return path of its own
    assert sorted(address for one in copies for address in one.recipients) == sorted([to, cc, bcc])
    assert {one.data for one in copies} == {taken.data}
    mail = parsed(taken.data)
    assert (mail["Message-ID"], mail["To"], mail["Cc"], mail["Bcc"]) == (data["message_id"], to, cc, None)
    assert bcc.encode() not in taken.data
    assert mail["From"].addresses[0].addr_spec == box["email"]
    assert mail.get_body(("plain",)).get_content().strip() == "Plain text body"
    assert mail.get_body(("html",)).get_content().strip() == "<p>HTML body</p>"
    assert [one.get_content() for one in mail.iter_attachments()] == [b"%PDF-1.4 report"]

    shown = message(organization, box, data["id"])
    assert {**data, "status": shown["status"]}.items() <= shown.items()
    assert shown["status"] in ("queued", "sent", "delivered")
    assert [one["id"] for one in shown["attachments"]] == [file["id"]]


def test_the_documented_form(own_gateway: OwnGateway) -> None:
    organization = own_gateway.new_organization()
    box = new_box(organization)
    to = stranger()
    got = form(
        organization,
        f"inboxes/{box['id']}/messages/send",
        [("to[0]", to), ("subject", "Hello!"), ("html", "<p>HTML body</p>")],
        [
            ("attachments[0]", ("report.pdf", b"%PDF one", "application/pdf")),
            ("attachments[1]", ("imagé.png", b"\x89PNG two", "image/png")),
        ],
    )
    assert got.status_code == 201, got.text
    assert [
        (one["filename"], one["mime_type"], one["size"]) for one in got.json()["data"]["attachments"]
    ] == [
        ("report.pdf", "application/pdf", 8),
        ("imagé.png", "image/png", 8),
    ]
    mail = parsed(own_gateway.foreign.wait(to)[0].data)
    assert [one.get_content() for one in mail.iter_attachments()] == [b"%PDF one", b"\x89PNG two"]
    assert mail.get_body(("plain",)).get_content().strip() == "HTML body"


@pytest.mark.parametrize("name", ["to[{}]", "to[]", "to"])
def test_a_list_in_a_form_in_every_spelling(organization: Organization, name: str) -> None:
    box, two = new_box(organization), [stranger(), stranger()]
    fields = [(name.format(number), one) for number, one in enumerate(two)]
    fields += [(name.format(number).replace("to", "cc"), one) for number, one in enumerate([stranger(), ""])]
    files = [
        (name.format(number).replace("to", "attachments"), (f"{number}.txt", b"x", "text/plain"))
        for number in range(2)
    ]
    got = form(organization, f"inboxes/{box['id']}/messages/send", [*fields, ("text", "t")], files)
    assert got.status_code == 201, got.text
    data = got.json()["data"]
    assert (data["to_emails"], len(data["cc_emails"])) == (two, 1)
    assert [one["filename"] for one in data["attachments"]] == ["0.txt", "1.txt"]


def test_one_address_may_be_text_and_mime_type_stands_for_content_type(organization: Organization) -> None:
    box, to = new_box(organization), stranger()
    files = [file_of(b"a,b", "t.bin", mime_type="text/csv"), file_of(b"x", "t.png")]
    sent = send(organization, box, to, cc=f"Ann <{to.upper()}>", attachments=files)
    assert sent["to_emails"] == [to]
    assert sent["cc_emails"] == []  # the same mailbox once
    assert [one["mime_type"] for one in sent["attachments"]] == ["text/csv", "image/png"]


def test_the_documents_python_function(organization: Organization) -> None:
    box = new_box(organization)
    response = httpx.post(
        f"{organization.base_url}/api/v1/inboxes/{box['id']}/messages/send",
        headers={"Authorization": f"Bearer {organization.api_key}", "Content-Type": "application/json"},
        json={"to": [stranger()], "subject": "Order confirmation", "html": "<p>Confirmed</p>"},
        trust_env=False,
    )
    data = response.json()
    assert (
        f"Email sent (ID: {data['data']['id']})" == f"Email sent (ID: {listed(organization, box)[0]['id']})"
    )


@pytest.mark.parametrize("html", [None, "<p>h</p>"])
def test_an_empty_text_is_none(organization: Organization, html: str | None) -> None:
    box = new_box(organization)
    got = try_send(organization, box, {"to": stranger(), "text": " \n", "html": html})
    assert got.status_code == (201 if html else 422)


def test_a_file_of_10_mb_in_json_arrives_whole(gateway: GatewayProcess, organization: Organization) -> None:
    ours, theirs = new_box(organization), new_box(organization)
    content = os.urandom(1024) * 10 * 1024
    sent = send(organization, ours, [theirs["email"]], attachments=[file_of(content, "big.bin")])
    assert sent["attachments"][0]["size"] == 10 * MB
    (row,) = listed(organization, theirs, 1)
    assert httpx.get(row["attachments"][0]["url"], trust_env=False, timeout=60).content == content


def test_five_files_of_10_mb_are_taken(organization: Organization) -> None:
    box = new_box(organization)
    key = made(organization, "api_keys", {"name": "sandbox", "test": True})["key"]
    content = b"x" * 10 * MB
    files = [(f"attachments[{number}]", (f"{number}.bin", content, "")) for number in range(5)]
    with client(organization, key, timeout=120) as http:
        got = http.post(
            f"inboxes/{box['id']}/messages/send", data={"to": stranger(), "text": "t"}, files=files
        )
    assert got.status_code == 201, got.text
    assert [one["size"] for one in got.json()["data"]["attachments"]] == [10 * MB] * 5


@pytest.mark.parametrize("way", ["json", "form"])
def test_six_files_or_a_larger_one_are_422(organization: Organization, way: str) -> None:
    box = new_box(organization)
    for contents, field in (([b"x"] * 6, "attachments"), ([b"x", b"x" * (10 * MB + 1)], "attachments.1")):
        if way == "json":
            body = {**GOOD, "attachments": [file_of(one) for one in contents]}
            got = try_send(organization, box, body, timeout=60)
        else:
            files = [("attachments[]", ("a.bin", one, "")) for one in contents]
            path = f"inboxes/{box['id']}/messages/send"
            got = form(organization, path, [("to", "a@abroad.test"), ("text", "t")], files)
        assert got.status_code == 422, got.text
        assert list(got.json()["errors"]) == [field]
    assert listed(organization, box) == []


def test_all_that_is_missing_is_named_in_the_words_clients_know(organization: Organization) -> None:
    box = new_box(organization)
    got = try_send(organization, box, {"subject": "s"})
    assert got.status_code == 422
    assert got.json()["errors"] == {
        "to": ["The to field is required."],
        "text": ["The text field is required when html is not present."],
    }
    assert got.json()["message"].startswith("The to field is required.")
    alone = try_send(organization, box, {"to": [], "text": "t"}).json()
    assert (alone["message"], alone["errors"]) == (
        "The to field is required.",
        {"to": ["The to field is required."]},
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": ["nobody"]}, "to.0"),
        ({"to": ["a@abroad.test", "b@"]}, "to.1"),
        ({"to": ["a@abroad.test\r\nBcc: x@abroad.test"]}, "to.0"),
        ({"to": 5}, "to"),
        ({"to": {"email": "a@abroad.test"}}, "to"),
        ({"to": [f"p{n}@abroad.test" for n in range(101)]}, "to"),
        ({"bcc": ["x"]}, "bcc.0"),
        ({"subject": "a\r\nBcc: x@abroad.test"}, "subject"),
        ({"subject": 5}, "subject"),
        ({"text": "a\x00b"}, "text"),
        ({"html": ["<p>"]}, "html"),
        ({"attachments": "report.pdf"}, "attachments"),
        ({"attachments": [{"filename": "a"}]}, "attachments.0.content"),
        ({"attachments": [{"filename": "a", "content": "not base64!"}]}, "attachments.0.content"),
        ({"attachments": [file_of(b"x", "a\r\nb")]}, "attachments.0.filename"),
        ({"attachments": [file_of(b"x", content_type="a b")]}, "attachments.0.content_type"),
    ],
)
def test_a_wrong_value_is_refused_by_field(
    organization: Organization, change: dict[str, Any], field: str
) -> None:
    box = new_box(organization)
    got = try_send(organization, box, {**GOOD, **change})
    assert got.status_code == 422, got.text
    assert list(got.json()["errors"]) == [field]
    assert listed(organization, box) == []


def test_a_form_with_text_for_a_file_or_a_file_elsewhere(organization: Organization) -> None:
    box = new_box(organization)
    path, fields = f"inboxes/{box['id']}/messages/send", [("to", "a@abroad.test"), ("text", "t")]
    got = form(organization, path, [*fields, ("attachments[0]", "@report.pdf")])
    assert (got.status_code, list(got.json()["errors"])) == (422, ["attachments"])
    got = form(organization, path, fields, [("file", ("a.txt", b"x", "text/plain"))])
    assert (got.status_code, list(got.json()["errors"])) == (422, ["file"])
    assert listed(organization, box) == []


def test_a_send_from_an_inbox_that_is_not_there(gateway: GatewayProcess, organization: Organization) -> None:
    theirs = new_box(gateway.new_organization())
    for ref in (theirs["id"], theirs["ulid"], theirs["email"], 1, "not-an-id"):
        got = answer(organization, "POST", f"inboxes/{ref}/messages/send", GOOD)
        assert (got.status_code, got.json()["error"]) == (404, "not_found")


def test_every_spelling_of_an_inbox_sends(organization: Organization) -> None:
    box = new_box(organization)
    for ref in (box["id"], box["ulid"], f"inb_{box['ulid']}", box["email"]):
        assert made(organization, f"inboxes/{ref}/messages/send", GOOD)["inbox_id"] == box["id"]


def test_a_suppressed_recipient_is_refused(organization: Organization) -> None:
    box, to = new_box(organization), stranger()
    with organization.client() as http:
        http.post(f"{organization.base_url}/v1/suppressions", json={"address": to, "type": "unsub"})
    got = try_send(organization, box, {**GOOD, "to": ["a@abroad.test", to]})
    assert (got.status_code, got.json()["error"]) == (422, "recipient_suppressed")
    assert to in got.json()["message"]


@pytest.mark.parametrize("name", ["content_type", "mime_type", "form"])
def test_the_parameters_of_a_type_go_out(organization: Organization, name: str) -> None:
    box, far = new_box(organization), new_box(organization)
    kind = "text/calendar; charset=utf-8; method=REQUEST"
    if name == "form":
        fields = [("to", far["email"]), ("subject", "s"), ("text", "t")]
        files = [("attachments", ("invite.ics", b"BEGIN", kind))]
        sent = form(organization, f"inboxes/{box['id']}/messages/send", fields, files)
        assert sent.status_code == 201, sent.text
    else:
        send(organization, box, far["email"], attachments=[file_of(b"BEGIN", "invite.ics", **{name: kind})])
    (got,) = listed(organization, far, 1)
    [file] = message(organization, far, got["id"])["attachments"]
    assert (file["filename"], file["mime_type"]) == ("invite.ics", "text/calendar")
    link = organization.call("GET", f"/inboxes/{far['email']}/messages/{got['id']}/raw")["download_url"]
    [part] = parsed(httpx.get(link, trust_env=False).content).iter_attachments()
    assert (part.get_param("method"), part.get_param("charset")) == ("REQUEST", "utf-8")
