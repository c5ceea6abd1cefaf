"""POST /v1/inboxes/{id}/send as JSON (contract §4): what arrives at the recipient, and what is refused."""

from __future__ import annotations

import base64
import uuid
from typing import Any

import pytest

from tests.api_openmail.calls import client
from tests.api_openmail.post import Post
from tests.support.waiting import until


def test_a_send_answers_both_documented_shapes_and_arrives(post: Post) -> None:
    ours, theirs, copied = post.inbox(displayName="Jané, the Agent"), post.inbox(), post.inbox()
    sent = post.send(
        ours,
        {
            "to": theirs["address"],
            "subject": "Grüße",
            "body": "Line one\nLine two with ünïcode",
            "cc": [copied["address"]],
            "replyTo": "desk@elsewhere.test",
        },
    )
    assert sent["status"] in ("pending", "sent")
    assert sent["messageId"] == sent["id"]
    assert sent["messageId"].startswith("msg_")
    assert sent["threadId"].startswith("thr_")
    assert sent["inboxId"] == ours["id"]
    assert sent["direction"] == "outbound"
    mail = post.mail(theirs, "ALL")
    assert mail["Message-ID"] == sent["providerMessageId"]
    assert mail["From"].addresses[0].display_name == "Jané, the Agent"
    assert mail["From"].addresses[0].addr_spec == ours["address"]
    assert mail["Reply-To"] == "desk@elsewhere.test"
    assert mail["Cc"] == copied["address"]
    assert mail["Subject"] == "Grüße"
    assert mail.get_content_type() == "text/plain"
    assert mail.get_content().splitlines() == ["Line one", "Line two with ünïcode"]
    assert post.mail(copied, "ALL")["To"] == theirs["address"]
    (row,) = post.messages(ours)
    assert {name: row[name] for name in ("id", "threadId", "inboxId", "direction", "createdAt")} == {
        name: sent[name] for name in ("id", "threadId", "inboxId", "direction", "createdAt")
    }
    until(lambda: post.messages(ours)[0]["status"] == "sent", why="it was taken")


