"""What is attached arrives as it was given: its type with the parameters, a message as a message, a name that fits."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from mailserver.imap import Client
from tests.support.filled_store import mail
from tests.support.mail_api import MailApi, mail_api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
BOT = "bot@postern.test"
FRIEND = "friend@postern.test"
BASE = f"/api/v0/inboxes/{BOT}"
ICS = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:Grüße\r\nEND:VCALENDAR\r\n"
INNER = "From: i@x.example\r\nTo: j@x.example\r\nSubject: Inside\r\n\r\nGrüße\r\n"


def given(filename: str | None, content_type: str, content: str) -> dict[str, Any]:
    data = base64.b64encode(content.encode()).decode()
    return {"filename": filename, "content_type": content_type, "content": data}


INVITE = given("invite.ics", "Text/Calendar; charset=utf-8; method=REQUEST; name=other.ics", ICS)
ATTACHED = given(None, "message/rfc822", INNER)


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MailApi]:
    async with mail_api(tmp_path) as made:
        await made.inbox(BOT)
        await made.inbox(FRIEND)
        yield made


async def received(running: MailApi, subject: str) -> EmailMessage:
    """The mail with this subject in the friend's inbox, as it stands there."""

    async def look() -> Any:
        return await running.messages(FRIEND, subject=subject)

    await until_async(look)

    def read(client: Client) -> list[bytes]:
        client.open("INBOX", readonly=True)
        rows, _ = client.fetch_set("1:*", ["UID", "BODY.PEEK[]"])
        return [row[b"BODY[]"] for row in rows.values()]

    mails = [message_from_bytes(raw, policy=policy.default) for raw in await running.imap(FRIEND, read)]
    [found] = [one for one in mails if one["subject"] == subject]
    return found


async def accepted(running: MailApi, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = await running.api.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def check(mail: EmailMessage) -> None:
    [invite, nested] = list(mail.iter_attachments())
    assert invite.get_content_type() == "text/calendar"
    assert {key: invite.get_param(key) for key in ("method", "charset", "name")} == {
        "method": "REQUEST",
        "charset": "utf-8",
        "name": None,
    }
    assert invite.get_filename() == "invite.ics"
    assert invite.get_payload(decode=True).decode() == ICS
    assert (nested.get_content_type(), nested["content-transfer-encoding"]) == ("message/rfc822", "8bit")
    assert nested.get_filename() == "attachment.eml"
    inside = nested.get_content()
    assert inside["subject"] == "Inside"


async def test_types_survive_sends_replies_drafts_and_forwards(running: MailApi) -> None:
    body = {"to": [FRIEND], "text": "x", "attachments": [INVITE, ATTACHED]}
    sent = await accepted(running, f"{BASE}/messages/send", {**body, "subject": "sent"})
    check(await received(running, "sent"))

    await accepted(
        running,
        f"{BASE}/messages/{sent['message_id']}/reply",
        {"text": "r", "attachments": [INVITE, ATTACHED]},
    )
    check(await received(running, "Re: sent"))

    await accepted(running, f"{BASE}/messages/{sent['message_id']}/forward", {"to": [FRIEND], "text": "f"})
    check(await received(running, "Fwd: sent"))

    draft = await accepted(running, f"{BASE}/drafts", {**body, "subject": "draft", "attachments": [INVITE]})
    one = f"{BASE}/drafts/{draft['draft_id']}"
    changed = await running.api.patch(one, json={"add_attachments": [ATTACHED]})
    assert changed.status_code == 200, changed.text
    shown = [(file["filename"], file["content_type"]) for file in changed.json()["attachments"]]
    assert shown == [("invite.ics", "text/calendar"), ("attachment.eml", "message/rfc822")]
    await accepted(running, f"{one}/send", {})
    check(await received(running, "draft"))


@pytest.mark.parametrize(
    "bad", ["calendar", "text/calendar\r\nBcc: a@b.test", "text/calendar; x=a\nb", "a/b/c"]
)
async def test_a_type_that_is_none_is_refused(running: MailApi, bad: str) -> None:
    body = {"to": [FRIEND], "text": "x", "attachments": [given("a", bad, "x")]}
    answer = await running.api.post(f"{BASE}/messages/send", json=body)
    assert answer.status_code == 400
    assert "attachments[0].content_type" in answer.text


async def test_a_mail_with_odd_parts_is_shown_with_names_and_can_be_sent_on(running: MailApi) -> None:
    parts = {
        "image/webp": "Content-ID: <image 1.png@01D8>\r\nContent-Disposition: inline",
        "text/vcard": "Content-ID: <\xfc>\r\nContent-Disposition: attachment",
        "message/rfc822": "Content-ID: <>",
    }
    body = "".join(
        f"--b\r\nContent-Type: {kind}\r\n{fields}\r\n\r\n{INNER}\r\n" for kind, fields in parts.items()
    )
    html = '--b\r\nContent-Type: text/html\r\n\r\n<p>Look</p><img src="cid:image%201.png@01D8">\r\n'
    head = mail(1, subject="odd").split(b"\r\n\r\n")[0]
    head = b"\r\n".join(
        line for line in head.split(b"\r\n") if not line.lower().startswith((b"content-", b"mime-"))
    )
    raw = head + b"\r\nMIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b\r\n\r\n"
    got = await running.arrived(BOT, raw + (html + body).encode() + b"--b--\r\n", "odd")
    names = [one["filename"] for one in got["attachments"]]
    assert names == ["attachment-1.webp", "attachment-2.vcf", "attachment-3.eml"]
    link = await running.api.get(
        f"{BASE}/messages/{got['message_id']}/attachments/{got['attachments'][0]['attachment_id']}"
    )
    assert link.json()["filename"] == "attachment-1.webp"

    await accepted(running, f"{BASE}/messages/{got['message_id']}/forward", {"to": [FRIEND], "text": "f"})
    forwarded = await received(running, "Fwd: odd")
    found = {one.get_content_type(): one for one in forwarded.walk() if one.get_filename()}
    assert {one.get_filename() for one in found.values()} == set(names)
    assert found["image/webp"]["content-id"] == "<image_1.png@01D8>"
    shown = next(one for one in forwarded.walk() if one.get_content_type() == "text/html")
    assert 'src="cid:image_1.png@01D8"' in shown.get_content()
    assert found["message/rfc822"].get_content()["subject"] == "Inside"
