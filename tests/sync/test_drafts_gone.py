"""A draft that is gone from the Drafts folder is gone from the API and is not sent, however it went and whoever made
it; one that is still there stays."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from imapclient.exceptions import IMAPClientError

from gateway.core.drafts.schedule import DraftScheduler
from gateway.records.ids import now_us
from gateway.store.sql import sql
from mailserver.imap import Client
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


def written(n: int | str) -> bytes:
    return (
        f"From: {BOT}\r\nTo: {FRIEND}\r\nSubject: by hand {n}\r\nMessage-ID: <hand{n}@laptop.example>\r\n"
        f"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\ntext {n}\r\n"
    ).encode()


async def subjects(running: MailApi) -> list[str]:
    got = await running.api.get(DRAFTS)
    assert got.status_code == 200, got.text
    return sorted(one["subject"] for one in got.json()["drafts"])


async def are(running: MailApi, wanted: list[str]) -> bool:
    await running.sync.refresh(BOT)
    return await subjects(running) == wanted


async def three_drafts(running: MailApi) -> dict[str, str]:
    """One made by API, one that is scheduled, one by a person; their ids by subject."""
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for body in (
        {"to": [FRIEND], "subject": "by api", "text": "x"},
        {"to": [FRIEND], "subject": "scheduled", "text": "x", "send_at": later},
    ):
        made = await running.api.post(DRAFTS, json=body)
        assert made.status_code == 200, made.text
    await running.imap(BOT, lambda client: client.append("Drafts", written(1), [b"\\Draft"]))
    await until_async(lambda: are(running, ["by api", "by hand 1", "scheduled"]))
    got = await running.api.get(DRAFTS)
    return {one["subject"]: one["draft_id"] for one in got.json()["drafts"]}


def expunge(client: Client) -> None:
    client.open("Drafts")
    client.delete_messages(client.search("ALL"))
    client.expunge()


def expunge_by_leaving(client: Client) -> None:
    client.open("Drafts")
    client.delete_messages(client.search("ALL"))
    client.close_folder()
    client.open("INBOX")


def move_to(folder: str) -> Callable[[Client], None]:
    def move(client: Client) -> None:
        if not client.folder_exists(folder):
            client.create_folder(folder)
        client.open("Drafts")
        client.move("1:*", folder)

    return move


def delete_folder(client: Client) -> None:
    client.delete_folder("Drafts")


def rename(client: Client) -> None:
    client.rename_folder("Drafts", "Old drafts")


def anew(client: Client) -> None:
    client.delete_folder("Drafts")
    with contextlib.suppress(IMAPClientError):  # Dovecot makes it for whoever logs in meanwhile
        client.create_folder("Drafts")


def another_in_its_place(client: Client) -> None:
    client.create_folder("Spare")
    rename(client)
    for _ in range(50):
        if client.folder_exists("Drafts"):
            client.delete_folder("Drafts")
        with contextlib.suppress(IMAPClientError):
            return client.rename_folder("Spare", "Drafts")
    raise AssertionError("the folder could not be renamed")


WAYS = {
    "expunged": expunge,
    "expunged by CLOSE": expunge_by_leaving,
    "moved to Trash": move_to("Trash"),
    "moved to a folder": move_to("Later"),
    "folder deleted": delete_folder,
    "folder renamed": rename,
    "folder made anew": anew,
    "another folder in its place": another_in_its_place,
}


@pytest.mark.parametrize("way", list(WAYS))
async def test_what_a_person_takes_away_is_gone_from_the_api(running: MailApi, way: str) -> None:
    ids = await three_drafts(running)
    await running.imap(BOT, WAYS[way])
    await until_async(lambda: are(running, []))
    for draft_id in ids.values():
        assert (await running.api.get(f"{DRAFTS}/{draft_id}")).status_code == 404
        assert (await running.api.post(f"{DRAFTS}/{draft_id}/send", json={})).status_code == 404
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM draft_file")) == 0


@pytest.mark.parametrize("way", list(WAYS))
async def test_what_went_while_nothing_looked_is_neither_sent_nor_shown(running: MailApi, way: str) -> None:
    """The gateway was down meanwhile, and what was scheduled is due before the mailbox is read."""
    ids = await three_drafts(running)
    await running.sync.stop()
    await running.imap(BOT, WAYS[way])
    due = "UPDATE draft SET send_at = ? WHERE send_status = 'scheduled'"
    await running.core.store.write(lambda tx: sql(tx).run(due, now_us()))
    scheduler = DraftScheduler(running.core)
    assert await scheduler.pass_once() == 0
    for draft_id in ids.values():
        sent = await running.api.post(f"{DRAFTS}/{draft_id}/send", json={})
        assert sent.status_code == 409, sent.text
        edited = await running.api.patch(f"{DRAFTS}/{draft_id}", json={"text": "still there?"})
        assert edited.status_code == 409, edited.text
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM outbox")) == 0
    await running.sync.start()
    await until_async(lambda: are(running, []))
    assert await scheduler.pass_once() == 0
    assert await running.core.store.read(lambda tx: sql(tx).value("SELECT count(*) FROM outbox")) == 0


async def test_what_is_still_there_stays(running: MailApi) -> None:
    ids = await three_drafts(running)

    def one_of_them(client: Client) -> None:
        client.open("Drafts")
        client.delete_messages(client.search(["SUBJECT", "by hand"]))
        client.expunge()

    await running.imap(BOT, one_of_them)
    await until_async(lambda: are(running, ["by api", "scheduled"]))
    got = await running.api.get(f"{DRAFTS}/{ids['scheduled']}")
    assert got.json()["send_status"] == "scheduled"


async def test_a_folder_made_anew_with_the_same_drafts_keeps_them(running: MailApi) -> None:
    """As a restored mailbox has them: another UIDVALIDITY, the same messages. Ids and schedules stay."""
    ids = await three_drafts(running)

    def restore(client: Client) -> None:
        client.open("Drafts")
        kept = [row[b"BODY[]"] for row in client.fetch_set("1:*", ["BODY.PEEK[]"])[0].values()]
        client.leave()
        anew(client)
        for raw in reversed(kept):
            client.append("Drafts", raw, [b"\\Draft"])

    await running.sync.stop()
    await running.imap(BOT, restore)
    await running.sync.start()
    await until_async(lambda: are(running, ["by api", "by hand 1", "scheduled"]))
    got = (await running.api.get(DRAFTS)).json()["drafts"]
    assert {one["subject"]: one["draft_id"] for one in got} == ids
    assert {one["send_status"] for one in got if one["subject"] == "scheduled"} == {"scheduled"}
    for draft_id in ids.values():
        sent = await running.api.post(f"{DRAFTS}/{draft_id}/send", json={})
        assert sent.status_code == 200, sent.text


async def test_of_two_copies_one_is_enough(running: MailApi) -> None:
    """A person copied the drafts within the folder and deleted the copies that the drafts were known by."""
    ids = await three_drafts(running)

    def copy(client: Client) -> None:
        client.open("Drafts")
        client.copy("1:*", "Drafts")

    await running.imap(BOT, copy)
    await running.sync.refresh(BOT)

    def delete_the_newer(client: Client) -> None:
        client.open("Drafts")
        uids = sorted(client.search("ALL"))
        assert len(uids) == 6
        client.delete_messages(uids[3:])
        client.expunge()

    await running.imap(BOT, delete_the_newer)
    await until_async(lambda: are(running, ["by api", "by hand 1", "scheduled"]))
    got = (await running.api.get(DRAFTS)).json()["drafts"]
    assert {one["subject"]: one["draft_id"] for one in got} == ids
    for draft_id in ids.values():
        sent = await running.api.post(f"{DRAFTS}/{draft_id}/send", json={})
        assert sent.status_code == 200, sent.text


async def test_drafts_renamed_away_and_back_are_drafts_again(running: MailApi) -> None:
    ids = await three_drafts(running)
    await running.imap(BOT, rename)
    await until_async(lambda: are(running, []))

    def back(client: Client) -> None:
        for _ in range(50):  # Dovecot makes it anew for whoever logs in meanwhile
            if client.folder_exists("Drafts"):
                client.delete_folder("Drafts")
            with contextlib.suppress(IMAPClientError):
                return client.rename_folder("Old drafts", "Drafts")
        raise AssertionError("the folder could not be renamed")

    await running.imap(BOT, back)
    await until_async(lambda: are(running, ["by api", "by hand 1", "scheduled"]))
    got = (await running.api.get(DRAFTS)).json()["drafts"]
    assert {one["subject"]: one["draft_id"] for one in got} == ids
    assert {one["send_status"] for one in got} == {None}, (
        "what was taken away once is not sent by itself later"
    )
    assert await running.messages(BOT) == []
