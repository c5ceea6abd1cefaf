"""Every mail endpoint against the real embedded server, with its errors."""

from __future__ import annotations

import base64
import email
import email.policy
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support.filled_store import mail
from tests.support.mail_api import FOREIGN_KEY, MailApi, mail_api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
BOT = "bot@postern.test"
FRIEND = "friend@postern.test"
BASE = f"/api/v0/inboxes/{BOT}"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MailApi]:
    async with mail_api(tmp_path) as made:
        await made.inbox(BOT)
        await made.inbox(FRIEND)
        yield made


def attached() -> bytes:
    data = base64.encodebytes(bytes(range(256)) * 4000).decode().replace("\n", "\r\n")
    return (
        "From: Ann <ann@far.example>\r\nTo: bot@postern.test\r\nSubject: files\r\nMessage-ID: <f1@far.example>\r\n"
        'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n'
        "Content-Type: text/plain\r\n\r\nsee file\r\n--b\r\nContent-Type: application/pdf\r\n"
        "Content-Disposition: attachment; filename*=UTF-8''r%C3%A9sum%C3%A9%20%22x%22.pdf\r\n"
        f"Content-Transfer-Encoding: base64\r\n\r\n{data}\r\n--b\r\nContent-Type: text/csv\r\n"
        'Content-Disposition: attachment; filename="a.csv"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        "caf=C3=A9,1=\r\n2\r\n--b--\r\n"
    ).encode()


async def test_reading_labelling_and_deleting(running: MailApi) -> None:
    got = await running.arrived(BOT, mail(1, subject="first"), "first")
    assert set(got) == {
        "inbox_id",
        "thread_id",
        "message_id",
        "direction",
        "labels",
        "timestamp",
        "from",
        "to",
        "cc",
        "bcc",
        "subject",
        "preview",
        "attachments",
        "in_reply_to",
        "references",
        "size",
        "created_at",
        "updated_at",
        "auto_submitted",
        "bulk",
        "list_id",
        "defects",
        "unlisted_attachments",
        "calendar",
        "trust",
        "hidden_text",
        "risk",
    }
    assert got["labels"] == ["received", "unread"]
    assert got["from"] == "Ann <ann@far.example>"
    one = f"{BASE}/messages/{got['message_id']}"
    whole = (await running.api.get(one)).json()
    assert whole["text"].strip() == "hello"
    assert whole["headers"]
    for form in (
        quote("<m1@far.example>", safe=""),
        "m1@far.example",
        "%3Cm1@far.example%3E",
        got["message_id"][4:],
        got["message_id"].upper().replace("MSG", "msg"),
    ):
        assert (await running.api.get(f"{BASE}/messages/{form}")).json()["message_id"] == got["message_id"], (
            form
        )

    changed = await running.api.patch(one, json={"labels": ["zeta", "Äpfel & Co", "received"]})
    assert changed.status_code == 200, changed.text
    assert changed.json()["labels"] == ["zeta", "Äpfel & Co", "received"]
    assert changed.json()["text"].strip() == "hello"
    (flags,) = (await running.flags(BOT, "INBOX")).values()
    assert {"\\Seen", "zeta"} < flags
    assert not flags & {"$NotReceived", "\\Flagged"}
    assert any(flag.startswith("=c3=84pfel") for flag in flags), flags
    changed = await running.api.patch(
        one, json={"add_labels": "starred", "remove_labels": ["zeta", "received"]}
    )
    assert changed.json()["labels"] == ["starred", "Äpfel & Co"]
    (flags,) = (await running.flags(BOT, "INBOX")).values()
    assert {"\\Flagged", "$NotReceived", "\\Seen"} < flags
    assert "zeta" not in flags
    assert (await running.api.get(one)).json()["labels"] == ["starred", "Äpfel & Co"]

    for label, folder in (
        ("trash", "Trash"),
        ("spam", "Junk"),
        ("archive", "Archive"),
        ("folder:Kunden", "Kunden"),
    ):
        there = await running.api.patch(one, json={"add_labels": [label]})
        assert there.status_code == 200, there.text
        assert label in there.json()["labels"], there.text
        assert len(await running.flags(BOT, folder)) == 1
        assert len(await running.flags(BOT, "INBOX")) == 0
        shown = await running.messages(BOT, include_spam="true", include_trash="true")
        assert [one["message_id"] for one in shown] == [got["message_id"]]
        assert bool(await running.messages(BOT)) == (label not in ("trash", "spam"))
    back = await running.api.patch(one, json={"remove_labels": ["folder:Kunden"]})
    assert back.json()["labels"] == ["starred", "Äpfel & Co"]
    assert len(await running.flags(BOT, "INBOX")) == 1

    bad: list[object] = [
        {},
        {"labels": ["spam", "trash"]},
        {"labels": ["folder:INBOX"]},
        {"labels": ["a\r\nb"]},
        {"labels": [""]},
        {"labels": "x"},
        {"labels": ["x" * 65]},
        {"add_labels": ["folder:../x"]},
        {"labels": ["a"], "add_labels": ["b"]},
        {"labels": [1]},
        [],
        {"add_labels": {}},
    ]
    for body in bad:
        refused = await running.api.patch(one, json=body)
        assert refused.status_code == 400, (body, refused.text)
        assert refused.json()["name"] == "ValidationError"
    assert (await running.api.patch(f"{BASE}/messages/msg_nope", json={"labels": []})).status_code == 404

    gone = await running.api.delete(one)
    assert (gone.status_code, gone.content) == (204, b"")
    assert (await running.api.get(one)).status_code == 404
    assert await running.flags(BOT, "INBOX") == {}
    assert (await running.api.delete(one)).status_code == 404
    assert (await running.api.get(f"{BASE}/messages")).json()["total"] == 0


