"""Drafts in the API and in the mailbox, and sending them when their time has come, exactly once."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.core.drafts.from_mailbox import note_person_draft
from gateway.core.drafts.schedule import DraftScheduler
from gateway.records.ids import now_us
from gateway.store.queries.drafts import unscoped_draft
from gateway.store.queries.inboxes import unscoped_inbox_at
from gateway.store.sql import sql
from mailserver.imap import Client
from tests.support.filled_store import mail
from tests.support.mail_api import MailApi, mail_api
from tests.support.waiting import until_async

pytestmark = pytest.mark.anyio
BOT = "bot@postern.test"
FRIEND = "friend@postern.test"
DRAFTS = f"/api/v0/inboxes/{BOT}/drafts"


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[MailApi]:
    async with mail_api(tmp_path) as made:
        await made.inbox(BOT)
        await made.inbox(FRIEND)
        yield made


async def in_folder(running: MailApi) -> list[bytes]:
    def work(client: Client) -> list[bytes]:
        if not client.open("Drafts", readonly=True)[b"EXISTS"]:
            return []
        rows, _ = client.fetch_set("1:*", ["UID", "FLAGS", "BODY.PEEK[]"])
        assert all(b"\\Draft" in row[b"FLAGS"] for row in rows.values())
        return [row[b"BODY[]"] for row in rows.values()]

    return await running.imap(BOT, work)


def later(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


async def their_time_comes(running: MailApi) -> None:
    """What is scheduled is due now."""
    due = "UPDATE draft SET send_at = ? WHERE send_status = 'scheduled'"
    await running.core.store.write(lambda tx: sql(tx).run(due, now_us()))


async def test_a_draft_stands_in_the_mailbox_and_follows_edits(running: MailApi) -> None:
    body: dict[str, Any] = {
        "to": ["Friend <friend@postern.test>"],
        "bcc": "hidden@postern.test",
        "subject": "Plan",
        "text": "v1",
        "labels": ["todo"],
        "client_id": "c-1",
        "attachments": [{"filename": "a.txt", "content": base64.b64encode(b"one").decode()}],
    }
    made = await running.api.post(DRAFTS, json=body)
    assert made.status_code == 200, made.text
    draft = made.json()
    assert (draft["to"], draft["labels"], draft["send_status"]) == (body["to"], ["todo"], None)
    assert (await running.api.post(DRAFTS, json=body)).json()["draft_id"] == draft["draft_id"]
    (raw,) = await in_folder(running)
    assert f"X-Postern-Draft: {draft['draft_id']}".encode() in raw
    assert b"Bcc: hidden@postern.test" in raw
    assert b"v1" in raw
    one = f"{DRAFTS}/{draft['draft_id']}"
    att = draft["attachments"][0]["attachment_id"]
    link = (await running.api.get(f"{one}/attachments/{att}")).json()
    assert (await running.api.get(link["download_url"])).content == b"one"

    changed = await running.api.patch(
        one,
        json={
            "text": "v2",
            "bcc": None,
            "add_labels": "x",
            "remove_labels": ["todo"],
            "remove_attachments": [att],
            "add_attachments": [{"filename": "b.txt", "content": base64.b64encode(b"two").decode()}],
        },
    )
    assert changed.status_code == 200, changed.text
    assert (changed.json()["text"], changed.json()["labels"], changed.json()["bcc"]) == ("v2", ["x"], [])
    assert [one["filename"] for one in changed.json()["attachments"]] == ["b.txt"]
    (raw,) = await in_folder(running)
    assert b"v2" in raw
    assert b"Bcc" not in raw
    await running.sync.refresh(BOT)
    listed = (await running.api.get("/api/v0/drafts")).json()
    assert (listed["total"], [one["draft_id"] for one in listed["drafts"]]) == (1, [draft["draft_id"]])
    assert (await running.api.get("/api/v0/drafts", params={"labels": "x"})).json()["total"] == 1
    assert (await running.api.get("/api/v0/drafts", params={"labels": "todo"})).json()["total"] == 0

    for bad in (
        {"to": "nobody"},
        {"subject": "a\nb"},
        {"send_at": "2001-01-01T00:00:00Z"},
        {"send_at": "soon"},
        {"remove_attachments": ["att_x"]},
        {"add_labels": ["unread"]},
    ):
        assert (await running.api.patch(one, json=bad)).status_code == 400, bad
    assert (await running.api.delete(one)).status_code == 204
    assert (await running.api.get(one)).status_code == 404
    assert await in_folder(running) == []


async def test_sending_a_draft_once(running: MailApi) -> None:
    draft = (
        await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "Once", "text": "x", "labels": ["l"]})
    ).json()
    one = f"{DRAFTS}/{draft['draft_id']}/send"
    answers = await asyncio.gather(*(running.api.post(one, json={"add_labels": "m"}) for _ in range(5)))
    assert sorted(a.status_code for a in answers) == [200, 404, 404, 404, 404], [a.text for a in answers]
    sent = next(a.json() for a in answers if a.status_code == 200)
    whole = (await running.api.get(f"/api/v0/inboxes/{BOT}/messages/{sent['message_id']}")).json()
    assert (whole["subject"], whole["labels"]) == ("Once", ["l", "m"])
    assert await in_folder(running) == []
    assert (await running.api.get(DRAFTS)).json()["total"] == 0

    again = (await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "Key"})).json()
    one = f"{DRAFTS}/{again['draft_id']}/send"
    key = {"Idempotency-Key": "draft-key"}
    first = await running.api.post(one, headers=key)
    assert first.status_code == 200, first.text
    assert (await running.api.post(one, headers=key)).json() == first.json()

    async def look() -> object:
        return len(await running.messages(FRIEND)) == 2

    await until_async(look)


async def test_reply_and_forward_drafts(running: MailApi) -> None:
    got = await running.arrived(
        BOT, mail(1, subject="Ask", sender=f"Friend <{FRIEND}>", to=f"{BOT}, third@postern.test"), "Ask"
    )
    made = await running.api.post(
        DRAFTS, json={"in_reply_to": got["message_id"], "reply_all": True, "text": "answer"}
    )
    reply = made.json()
    assert made.status_code == 200, made.text
    assert (reply["subject"], reply["to"]) == ("Re: Ask", [f"Friend <{FRIEND}>"])
    assert reply["cc"] == ["third@postern.test"]
    assert reply["references"] == ["<m1@far.example>"]
    sent = (await running.api.post(f"{DRAFTS}/{reply['draft_id']}/send")).json()
    assert sent["thread_id"] == got["thread_id"]
    whole = (await running.api.get(f"/api/v0/inboxes/{BOT}/messages/{sent['message_id']}")).json()
    assert whole["in_reply_to"] == "<m1@far.example>"
    forward = (
        await running.api.post(DRAFTS, json={"forward_of": got["message_id"], "to": FRIEND, "text": "see"})
    ).json()
    sent = (await running.api.post(f"{DRAFTS}/{forward['draft_id']}/send")).json()
    assert sent["thread_id"] != got["thread_id"]
    whole = (await running.api.get(f"/api/v0/inboxes/{BOT}/messages/{sent['message_id']}")).json()
    assert whole["subject"] == "Fwd: Ask"
    assert "see" in whole["text"]
    assert "hello" in whole["text"]
    for bad in (
        {"in_reply_to": got["message_id"], "forward_of": got["message_id"]},
        {"reply_all": True},
        {"in_reply_to": got["message_id"], "reply_all": True, "to": FRIEND},
    ):
        assert (await running.api.post(DRAFTS, json=bad)).status_code == 400, bad
    assert (await running.api.post(DRAFTS, json={"in_reply_to": "msg_no"})).status_code == 404


async def test_a_persons_draft_shows_changes_and_is_sent(running: MailApi) -> None:
    def raw(text: str) -> bytes:
        return (
            f"From: {BOT}\r\nTo: {FRIEND}\r\nSubject: By hand\r\nMessage-ID: <tb1@client>\r\n"
            f"Content-Type: text/plain\r\n\r\n{text}\r\n"
        ).encode()

    await running.imap(BOT, lambda client: client.append("Drafts", raw("one"), flags=[b"\\Draft"]))

    async def shown() -> Any:
        return (await running.api.get(DRAFTS)).json()["drafts"]

    (draft,) = await until_async(shown)
    assert (draft["subject"], draft["to"]) == ("By hand", [FRIEND])

    def edit(client: Client) -> None:
        client.append("Drafts", raw("two"), flags=[b"\\Draft"])
        client.open("Drafts")
        first = min(client.search())
        client.add_flags([first], [b"\\Deleted"])
        client.uid_expunge([first])

    await running.imap(BOT, edit)

    async def edited() -> Any:
        got = (await running.api.get(f"{DRAFTS}/{draft['draft_id']}")).json()
        return got if (got.get("text") or "").strip() == "two" else None

    await until_async(edited)
    await running.sync.refresh(BOT)
    assert [one["draft_id"] for one in await shown()] == [draft["draft_id"]]
    sent = await running.api.post(f"{DRAFTS}/{draft['draft_id']}/send")
    assert sent.status_code == 200, sent.text
    assert await in_folder(running) == []

    await running.imap(BOT, lambda client: client.append("Drafts", raw("three"), flags=[b"\\Draft"]))
    await until_async(shown)

    def wipe(client: Client) -> None:
        client.open("Drafts")
        client.add_flags(client.search(), [b"\\Deleted"])
        client.expunge()

    await running.imap(BOT, wipe)

    async def none() -> bool:
        return not await shown()

    await until_async(none)


async def test_a_file_in_a_persons_draft_is_read_from_the_mailbox(running: MailApi) -> None:
    def raw(text: str) -> bytes:
        return (
            f"From: {BOT}\r\nTo: {FRIEND}\r\nSubject: With a file\r\nMessage-ID: <file{text}@client>\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee the file\r\n"
            "--b\r\nContent-Type: text/csv\r\nContent-Disposition: attachment; filename=list.csv\r\n\r\n"
            f"{text}\r\n--b--\r\n"
        ).encode()

    await running.imap(BOT, lambda client: client.append("Drafts", raw("a;b"), flags=[b"\\Draft"]))

    async def shown() -> Any:
        return (await running.api.get(DRAFTS)).json()["drafts"]

    (draft,) = await until_async(shown)
    (file,) = draft["attachments"]
    path = f"{DRAFTS}/{draft['draft_id']}/attachments/{file['attachment_id']}"
    link = (await running.api.get(path)).json()["download_url"]
    got = await running.api.get(link)
    assert (got.content, got.headers["content-type"].partition(";")[0]) == (b"a;b", "text/csv")

    # in a folder made anew the same place may be another message: what is there is not given out
    ulid = draft["draft_id"].removeprefix("dft_")
    await running.core.store.write(
        lambda tx: sql(tx).run("UPDATE draft SET uidvalidity = 1 WHERE id = ?", ulid)
    )
    assert (await running.api.get(link)).status_code == 404


async def test_scheduled_drafts_go_once_when_due(running: MailApi) -> None:
    made = await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "Later", "send_at": later(500)})
    draft = made.json()
    assert (draft["send_status"], draft["labels"]) == ("scheduled", ["scheduled"]), made.text
    bad = (await running.api.post(DRAFTS, json={"subject": "nobody", "send_at": later(500)})).json()
    far = (
        await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "Far", "send_at": later(600)})
    ).json()
    unset = await running.api.patch(f"{DRAFTS}/{far['draft_id']}", json={"send_at": None})
    assert (unset.json()["send_status"], unset.json()["send_at"], unset.json()["labels"]) == (None, None, [])
    assert await DraftScheduler(running.core).pass_once() == 0
    await their_time_comes(running)
    went = await asyncio.gather(*(DraftScheduler(running.core).pass_once() for _ in range(3)))
    assert sum(went) == 1
    assert (await running.api.get(f"{DRAFTS}/{draft['draft_id']}")).status_code == 404
    failed = (await running.api.get(f"{DRAFTS}/{bad['draft_id']}")).json()
    assert (failed["send_status"], failed["labels"]) == ("failed", [])
    assert "recipient" in failed["send_error"]
    assert len(await in_folder(running)) == 2

    async def look() -> object:
        return await running.messages(FRIEND)

    assert len(await until_async(look)) == 1
    again = await running.api.patch(f"{DRAFTS}/{bad['draft_id']}", json={"to": FRIEND, "send_at": later(500)})
    assert (again.json()["send_status"], again.json()["send_error"]) == ("scheduled", None)
    assert await DraftScheduler(running.core).pass_once() == 0
    await their_time_comes(running)
    assert await DraftScheduler(running.core).pass_once() == 1


async def test_a_kill_leaves_a_draft_due_or_sent(running: MailApi) -> None:
    """What the rows look like after a kill: marked sending and unsent, or sent and not swept."""
    first = (
        await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "A", "send_at": later(600)})
    ).json()
    second = (await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "B"})).json()

    def crash(tx: Any) -> None:
        sql(tx).run(
            "UPDATE draft SET send_status = 'sending', send_at = ? WHERE id = ?",
            now_us(),
            first["draft_id"][4:],
        )
        sql(tx).run("UPDATE draft SET send_status = 'sent' WHERE id = ?", second["draft_id"][4:])

    await running.core.store.write(crash)
    assert (await running.api.get(f"{DRAFTS}/{second['draft_id']}")).status_code == 404
    engine = DraftScheduler(running.core, interval=0.05, grace=0)
    await engine.start()

    async def look() -> object:
        rows = await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM draft"))
        return rows == 0 and await in_folder(running) == []

    await until_async(look)
    await engine.stop()
    sent = await running.messages(BOT, labels="sent")
    assert [one["subject"] for one in sent] == ["A"]


@pytest.mark.parametrize("way", ["sent", "deleted"])
async def test_a_pass_that_had_read_a_draft_does_not_bring_it_back(running: MailApi, way: str) -> None:
    made = (await running.api.post(DRAFTS, json={"to": FRIEND, "subject": "Gone", "text": "once"})).json()
    one, ulid = f"{DRAFTS}/{made['draft_id']}", made["draft_id"][4:]
    await running.api.patch(one, json={"text": "twice"})
    inbox = await running.core.store.read(lambda tx: unscoped_inbox_at(tx, BOT))
    filed = await running.core.store.read(lambda tx: unscoped_draft(tx, ulid))
    assert inbox is not None
    assert filed is not None
    read = await running.core.parser.parse((await in_folder(running))[0])
    answer = await (running.api.post(f"{one}/send", json={}) if way == "sent" else running.api.delete(one))
    assert answer.is_success
    assert filed.copy is not None
    validity, last = filed.copy
    for uid in (last - 1, last):  # the copy before the change, too
        await running.core.store.write(lambda tx, uid=uid: note_person_draft(tx, inbox, uid, validity, read))
    assert (await running.api.get(DRAFTS)).json()["drafts"] == []
    assert (await running.api.get(one)).status_code == 404
    engine = DraftScheduler(running.core, grace=0)
    await engine.pass_once()
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM draft")) == 0


async def test_a_draft_put_away_keeps_nothing_but_its_name_and_frees_its_client_id(running: MailApi) -> None:
    new = {"to": FRIEND, "subject": "zebra", "text": "zebra", "labels": ["zebra"], "client_id": "one"}
    first = (await running.api.post(DRAFTS, json=new)).json()
    await running.api.delete(f"{DRAFTS}/{first['draft_id']}")
    rows = await running.core.store.read(lambda tx: sql(tx).rows("SELECT * FROM draft"))
    assert [row["id"] for row in rows] == [first["draft_id"][4:]]
    assert "zebra" not in str(rows)
    second = (await running.api.post(DRAFTS, json=new)).json()
    assert second["draft_id"] != first["draft_id"]
    await DraftScheduler(running.core).pass_once()
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM draft")) == 2
    await DraftScheduler(running.core, grace=0).pass_once()
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM draft")) == 1
