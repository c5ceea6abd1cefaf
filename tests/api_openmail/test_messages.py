"""GET /v1/inboxes/{id}/messages (contract §1, §2, §3): shapes, order, direction, paging, what is left out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.api_openmail.post import Post
from tests.support.mails import new_mail

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
FIELDS = {
    "id", "threadId", "inboxId", "direction", "fromAddr", "toAddr", "headerTo", "deliveryRole", "cc", "subject",
    "bodyText", "bodyHtml", "attachments", "status", "createdAt", "autoSubmitted", "bulk", "listId", "defects",
    "unlistedAttachments", "calendar", "trust", "hiddenText", "risk",
    "autoReplyable", "category", "verdict", "spamScore",
}  # fmt: skip


def test_an_inbound_message_has_the_documented_shape(post: Post) -> None:
    inbox = post.inbox()
    mail = new_mail(
        f"{inbox['address']}, Bob <bob@abroad.test>", "Grüße", "Text ü\n", Cc="Eve <eve@abroad.test>"
    )
    mail.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="r\u00e4port 1.pdf")
    post.deliver(mail, inbox["address"])
    (row,) = post.messages(inbox, 1)
    assert set(row) == FIELDS
    assert row["id"].startswith("msg_")
    assert row["threadId"].startswith("thr_")
    assert row["inboxId"] == inbox["id"]
    assert row["direction"] == "inbound"
    assert row["status"] == "received"
    assert row["fromAddr"] == "ann@abroad.test"
    assert row["toAddr"] == inbox["address"]
    assert row["headerTo"] == f"{inbox['address']},bob@abroad.test"
    assert row["deliveryRole"] == "to"
    assert row["cc"] == ["eve@abroad.test"]
    assert row["subject"] == "Grüße"
    assert row["bodyText"].strip() == "Text ü"
    assert row["bodyHtml"] == ""
    assert TIME.fullmatch(row["createdAt"])
    (file,) = row["attachments"]
    assert (file["filename"], file["contentType"], file["sizeBytes"]) == (
        "räport 1.pdf",
        "application/pdf",
        4,
    )
    assert file["url"] == f"{post.organization.base_url}/v1/attachments/{row['id']}/r%C3%A4port%201.pdf"


def test_an_outbound_message_has_the_documented_shape(post: Post) -> None:
    inbox, other = post.inbox(displayName="The Agent"), post.inbox()
    sent = post.send(inbox, {"to": f"Them <{other['address']}>", "subject": "s", "body": "<p>Hi</p>"})
    (row,) = post.messages(inbox)
    assert set(row) == FIELDS
    assert row["id"] == sent["messageId"]
    assert row["direction"] == "outbound"
    assert (row["fromAddr"], row["toAddr"]) == (inbox["address"], other["address"])
    assert (row["headerTo"], row["deliveryRole"]) == (None, None)
    assert (row["bodyText"].strip(), row["bodyHtml"].strip()) == ("Hi", "<p>Hi</p>")
    assert row["status"] in ("pending", "sent")
    assert row["attachments"] == []


@pytest.mark.parametrize(
    ("to", "cc", "role", "written"),
    [
        ("{me}", None, "to", "{me}"),
        ("Me <{ME}>", None, "to", "{ME}"),
        ("{tagged}", None, "to", "{tagged}"),
        ("a@abroad.test", "{me}", "cc", "a@abroad.test"),
        ("a@abroad.test, b@abroad.test", "x@abroad.test, {me}", "cc", "a@abroad.test,b@abroad.test"),
        ("{me}", "{me}", "to", "{me}"),
        ("a@abroad.test", None, None, "a@abroad.test"),
        ("undisclosed-recipients:;", None, None, None),
    ],
)
def test_b5_the_role_says_how_the_inbox_was_addressed(
    post: Post, to: str, cc: str | None, role: str | None, written: str | None
) -> None:
    inbox = post.inbox()
    me = inbox["address"]
    names = {"me": me, "ME": me.upper(), "tagged": me.replace("@", "+tag@")}
    raw = f"From: ann@abroad.test\r\nTo: {to.format(**names)}\r\n"
    raw += f"Cc: {cc.format(**names)}\r\n" if cc else ""
    post.deliver(f"{raw}Subject: s\r\nMessage-ID: <x{me}>\r\n\r\nb\r\n".encode(), me)
    (row,) = post.messages(inbox, 1)
    assert row["deliveryRole"] == role
    assert row["toAddr"] == me
    assert row["headerTo"] == (written.format(**names) if written else None)


def test_newest_first_with_a_direction_and_pages(post: Post) -> None:
    inbox, other = post.inbox(), post.inbox()
    for number in range(3):
        post.letter(inbox, f"in {number}")
    sent = [
        post.send(inbox, {"to": other["address"], "subject": f"out {n}", "body": "b"})["messageId"]
        for n in range(2)
    ]
    rows = post.messages(inbox)
    assert [row["subject"] for row in rows] == ["out 1", "out 0", "in 2", "in 1", "in 0"]
    inbound = post.call("GET", f"inboxes/{inbox['id']}/messages?direction=inbound")
    assert [row["subject"] for row in inbound["data"]] == ["in 2", "in 1", "in 0"]
    assert inbound["total"] == 3
    outbound = post.call("GET", f"inboxes/{inbox['id']}/messages?direction=outbound&limit=1&offset=1")
    assert [row["id"] for row in outbound["data"]] == [sent[0]]
    assert outbound["total"] == 2
    paged = [
        row for start in range(0, 6, 2) for row in post.messages(inbox, query=f"?limit=2&offset={start}")
    ]
    assert [row["id"] for row in paged] == [row["id"] for row in rows]
    path = f"inboxes/{inbox['id']}/messages"
    assert len(post.call("GET", f"{path}?limit=1000000&offset=0")["data"]) == 5
    assert post.call("GET", f"{path}?offset=100") == {"data": [], "total": 5}
    for wrong in ("in", "INBOUND", "inbound,outbound"):
        error = post.call("GET", f"{path}?direction={wrong}", status=400)
        assert (error["error"], error["field"]) == ("bad_request", "direction")


def test_spam_and_trash_are_left_out(post: Post) -> None:
    inbox = post.inbox()
    post.letter(inbox, "one")
    post.letter(inbox, "two")
    two, one = post.messages(inbox)
    for row, label in ((one, "spam"), (two, "trash")):
        path = f"inboxes/{inbox['address']}/messages/{row['id']}"
        post.organization.call("PATCH", path, json={"add_labels": [label]})
    assert post.call("GET", f"inboxes/{inbox['id']}/messages") == {"data": [], "total": 0}
    assert post.call("GET", f"inboxes/{inbox['id']}/messages?direction=inbound")["total"] == 0
    assert post.call("GET", f"inboxes/{inbox['id']}/threads") == {"data": [], "total": 0}


def test_a_hostile_mail_is_listed_all_the_same(post: Post) -> None:
    inbox = post.inbox()
    raw: list[bytes] = [
        b"\r\n\r\n",
        b"From: <>\r\nTo: ;;;\r\nSubject: =?x?q?=00?=\r\n\r\n\x00\xff",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n"
        b'Content-Disposition: attachment; filename="a/../b"\r\n\r\nx',
    ]
    for data in raw:
        post.deliver(data, inbox["address"])
    rows: list[dict[str, Any]] = post.messages(inbox, 3)
    assert len(rows) == 3
    assert all(isinstance(row["fromAddr"], str) and row["toAddr"] == inbox["address"] for row in rows)
    assert len(post.threads(inbox)) == 3