async def test_another_organization_sees_nothing(running: MailApi) -> None:
    got = await running.arrived(BOT, mail(1, subject="mine"), "mine")
    strange = {"Authorization": f"Bearer {FOREIGN_KEY}"}
    mid, tid = got["message_id"], got["thread_id"]
    for path in (
        f"{BASE}/messages",
        f"{BASE}/messages/{mid}",
        f"{BASE}/threads",
        f"{BASE}/threads/{tid}",
        f"/api/v0/threads/{tid}",
        f"{BASE}/messages/{mid}/raw",
        f"{BASE}/drafts",
        f"{BASE}/messages/search?q=mine",
    ):
        assert (await running.api.get(path, headers=strange)).status_code == 404, path
    for path in (f"{BASE}/messages/{mid}", f"{BASE}/threads/{tid}", f"/api/v0/threads/{tid}"):
        assert (await running.api.delete(path, headers=strange)).status_code == 404
        assert (await running.api.patch(path, headers=strange, json={"labels": ["x"]})).status_code == 404
    assert (await running.api.get("/api/v0/threads", headers=strange)).json()["total"] == 0
    assert (await running.api.get(f"{BASE}/messages", headers={"Authorization": ""})).status_code == 401


async def test_attachments_and_raw_come_out_as_they_went_in(running: MailApi) -> None:
    got = await running.arrived(BOT, attached(), "files")
    pdf, csv = got["attachments"]
    assert set(pdf) == {
        "attachment_id",
        "filename",
        "size",
        "content_type",
        "content_disposition",
        "content_id",
    }
    assert (pdf["content_type"], pdf["size"]) == ("application/pdf", 1_024_000)
    paths = [
        f"{BASE}/messages/{got['message_id']}",
        f"{BASE}/threads/{got['thread_id']}",
        f"/api/v0/threads/{got['thread_id']}",
    ]
    for path in paths:
        link = (await running.api.get(f"{path}/attachments/{pdf['attachment_id']}")).json()
        assert link["download_url"].startswith("https://gw.test/"), link
        data = await running.api.get(link["download_url"], headers={"Authorization": ""})
        assert data.status_code == 200, data.text
        assert data.content == bytes(range(256)) * 4000
        assert data.headers["content-type"] == "application/pdf"
        assert data.headers["content-disposition"].startswith("attachment; ")
        assert "filename*=UTF-8''r%C3%A9sum%C3%A9" in data.headers["content-disposition"]
        assert data.headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in data.headers["content-security-policy"]
        assert (await running.api.get(f"{path}/attachments/att_no")).status_code == 404
    link = (await running.api.get(f"{paths[0]}/attachments/{csv['attachment_id']}")).json()
    assert (await running.api.get(link["download_url"])).content == "café,12".encode()

    raw = (await running.api.get(f"{paths[0]}/raw")).json()
    assert set(raw) == {"message_id", "size", "download_url", "expires_at"}
    data = await running.api.get(raw["download_url"], headers={"Authorization": ""})
    assert data.headers["content-type"] == "message/rfc822"
    assert len(data.content) == raw["size"]
    assert attached().split(b"\r\n\r\n", 1)[1].strip() in data.content

    url = raw["download_url"]
    for bad in (
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url + "A",
        url[:-5],
        url.rsplit("/", 1)[0] + "/x",
    ):
        assert (await running.api.get(bad)).status_code == 403, bad
    from gateway.core.signed_links import sign

    old, _ = sign(running.core.secret, "raw", got["message_id"][4:], "", -2)
    expired = await running.api.get(f"/api/v0/files/{old}")
    assert (expired.status_code, expired.json()["code"]) == (403, "link_expired")
    await running.api.delete(paths[0])
    assert (await running.api.get(url)).status_code == 404