def test_without_a_display_name_from_is_the_bare_address(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    post.send(
        ours, {"to": f"Them <{theirs['address']}>", "subject": "s", "body": "b", "unknown": 1, "cc": None}
    )
    mail = post.mail(theirs, "ALL")
    assert mail["From"] == ours["address"]
    assert mail["Reply-To"] is None


def test_an_html_body_is_rendered_with_a_text_fallback(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    html = '<h1>Order</h1><p>Hello <b>Ann</b>,<br>see <a href="https://a.test/x">this</a></p>'
    post.send(ours, {"to": theirs["address"], "subject": "s", "body": html})
    mail = post.mail(theirs, "ALL")
    assert mail.get_content_type() == "multipart/alternative"
    assert mail.get_body(("html",)).get_content().strip() == html
    text = mail.get_body(("plain",)).get_content()
    assert "Order" in text
    assert "Hello Ann" in text
    assert "https://a.test/x" in text
    assert "<b>" not in text
    (row,) = post.messages(theirs, 1)
    assert (row["bodyHtml"] or "").strip() == html


def test_body_html_is_sent_beside_the_body_as_it_is(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    body = {"to": theirs["address"], "subject": "s", "body": "text <b>as is</b>", "bodyHtml": "<p>other</p>"}
    post.send(ours, body)
    mail = post.mail(theirs, "ALL")
    assert mail.get_body(("plain",)).get_content().strip() == "text <b>as is</b>"
    assert mail.get_body(("html",)).get_content().strip() == "<p>other</p>"


def test_json_attachments_arrive_as_they_were(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    data = bytes(range(256)) * 40
    files = [
        {
            "filename": "räport.bin",
            "contentType": "application/x-thing",
            "data": base64.b64encode(data).decode(),
        },
        {"filename": "note.txt", "data": base64.b64encode(b"hello").decode()},
    ]
    post.send(ours, {"to": theirs["address"], "subject": "s", "body": "b", "attachments": files})
    one, two = post.mail(theirs, "ALL").iter_attachments()
    assert (one.get_filename(), one.get_content_type(), one.get_content()) == (
        "räport.bin",
        "application/x-thing",
        data,
    )
    assert (two.get_filename(), two.get_content_type(), two.get_content().strip()) == (
        "note.txt",
        "text/plain",
        "hello",
    )
    (row,) = post.messages(ours)
    assert [(one["filename"], one["contentType"], one["sizeBytes"]) for one in row["attachments"]] == [
        ("räport.bin", "application/x-thing", len(data)),
        ("note.txt", "text/plain", 5),
    ]
    assert row["attachments"][0]["url"].endswith(f"/v1/attachments/{row['id']}/r%C3%A4port.bin")


def test_the_documented_limits_are_the_limits(post: Post) -> None:
    ours, theirs = post.inbox(), post.inbox()
    base = {
        "to": theirs["address"],
        "subject": "ü" * 998,
        "body": "b" * 100_000,
        "bodyHtml": "<p>" + "h" * 499_997,
    }
    post.send(ours, base)
    for field, value in (("subject", "s" * 999), ("body", "b" * 100_001), ("bodyHtml", "h" * 500_001)):
        error = post.send(ours, {**base, field: value}, status=400)
        assert (error["error"], error["field"]) == ("bad_request", field)
    assert post.total(ours) == 1


GOOD: dict[str, Any] = {"to": "ann@abroad.test", "subject": "s", "body": "b"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": None}, "to"),
        ({"to": ["ann@abroad.test"]}, "to"),
        ({"to": "ann@abroad.test, bob@abroad.test"}, "to"),
        ({"to": "ann"}, "to"),
        ({"to": ""}, "to"),
        ({"to": "ann@abroad.test\r\nBcc: x@evil.test"}, "to"),
        ({"to": 7}, "to"),
        ({"to": {"email": "a@b.test"}}, "to"),
        ({"subject": ""}, "subject"),
        ({"subject": "   "}, "subject"),
        ({"subject": None}, "subject"),
        ({"subject": "a\r\nBcc: x@evil.test"}, "subject"),
        ({"body": ""}, "body"),
        ({"body": None}, "body"),
        ({"body": "a\x00b"}, "body"),
        ({"bodyHtml": "a\x00b"}, "bodyHtml"),
        ({"bodyHtml": 1}, "bodyHtml"),
        ({"replyTo": "nobody"}, "replyTo"),
        ({"replyTo": ""}, "replyTo"),
        ({"replyTo": ["a@b.test"]}, "replyTo"),
        ({"cc": "bob@abroad.test"}, "cc"),
        ({"cc": ["bob@abroad.test", "bob"]}, "cc[1]"),
        ({"cc": [None]}, "cc[0]"),
        ({"cc": [f"p{n}@abroad.test" for n in range(10_000)]}, "cc"),
        ({"includeQuote": "false"}, "includeQuote"),
        ({"threadId": 5}, "threadId"),
        ({"attachments": [{"filename": "a", "data": "?"}]}, "attachments[0].data"),
        ({"attachments": [{"data": "YQ=="}]}, "attachments[0].filename"),
        ({"attachments": [{"filename": "a\nb", "data": "YQ=="}]}, "attachments[0].filename"),
        ({"attachments": "YQ=="}, "attachments"),
    ],
)
def test_a_wrong_value_is_refused_and_named(post: Post, change: dict[str, Any], field: str) -> None:
    ours = post.inbox()
    error = post.send(ours, {**GOOD, **change}, status=400)
    assert error["error"] == "bad_request"
    assert error["field"] == field
    assert error["message"]
    assert "request body" not in error["message"]  # the field called body is told from the whole
    assert post.total(ours) == 0


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"to"',
        b"to=a",
        b'{"to":"a@b.test","subject":"\xff","body":"b"}',
        b'{"to":"a@b.test","subject":"\\ud800","body":"b"}',
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_json_object_is_refused(post: Post, raw: bytes) -> None:
    ours = post.inbox()
    with client(post.organization) as http:
        answer = http.post(
            f"inboxes/{ours['id']}/send",
            content=raw,
            headers={"Idempotency-Key": "k", "Content-Type": "application/json"},
        )
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] == "bad_request"
    assert post.total(ours) == 0


def test_files_over_25_mb_are_refused(post: Post) -> None:
    ours = post.inbox()
    data = base64.b64encode(b"x" * (13 * 1024 * 1024)).decode()
    files = [{"filename": "a", "data": data}, {"filename": "b", "data": data}]
    error = post.send(ours, {**GOOD, "attachments": files}, status=413)
    assert error["error"] == "payload_too_large"
    assert post.total(ours) == 0


def test_an_unknown_inbox_is_not_found(post: Post) -> None:
    for ref in ("inb_01arz3ndektsv4rrffq69g5fav", "nobody@postern.test", "x"):
        error = post.send({"id": ref}, GOOD, status=404)
        assert error["error"] == "not_found"


def test_a_key_of_one_inbox_reaches_no_other(post: Post) -> None:
    ours, other = post.inbox(), post.inbox()
    made = post.call("POST", f"inboxes/{ours['id']}/api-keys", {"name": "narrow"})
    post.letter(other, "Hello")
    (thread,) = post.threads(other)
    key = made["token"]
    assert post.call("GET", f"inboxes/{ours['id']}/threads", key=key)["total"] == 0
    for method, path, body in (
        ("GET", f"inboxes/{other['id']}/messages", None),
        ("GET", f"inboxes/{other['id']}/threads", None),
        ("GET", f"threads/{thread['id']}/messages", None),
        ("PATCH", f"threads/{thread['id']}", {"is_read": True}),
    ):
        assert post.call(method, path, body, key=key, status=403)["error"] == "forbidden"
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    path = f"inboxes/{other['id']}/send"
    assert post.call("POST", path, GOOD, key=key, status=403, headers=headers)["error"] == "forbidden"


def test_without_a_key_nothing_is_sent(post: Post) -> None:
    ours = post.inbox()
    error = post.call("POST", f"inboxes/{ours['id']}/send", GOOD, key="om_wrong", status=401)
    assert error["error"] == "unauthorized"
    assert error["message"] == "Missing or invalid Authorization header"
    assert post.total(ours) == 0