async def test_threads(running: MailApi) -> None:
    first = await running.arrived(BOT, mail(1, subject="talk"), "talk")
    second = await running.arrived(
        BOT, mail(2, subject="Re: talk", more="In-Reply-To: <m1@far.example>\r\n"), "Re: talk"
    )
    await running.arrived(BOT, mail(3, subject="other"), "other")
    assert first["thread_id"] == second["thread_id"]
    listed = (await running.api.get(f"{BASE}/threads")).json()
    assert (listed["total"], listed["count"], len(listed["data"]), listed["data"] == listed["threads"]) == (
        2,
        2,
        2,
        True,
    )
    thread = f"{BASE}/threads/{first['thread_id']}"
    whole = (await running.api.get(thread)).json()
    assert [one["message_id"] for one in whole["messages"]] == [first["message_id"], second["message_id"]]
    assert whole["messages"][0]["text"].strip() == "hello"
    assert (whole["count"], whole["message_count"], whole["subject"]) == (2, 2, "talk")
    assert whole["last_message_id"] == second["message_id"]
    paged = (await running.api.get(thread, params={"limit": 1})).json()
    assert [one["message_id"] for one in paged["messages"]] == [second["message_id"]]
    older = (
        await running.api.get(thread, params={"limit": 1, "page_token": paged["next_page_token"]})
    ).json()
    assert [one["message_id"] for one in older["messages"]] == [first["message_id"]]
    assert "next_page_token" not in older
    changed = await running.api.patch(
        f"/api/v0/threads/{first['thread_id']}", json={"add_labels": ["vip"], "remove_labels": ["unread"]}
    )
    assert changed.json() == {"thread_id": first["thread_id"], "labels": ["received", "vip"]}
    assert sum("vip" in flags for flags in (await running.flags(BOT, "INBOX")).values()) == 2
    assert (
        len(
            (await running.api.get("/api/v0/threads", params={"labels": '["vip","received"]'})).json()[
                "threads"
            ]
        )
        == 1
    )
    found = (await running.api.get(f"{BASE}/threads/search", params={"q": "talk"})).json()
    assert [one["thread_id"] for one in found["threads"]] == [first["thread_id"]]
    assert (await running.api.delete(thread)).status_code == 204
    assert (await running.api.get(thread)).status_code == 404
    assert len(await running.flags(BOT, "INBOX")) == 1
    late = await running.arrived(
        BOT, mail(4, subject="late", more="In-Reply-To: <m2@far.example>\r\n"), "late"
    )
    assert late["thread_id"] != first["thread_id"]


async def test_send_reply_forward_with_idempotency(running: MailApi) -> None:
    body = {
        "to": FRIEND,
        "cc": ["c@postern.test"],
        "bcc": "hidden@postern.test",
        "subject": "Hello",
        "text": "hi",
        "labels": ["mine"],
        "headers": {"X-Custom": "v"},
        "attachments": [
            {"filename": "a.txt", "content_type": "text/plain", "content": base64.b64encode(b"file").decode()}
        ],
    }
    for name in ("c@postern.test", "hidden@postern.test"):
        await running.inbox(name)
    key = {"Idempotency-Key": "k-1"}
    sent = await running.api.post(f"{BASE}/messages/send", json=body, headers=key)
    assert sent.status_code == 200, sent.text
    assert set(sent.json()) == {"message_id", "thread_id"}
    assert (await running.api.post(f"{BASE}/messages/send", json=body, headers=key)).json() == sent.json()
    other = await running.api.post(f"{BASE}/messages/send", json={**body, "text": "x"}, headers=key)
    assert other.status_code == 409
    empty = await running.api.post(f"{BASE}/messages/send", json=body, headers={"Idempotency-Key": ""})
    assert empty.status_code == 400
    mine = f"{BASE}/messages/{sent.json()['message_id']}"
    assert (await running.api.get(mine)).json()["labels"] == ["mine"]
    assert (await running.api.get(f"{BASE}/messages", params={"labels": "sent"})).json()["total"] == 1

    async def look() -> object:
        return await running.messages(FRIEND)

    (got,) = await until_async(look)
    assert got["cc"] == ["c@postern.test"]
    assert got["bcc"] is None
    assert len(got["attachments"]) == 1

    async def filed() -> object:
        return await running.flags(BOT, "Sent")

    await until_async(filed)
    reply = await running.api.post(
        f"/api/v0/inboxes/{FRIEND}/messages/{got['message_id']}/reply", json={"text": "back"}
    )
    assert reply.status_code == 200, reply.text
    assert reply.json()["thread_id"] == got["thread_id"]

    async def answered() -> object:
        return await running.messages(BOT, labels="received")

    (back,) = await until_async(answered)
    assert back["subject"] == "Re: Hello"
    assert back["thread_id"] == sent.json()["thread_id"]
    every = await running.api.post(
        f"/api/v0/inboxes/{FRIEND}/messages/{got['message_id']}/reply-all", json={"text": "all"}
    )
    shown = (await running.api.get(f"/api/v0/inboxes/{FRIEND}/messages/{every.json()['message_id']}")).json()
    assert {*shown["to"], *(shown["cc"] or [])} == {BOT, "c@postern.test"}
    passed = await running.api.post(
        f"/api/v0/inboxes/{FRIEND}/messages/{got['message_id']}/forward",
        json={"to": ["c@postern.test"], "text": "FYI"},
    )
    assert passed.status_code == 200, passed.text
    assert passed.json()["thread_id"] != got["thread_id"]
    shown = (await running.api.get(f"/api/v0/inboxes/{FRIEND}/messages/{passed.json()['message_id']}")).json()
    assert (shown["subject"], len(shown["attachments"])) == ("Fwd: Hello", 1)
    assert "FYI" in shown["text"]

    async def settled() -> object:
        return len(await running.messages(BOT)) == 3  # the sent one, the reply, the reply to all

    await until_async(settled)
    for change, field in (
        ({"to": []}, "to"),
        ({"to": "nobody"}, "to[0]"),
        ({"subject": "a\r\nBcc: x@y.z"}, "subject"),
        ({"headers": {"Bcc": "x@y.z"}}, "headers"),
        ({"attachments": [{"filename": "x", "content": "%%%"}]}, "attachments[0].content"),
        ({"attachments": [{"filename": "x"}]}, "attachments[0]"),
        ({"attachments": [{"url": "file:///etc/passwd"}]}, "attachments[0].url"),
        ({"attachments": [{"url": "http://169.254.169.254/latest"}]}, "attachments[0].url"),
        ({"attachments": [{"url": "http://127.0.0.1:9/x"}]}, "attachments[0].url"),
        ({"labels": ["a\nb"]}, "labels[0]"),
    ):
        refused = await running.api.post(
            f"{BASE}/messages/send", json={**body, "cc": [], "bcc": [], **change}
        )
        assert refused.status_code == 400, (change, refused.text)
        assert refused.json()["errors"][0]["field"].startswith(field), refused.text
    assert len(await running.messages(BOT)) == 3


async def test_batches_and_search(running: MailApi) -> None:
    one = await running.arrived(BOT, mail(1, subject="alpha"), "alpha")
    two = await running.arrived(BOT, mail(2, subject="beta"), "beta")
    ids = [two["message_id"], "nothing", "<m1@far.example>"]
    got = (await running.api.post(f"{BASE}/messages/batch-get", json={"message_ids": ids})).json()
    assert [x["message_id"] for x in got["messages"]] == [two["message_id"], one["message_id"]]
    assert (got["count"], got["messages"][0]["text"]) == (2, None)
    done = await running.api.post(
        f"{BASE}/messages/batch-update",
        json={"message_ids": ids, "add_labels": "done", "remove_labels": ["unread"]},
    )
    assert done.json()["updates"] == [
        {"message_id": x["message_id"], "labels": ["done", "received"]} for x in (two, one)
    ]
    assert all({"done", "\\Seen"} <= flags for flags in (await running.flags(BOT, "INBOX")).values())
    for body in ({}, {"message_ids": []}, {"message_ids": ["x"] * 101}, {"message_ids": "x"}):
        assert (await running.api.post(f"{BASE}/messages/batch-get", json=body)).status_code == 400
    found = (await running.api.get(f"{BASE}/messages/search", params={"q": "alpha"})).json()
    assert [x["message_id"] for x in found["messages"]] == [one["message_id"]]
    assert (await running.api.get(f"{BASE}/messages/search")).status_code == 400
    for query in (
        {"page": "0"},
        {"page_size": "101"},
        {"limit": "x"},
        {"page_token": "zzz"},
        {"before": "x"},
        {"ascending": "maybe"},
    ):
        assert (await running.api.get(f"{BASE}/messages", params=query)).status_code == 400, query
    assert (await running.api.get(f"{BASE}/messages", params={"page": "1" + "0" * 25})).json()["data"] == []


async def test_mail_server_down_changes_nothing(running: MailApi) -> None:
    got = await running.arrived(BOT, mail(1, subject="still"), "still")
    one = f"{BASE}/messages/{got['message_id']}"
    link = (await running.api.get(f"{one}/raw")).json()["download_url"]
    await running.server.stop()
    await running.core.imap.drop(BOT)
    for answer in (
        await running.api.patch(one, json={"add_labels": ["x"]}),
        await running.api.delete(one),
        await running.api.delete(f"{BASE}/threads/{got['thread_id']}"),
        await running.api.post(f"{BASE}/drafts", json={"to": "a@b.example"}),
        await running.api.get(link),
    ):
        assert answer.status_code == 503, answer.text
        assert "retry-after" in answer.headers
    assert (await running.api.get(one)).json()["labels"] == ["received", "unread"]
    assert (await running.api.get(f"{BASE}/drafts")).json()["total"] == 0


def parsed(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)
